"""A model provider for tests: OpenAI-compatible, over real HTTP, on 127.0.0.1, without a key.

```python
from langchain_prodkit.testing import ProviderServer

with ProviderServer(script=["Hello!"]) as provider:
    model = ChatOpenAI(model="gpt-4o-mini", base_url=provider.base_url, api_key="any")
    assert model.invoke("Hi").content == "Hello!"
    assert "Hi" in provider.journal_text()
```

With pytest installed, the fixtures `provider_server` and `make_provider_server` are there without
an import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names

if TYPE_CHECKING:
    from langchain_prodkit.testing.answers import Script
    from langchain_prodkit.testing.faults import FaultKind, Faults
    from langchain_prodkit.testing.journal import Entry, Statistics
    from langchain_prodkit.testing.latency import Latency
    from langchain_prodkit.testing.schema import fill_schema
    from langchain_prodkit.testing.serve_command import serve
    from langchain_prodkit.testing.server import ProviderServer

__all__ = [
    "Entry",
    "FaultKind",
    "Faults",
    "Latency",
    "ProviderServer",
    "Script",
    "Statistics",
    "fill_schema",
    "serve",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "Entry": "journal",
        "FaultKind": "faults",
        "Faults": "faults",
        "Latency": "latency",
        "ProviderServer": "server",
        "Script": "answers",
        "Statistics": "journal",
        "fill_schema": "schema",
        "serve": "serve_command",
    },
)
