"""Answers that keep the contract: validated objects from any chat model, re-asked when they are not.

```python
chain = prompt | InstructorParser(Ticket, llm=model)  # in the model's place
chain = prompt | model | InstructorParser(Ticket, llm=model)  # or after it
ticket = parse_aligned(text, Ticket)  # without any model
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names
from langchain_prodkit.errors import StructuredOutputError

if TYPE_CHECKING:
    from langchain_prodkit.parse.parser import InstructorParser as InstructorParser
    from langchain_prodkit.parse.partial import PartialStream as PartialStream
    from langchain_prodkit.parse.repair import parse_aligned as parse_aligned
    from langchain_prodkit.parse.result import FailedAttempt as FailedAttempt
    from langchain_prodkit.parse.result import Failure as Failure
    from langchain_prodkit.parse.result import ParsedResult as ParsedResult
    from langchain_prodkit.parse.result import ReaskBuilder as ReaskBuilder
    from langchain_prodkit.parse.validator import llm_validator as llm_validator

__all__ = [
    "FailedAttempt",
    "Failure",
    "InstructorParser",
    "ParsedResult",
    "PartialStream",
    "ReaskBuilder",
    "StructuredOutputError",
    "llm_validator",
    "parse_aligned",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "FailedAttempt": "result",
        "Failure": "result",
        "InstructorParser": "parser",
        "ParsedResult": "result",
        "PartialStream": "partial",
        "ReaskBuilder": "result",
        "llm_validator": "validator",
        "parse_aligned": "repair",
    },
)
