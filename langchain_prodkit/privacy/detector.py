"""`PresidioDetector`: Presidio's analyzer, faster, with the recognizers it lacks."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._extras import require
from langchain_prodkit._serial import Written, ensure_serializable
from langchain_prodkit.errors import ConfigurationError, InputTypeError
from langchain_prodkit.privacy.span import Span

if TYPE_CHECKING:
    from langchain_prodkit.privacy.engine import Engine

__all__ = ["DEFAULT_ENTITIES", "DEFAULT_REGIONS", "PresidioDetector", "Profile"]

Profile = Literal["balanced", "patterns"]
"""`balanced`: patterns and the spaCy model; `patterns`: no model at all, 20 times faster, no names."""

DEFAULT_ENTITIES: Final = (
    "PERSON", "LOCATION", "STREET_ADDRESS", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE",
    "US_SSN", "IP_ADDRESS", "KR_RRN", "KR_FRN", "KR_BRN", "KR_PASSPORT", "KR_DRIVER_LICENSE",
    "KR_BANK_ACCOUNT",
)  # fmt: skip
DEFAULT_REGIONS: Final = ("US", "GB", "DE", "FR", "KR", "IN", "AU", "BR")
_STATISTICAL: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "DATE_TIME"})
INLINE_CHARS: Final = 2_000
"""Up to this much uncached text `adetect` works on the event loop (a few milliseconds), else in a thread."""


class PresidioDetector(Written):
    """Finds personal data with Presidio, an installed spaCy model and patterns of our own.

    Nothing is loaded before the first text, and nothing is ever downloaded. Spans are cached by a keyed
    hash of the text; the text itself is not kept. Threads may share one detector.

    Raises (on first use):
        MissingExtraError: Presidio or spaCy is not installed.
        MissingModelError: No spaCy model is installed for a language.
    """

    entities: tuple[str, ...] = DEFAULT_ENTITIES
    """What to look for, in Presidio's names."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the texts; each needs its spaCy model, unless only patterns are used."""
    model: str = "auto"
    """Name or folder of a spaCy pipeline; `auto`: an installed official one, else its repackaging."""
    profile: Profile = "balanced"
    """See `Profile`."""
    recognizers: tuple[Any, ...] = ()
    """More Presidio `EntityRecognizer` objects; their entities are looked for as well."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Entity -> the lowest score that counts; the default is Presidio's, which takes everything."""
    allow_list: tuple[str, ...] = Field(default=(), repr=False)
    """Values, exactly as written, that are not personal."""
    cache_size: int = 4096
    """Texts whose spans are remembered; 0 for none."""
    regions: tuple[str, ...] = DEFAULT_REGIONS
    """Countries whose phone numbers are known without their `+` prefix."""

    _engine: Engine | None = PrivateAttr(default=None)
    _loading: Any = PrivateAttr(default_factory=threading.Lock)
    _cache: _SpanCache = PrivateAttr()

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(
        self,
        *,
        entities: Sequence[str] | None = None,
        languages: Sequence[str] = ("en",),
        model: str = "auto",
        profile: Profile = "balanced",
        recognizers: Sequence[Any] = (),
        thresholds: Mapping[str, float] | None = None,
        allow_list: Sequence[str] = (),
        cache_size: int = 4096,
        regions: Sequence[str] = DEFAULT_REGIONS,
    ) -> None:
        """Set up without loading anything; every argument is described at its field.

        Raises:
            ConfigurationError: An argument makes no sense.
        """
        if profile not in get_args(Profile):
            raise ConfigurationError(f"profile must be one of {', '.join(map(repr, get_args(Profile)))}")
        for name, value in (("entities", entities), ("languages", languages), ("allow_list", allow_list)):
            if isinstance(value, str):
                raise ConfigurationError(f"{name} must be a list of names, not one string")
        if not languages or (entities is not None and not entities) or cache_size < 0:
            raise ConfigurationError("entities and languages must not be empty, nor cache_size negative")
        if any(not 0 <= score <= 1 for score in (thresholds or {}).values()):
            raise ConfigurationError("thresholds are scores between 0 and 1")
        wanted = DEFAULT_ENTITIES if entities is None else tuple(entities)
        if profile == "patterns":
            refused = [] if entities is None else sorted(_STATISTICAL.intersection(wanted))
            if refused:
                raise ConfigurationError(
                    f"profile 'patterns' cannot find {', '.join(refused)}: they need a model"
                )
            wanted = tuple(entity for entity in wanted if entity not in _STATISTICAL)
        own = [entity for one in recognizers for entity in getattr(one, "supported_entities", ())]
        super().__init__(
            entities=(*wanted, *(entity for entity in dict.fromkeys(own) if entity not in wanted)),
            languages=tuple(languages),
            model=model,
            profile=profile,
            recognizers=tuple(recognizers),
            thresholds=dict(thresholds or {}),
            allow_list=tuple(allow_list),
            cache_size=cache_size,
            regions=tuple(regions),
        )
        self._cache = _SpanCache(cache_size)

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, sorted and without overlaps.

        Raises:
            InputTypeError: `texts` is not a list of `str`.
        """
        found, missing = self._cached(texts)
        if missing:
            spans = self._loaded().find(list(missing))
            for (text, indices), one in zip(missing.items(), spans, strict=True):
                self._cache.put(text, one)
                for index in indices:
                    found[index] = list(one)
        return found

    async def adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Do what `detect` does; texts of some length, and the first load, go to a thread."""
        _, missing = self._cached(texts)
        if missing and (self._engine is None or sum(map(len, missing)) > INLINE_CHARS):
            return await asyncio.to_thread(self.detect, texts)
        return self.detect(texts)

    def _cached(self, texts: Sequence[str]) -> tuple[list[list[Span]], dict[str, list[int]]]:
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InputTypeError("detect() takes a list of str")
        found: list[list[Span]] = []
        missing: dict[str, list[int]] = {}
        for index, text in enumerate(texts):
            spans: Sequence[Span] | None = () if not text or text.isspace() else self._cache.get(text)
            found.append(list(spans or ()))
            if spans is None:
                missing.setdefault(text, []).append(index)
        return found, missing

    def _loaded(self) -> Engine:
        if self._engine is None:
            with self._loading:
                if self._engine is None:
                    for module in ("presidio_analyzer", "spacy", "phonenumbers"):
                        require(module, extra="privacy")
                    self._engine = require("langchain_prodkit.privacy.engine", extra="privacy").Engine(
                        entities=self.entities,
                        languages=self.languages,
                        model=self.model,
                        recognizers=self.recognizers,
                        regions=self.regions,
                        thresholds=self.thresholds,
                        allow_list=frozenset(self.allow_list),
                        is_statistical=self.profile != "patterns",
                    )
        return self._engine

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), {name: getattr(self, name) for name in type(self).model_fields})

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> PresidioDetector:
        return self  # frozen, and what it holds beyond its settings is a cache

    @override
    def __copy__(self) -> PresidioDetector:
        return self

    @override
    def __hash__(self) -> int:
        return id(self)

    @override
    def to_json(self) -> Any:
        data: dict[str, Any] = dict(super(Written, self).to_json())
        plain: dict[str, Any] = {}
        for name, value in data.get("kwargs", {}).items():
            field = type(self).model_fields[name]
            if value and value != field.default:
                plain[name] = value
        if self.profile == "patterns" and set(self.entities) == set(DEFAULT_ENTITIES) - _STATISTICAL:
            plain.pop("entities", None)
        ensure_serializable(type(self).__name__, plain)
        return {**data, "kwargs": plain}


class _SpanCache:
    """The spans of the texts seen last, by a hash that only this cache can compute."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._spans: OrderedDict[bytes, tuple[Span, ...]] = OrderedDict()

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()

    def get(self, text: str) -> tuple[Span, ...] | None:
        if not self._size:
            return None
        key = self._hash(text)
        with self._lock:
            spans = self._spans.get(key)
            if spans is not None:
                self._spans.move_to_end(key)
            return spans

    def put(self, text: str, spans: Sequence[Span]) -> None:
        if not self._size:
            return
        key = self._hash(text)
        with self._lock:
            self._spans[key] = tuple(spans)
            self._spans.move_to_end(key)
            while len(self._spans) > self._size:
                self._spans.popitem(last=False)


def _rebuilt(cls: type[PresidioDetector], settings: dict[str, Any]) -> PresidioDetector:
    return cls(**settings)
