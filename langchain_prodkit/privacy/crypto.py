"""Keys from the caller, and what is sealed with them: AES-256-GCM, authenticated, one purpose a key."""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from functools import cached_property
from typing import Any, Final, final

from pydantic import SecretBytes, SecretStr

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, VaultKeyError

__all__ = ["MIN_KEY_BYTES", "Sealer", "checked_key", "derived", "normal", "plain_bytes"]

MIN_KEY_BYTES: Final = 16
"""Shorter keys are refused; take 32 random ones, such as `secrets.token_urlsafe(32)`."""
NONCE_BYTES: Final = 12
ID_BYTES: Final = 4


def checked_key(key: Any, owner: str) -> bytes:
    """Give the bytes of a key: `bytes` as they are, text as UTF-8.

    Raises:
        ConfigurationError: It is neither, or shorter than 16 bytes. The message does not repeat it.
    """
    if isinstance(key, SecretStr | SecretBytes):
        key = key.get_secret_value()
    if isinstance(key, str):
        key = plain_bytes(key)
    if not isinstance(key, bytes | bytearray) or len(key) < MIN_KEY_BYTES:
        msg = (
            f"{owner} needs a key of at least {MIN_KEY_BYTES} bytes (bytes or text) that you keep, such as "
            "one from secrets.token_urlsafe(32)"
        )
        raise ConfigurationError(msg)
    return bytes(key)


def derived(key: bytes, purpose: str) -> bytes:
    """Make a key of 32 bytes for one purpose; the keys of two purposes tell nothing of each other."""
    return hmac.digest(key, f"langchain-prodkit/{purpose}".encode(), "sha256")


def plain_bytes(text: str) -> bytes:
    """Write a text as UTF-8; lone surrogates, which JSON can hold, survive the way back."""
    return text.encode("utf-8", "surrogatepass")


def normal(text: str) -> str:
    """Give the form by which a value is known again: NFKC, so that two spellings of one name are one."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


@final
class Sealer:
    """Seals short texts with one key, each bound to a context without which it does not open.

    Raises (on first use):
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(self, key: bytes) -> None:
        """Take a key that serves nothing else (see `derived`)."""
        self._key = key
        self.id: bytes = derived(key, "id")[:ID_BYTES]
        """Tells which key sealed something, and nothing about the key."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._key,)

    @cached_property
    def _cipher(self) -> Any:
        module = require("cryptography.hazmat.primitives.ciphers.aead", extra="privacy")
        return module.AESGCM(derived(self._key, "aes"))

    def seal(self, text: str, context: bytes, *, is_repeatable: bool = False) -> bytes:
        """Seal `text`; with `is_repeatable` the same text in the same context gives the same bytes.

        The nonce is random, or else a keyed hash of text and context, so that no nonce serves two texts.
        """
        data = plain_bytes(text)
        if is_repeatable:
            # The length in front: no two pairs of context and text are one message.
            message = len(context).to_bytes(4) + context + data
            nonce = hmac.digest(derived(self._key, "nonce"), message, "sha256")[:NONCE_BYTES]
        else:
            nonce = secrets.token_bytes(NONCE_BYTES)
        sealed: bytes = self._cipher.encrypt(nonce, data, context)
        return self.id + nonce + sealed

    def open(self, sealed: bytes, context: bytes) -> str:
        """Give the text again.

        Raises:
            VaultKeyError: Another key sealed it, it belongs to another context, or it was changed.
        """
        body = sealed[ID_BYTES:]
        try:
            data: bytes = self._cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], context)
        except Exception as error:  # noqa: BLE001 - InvalidTag, or ValueError for something too short
            name = type(error).__qualname__
            msg = f"a sealed value cannot be opened ({name}): written with another key, or changed"
            raise VaultKeyError(msg) from None
        return data.decode("utf-8", "surrogatepass")
