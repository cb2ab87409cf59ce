"""What a model can do with tools: told by its class and settings, learned from what it answered.

An answer's tool is forced at first; a model that refuses to be forced, as thinking models do, is left to
choose; one that calls no tool, or has none, gets the schema in the prompt. What was learned belongs to
the model, not to the parser, and is forgotten with it.
"""

from __future__ import annotations

import re
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_core.exceptions import ModelInvalidRequestError

from langchain_prodkit.parse.binding import provider_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

__all__ = ["LEARNED", "LEVELS", "Learned", "Level", "declared", "is_thinking", "rejects_tools"]

Level = Literal["forced", "free", "none"]
"""How far tools work: the choice can be forced, is left to the model, or there are none."""

LEVELS: Final[tuple[Level, ...]] = ("forced", "free", "none")
_BAD_REQUEST: Final = frozenset({400, 422})
_PARAMETERS: Final = re.compile(r"\A(?:tools?|tool_choice|functions?|thinking)\b")
_MENTIONS: Final = re.compile(
    r"tool[_ ]?choice|forces? tool|support(?:s|ed)? (?:for )?(?:the )?(?:tool|function)|"
    r"(?:tools?|functions?|function calling) (?:is|are) not supported|thinking",
    re.IGNORECASE,
)


class Learned:
    """What models turned out to be able to do; for every thread, gone when the model is gone."""

    def __init__(self) -> None:
        """Know nothing."""
        self._lock = threading.Lock()
        self._levels: dict[int, tuple[weakref.ref[Any], Level]] = {}

    def level(self, leaf: Any) -> Level:
        """Say what is known of a model: "forced" until something else was learned."""
        model = provider_model(leaf)
        with self._lock:
            known = self._levels.get(id(model))
        return known[1] if known is not None and known[0]() is model else "forced"

    def lower(self, leaf: Any, level: Level) -> None:
        """Remember that no more than `level` works; it never goes up again."""
        model = provider_model(leaf)
        key = id(model)
        try:
            reference = weakref.ref(model, lambda _: self._forget(key))
        except TypeError:  # an object that cannot be watched could leave its place to another
            return
        with self._lock:
            known = self._levels.get(key)
            if known is not None and known[0]() is model and LEVELS.index(known[1]) >= LEVELS.index(level):
                return
            self._levels[key] = (reference, level)

    def __len__(self) -> int:
        """Count the models that something was learned of."""
        return len(self._levels)

    def _forget(self, key: int) -> None:
        # Called whenever memory is freed, maybe while this very thread holds the lock: take none.
        known = self._levels.get(key)
        if known is not None and known[0]() is None:
            self._levels.pop(key, None)


LEARNED: Final = Learned()


def declared(leaf: Any) -> Level:
    """Read from a model's profile whether a tool may be forced.

    Profiles deny tools to models that have them (gpt-3.5-turbo, in langchain-openai 1.7), so a denial
    means no more than that the model is left to choose; what it does then is learned.
    """
    profile = getattr(leaf, "profile", None)
    told = profile if isinstance(profile, dict) else {}
    return "free" if False in (told.get("tool_calling"), told.get("tool_choice")) else "forced"


def is_thinking(leaf: Any, arguments: Mapping[str, Any]) -> bool:
    """Tell whether a model is set to think in a way that forbids forcing a tool, by its settings."""
    model = provider_model(leaf)
    places = [
        arguments,
        {"thinking": getattr(model, "thinking", None)},
        getattr(model, "model_kwargs", None),
        getattr(model, "additional_model_request_fields", None),
        getattr(model, "extra_body", None),
    ]
    for place in places:
        thinking = place.get("thinking") if isinstance(place, dict) else None
        if isinstance(thinking, dict) and thinking.get("type") in {"enabled", "adaptive"}:
            return True
    return False


def rejects_tools(error: BaseException, prompt: Sequence[BaseMessage]) -> bool:
    """Tell whether a provider refused a request for its tools, before anything was generated.

    It has to be a 400 that names them: by its `param` or `code`, or in words of the provider that do not
    stand in the prompt, which a message may quote.
    """
    if not _is_bad_request(error):
        return False
    body = getattr(error, "body", None)
    detail = body.get("error", body) if isinstance(body, dict) else {}
    detail = detail if isinstance(detail, dict) else {}
    for name in ("param", "code"):
        for told in (getattr(error, name, None), detail.get(name)):
            if isinstance(told, str) and _PARAMETERS.match(told):
                return True
    message = detail.get("message") or str(error)
    said = {found.casefold() for found in _MENTIONS.findall(message if isinstance(message, str) else "")}
    if not said:
        return False
    asked = "\n".join(str(turn.text) for turn in prompt).casefold()
    return any(words not in asked for words in said)


def _is_bad_request(error: BaseException) -> bool:
    if isinstance(error, ModelInvalidRequestError):
        return True
    response = getattr(error, "response", None)
    statuses = [getattr(error, "status_code", None), getattr(response, "status_code", None)]
    if isinstance(response, dict):
        metadata = response.get("ResponseMetadata")
        statuses.append(metadata.get("HTTPStatusCode") if isinstance(metadata, dict) else None)
    return any(status in _BAD_REQUEST for status in statuses if isinstance(status, int))
