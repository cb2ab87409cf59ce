"""One row: what a chain was asked, what it read, what it answered, and what that cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.plain import plain, text_of

__all__ = ["Context", "EvalRecord", "Feedback"]


_OPEN: Final = frozenset({"input", "output", "expected"})
"""Fields whose values may be of any kind."""


@dataclass(frozen=True, slots=True)
class Context:
    """A text that the chain had at hand when it answered."""

    text: str = field(repr=False)
    id: str | None = field(default=None, repr=False)
    """The document's id, when it has one."""
    kind: Literal["document", "tool"] = "document"
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thought of an answer; the repr shows neither value nor rationale."""

    name: str
    """What was judged, e.g. `helpful`; fixed by the application, not written by users."""
    value: float | bool | str = field(repr=False)
    rationale: str | None = field(default=None, repr=False)
    source: str = "human"
    """Who says so: `human`, `code`, a model's name."""


@dataclass(frozen=True, slots=True)
class EvalRecord:
    """One row of a data set: recorded from a run, or written by hand with an `input` alone.

    Values are plain (strings, numbers, lists, dicts): see `plain`. The repr shows no text.
    """

    id: str
    """The root run's id, or the row's own; unique in a data set."""
    input: Any = field(default=None, repr=False)
    output: Any = field(default=None, repr=False)
    """The answer; None when there is none yet, or the run failed."""
    expected: Any = field(default=None, repr=False)
    """The right answer, where somebody wrote one down."""
    contexts: tuple[Context, ...] = field(default=(), repr=False)
    """What retrievers (and, if asked for, tools) below the root gave, in order, without repeats."""
    name: str = field(default="", repr=False)
    """The root run's name."""
    models: tuple[str, ...] = ()
    """Names of the models called below the root, as they name themselves."""
    model_calls: int | None = None
    """Model calls below the root, re-asks included; None for a row that was not recorded."""
    reasks: int | None = None
    """How often a parser asked again."""
    waited_s: float | None = None
    """Seconds spent waiting for a rate limit, summed over all model calls."""
    usage: Mapping[str, Any] | None = None
    """`UsageMetadata` summed over all model calls; None when no model reported any."""
    latency_ms: float | None = None
    """From the root's start to its end. Under `chain.batch` that is the time of the whole batch."""
    ttft_ms: float | None = None
    """From the root's start to the first token of the model call that streamed last; None without one."""
    error: str | None = None
    """Class name of the error that ended the run; never its message, which may hold user text."""
    error_code: str | None = None
    """The error's `code`, where it has one that is a plain name."""
    started_at: float | None = None
    """Unix time in seconds."""
    tags: tuple[str, ...] = field(default=(), repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The root run's metadata, scalars only; for a row written by hand, its other columns."""
    flags: tuple[str, ...] = ()
    """Names of the checks that the answer failed when it was given."""
    feedback: tuple[Feedback, ...] = field(default=(), repr=False)
    """What people (or programs) said of the answer afterwards, in order."""

    @property
    def question(self) -> str:
        """The text of the input."""
        return _question(self.input)

    @property
    def answer(self) -> str:
        """The text of the output; empty when there is none."""
        return text_of(self.output)

    def to_dict(self) -> dict[str, Any]:
        """Give the row as JSON-able data; fields at their default are left out."""
        row: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            # An empty answer is an answer; an empty list of tags says nothing.
            is_said = value is not None if item.name in _OPEN else bool(value) or value == 0
            if is_said:
                row[item.name] = value
        if self.contexts:
            row["contexts"] = [dataclasses.asdict(context) for context in self.contexts]
        if self.metadata:
            row["metadata"] = dict(self.metadata)
        if self.feedback:
            row["feedback"] = [dataclasses.asdict(item) for item in self.feedback]
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> EvalRecord:
        """Rebuild a row from `to_dict`, or from hand-written data with at least an `id`.

        Raises:
            EvaluationError: A field has the wrong shape.
        """
        known = {item.name for item in dataclasses.fields(cls)}
        values = {key: plain(value) for key, value in row.items() if key in known}
        try:
            values["id"] = str(values["id"])
            values["contexts"] = tuple(_context(item) for item in _listed(values.get("contexts")))
            values["feedback"] = tuple(_feedback(item) for item in _listed(values.get("feedback")))
            for key in ("models", "tags", "flags"):
                values[key] = tuple(_listed(values.get(key)))
            values["metadata"] = dict(values.get("metadata") or {})
            return cls(**values)
        except (KeyError, TypeError, ValueError):
            msg = "a row of the data set has no id, or a column of the wrong shape"
            raise EvaluationError(msg) from None


def _question(value: Any) -> str:
    if isinstance(value, dict):
        for key in ("question", "input", "query"):
            if isinstance(value.get(key), str):
                return str(value[key])
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        return text_of(value[-1])
    return text_of(value)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _context(value: Any) -> Context:
    if isinstance(value, str):
        return Context(value)
    text = value.get("text", value.get("page_content")) if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise TypeError
    identity = value.get("id")
    return Context(
        text,
        None if identity is None else str(identity),
        "tool" if value.get("kind") == "tool" else "document",
        dict(value.get("metadata") or {}),
    )


def _feedback(value: Any) -> Feedback:
    if not isinstance(value, dict) or not isinstance(value["value"], str | int | float):
        raise TypeError
    rationale = value.get("rationale")
    return Feedback(
        str(value["name"]),
        value["value"],
        None if rationale is None else str(rationale),
        str(value.get("source") or "human"),
    )
