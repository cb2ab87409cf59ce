"""What the operator `encrypt` writes, and how it is found and opened again: `<PERSON:...>`."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from langchain_prodkit._text import transform
from langchain_prodkit.errors import VaultKeyError
from langchain_prodkit.privacy.crypto import Sealer, checked_key, derived
from langchain_prodkit.privacy.tokens import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_prodkit._text import Leaf

__all__ = ["Sealed", "SealedTexts", "decrypt", "opened_text", "sealed_text", "sealer_of"]

T = TypeVar("T")

MAX_CHARS: Final = 8_192
"""Characters of the longest sealed value that is found in a text."""
# 43 characters are the 32 bytes of key id, nonce and tag around an empty value.
_PATTERN = re.compile(rf"<([A-Z][A-Z0-9_]{{0,63}}):([A-Za-z0-9_-]{{43,{MAX_CHARS}}})>")
_START = re.compile(rf"<(?:[A-Z][A-Z0-9_]{{0,63}}(?::[A-Za-z0-9_-]{{0,{MAX_CHARS}}})?)?")


class Sealed(str):
    """A text that an operator sealed; not to be taken for something that a user typed."""

    __slots__ = ()


def sealer_of(key: bytes) -> Sealer:
    """Make the sealer of the operator `encrypt` from the caller's key."""
    return Sealer(derived(key, "operator"))


def sealed_text(sealer: Sealer, entity: str, value: str) -> str:
    """Write `value` so that only the key can read it; the same value gives the same text."""
    data = sealer.seal(value, entity.encode(), is_repeatable=True)
    return f"<{entity}:{base64.urlsafe_b64encode(data).decode().rstrip('=')}>"


def opened_text(sealer: Sealer, text: str) -> str:
    """Read one sealed value, brackets included.

    Raises:
        VaultKeyError: Another key sealed it, or it was changed.
    """
    entity, _, body = text[1:-1].partition(":")
    try:
        data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except ValueError:
        raise VaultKeyError("a sealed value cannot be opened: it was changed") from None
    return sealer.open(data, entity.encode())


class SealedTexts:
    """Finds sealed values in texts and streams."""

    def search(self, text: str, start: int) -> Found | None:
        """Give the next one."""
        match = _PATTERN.search(text, start)
        return None if match is None else Found(match.start(), match.end(), match.group(), False, "sealed")

    def settled(self, text: str) -> int:
        """Give the offset up to which `text` reads the same whatever comes after it."""
        at = text.rfind("<")
        return at if at >= 0 and _START.fullmatch(text, at) else len(text)


def decrypt(value: T, *, key: Any, old_keys: Sequence[Any] = ()) -> T:
    """Put back every value that the operator `encrypt` sealed, in any value LangChain passes around.

    Whoever holds the key reads everything: ask first whether they may. `.restore()` opens only what its
    own conversation was given.

    Args:
        value: A text, message, document, dict, list, dataclass or pydantic model.
        key: The key given to `PresidioRunnable(key=...)`.
        old_keys: Keys that were used before.

    Raises:
        VaultKeyError: A sealed value was written with none of these keys, or changed.
        ConfigurationError: A key is too short.
    """
    sealers = {
        sealer.id: sealer for sealer in (sealer_of(checked_key(one, "decrypt")) for one in (key, *old_keys))
    }

    def opened(match: re.Match[str]) -> str:
        head = base64.urlsafe_b64decode(match.group(2)[:8])[:4]
        return opened_text(sealers.get(head, next(iter(sealers.values()))), match.group())

    def visit(leaf: Leaf) -> Any:
        return _PATTERN.sub(opened, leaf.text)

    return transform(value, visit, reads_all=True)
