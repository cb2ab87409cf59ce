"""`MLflowEvalCallback`: one record for each root run, taken without I/O while the chain works."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from typing_extensions import override

from langchain_prodkit._events import LIMITED, REASKED
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.pending import PendingRecords
from langchain_prodkit.evaluation.plain import plain, text_of
from langchain_prodkit.evaluation.redaction import Redactor
from langchain_prodkit.evaluation.tree import Kind, RunTree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from langchain_core.documents import Document
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

    from langchain_prodkit.evaluation.dataset import EvalDataset
    from langchain_prodkit.evaluation.metrics import Metric
    from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["CallbackStatistics", "MLflowEvalCallback"]


@dataclass(frozen=True, slots=True)
class CallbackStatistics:
    """What became of the runs so far; between calls `sampled == recorded + dropped + open`."""

    seen: int
    """Root runs that started."""
    sampled: int
    """Of these, chosen to be recorded."""
    recorded: int
    """Became a record, whether it is still held or was handed over."""
    held: int
    """Records in memory now; never more than `max_pending`."""
    dropped: int
    """Chosen, but lost: no room, never ended, or the redactor failed."""
    open: int
    """Chosen and going on now."""
    errors: int
    """Recorded runs that ended in an error."""


class MLflowEvalCallback(BaseCallbackHandler):
    """Record every root run of the chains it is given to, and log them as one MLflow evaluation.

    ```python
    record = MLflowEvalCallback(experiment="support desk", redact=PresidioDetector())
    chain.invoke(question, config={"callbacks": [record]})
    run_id = record.log()
    ```

    While a chain runs the callback only keeps references and plain copies: no disk, no network, no
    import of MLflow. One instance may be shared by any number of threads and tasks.

    Without `redact` records hold the raw text of users, documents and models, and so does whatever
    they are written to. With it every text passes through it before anything is handed out or
    written, and a record whose redaction fails is dropped and counted, never stored raw.

    At most `max_pending` records are held. Past that the newest is dropped and counted, and the log
    says so once: hand records over with `dataset(clear=True)` or `log(clear=True)` in time.
    """

    run_inline = True

    def __init__(
        self,
        *,
        experiment: str | None = None,
        tracking_uri: str | None = None,
        sample_rate: float = 1.0,
        redact: Redactor | None = None,
        max_pending: int = 1000,
        max_open: int = 10_000,
        include_tools: bool = False,
    ) -> None:
        """Set where `log` writes and what is recorded.

        Args:
            experiment: Name of the MLflow experiment; see `EvalReport.log_to_mlflow`.
            tracking_uri: Address or file of the MLflow store; see `EvalReport.log_to_mlflow`.
            sample_rate: Share of root runs to record, 0.0 to 1.0, chosen at random.
            redact: A function from text to text, or anything with `.detect(texts)` that gives spans
                with `start`, `end` and `entity` (a `PresidioDetector`): those become `<ENTITY>`.
            max_pending: Records held in memory at most.
            max_open: Root runs followed at once; past that the oldest is given up (a stream that
                nobody closed never ends).
            include_tools: Count what tools gave among the contexts, beside what retrievers gave.

        Raises:
            ConfigurationError: A number is out of range, or `redact` is of neither form.
        """
        if not 0.0 <= sample_rate <= 1.0:
            msg = "sample_rate must lie between 0.0 and 1.0"
            raise ConfigurationError(msg)
        if max_pending < 1 or max_open < 1:
            msg = "max_pending and max_open must be at least 1"
            raise ConfigurationError(msg)
        self._experiment = experiment
        self._tracking_uri = tracking_uri
        self._sample_rate = sample_rate
        self._include_tools = include_tools
        self._tree = RunTree(max_open=max_open)
        self._pending = PendingRecords(max_pending=max_pending, redact=redact)
        self._lock = threading.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.statistics()})"

    def __deepcopy__(self, memo: Any) -> Self:
        # A copy of a chain keeps reporting to the same place.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Rebuilt from its configuration, never its contents: a pickle is a store too.
        return _rebuild, (
            type(self),
            {
                "experiment": self._experiment,
                "tracking_uri": self._tracking_uri,
                "sample_rate": self._sample_rate,
                "redact": self._pending.redact,
                "max_pending": self._pending.max_pending,
                "max_open": self._tree.max_open,
                "include_tools": self._include_tools,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- handing over -----------------------------------------------------------------------------

    @property
    def redacts(self) -> bool:
        """Whether a redactor stands between memory and every store."""
        return self._pending.redact is not None

    def redact_with(self, redact: Redactor) -> Self:
        """Use `redact` from now on, for the records already held too, unless one was given before.

        Raises:
            ConfigurationError: `redact` is neither a callable nor has `.detect(texts)`.
        """
        self._pending.redact_with(redact)
        return self

    @property
    def records(self) -> tuple[EvalRecord, ...]:
        """The records held, redacted, in the order in which their runs ended."""
        return self._pending.ready()

    def statistics(self) -> CallbackStatistics:
        """Count what became of the runs so far."""
        tree, pending = self._tree, self._pending
        return CallbackStatistics(
            seen=tree.seen,
            sampled=tree.sampled,
            recorded=pending.recorded,
            held=len(pending),
            dropped=pending.dropped + tree.given_up,
            open=tree.open,
            errors=pending.errors,
        )

    def flush(self) -> None:
        """Redact what was recorded since the last time, in the caller's thread."""
        self._pending.ready()

    def dataset(self, *, clear: bool = False) -> EvalDataset:
        """Give the records held as a data set; with `clear`, hand them over and hold them no longer."""
        # A data set runs chains under a callback of its own, so it imports this module.
        from langchain_prodkit.evaluation.dataset import EvalDataset  # noqa: PLC0415

        records = self.records
        if clear:
            self._pending.forget(records)
        return EvalDataset(records)

    def log(
        self,
        metrics: Sequence[Metric] | None = None,
        *,
        run_name: str | None = None,
        clear: bool = False,
    ) -> str:
        """Score the records held and write them as one MLflow run; give the run's id.

        With `clear` the records are held no longer once they are written.

        Raises:
            EvaluationError: Nothing was recorded.
            StoreError: The store cannot be written; the records are still held.
            MissingExtraError: MLflow is not installed.
        """
        from langchain_prodkit.evaluation.scoring import evaluate  # noqa: PLC0415 - see dataset

        dataset = self.dataset()
        run_id = evaluate(dataset, metrics).log_to_mlflow(
            experiment=self._experiment, tracking_uri=self._tracking_uri, run_name=run_name
        )
        if clear:
            self._pending.forget(dataset.rows)
        return run_id

    def close(self) -> None:
        """Start no new records, and redact those held; runs going on are recorded when they end."""
        self._is_closed = True
        self.flush()

    # -- what LangChain tells -----------------------------------------------------------------------

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
            tree.plant(run_id, kind, is_sampled=is_sampled)
        if is_sampled:
            tree.describe(run_id, value, serialized, about)

    def _end(
        self, run_id: UUID, output: Any = None, error: BaseException | None = None, value: Any = None
    ) -> None:
        with self._lock:
            root = self._tree.end(run_id, error)
        if root is None:
            return
        self._pending.add(root.record(output, error, value))

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


def _rebuild(cls: type[MLflowEvalCallback], arguments: dict[str, Any]) -> MLflowEvalCallback:
    return cls(**arguments)


def _reply(response: LLMResult) -> Any:
    generations = [choices[0] for choices in response.generations if choices]
    replies = [getattr(choice, "message", choice.text) for choice in generations]
    return replies[0] if len(replies) == 1 else replies
