"""The runs going on now, each with the root it belongs to and what the root gathers meanwhile.

Nothing here locks: `MLflowEvalCallback` calls the methods that change the tree under its lock.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_core.messages.ai import add_usage

from langchain_prodkit.evaluation.plain import plain, plain_values
from langchain_prodkit.evaluation.record import Context, EvalRecord, Feedback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from langchain_core.documents import Document
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.outputs import LLMResult

__all__ = ["OpenRoot", "RunTree"]

MAX_LATE: Final = 256
"""Ended roots below which something still runs; past that the oldest is forgotten."""

Kind = Literal["chain", "tool", "leaf"]
"""Leaves (models, retrievers) hardly ever start runs of their own."""

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class OpenRoot:
    """A root run that has not ended, and what was gathered below it."""

    __slots__ = (
        "contexts", "feedback", "first_tokens", "gathers", "input", "is_closed", "is_sampled", "metadata",
        "model_calls", "models", "name", "reasks", "retrievals", "run_id", "runs", "started_at", "started_s",
        "tags", "usage", "waited_s",
    )  # fmt: skip

    def __init__(self, run_id: UUID, kind: Kind, *, is_sampled: bool, gathers: bool) -> None:
        """Start the clock."""
        self.run_id = run_id
        self.is_sampled = is_sampled
        self.gathers = gathers
        """Whether what happens is noted: always of a sampled run, and of one that may yet be kept."""
        self.is_closed = False
        self.runs: dict[UUID, Kind] = {run_id: kind}
        """Runs going on, the root included."""
        self.started_s = time.perf_counter()
        self.started_at = time.time()
        self.name = ""
        self.input: Any = None
        self.tags: tuple[str, ...] = ()
        self.metadata: dict[str, Any] = {}
        self.contexts: dict[tuple[str | None, str], Context] = {}
        self.retrievals: dict[UUID, bool] = {}
        """Retrievers going on (True), and the runs below them (False)."""
        self.first_tokens: dict[UUID, float] = {}
        self.models: dict[str, None] = {}
        self.model_calls = 0
        self.reasks = 0
        self.waited_s = 0.0
        self.usage: list[UsageMetadata] = []
        self.feedback: list[Feedback] = []

    def add(self, context: Context) -> None:
        """Gather a text that the chain has at hand; one that came before keeps its place."""
        self.contexts.setdefault((context.id, context.text), context)

    def record(self, output: Any, error: BaseException | None, value: Any) -> EvalRecord:
        """Close the books: one record of the run that ended now."""
        ended_s = time.perf_counter()
        usage: UsageMetadata | None = None
        for part in self.usage:
            usage = part if usage is None else add_usage(usage, part)
        # A copy: tokens are noted without the lock.
        first_s = next(reversed(list(self.first_tokens.values())), None)
        record = EvalRecord(
            id=str(self.run_id),
            input=self.input if value is None else plain(value),
            output=None if error is not None else plain(output),
            contexts=tuple(self.contexts.values()),
            name=self.name,
            models=tuple(self.models),
            model_calls=self.model_calls,
            reasks=self.reasks,
            waited_s=self.waited_s,
            usage=None if usage is None else plain(usage),
            latency_ms=(ended_s - self.started_s) * 1000,
            ttft_ms=None if first_s is None else (first_s - self.started_s) * 1000,
            error=None if error is None else type(error).__name__,
            error_code=_code(error),
            started_at=self.started_at,
            tags=self.tags,
            metadata=self.metadata,
            feedback=tuple(self.feedback),
        )
        self.release()
        return record

    def release(self) -> None:
        """Let go of all texts: what still runs below keeps the root in memory."""
        self.input, self.contexts, self.metadata = None, {}, {}
        self.usage, self.feedback = [], []


class RunTree:
    """Which runs are going on, and below which root."""

    def __init__(self, *, max_open: int) -> None:
        """Follow at most `max_open` roots at once."""
        self.seen = 0
        self.sampled = 0
        self.given_up = 0
        self.open = 0
        """Sampled roots that are going on."""
        self.max_open = max_open
        self._root_of: dict[UUID, OpenRoot] = {}
        self._roots: OrderedDict[UUID, OpenRoot] = OrderedDict()
        self._late: OrderedDict[UUID, OpenRoot] = OrderedDict()

    def __len__(self) -> int:
        """How many runs are followed, roots and others."""
        return len(self._root_of)

    def joined(self, run_id: UUID, parent_run_id: UUID | None, kind: Kind) -> bool:
        """Follow a run below a root that is known; False for the topmost run of a tree."""
        root = None if parent_run_id is None else self._root_of.get(parent_run_id)
        if root is None:
            return False
        self._root_of[run_id] = root
        root.runs[run_id] = kind
        if root.retrievals and parent_run_id in root.retrievals:
            root.retrievals[run_id] = False
        return True

    def plant(self, run_id: UUID, kind: Kind, *, is_sampled: bool, gathers: bool) -> None:
        """Follow a new root, and give up the oldest one if there are too many."""
        self.seen += 1
        self.sampled += is_sampled
        self.open += is_sampled
        root = OpenRoot(run_id, kind, is_sampled=is_sampled, gathers=gathers)
        self._root_of[run_id] = self._roots[run_id] = root
        if len(self._roots) > self.max_open:
            _, oldest = self._roots.popitem(last=False)
            self._lose(oldest)
            if oldest.is_sampled:
                self.given_up += 1
                self.open -= 1

    def describe(self, run_id: UUID, value: Any, serialized: Any, about: Mapping[str, Any]) -> None:
        """Note what a new root was asked and how it is called."""
        root = self._root_of.get(run_id)
        if root is not None:
            root.input = plain(value)
            root.name = about.get("name") or (serialized or {}).get("name") or ""
            root.tags = tuple(about.get("tags") or ())
            root.metadata = plain_values(about.get("metadata"))

    def end(self, run_id: UUID, error: BaseException | None = None) -> OpenRoot | None:
        """Follow a run no longer; give the root if it was one and gathered anything.

        Runs below a root that ended first (a parallel branch after another one failed) stay known
        until they end, so that what they start is not taken for a root.
        """
        root = self._root_of.pop(run_id, None)
        if root is None:
            return None
        del root.runs[run_id]
        root.retrievals.pop(run_id, None)
        if root.run_id != run_id:
            if root.is_closed and not root.runs:
                self._late.pop(root.run_id, None)
            return None
        root.is_closed = True
        self._roots.pop(run_id, None)
        if root.runs:
            self._keep_late(root, is_cancelled=isinstance(error, asyncio.CancelledError))
        self.open -= root.is_sampled
        return root if root.gathers else None

    def _keep_late(self, root: OpenRoot, *, is_cancelled: bool) -> None:
        # langchain-core 1.7 reports no end of a model, retriever or tool that was cancelled.
        gone: set[Kind] = {"leaf", "tool"} if is_cancelled else {"leaf"}
        for run, kind in list(root.runs.items()):
            if kind in gone:
                del root.runs[run], self._root_of[run]
        if root.runs:
            self._late[root.run_id] = root
            if len(self._late) > MAX_LATE:
                self._lose(self._late.popitem(last=False)[1])

    def _lose(self, root: OpenRoot) -> None:
        for run in root.runs:
            self._root_of.pop(run, None)

    def _recording(self, run_id: UUID) -> OpenRoot | None:
        root = self._root_of.get(run_id)
        return root if root is not None and root.gathers and not root.is_closed else None

    def model_started(self, run_id: UUID, metadata: Mapping[str, Any] | None) -> None:
        """Count a model call."""
        root = self._recording(run_id)
        if root is not None:
            root.model_calls += 1
            name = metadata.get("ls_model_name") if metadata else None
            if isinstance(name, str):
                root.models[name] = None

    def token(self, run_id: UUID) -> None:
        """Note when a model call gave its first token; later ones cost one look."""
        root = self._root_of.get(run_id)
        if root is not None and run_id not in root.first_tokens:
            root.first_tokens[run_id] = time.perf_counter()

    def model_ended(self, run_id: UUID, response: LLMResult) -> None:
        """Add the tokens that a model call took."""
        root = self._recording(run_id)
        if root is None:
            return
        reported = False
        for choices in response.generations:
            # Every choice of one call carries the usage of the whole call: the first one counts.
            message = getattr(choices[0], "message", None) if choices else None
            usage = getattr(message, "usage_metadata", None)
            if usage:
                root.usage.append(usage)
                reported = True
        if not reported and (counts := (response.llm_output or {}).get("token_usage")):
            root.usage.append(_from_counts(counts))

    def retriever_started(self, run_id: UUID) -> None:
        """Note a retriever; one that works for another retriever stays marked as below it."""
        root = self._recording(run_id)
        if root is not None:
            root.retrievals.setdefault(run_id, True)

    def add_documents(self, run_id: UUID, documents: Iterable[Document]) -> None:
        """Gather what a retriever gave, unless another retriever chooses from it and will tell."""
        root = self._recording(run_id)
        if root is not None and root.retrievals.get(run_id):
            for document in documents:
                metadata = plain_values(document.metadata)
                root.add(Context(document.page_content, document.id, "document", metadata))

    def add_tool_output(self, run_id: UUID, text: str) -> None:
        """Gather what a tool below a root gave."""
        root = self._recording(run_id)
        if root is not None and root.run_id != run_id:
            root.add(Context(text, None, "tool"))

    def reasked(self, run_id: UUID) -> None:
        """Count a re-ask."""
        root = self._recording(run_id)
        if root is not None:
            root.reasks += 1

    def say(self, run_id: UUID, feedback: Feedback) -> bool:
        """Keep feedback for the record of a sampled root that is going on; False when there is none."""
        root = self._roots.get(run_id)
        if root is None or not root.is_sampled:
            return False
        root.feedback.append(feedback)
        return True

    def waited(self, run_id: UUID, wait_s: Any) -> None:
        """Add the time spent waiting for a rate limit."""
        root = self._recording(run_id)
        if root is not None and isinstance(wait_s, int | float):
            root.waited_s += wait_s


def _from_counts(counts: Mapping[str, Any]) -> UsageMetadata:
    taken = int(counts.get("prompt_tokens") or 0)
    given = int(counts.get("completion_tokens") or 0)
    return {"input_tokens": taken, "output_tokens": given, "total_tokens": taken + given}


def _code(error: BaseException | None) -> str | None:
    # `SystemExit.code` may be any text; an `Exception`'s code counts only where it is a plain name.
    code = getattr(error, "code", None) if isinstance(error, Exception) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
