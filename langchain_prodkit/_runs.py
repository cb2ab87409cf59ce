"""Where in the run tree am I: the root of a run, and the prompt that an answer came from.

LangChain tells a Runnable its parent run, not its root, and tells an output parser nothing about the
prompt. Both are visible to callbacks, so one handler, inherited by every run of the process once a
piece has asked for it with `watch_runs`, notes them while the root runs and forgets them when it ends.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID
from weakref import WeakSet

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables.config import ensure_config
from langchain_core.tracers.context import register_configure_hook
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult
    from langchain_core.runnables import RunnableConfig

__all__ = [
    "RootListener",
    "RunWatch",
    "answer_before",
    "as_asked",
    "asked",
    "current_run",
    "prompt_of",
    "root_of",
    "watch_runs",
]

MAX_ROOTS: Final = 10_000
"""Roots kept at once; the oldest is forgotten first (a stream dropped without closing never ends)."""


@dataclass(slots=True)
class _Root:
    parents: dict[UUID, UUID | None] = field(default_factory=dict)
    prompts: dict[UUID, Sequence[BaseMessage]] = field(default_factory=dict)
    """Chat model run -> its prompt."""
    latest: dict[UUID, UUID] = field(default_factory=dict)
    """Run -> the chat model run that started last below it."""
    answers: dict[str, UUID] = field(default_factory=dict)
    """Message id -> the chat model run that wrote it."""
    written: dict[UUID, BaseMessage] = field(default_factory=dict)
    """Chat model run -> its answer."""


class RootListener(Protocol):
    """Wants to know when a root run is over; held weakly."""

    def root_ended(self, run_id: UUID) -> None:
        """Forget what belonged to the run; called inline, so be quick and do not raise."""
        ...


class RunWatch(BaseCallbackHandler):
    """Notes who started whom; inline, without I/O, a few dictionary entries a run."""

    run_inline = True
    ignore_retriever = False

    def __init__(self) -> None:
        """Start with no runs."""
        self._lock = threading.Lock()
        self._roots: OrderedDict[UUID, _Root] = OrderedDict()
        self._root_of: dict[UUID, UUID] = {}
        self.listeners: WeakSet[RootListener] = WeakSet()

    def root(self, run_id: UUID) -> UUID | None:
        """Give the root of a run that is still going, or None."""
        return self._root_of.get(run_id)

    def prompt(
        self, run_id: UUID | None, answer_id: str | None, *, is_sure: bool = False
    ) -> list[BaseMessage] | None:
        """Give the prompt of the answer `answer_id`, else the last prompt below or beside `run_id`.

        With `is_sure` the second only for an answer without an id, where no other model ran.
        """
        with self._lock:
            root = self._roots.get(self._root_of.get(run_id, run_id)) if run_id else None
            if root is None:
                return None
            model_run = root.answers.get(answer_id) if answer_id else None
            if model_run is None and not (is_sure and (answer_id or len(root.prompts) > 1)):
                model_run = self._latest(root, run_id)
            prompt = root.prompts.get(model_run) if model_run else None
            return list(prompt) if prompt is not None else None

    def answer(self, run_id: UUID | None) -> BaseMessage | None:
        """Give the answer of the chat model that started last below or beside `run_id`."""
        with self._lock:
            root = self._roots.get(self._root_of.get(run_id, run_id)) if run_id else None
            model_run = self._latest(root, run_id) if root is not None else None
            return root.written.get(model_run) if root is not None and model_run else None

    def _latest(self, root: _Root, run_id: UUID | None) -> UUID | None:
        model_run: UUID | None = None
        while model_run is None and run_id is not None:
            model_run = root.latest.get(run_id)
            run_id = root.parents.get(run_id)
        return model_run

    @property
    def open_roots(self) -> int:
        """How many roots are going on."""
        return len(self._roots)

    def _start(self, run_id: UUID, parent_run_id: UUID | None) -> _Root:
        root_id = self._root_of.get(parent_run_id, parent_run_id) if parent_run_id else run_id
        root = self._roots.get(root_id)
        if root is None:
            root = self._roots[root_id] = _Root()
            if len(self._roots) > MAX_ROOTS:
                self._forget(next(iter(self._roots)))
        root.parents[run_id] = parent_run_id
        self._root_of[run_id] = root_id
        return root

    def _forget(self, root_id: UUID) -> bool:
        root = self._roots.pop(root_id, None)
        if root is None:
            return False
        for run_id in root.parents:
            self._root_of.pop(run_id, None)
        return True

    def _end(self, run_id: UUID) -> None:
        with self._lock:
            was_root = self._forget(run_id)
            listeners = list(self.listeners) if was_root else ()
        # Outside the lock: a listener has a lock of its own.
        for listener in listeners:
            listener.root_ended(run_id)

    @override
    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        with self._lock:
            self._start(run_id, parent_run_id)

    @override
    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        with self._lock:
            self._start(run_id, parent_run_id)

    @override
    def on_chat_model_start(
        self,
        serialized: Any,
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        if parent_run_id is None:
            # Nobody stands behind a model that is called alone, so nobody will ask; and langchain-core
            # does not report the end of one that is cancelled (BaseChatModel.agenerate, 1.7).
            return
        with self._lock:
            root = self._start(run_id, parent_run_id)
            if messages:
                root.prompts[run_id] = as_asked(messages[0])
            above: UUID | None = parent_run_id
            while above is not None:
                root.latest[above] = run_id
                above = root.parents.get(above)

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        with self._lock:
            root = self._roots.get(self._root_of.get(run_id, run_id))
            if root is not None:
                for generations in response.generations:
                    for generation in generations:
                        message: BaseMessage | None = getattr(generation, "message", None)
                        if message is None:
                            continue
                        root.written[run_id] = message
                        if message.id:
                            root.answers[message.id] = run_id

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)

    @override
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)

    @override
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)

    @override
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)


_watch: Final = RunWatch()
_hook: Final[ContextVar[RunWatch | None]] = ContextVar("langchain_prodkit_runs", default=_watch)
_registered = threading.Event()


def watch_runs(listener: RootListener | None = None) -> None:
    """Let every run that starts from now on be noted; pieces call it when they are built."""
    if listener is not None:
        _watch.listeners.add(listener)
    if not _registered.is_set():
        _registered.set()
        register_configure_hook(_hook, inheritable=True)


asked: Final[ContextVar[tuple[Sequence[BaseMessage], Sequence[BaseMessage]] | None]] = ContextVar(
    "langchain_prodkit_asked", default=None
)
"""The prompt that callbacks are shown in place of another, and that other one; see `as_asked`."""


def as_asked(shown: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """Give the prompt as the caller wrote it, where a piece shows callbacks another one instead."""
    pair = asked.get()
    return pair[1] if pair is not None and list(pair[0]) == list(shown) else shown


def current_run(config: RunnableConfig | None = None) -> UUID | None:
    """Give the run that surrounds this call, from `config` or else from the context."""
    return getattr(ensure_config(config).get("callbacks"), "parent_run_id", None)


def root_of(run_id: UUID | None) -> UUID | None:
    """Give the root of a run; a run that started before anybody watched is its own root."""
    return None if run_id is None else (_watch.root(run_id) or run_id)


def answer_before(run_id: UUID | None) -> BaseMessage | None:
    """Give what the chat model that started last below the nearest run around the asker answered."""
    return _watch.answer(run_id)


def prompt_of(
    run_id: UUID | None, answer_id: str | None = None, *, is_sure: bool = False
) -> list[BaseMessage] | None:
    """Give the prompt that led to an answer, or None where the run tree does not tell.

    Args:
        run_id: The asker's run (see `current_run`).
        answer_id: The `id` of the answer's message; it tells siblings apart. Without it, or when it is
            unknown, the chat model that started last below the nearest run around the asker is taken.
        is_sure: Take that one only for an answer without an id, and only if no other chat model ran
            below the same root.
    """
    return _watch.prompt(run_id, answer_id, is_sure=is_sure)
