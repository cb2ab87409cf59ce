"""What LangChain tells a handler while chains run, brought into one tree of runs."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from typing_extensions import override

from langchain_prodkit._events import LIMITED, REASKED
from langchain_prodkit.evaluation.plain import plain, text_of
from langchain_prodkit.evaluation.tree import Kind, OpenRoot, RunTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.documents import Document
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

__all__ = ["RunListener"]


class RunListener(BaseCallbackHandler):
    """Follows every root run with all that runs below it, and tells `_finished` when one has ended.

    Works inline and without I/O; one instance may be shared by any number of threads and tasks.
    """

    run_inline = True

    def __init__(self, *, sample_rate: float, keeps: bool, max_open: int, include_tools: bool) -> None:
        """Follow a share of the root runs; with `keeps`, gather what happens in the others too."""
        self._sample_rate = sample_rate
        self._keeps_others = keeps
        self._include_tools = include_tools
        self._tree = RunTree(max_open=max_open)
        self._lock = threading.Lock()
        self._is_closed = False

    def _planted(self) -> None:
        """Hear that a sampled root is about to start; what this raises keeps it from starting."""

    def _finished(self, root: OpenRoot, output: Any, error: BaseException | None, value: Any) -> None:
        """Hear that a root has ended which was sampled or may be kept."""
        raise NotImplementedError  # pragma: no cover - abstract

    def _start(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        value: Any,
        serialized: Any,
        about: dict[str, Any],
        *,
        kind: Kind = "leaf",
    ) -> None:
        with self._lock:
            tree = self._tree
            if tree.joined(run_id, parent_run_id, kind) or self._is_closed:
                return
            rate = self._sample_rate
            is_sampled = rate >= 1.0 or random.random() < rate  # noqa: S311 - a sample, not a secret
            if is_sampled:
                self._planted()
            gathers = is_sampled or self._keeps_others
            tree.plant(run_id, kind, is_sampled=is_sampled, gathers=gathers)
        if gathers:
            tree.describe(run_id, value, serialized, about)

    def _end(
        self, run_id: UUID, output: Any = None, error: BaseException | None = None, value: Any = None
    ) -> None:
        with self._lock:
            root = self._tree.end(run_id, error)
        if root is not None:
            self._finished(root, output, error, value)

    @override
    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._start(run_id, parent_run_id, inputs, serialized, kwargs, kind="chain")

    @override
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        # A stream learns its input while it runs and tells it here.
        self._end(run_id, outputs, value=kwargs.get("inputs"))

    @override
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error, value=kwargs.get("inputs"))

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
        value = messages[0] if len(messages) == 1 else messages
        self._start(run_id, parent_run_id, value, serialized, kwargs)
        with self._lock:
            self._tree.model_started(run_id, kwargs.get("metadata"))

    @override
    def on_llm_start(
        self,
        serialized: Any,
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        value = prompts[0] if len(prompts) == 1 else prompts
        self._start(run_id, parent_run_id, value, serialized, kwargs)
        with self._lock:
            self._tree.model_started(run_id, kwargs.get("metadata"))

    @override
    def on_llm_new_token(
        self, token: str | list[Any], *, chunk: Any = None, run_id: UUID, **kwargs: Any
    ) -> None:
        # An empty chunk only announces the role; a tool call has no text but is an answer.
        if token or getattr(getattr(chunk, "message", None), "tool_call_chunks", None):
            self._tree.token(run_id)

    @override
    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> None:
        if event.get("event") == "content-block-delta":
            self._tree.token(run_id)

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        with self._lock:
            self._tree.model_ended(run_id, response)
        self._end(run_id, _reply(response))

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error)

    @override
    def on_retriever_start(
        self,
        serialized: Any,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        self._start(run_id, parent_run_id, query, serialized, kwargs)
        with self._lock:
            self._tree.retriever_started(run_id)

    @override
    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **kwargs: Any) -> None:
        with self._lock:
            self._tree.add_documents(run_id, documents)
        self._end(run_id, documents)

    @override
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error)

    @override
    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        value = input_str if inputs is None else inputs
        self._start(run_id, parent_run_id, value, serialized, kwargs, kind="tool")

    @override
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        if self._include_tools:
            text = text_of(plain(output))
            with self._lock:
                self._tree.add_tool_output(run_id, text)
        self._end(run_id, output)

    @override
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error)

    @override
    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        if name == REASKED:
            with self._lock:
                self._tree.reasked(run_id)
        elif name == LIMITED and isinstance(data, dict):
            with self._lock:
                self._tree.waited(run_id, data.get("waited_s"))


def _reply(response: LLMResult) -> Any:
    generations = [choices[0] for choices in response.generations if choices]
    replies = [getattr(choice, "message", choice.text) for choice in generations]
    return replies[0] if len(replies) == 1 else replies
