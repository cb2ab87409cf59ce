"""Presidio's recognizers by object, class, name or entity; none of them may ask the network.

Imported late: this module needs presidio-analyzer.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import tldextract
from presidio_analyzer import EntityRecognizer, PatternRecognizer, predefined_recognizers

from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["finders", "keep_offline", "resolved"]


def resolved(recognizers: Iterable[Any], *, language: str) -> list[Any]:
    """Give recognizer objects for objects, classes and names such as `"NhsRecognizer"`.

    Raises:
        ConfigurationError: One is none of these, Presidio knows no such name, or it cannot be built
            without arguments.
    """
    return keep_offline([_resolved(one, language) for one in recognizers])


def _resolved(one: Any, language: str) -> Any:
    if isinstance(one, EntityRecognizer):
        return one
    if isinstance(one, str):
        found = getattr(predefined_recognizers, one, None)
        if not (isinstance(found, type) and issubclass(found, EntityRecognizer)):
            raise ConfigurationError(f"Presidio has no recognizer named {one!r}")
        one = found
    if not (isinstance(one, type) and issubclass(one, EntityRecognizer)):
        raise ConfigurationError("recognizers are Presidio EntityRecognizer objects, their classes, or names")
    kind: Any = one
    takes_language = "supported_language" in inspect.signature(kind).parameters
    try:
        return kind(supported_language=language) if takes_language else kind()
    except Exception as error:
        reason = type(error).__qualname__
        raise ConfigurationError(
            f"{kind.__qualname__} cannot be built without arguments ({reason}); pass an object"
        ) from error


def finders(entities: Sequence[str], *, language: str) -> list[Any]:
    """Give those of Presidio's pattern recognizers, of any country, that find one of `entities`."""
    made = []
    for name in predefined_recognizers.__all__:
        kind = getattr(predefined_recognizers, name, None)
        if not (isinstance(kind, type) and issubclass(kind, PatternRecognizer)):
            continue
        build: Any = kind
        try:
            one = build(supported_language=language)
        except Exception:  # noqa: BLE001, S112 - needs arguments or a library: not a plain list of patterns
            continue
        if not set(entities).isdisjoint(one.supported_entities):
            made.append(one)
    return keep_offline(made)


def keep_offline(recognizers: list[Any]) -> list[Any]:
    """Let Presidio's e-mail recognizer use the suffix list inside tldextract: it would download one."""
    offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    for one in recognizers:
        if type(one) is predefined_recognizers.EmailRecognizer:
            vars(one)["validate_result"] = lambda pattern_text: offline(pattern_text).fqdn != ""
    return recognizers
