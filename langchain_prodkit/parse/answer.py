"""What a model's message says: its text or tool call, a refusal, a cut, and whether that fits."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, final, get_args, get_origin

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.utils import message_chunk_to_message

from langchain_prodkit.errors import InputTypeError
from langchain_prodkit.parse.cut import closed_part
from langchain_prodkit.parse.repair import Reading, Repair, read
from langchain_prodkit.parse.shape import Unfit, shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages.ai import UsageMetadata

    from langchain_prodkit.parse.shape import Rules, Shape

__all__ = ["Judge", "OnTruncated", "cut_error", "has_tool_call", "item_types", "to_message"]

OnTruncated = Literal["raise", "reask", "partial"]

_CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_REFUSED: Final = frozenset(
    {
        "refusal", "content_filter", "content_filtered", "safety", "guardrail_intervened", "blocklist",
        "prohibited_content", "spii", "recitation",
    }
)  # fmt: skip
_CUT_ADVICE: Final = "The answer was cut off at the length limit; answer more briefly."


def to_message(answer: Any) -> AIMessage:
    """Take what a model returned as a whole message.

    Raises:
        InputTypeError: It is no message of a model and no text.
    """
    if isinstance(answer, AIMessageChunk):
        whole = message_chunk_to_message(answer)
        if isinstance(whole, AIMessage):
            return _as_written(whole, answer)
    if isinstance(answer, AIMessage):
        return answer
    if isinstance(answer, str):
        return AIMessage(answer)
    raise InputTypeError(f"the model gave a {type(answer).__qualname__}, not a message or a text")


def _as_written(whole: AIMessage, chunk: AIMessageChunk) -> AIMessage:
    """Take back the arguments that langchain-core closed where a stream had left them open."""
    broken = {}
    for call in chunk.tool_call_chunks:
        try:
            json.loads(call["args"] or "{}", strict=False)
        except (ValueError, RecursionError):
            broken[call["id"]] = call
    if not broken:
        return whole
    invalid = [
        {
            "type": "invalid_tool_call",
            "id": call["id"],
            "name": call["name"],
            "args": call["args"],
            "error": None,
        }
        for call in broken.values()
    ]
    kept = [call for call in whole.invalid_tool_calls if call["id"] not in broken]
    return whole.model_copy(
        update={
            "tool_calls": [call for call in whole.tool_calls if call["id"] not in broken],
            "invalid_tool_calls": [*kept, *invalid],
        }
    )


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A tool call: whom the model called, and the arguments as JSON text."""

    name: str
    arguments: str


@final
class Judge:
    """Decides on answers by one parser's settings; the same for every thread."""

    __slots__ = (
        "_item_shapes",
        "_item_types",
        "_names",
        "_on_truncated",
        "_repair",
        "_rules",
        "_shape",
        "blocks",
    )

    def __init__(
        self,
        shape: Shape,
        rules: Rules,
        repair: Repair,
        on_truncated: OnTruncated,
        *,
        tool_name: str | None = None,
    ) -> None:
        """Hold the settings; `tool_name` is what the answer's tool is called, when there is one."""
        self._shape = shape
        self._rules = rules
        self._repair: Repair = repair
        self._on_truncated = on_truncated
        self._item_shapes: tuple[Shape, ...] = ()
        self.blocks = False
        """Whether a validator turned out to wait for something, and must not run on an event loop."""
        items = item_types(shape.type)
        self._item_types = {_plain(kind.__name__): kind for kind in items} if shape.key == "tasks" else {}
        told = [] if shape.key == "tasks" else [*items, shape.type]
        names = {tool_name, *(getattr(kind, "__name__", None) for kind in told)}
        self._names = frozenset(_plain(name) for name in names if name)

    def verdict(self, message: AIMessage, *, is_ready: bool = False) -> Reading | Unfit:
        """Read the value out of an answer, or say why there is none.

        An answer `is_ready` when somebody else asked for it: its tool may have any name where the
        response model does not suggest one.
        """
        if _is_refusal(message):
            return Unfit("The answer was a refusal.", reason="refused")
        try:
            if _is_cut(message):
                return self._cut(message)
            return self._whole(message, is_ready=is_ready)
        except Unfit as unfit:
            return unfit
        except RecursionError:
            return Unfit("The JSON is nested too deeply.")

    def is_answer(self, text: str) -> bool:
        """Tell whether a text of a model can only be meant as an answer: it fits, or names a field."""
        if self._shape.type is str:
            return False
        keys = "|".join(
            re.escape(name) for name in sorted({*self._shape.names, self._shape.key or ""} - {""})
        )
        if "{" in text and keys and re.search(rf"""["'“]?\b(?:{keys})["'”]?\s*:""", text):
            return True
        return not isinstance(self.verdict(AIMessage(text), is_ready=True), Unfit)

    def is_final(self, unfit: Unfit) -> bool:
        """Tell whether asking again is no use."""
        return unfit.reason == "refused" or (unfit.reason == "truncated" and self._on_truncated != "reask")

    def _whole(self, message: AIMessage, *, is_ready: bool) -> Reading:
        calls = _spoken(message)
        text = str(message.text)
        items = [call for call in calls if _plain(call.name) in self._item_types]
        own = [call for call in calls if self.is_own(call.name, is_ready=is_ready)]
        if own:
            if len({call.arguments for call in own}) > 1:
                raise Unfit("Several different answers were given; call the tool once, with one answer.")
            return self._read(own[0].arguments)
        if items:
            return self._items(items)
        if text.strip():
            return self._read(text)
        if calls:
            raise Unfit("Another tool was called, which is no answer.", reason="no_output")
        raise Unfit("There was no answer.", reason="no_output")

    def knowing(self, shape: Shape | None, items: Sequence[Shape] = ()) -> Judge:
        """Give the same judge with shapes that have validated something already: of all, or of the items."""
        twin = copy.copy(self)
        twin._shape = shape or self._shape  # noqa: SLF001 - its own
        twin._item_shapes = tuple(items)  # noqa: SLF001
        return twin

    def item_type(self, tool: str) -> type | None:
        """Give the type of the item that a tool stands for, where the answer is one call an item."""
        return self._item_types.get(_plain(tool))

    def is_own(self, tool: str, *, is_ready: bool) -> bool:
        """Tell whether a call of a tool is the whole answer."""
        name = _plain(tool)
        if name in self._names:
            return True
        return is_ready and self._shape.key is not None and name not in self._item_types

    def _items(self, calls: list[_Spoken]) -> Reading:
        """Read a list that was written as one tool call an item."""
        values: list[Any] = []
        repairs: dict[str, None] = {}
        lines: list[str] = []
        fields: list[str] = []
        for number, call in enumerate(calls):
            try:
                kind = self._item_types[_plain(call.name)]
                known = self._item_shapes[number : number + 1]
                shape = known[0] if known and known[0].type is kind else shape_of(kind)
                reading = read(call.arguments, shape, self._rules, self._repair)
            except Unfit as unfit:
                lines += [f"call {number + 1}, {line}" for line in unfit.advice.split("\n")]
                fields += [f"{number}.{field}" for field in unfit.fields or ("*",)]
                continue
            values.append(reading.value)
            repairs.update(dict.fromkeys(reading.repairs))
        if lines:
            raise Unfit("\n".join(lines), fields=tuple(fields))
        return Reading(values, tuple(repairs))

    def _cut(self, message: AIMessage) -> Reading:
        """Read what of a cut answer is whole, where that is wanted and enough."""
        truncated = Unfit(_CUT_ADVICE, reason="truncated")
        if self._on_truncated != "partial":
            raise truncated
        calls = _spoken(message)
        text = calls[-1].arguments if calls else str(message.text)
        whole = closed_part(text) if len(calls) <= 1 else None
        if whole is None:
            raise truncated
        try:
            # Repair would look for an answer inside what is left, and find a part of one.
            reading = read(whole, self._shape, self._rules, "off")
        except Unfit:
            raise truncated from None
        return Reading(reading.value, (*reading.repairs, "partial"))

    def _read(self, text: str) -> Reading:
        return read(text, self._shape, self._rules, self._repair)


def has_tool_call(message: AIMessage) -> bool:
    """Tell whether the model called anything at all, even with broken arguments."""
    return bool(message.tool_calls or message.invalid_tool_calls)


def item_types(kind: Any) -> tuple[type, ...]:
    """List the classes that a list, a union, or a list of a union is made of; empty for anything else."""
    origin = get_origin(kind)
    if origin is None:
        return ()
    members = get_args(kind)
    if len(members) == 1:
        return item_types(members[0]) or tuple(member for member in members if isinstance(member, type))
    return tuple(member for member in members if isinstance(member, type) and member is not type(None))


def _spoken(message: AIMessage) -> list[_Spoken]:
    calls = [
        _Spoken(call["name"], json.dumps(call["args"], ensure_ascii=False)) for call in message.tool_calls
    ]
    return calls + [
        _Spoken(call.get("name") or "", call.get("args") or "") for call in message.invalid_tool_calls
    ]


def _plain(name: str) -> str:
    """Write a tool's name without what models change about it: case, separators, a namespace."""
    return re.sub(r"[\W_]", "", name.rpartition(".")[2]).casefold()


def _reasons(message: AIMessage) -> set[str]:
    told = message.response_metadata
    details = told.get("incomplete_details")
    reasons = [told.get(key) for key in ("finish_reason", "stop_reason", "done_reason", "stopReason")]
    if isinstance(details, dict):
        reasons.append(details.get("reason"))
    return {reason.casefold() for reason in reasons if isinstance(reason, str)}


def _is_cut(message: AIMessage) -> bool:
    return not _CUT.isdisjoint(_reasons(message))


def _is_refusal(message: AIMessage) -> bool:
    if message.additional_kwargs.get("refusal") or not _REFUSED.isdisjoint(_reasons(message)):
        return True
    return isinstance(message.content, list) and any(
        isinstance(block, dict) and block.get("type") == "refusal" for block in message.content
    )


def cut_error(error: Exception) -> AIMessage | None:
    """Read OpenAI's client errors that stand for an answer; None for every other error."""
    reasons = {"LengthFinishReasonError": "length", "ContentFilterFinishReasonError": "content_filter"}
    reason = reasons.get(type(error).__name__)
    if reason is None:
        return None
    completion = getattr(error, "completion", None)
    usage = getattr(completion, "usage", None)
    told: UsageMetadata | None = None
    if usage is not None:
        told = {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
    try:
        text = completion.choices[0].message.content or ""  # type: ignore[union-attr]
    except (AttributeError, IndexError, TypeError):
        text = ""
    return AIMessage(str(text), response_metadata={"finish_reason": reason}, usage_metadata=told)
