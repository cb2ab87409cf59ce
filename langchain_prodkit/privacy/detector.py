"""`PresidioDetector`: Presidio's analyzer, faster, with the recognizers it lacks."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._extras import require
from langchain_prodkit._serial import Written, ensure_serializable
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy.cache import SpanCache
from langchain_prodkit.privacy.deadline import Workers
from langchain_prodkit.privacy.deny import deny_lists
from langchain_prodkit.privacy.rules import Rules, checked_thresholds
from langchain_prodkit.privacy.span import Span

if TYPE_CHECKING:
    from langchain_prodkit.privacy.remote import RemoteDetector

__all__ = ["DEFAULT_ENTITIES", "DEFAULT_REGIONS", "PARITY_ENTITIES", "PresidioDetector", "Profile"]

Profile = Literal["balanced", "strict", "patterns", "parity"]
"""How to look.

- `balanced`: our patterns and the spaCy model.
- `strict`: the same, and words that only look like names; hides more than it must.
- `patterns`: no model at all, 20 times faster, no names and places.
- `parity`: what Presidio's `AnalyzerEngine` finds, and nothing else; spans of different entities may overlap.
"""

DEFAULT_ENTITIES: Final = (
    "PERSON", "LOCATION", "ORGANIZATION", "NRP", "STREET_ADDRESS", "EMAIL_ADDRESS", "PHONE_NUMBER",
    "CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_ITIN", "US_PASSPORT", "US_DRIVER_LICENSE", "UK_NINO",
    "DATE_OF_BIRTH", "IP_ADDRESS", "KR_RRN", "KR_FRN", "KR_BRN", "KR_PASSPORT", "KR_DRIVER_LICENSE",
    "KR_BANK_ACCOUNT", "API_KEY", "JWT", "PRIVATE_KEY", "PASSWORD", "CONNECTION_STRING",
)  # fmt: skip
PARITY_ENTITIES: Final = (
    "AGE", "CREDIT_CARD", "CRYPTO", "DATE_TIME", "EMAIL", "EMAIL_ADDRESS", "IBAN_CODE", "ID", "IP_ADDRESS",
    "LOCATION", "MAC_ADDRESS", "MEDICAL_LICENSE", "NRP", "ORGANIZATION", "PERSON", "PHONE_NUMBER", "UK_NHS",
    "URL", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN", "US_PASSPORT", "US_SSN", "UUID",
)  # fmt: skip
"""What Presidio looks for by default in English."""
DEFAULT_REGIONS: Final = ("US", "GB", "DE", "FR", "KR", "IN", "AU", "BR")
_STATISTICAL: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "DATE_TIME"})
INLINE_CHARS: Final = 4_000
"""Up to this much uncached text `adetect` works on the event loop (a few milliseconds), else in a thread."""
INLINE_CHARS_WITH_MODEL: Final = 200
"""The same where a model reads it."""
_HANGUL = re.compile("[\uac00-\ud7a3]")
THREADS: Final = 2


class PresidioDetector(Written):
    """Finds personal data with Presidio, installed spaCy models and patterns of our own.

    Nothing is loaded before the first text, and nothing is ever downloaded. Spans are cached by a keyed
    hash of the text; the text itself is not kept. Threads may share one detector. Long texts are read in
    overlapping windows.

    GLiNER and transformers come in through Presidio's own recognizers, with weights that are on disk:
    `PresidioDetector(profile="patterns", recognizers=[GLiNERRecognizer(model_name="/models/gliner", ...)])`
    looks with GLiNER instead of spaCy, with another profile beside it.

    Raises (on first use):
        MissingExtraError: Presidio or spaCy is not installed.
        MissingModelError: No spaCy model is installed for a language.
    """

    entities: tuple[str, ...] = DEFAULT_ENTITIES
    """What to look for, in Presidio's names; any that one of Presidio's recognizers finds, of any country."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the texts; each needs its spaCy model, unless only patterns are used."""
    model: str | tuple[str, ...] = "auto"
    """Name or folder of a spaCy pipeline; `auto`: an installed official one, else its repackaging. Of
    several, what any of them finds counts."""
    profile: Profile = "balanced"
    """See `Profile`."""
    recognizers: tuple[Any, ...] = ()
    """More of Presidio's recognizers: objects, classes, or names of its own; their entities are looked
    for as well."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Entity -> the lowest score that counts; the default is Presidio's, which takes everything."""
    allow_list: tuple[str, ...] = Field(default=(), repr=False)
    """Values, exactly as written, that are not personal."""
    deny_list: dict[str, list[str]] = Field(default_factory=dict, repr=False)
    """Entity -> words or phrases that are always personal, as words of their own, whatever their case."""
    cache_size: int = 4096
    """Texts whose spans are remembered; 0 for none."""
    regions: tuple[str, ...] = DEFAULT_REGIONS
    """Countries whose phone numbers are known without their `+` prefix."""
    timeout_s: float | None = None
    """Seconds that one call may take, the first one's loading included; None for no end."""

    _asked: tuple[str, ...] = PrivateAttr()
    _engine: Any = PrivateAttr(default=None)
    _loading: Any = PrivateAttr(default_factory=threading.Lock)
    _cache: SpanCache = PrivateAttr()
    _workers: Workers = PrivateAttr()

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(
        self,
        *,
        entities: Sequence[str] | None = None,
        languages: Sequence[str] = ("en",),
        model: str | Sequence[str] = "auto",
        profile: Profile = "balanced",
        recognizers: Sequence[Any] = (),
        thresholds: Mapping[str, float] | None = None,
        allow_list: Sequence[str] = (),
        deny_list: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
        cache_size: int = 4096,
        regions: Sequence[str] = DEFAULT_REGIONS,
        timeout_s: float | None = None,
    ) -> None:
        """Set up without loading anything; every argument is described at its field.

        A recognizer given by its class or name is built at once, to know what it finds. A `deny_list`
        without entities hides its values as `CUSTOM`.

        Raises:
            ConfigurationError: An argument makes no sense.
        """
        if profile not in get_args(Profile):
            raise ConfigurationError(f"profile must be one of {', '.join(map(repr, get_args(Profile)))}")
        for name, value in (("entities", entities), ("languages", languages), ("allow_list", allow_list)):
            if isinstance(value, str):
                raise ConfigurationError(f"{name} must be a list of names, not one string")
        models = (model,) if isinstance(model, str) else tuple(model)
        if not languages or not models or (entities is not None and not entities) or cache_size < 0:
            raise ConfigurationError(
                "entities, languages and model must not be empty, nor cache_size negative"
            )
        if len(models) > 1 and profile == "parity":
            raise ConfigurationError(
                "profile 'parity' is what Presidio finds with one model, not with several"
            )
        if timeout_s is not None and timeout_s <= 0:
            raise ConfigurationError("timeout_s must be above 0")
        own = _entities_of(recognizers, languages[0])
        listed = deny_lists(deny_list)
        wanted = _wanted(entities, profile, {*own, *listed})
        super().__init__(
            entities=tuple(dict.fromkeys((*wanted, *own, *listed))),
            languages=tuple(languages),
            model=models[0] if len(models) == 1 else models,
            profile=profile,
            recognizers=tuple(recognizers),
            thresholds=checked_thresholds(thresholds),
            allow_list=tuple(allow_list),
            deny_list=listed,
            cache_size=cache_size,
            regions=tuple(regions),
            timeout_s=timeout_s,
        )
        self._asked = wanted
        self._cache = SpanCache(cache_size)
        self._workers = Workers(THREADS)

    @staticmethod
    def remote(url: str, **settings: Any) -> RemoteDetector:
        """Give a detector that asks a Presidio analyzer service at `url`; see `RemoteDetector`."""
        module = require("langchain_prodkit.privacy.remote", extra="privacy")
        detector: RemoteDetector = module.RemoteDetector(url, **settings)
        return detector

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, sorted, and without overlaps unless the profile is `parity`.

        Raises:
            InputTypeError: `texts` is not a list of `str`.
            DetectorTimeoutError: It took longer than `timeout_s`.
        """
        found, missing = self._cache.split(texts)
        if not missing:
            return found
        unread = list(missing)
        if self.timeout_s is None:
            read = self._find(unread)
        else:
            read = self._workers.run(lambda: self._find(unread), timeout_s=self.timeout_s)
        return self._cache.fill(found, missing, read)

    async def adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Do what `detect` does; all but short texts, and the first load, go to a thread."""
        found, missing = self._cache.split(texts)
        if not missing:
            return found
        unread = list(missing)
        if self._is_short(unread):
            read = self._find(unread)
        else:
            read = await self._workers.arun(lambda: self._find(unread), timeout_s=self.timeout_s)
        return self._cache.fill(found, missing, read)

    def _is_short(self, texts: Sequence[str]) -> bool:
        if self._engine is None or self.recognizers:
            return False
        chars = sum(map(len, texts))
        if self.profile == "patterns":
            return chars <= INLINE_CHARS
        # The first Korean text loads the morphology of its language.
        return chars <= INLINE_CHARS_WITH_MODEL and not any(map(_HANGUL.search, texts))

    def _find(self, texts: Sequence[str]) -> list[list[Span]]:
        if self._engine is None:
            with self._loading:
                if self._engine is None:
                    self._engine = self._loaded()
        found: list[list[Span]] = self._engine.find(texts)
        return found

    def _loaded(self) -> Any:
        for module in ("presidio_analyzer", "spacy", "phonenumbers"):
            require(module, extra="privacy")
        rules = Rules(thresholds=self.thresholds, allow_list=self.allow_list, deny_list=self.deny_list)
        common: dict[str, Any] = {
            "entities": self.entities,
            "asked": self._asked,
            "languages": self.languages,
            "recognizers": self.recognizers,
            "rules": rules,
        }
        if self.profile == "parity":
            engine = require("langchain_prodkit.privacy.parity", extra="privacy").ParityEngine
            return engine(model=self.model, **common)
        models = (self.model,) if isinstance(self.model, str) else self.model
        engine = require("langchain_prodkit.privacy.engine", extra="privacy").Engine
        return engine(models=models, profile=self.profile, regions=self.regions, **common)

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        return _rebuilt, (type(self), {**settings, "entities": self._asked})

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
        # The default, and what the other arguments add by themselves, need not be written.
        others = set(self.entities) - set(self._asked)
        if self._asked == _wanted(None, self.profile, others | set(self.deny_list)):
            plain.pop("entities", None)
        else:
            plain["entities"] = list(self._asked)
        ensure_serializable(type(self).__name__, plain)
        return {**data, "kwargs": plain}


def _entities_of(recognizers: Sequence[Any], language: str) -> list[str]:
    """Say what recognizers find; names and classes have to be built for that."""
    if any(isinstance(one, str | type) for one in recognizers):
        recognizers = require("langchain_prodkit.privacy.presidio", extra="privacy").resolved(
            recognizers, language=language
        )
    return [entity for one in recognizers for entity in getattr(one, "supported_entities", ())]


def _wanted(entities: Sequence[str] | None, profile: str, others: set[str]) -> tuple[str, ...]:
    """Give the entities to look for; `others` are found without a model and without Presidio's defaults."""
    if profile == "parity":
        return PARITY_ENTITIES if entities is None else tuple(entities)
    wanted = DEFAULT_ENTITIES if entities is None else tuple(entities)
    if profile != "patterns":
        return wanted
    refused = [] if entities is None else sorted(_STATISTICAL.intersection(wanted) - others)
    if refused:
        raise ConfigurationError(f"profile 'patterns' cannot find {', '.join(refused)}: they need a model")
    return tuple(entity for entity in wanted if entity not in _STATISTICAL or entity in others)


def _rebuilt(cls: type[PresidioDetector], settings: dict[str, Any]) -> PresidioDetector:
    return cls(**settings)
