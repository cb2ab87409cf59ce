"""Made-up values that read like real ones: chosen so that none can be mistaken, and noted in the vault."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, RedactionError
from langchain_prodkit.privacy.access import issued, looked_up
from langchain_prodkit.privacy.tokens import SURROGATE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from langchain_prodkit._steps import Steps
    from langchain_prodkit.privacy.vault import Scope

__all__ = ["Cast", "Need", "Settings", "cast_of", "recast"]

_TRIES: Final = 50
_ROUNDS: Final = 10
_WORD = re.compile(r"\w+")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_LOCALE: Final = "en_US"
_KOREAN: Final = "ko_KR"
_lock: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Settings:
    """How made-up values are made."""

    locale: str
    """Faker's name of a country; Korean names get Korean ones anyway."""
    seed: str | None
    """With a seed the same conversation gives the same made-up values; None for chance."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Settings:
        """Read the options of an operator, `{"type": "surrogate", "locale": ..., "seed": ...}`.

        Raises:
            ConfigurationError: There are others, or Faker knows no such locale.
            MissingExtraError: Faker is not installed.
        """
        others = sorted(set(options) - {"type", "locale", "seed"})
        if others:
            raise ConfigurationError(f"a surrogate operator takes locale and seed, not {', '.join(others)}")
        seed = options.get("seed")
        settings = cls(str(options.get("locale", _LOCALE)), None if seed is None else str(seed))
        _faker(settings.locale)
        return settings


@dataclass(frozen=True, slots=True)
class Need:
    """A value that has a token and may still need its made-up one."""

    token: str
    entity: str
    value: str
    settings: Settings


class Cast:
    """Who plays whom in one scope, as the vault's notes say, in the order in which they were made.

    A note counts when nobody else plays that token yet and its made-up value neither contains nor lies
    within an earlier one; so processes that wrote at the same time agree on who came first.
    """

    def __init__(self, notes: Sequence[str] = ()) -> None:
        """Read the notes, `<token> <made-up value>`."""
        self.of_token: dict[str, str] = {}
        """Token -> made-up value."""
        self.tokens: dict[str, str] = {}
        """Made-up value -> token."""
        self._parts: set[str] = set()
        for note in notes:
            token, _, name = note.partition(" ")
            if token not in self.of_token and not self.clashes(name):
                self.add(token, name)

    def add(self, token: str, name: str) -> None:
        """Give the part of `token` to `name`."""
        self.of_token[token] = name
        self.tokens[name] = token
        self._parts |= {part.casefold() for part in _parts(name)}

    def clashes(self, name: str) -> bool:
        """Tell whether `name` contains one that is taken, or lies within it."""
        return name.casefold() in self._parts or any(part in self.tokens for part in _parts(name))


def cast_of(vault: Any, scope: Scope) -> Steps[Cast]:
    """Read the notes of a scope; works with every vault, whatever it can list."""
    notes: list[str] = []
    at, count = 1, 8
    while True:
        tokens = [f"{SURROGATE}_{n}" for n in range(at, at + count)]
        values = yield from looked_up(vault, scope, tokens)
        found = [value for value in values if value is not None]
        notes += found
        if len(found) < count:
            return Cast(notes)
        at, count = at + count, min(1_000, count * 8)


def recast(  # noqa: PLR0917 - a step of one caller, all of it positional
    vault: Any, scope: Scope, cast: Cast, needs: Sequence[Need], texts: Sequence[str], held: Collection[str]
) -> Steps[Cast]:
    """Find a made-up value for everyone who has none yet, and note it in the vault.

    It stands in none of `texts`, is no value `held` by the vault nor part of one, and shares no word with
    the value it stands for.

    Raises:
        RedactionError: None could be found; nothing was sent.
    """
    open_needs = {need.token: need for need in needs if need.token not in cast.of_token}
    seen = "\n".join(texts).casefold() if open_needs else ""
    values = {value.casefold() for value in held} | {need.value.casefold() for need in needs}
    for _ in range(_ROUNDS):
        if not open_needs:
            return cast
        drawn = Cast([f"{token} {name}" for token, name in cast.of_token.items()])
        notes = []
        for token, need in open_needs.items():
            name = _free(need, drawn, seen, values)
            drawn.add(token, name)
            notes.append((SURROGATE, f"{token} {name}"))
        yield from issued(vault, scope, notes)
        # Another process may have been first.
        cast = yield from cast_of(vault, scope)
        open_needs = {token: need for token, need in open_needs.items() if token not in cast.of_token}
    raise RedactionError("no made-up value could be noted in the vault; nothing was sent")


def _free(need: Need, cast: Cast, seen: str, values: Collection[str]) -> str:
    words = {word.casefold() for word in _WORD.findall(need.value) if len(word) > 2}  # noqa: PLR2004 - initials
    for attempt in range(_TRIES):
        name = _made(need, attempt)
        low = name.casefold()
        own = {word.casefold() for word in _WORD.findall(name)}
        if (
            low not in seen
            and not cast.clashes(name)
            and (need.entity not in _SPOKEN or words.isdisjoint(own))
            and not any(low in value or (value in low and len(value) > 2) for value in values)  # noqa: PLR2004
        ):
            return name
    raise RedactionError(f"no free made-up value for {need.entity}; nothing was sent")


def _made(need: Need, attempt: int) -> str:
    settings = need.settings
    if settings.seed is None:
        seed = secrets.randbits(128)
    else:
        message = f"{settings.seed}\0{need.token}\0{attempt}".encode()
        seed = int.from_bytes(hmac.digest(b"langchain-prodkit surrogate", message, "sha256")[:16])
    faker = _faker(_KOREAN if _HANGUL.search(need.value) else settings.locale)
    with _lock:
        faker.seed_instance(seed)
        name = _drawn(faker, need)
    return " ".join(name.split())


def _drawn(faker: Any, need: Need) -> str:  # noqa: PLR0911 - one line a kind
    match need.entity:
        case "PERSON":
            first, last = faker.first_name(), faker.last_name()
            return f"{last}{first}" if _HANGUL.search(first) else f"{first} {last}"
        case "EMAIL_ADDRESS":
            return f"{faker.user_name()}{faker.random.randint(10, 9999)}@{faker.safe_domain_name()}"
        case "LOCATION" | "GPE":
            return str(faker.city())
        case "STREET_ADDRESS" | "ADDRESS":
            return str(faker.street_address())
        case "ORGANIZATION":
            return str(faker.company())
        case "URL":
            return f"https://{faker.user_name()}.example.com/{faker.random.randint(10, 9999)}"
        case "IP_ADDRESS":
            return str(faker.ipv4_private())
        case _:
            return _alike(faker.random, need.value)


_SPOKEN: Final = frozenset({"PERSON", "LOCATION", "GPE", "STREET_ADDRESS", "ADDRESS", "ORGANIZATION"})


def _alike(random: Any, value: str) -> str:
    """Give other digits and letters in the same places; enough of them that nothing else reads so."""
    drawn = []
    for char in value:
        if char.isdigit():
            drawn.append(str(random.randint(1, 9)))
        elif _HANGUL.match(char):
            drawn.append(chr(random.randint(0xAC00, 0xD7A3)))
        elif char.isalpha():
            letter = chr(random.randint(ord("a"), ord("z")))
            drawn.append(letter.upper() if char.isupper() else letter)
        else:
            drawn.append(char)
    made = "".join(drawn)
    missing = 6 - sum(char.isalnum() for char in made)
    return made if missing <= 0 else made + "".join(str(random.randint(1, 9)) for _ in range(missing))


def _parts(name: str) -> Iterator[str]:
    """Give every stretch of whole words in `name`, the whole included."""
    borders = [match.span() for match in _WORD.finditer(name)]
    yield name
    for first, (start, _) in enumerate(borders):
        for _, end in borders[first:]:
            yield name[start:end]


@cache
def _faker(locale: str) -> Any:
    module = require("faker", extra="privacy")
    try:
        return module.Faker(locale)
    except AttributeError:
        raise ConfigurationError(f"Faker knows no locale {locale!r}") from None
