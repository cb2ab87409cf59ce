"""What goes wrong at the provider, on purpose: at a rate, by a list, or for the first n answers."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard, get_args

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.testing.wire import ProviderError, dump_text

if TYPE_CHECKING:
    from collections.abc import Sequence

FaultKind = Literal[
    "error_500",
    "error_503",
    "slow",
    "cut_stream",
    "disconnect",
    "malformed_json",
    "wrong_schema",
    "bare_429",
    "insufficient_quota",
]
"""One way to go wrong.

`error_500`, `error_503`: a server error, worth a retry. `slow`: `slow_s` more latency.
`cut_stream`: the connection closes in the middle of the answer, streamed or not. `disconnect`: it
closes before the first byte. `malformed_json`, `wrong_schema`: an answer that is JSON (content or
tool arguments) ends half way, which a lenient parser may still repair, or has another shape, which
it cannot; answers in prose are left as they are. `bare_429`: a refusal without any header.
`insufficient_quota`: a 429 that no waiting cures.
"""


Spoil = Literal["malformed_json", "wrong_schema"]
"""The two kinds that break an answer."""


@dataclass(frozen=True)
class Faults:
    """Which requests go wrong, and how; the same seed and the same order give the same faults."""

    rate: float = 0.0
    """Share of requests that meet a fault drawn from `kinds`: 0.0 none .. 1.0 all."""
    kinds: Sequence[FaultKind] = ("error_500", "error_503", "slow", "cut_stream", "disconnect")
    """What `rate` draws from, each with the same chance."""
    script: Sequence[FaultKind | None] = ()
    """Faults of the first requests in order of arrival, None for a good answer; then `rate`."""
    malformed_json: int = 0
    """How many answers that should be JSON are broken before a good one comes."""
    wrong_schema: int = 0
    """How many answers after those are JSON of the wrong shape."""
    slow_s: float = 2.0
    """Seconds that `slow` adds to the latency."""
    seed: int = 0
    """Seeds the draws of `rate`."""

    def __post_init__(self) -> None:
        """Refuse what could only be a mistake."""
        known = get_args(FaultKind)
        for kind in (*self.kinds, *self.script):
            if kind is not None and kind not in known:
                message = f"a fault is one of {', '.join(known)}"
                raise ConfigurationError(message)
        if not 0.0 <= self.rate <= 1.0 or (self.rate and not self.kinds):
            message = "rate is a share between 0.0 and 1.0 of requests that meet one of kinds"
            raise ConfigurationError(message)
        if min(self.malformed_json, self.wrong_schema, self.slow_s) < 0:
            message = "malformed_json, wrong_schema and slow_s are zero or more"
            raise ConfigurationError(message)


class FaultSequence:
    """One run through `Faults`, from its first request on."""

    def __init__(self, faults: Faults) -> None:
        """Start at the first request."""
        self._faults = faults
        self._kinds = tuple(faults.kinds)
        self._script = iter(faults.script)
        self._random = random.Random(faults.seed)  # noqa: S311 - not for secrets
        self._spoils = itertools.chain(
            itertools.repeat("malformed_json", faults.malformed_json),
            itertools.repeat("wrong_schema", faults.wrong_schema),
        )

    def draw(self) -> FaultKind | None:
        """Choose for the request that just arrived."""
        for kind in self._script:
            return kind
        if self._faults.rate and self._random.random() < self._faults.rate:
            return self._random.choice(self._kinds)
        return None

    def spoil(self) -> Spoil | None:
        """Choose for an answer that is JSON; each call uses up one of the counted spoils."""
        return next(self._spoils, None)  # type: ignore[arg-type]


_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_ERRORS: Final[dict[FaultKind, tuple[int, str, str, str | None]]] = {
    "error_500": (500, "The server had an error while processing your request.", "server_error", None),
    "error_503": (503, "The engine is currently overloaded, please try again later.", "server_error", None),
    "bare_429": (429, "Rate limit reached. Please slow down.", "requests", "rate_limit_exceeded"),
    "insufficient_quota": (429, _QUOTA, "insufficient_quota", "insufficient_quota"),
}


def error_of(kind: FaultKind | None) -> ProviderError | None:
    """Give the error response of a fault that is one, or None."""
    if kind is None or kind not in _ERRORS:
        return None
    status, message, error_type, code = _ERRORS[kind]
    return ProviderError(status, message, kind=error_type, code=code)


def is_spoil(kind: FaultKind | None) -> TypeGuard[Spoil]:
    """Tell whether a fault breaks the answer itself, which only JSON can be."""
    return kind in ("malformed_json", "wrong_schema")


def is_json(text: str | None) -> bool:
    """Tell whether `text` is a JSON object or array, which the two spoils apply to."""
    if not text or text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def spoil(text: str, kind: Spoil) -> str:
    """Break JSON `text`: only its first half, or with every value of another type."""
    if kind == "malformed_json":
        stripped = text.strip()
        return stripped[: max(1, len(stripped) // 2)]
    value: Any = json.loads(text)
    names = list(value) if isinstance(value, dict) else []
    wrong = {"unexpected": True}
    return dump_text(dict.fromkeys(names[1:], wrong) or wrong)
