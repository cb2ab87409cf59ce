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
    from langchain_prodkit.parse.parser import ParsedResult as ParsedResult
    from langchain_prodkit.parse.repair import parse_aligned as parse_aligned

__all__ = ["InstructorParser", "ParsedResult", "StructuredOutputError", "parse_aligned"]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {"InstructorParser": "parser", "ParsedResult": "parser", "parse_aligned": "repair"},
)
