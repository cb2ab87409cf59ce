"""Warn about models that their makers have replaced: newer ones keep to the system message better.

The table is dated and does not update itself; a model it does not know gives no warning, and nothing is
asked over the network. Its facts come from the makers' pages as of `TABLE_DATE`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, Final

from langchain_prodkit._chat import innermost

__all__ = ["SOURCES", "TABLE_DATE", "ModelAgeWarning", "Superseded", "superseded", "warn_if_superseded"]

TABLE_DATE: Final = "2025-08-31"
"""The day up to which the table was kept."""

SOURCES: Final = {
    "openai": "platform.openai.com/docs/deprecations and /docs/models",
    "anthropic": "docs.anthropic.com/en/docs/about-claude/model-deprecations",
    "google": "ai.google.dev/gemini-api/docs/changelog and cloud.google.com/vertex-ai model lifecycle",
    "mistral": "docs.mistral.ai/getting-started/models",
    "meta": "llama.com release notes and the model cards in meta-llama/llama-models",
    "cohere": "docs.cohere.com/docs/deprecations",
}
"""Where each maker says so."""

# Maker, pattern of the whole name (see `_plain`), what its maker names in its place.
_TABLE: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "openai",
        r"gpt-3\.?5-turbo(-16k)?(-\d{4})?|gpt-3\.?5-turbo-instruct(-\d{4})?",
        "gpt-4o-mini or gpt-4.1-mini",
    ),
    (
        "openai",
        r"(text|code)-(davinci|curie|babbage|ada|cushman)-\d{3}|davinci|curie|babbage|ada",
        "gpt-4o-mini",
    ),
    ("openai", r"gpt-4(-\d{4})?|gpt-4-32k(-\d{4})?", "gpt-4o or gpt-4.1"),
    ("openai", r"gpt-4-(1106|0125|turbo|vision|1106-vision)(-preview)?", "gpt-4o or gpt-4.1"),
    ("openai", r"gpt-4-turbo-\d{4}-\d\d-\d\d", "gpt-4o or gpt-4.1"),
    ("openai", r"gpt-4\.5-preview(-\d{4}-\d\d-\d\d)?", "gpt-4.1"),
    ("openai", r"gpt-4o-2024-05-13", "gpt-4o-2024-11-20"),
    ("openai", r"o1-preview(-\d{4}-\d\d-\d\d)?", "o3"),
    ("openai", r"o1-mini(-\d{4}-\d\d-\d\d)?|o3-mini(-\d{4}-\d\d-\d\d)?", "o4-mini"),
    ("anthropic", r"claude-(v?1(\.\d)?|v?2(\.[01])?|instant(-v?1(\.\d)?)?)(-100k)?", "claude-sonnet-4"),
    (
        "anthropic",
        r"claude-3-sonnet(-\d{8})?|claude-3-5-sonnet(-\d{8}|-v2)?|claude-3\.5-sonnet.*",
        "claude-sonnet-4",
    ),
    ("anthropic", r"claude-3-opus(-\d{8})?", "claude-opus-4-1"),
    ("anthropic", r"claude-3-haiku(-\d{8})?", "claude-3-5-haiku"),
    ("anthropic", r"claude-opus-4(-20250514)?", "claude-opus-4-1"),
    ("google", r"(text|chat|code|codechat)-(bison|unicorn)(-\d{3}|-32k)*", "gemini-2.5-flash"),
    ("google", r"gemini-(1\.0-)?pro(-vision)?(-\d{3})?|gemini-1\.0-ultra.*", "gemini-2.5-flash"),
    ("google", r"gemini-1\.5-pro(-\d{3}|-exp-\d+|-experimental)?", "gemini-2.5-pro"),
    ("google", r"gemini-1\.5-flash(-\d{3}|-exp-\d+)?", "gemini-2.5-flash"),
    ("google", r"gemini-1\.5-flash-8b(-\d{3}|-exp-\d+)?", "gemini-2.5-flash-lite"),
    ("google", r"gemini-2\.0-pro-exp.*|gemini-2\.5-pro-(preview|exp)-.*", "gemini-2.5-pro"),
    ("google", r"gemini-2\.5-flash-preview-.*", "gemini-2.5-flash"),
    ("mistral", r"(open-)?mistral-7b(-instruct)?(-v0\.[12])?|mistral-tiny(-\d{4})?", "ministral-8b"),
    ("mistral", r"(open-)?mixtral-8x(7|22)b(-instruct)?(-v0\.1)?", "mistral-small"),
    ("mistral", r"mistral-small-24(02|09)|pixtral-12b(-2409)?", "mistral-small"),
    ("mistral", r"mistral-medium-2312|mistral-large-2402", "mistral-medium"),
    ("mistral", r"codestral-24\d\d", "codestral"),
    ("meta", r"(code)?llama-?2?-?(7|13|34|65|70)b.*|(code)?llama-?[12]\b.*", "llama-3.1 or newer"),
    ("meta", r"llama-?3-8b.*", "llama-3.1-8b"),
    ("meta", r"llama-?3(\.1)?-70b.*", "llama-3.3-70b"),
    ("cohere", r"command|command-light(-nightly)?|command-nightly", "command-a-03-2025"),
    ("cohere", r"command-r-03-2024", "command-r-08-2024"),
    ("cohere", r"command-r-plus-04-2024", "command-r-plus-08-2024"),
)
_COMPILED: Final = tuple((maker, re.compile(pattern), successor) for maker, pattern, successor in _TABLE)
_NAME_FIELDS: Final = ("model_name", "model", "model_id", "deployment_name", "azure_deployment", "repo_id")


class ModelAgeWarning(UserWarning):
    """Said about a model version that its maker has replaced."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A model version and what took its place."""

    model: str
    """The name as it was given."""
    maker: str
    """A key of `SOURCES`."""
    successor: str
    """What the maker names in its place, as of `as_of`."""
    as_of: str = TABLE_DATE
    """The table's date."""


def superseded(model: Any) -> Superseded | None:
    """Say what replaced a model, given by name or as a chat model; None when the table knows nothing."""
    name = _name_of(model)
    plain = _plain(name)
    for maker, pattern, successor in _COMPILED:
        if plain and pattern.fullmatch(plain):
            return Superseded(name, maker, successor)
    return None


def warn_if_superseded(model: Any, *, stacklevel: int = 2) -> Superseded | None:
    """Send a `ModelAgeWarning` when a model, by name or as a chat model, has been replaced.

    To turn it off: `warnings.filterwarnings("ignore", category=ModelAgeWarning)`. To make CI fail on it,
    `"error"` in the place of `"ignore"`.
    """
    found = superseded(model)
    if found is not None:
        warnings.warn(
            f"{found.model} is superseded by {found.successor} ({SOURCES[found.maker]}, {found.as_of}): "
            "newer versions keep to the system message better. Test the successor with your own attacks.",
            ModelAgeWarning,
            stacklevel=stacklevel,
        )
    return found


def _name_of(model: Any) -> str:
    if isinstance(model, str):
        return model
    inner = innermost(model)
    for field in _NAME_FIELDS:
        name = getattr(inner, field, None)
        if isinstance(name, str) and name:
            return name
    return ""


def _plain(name: str) -> str:
    """Leave out who serves a model, in what version of the service, and how it was tuned."""
    plain = name.strip().lower()
    if plain.startswith("ft:"):
        plain = plain.split(":")[1]
    plain = plain.rpartition("/")[2]
    plain = re.sub(r"^(?:[a-z-]{2,12}\.)?(?:anthropic|meta|mistral|cohere)\.", "", plain)
    plain = re.sub(
        r"(?<!claude)-v\d+:\d+$|:\d+$|:free$|:latest$|-latest$|-versions?-\d+$", "", plain.replace("@", "-")
    )
    plain = re.sub(r"^(?:meta-)?(code)?llama-v?(\d)(?:p(\d))?", _llama, plain)
    plain = re.sub(r"^(?:meta-)?(code)?llama(\d)(?:[.-](\d))?-(?=\d+b)", lambda m: _llama(m) + "-", plain)
    return re.sub(r":(?=\d+b)", "-", plain).partition(":")[0]


def _llama(match: re.Match[str]) -> str:
    minor = f".{match[3]}" if match[3] else ""
    return f"{match[1] or ''}llama-{match[2]}{minor}"
