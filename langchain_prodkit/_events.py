"""Custom events: what a piece did, for traces and `astream_events`, as codes and counts.

Event names are `prodkit.<past participle>`. Their data never hold user text: a trace is a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.callbacks.manager import adispatch_custom_event, dispatch_custom_event
from langchain_core.runnables.config import ensure_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.runnables import RunnableConfig

REDACTED: Final = "prodkit.redacted"
"""Data: `entities` (entity -> count), `leaves` (texts looked at)."""
RESTORED: Final = "prodkit.restored"
"""Data: `restored` and `unknown` (placeholders)."""
JUDGED: Final = "prodkit.injection"
"""Data: `is_injection`, `score`, `source`, `reasons` (codes), `layer`, `scanned_chars`, `total_chars`."""
MARKED: Final = "prodkit.marked"
"""Data: `method`, `marked` (texts put between borders), `neutralised` (forged borders found)."""
GATED: Final = "prodkit.gated"
"""Data: `is_relevant`, `score`, `cut`, `retrieved`, `dropped` (poisoned documents), `reasons` (codes)."""
REWRITTEN: Final = "prodkit.rewritten"
"""Data: `chars_in`, `chars_out`, `was_cut`."""
CHECKED: Final = "prodkit.checked"
"""One an answer. Data: `is_violation`, `reasons` (codes), `scope_score` (None when not judged), `chars`."""
EVALUATED: Final = "prodkit.evaluated"
"""One an answer that an output check saw. Data: `passed`, `failed` (names of checks), `reasons` (codes),
`errors` (checks that raised)."""
TRACKED: Final = "prodkit.tracked"
"""One a query of a tracked user. Data: `reasons` (codes), `strikes`, `in_a_row`, `barred` (kind or empty),
`retry_after_s`."""
LIMITED: Final = "prodkit.limited"
"""One a call that waited for a permit or was refused. Data: `waited_s` (for permits and between attempts),
`attempts`, `refusals`, `reserved_tokens`, `used_tokens`."""
REASKED: Final = "prodkit.reasked"
"""Data: `attempt`, `reason`, `fields` (paths)."""
REPAIRED: Final = "prodkit.repaired"
"""Data: `repairs` (names of the repairs made)."""
RECORDED: Final = "prodkit.recorded"
"""Data: `records`, `dropped`."""


class Emit:
    """A step (see `_runnable`) that sends one custom event to the callbacks of `config`.

    Without a `config` (inside a chat model, which receives none) the event belongs to the run that
    surrounds the call. Outside any run there is nobody to tell, and the step does nothing.
    """

    __slots__ = ("config", "data", "name")

    def __init__(self, name: str, data: Mapping[str, Any], config: RunnableConfig | None = None) -> None:
        """Hold the event until a driver runs it."""
        self.name = name
        self.data = dict(data)
        self.config = config

    def run(self) -> None:
        """Send it from synchronous code."""
        config = ensure_config(self.config)
        if _has_parent(config):
            dispatch_custom_event(self.name, self.data, config=config)

    async def arun(self) -> None:
        """Send it from asynchronous code."""
        config = ensure_config(self.config)
        if _has_parent(config):
            await adispatch_custom_event(self.name, self.data, config=config)


def _has_parent(config: RunnableConfig) -> bool:
    """Tell whether `config` belongs to a run: langchain-core refuses events without one."""
    return getattr(config.get("callbacks"), "parent_run_id", None) is not None
