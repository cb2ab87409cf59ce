"""What stands in the place of a value: a placeholder that can be restored, or something that can't."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, RedactionError
from langchain_prodkit.privacy.crypto import Sealer, checked_key, derived, normal, plain_bytes
from langchain_prodkit.privacy.sealed import Sealed, sealed_text, sealer_of
from langchain_prodkit.privacy.surrogate import Settings
from langchain_prodkit.privacy.tokens import entity_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DEFAULT", "Operators", "plain_operators"]

DEFAULT: Final = "DEFAULT"
"""The key for every entity without an operator of its own; Presidio's name for it."""
_WORDS: Final = ("placeholder", "mask", "hash", "encrypt", "redact", "surrogate")
_HASH_DIGITS: Final = 16


def plain_operators(operators: Any) -> dict[str, Any]:
    """Bring operators to a plain form: entity -> word, function, or dict with a `type`.

    Raises:
        ConfigurationError: An operator is none of these, nor a Presidio `OperatorConfig`.
    """
    if operators is None:
        return {}
    is_one = isinstance(operators, str) or callable(operators) or hasattr(operators, "operator_name")
    if is_one or (isinstance(operators, dict) and isinstance(operators.get("type"), str)):
        operators = {DEFAULT: operators}
    if not isinstance(operators, dict):
        raise ConfigurationError("operators must be a dict of entity -> operator, or one operator for all")
    return {str(entity): _plain(entity, operator) for entity, operator in operators.items()}


def _plain(entity: str, operator: Any) -> Any:
    if isinstance(operator, str) and operator in _WORDS:
        return operator
    if isinstance(operator, dict) and isinstance(operator.get("type"), str):
        return dict(operator)
    name, params = getattr(operator, "operator_name", None), getattr(operator, "params", None)
    if isinstance(name, str) and isinstance(params, dict):
        return {**params, "type": name}
    if callable(operator):
        return operator
    msg = (
        f"the operator for {entity!r} must be {', '.join(map(repr, _WORDS))}, a function of the value, or a "
        f"Presidio OperatorConfig; got a {type(operator).__qualname__}"
    )
    raise ConfigurationError(msg)


class Operators:
    """Operators ready for use."""

    def __init__(self, operators: Mapping[str, Any], key: bytes | None) -> None:
        """Look up Presidio's operators and check all parameters.

        Raises:
            ConfigurationError: A parameter is missing or refused, or Presidio knows no such operator.
            MissingExtraError: A Presidio operator is asked for and presidio-anonymizer is missing.
        """
        self.sealer: Sealer | None = None if key is None else sealer_of(key)
        """Opens and seals what the operator `encrypt` writes; None without a key."""
        self._functions: dict[str, Callable[[str, str], str] | None] = {}
        self._surrogates: dict[str, Settings] = {}
        for entity, operator in operators.items():
            name = operator if isinstance(operator, str) else None
            if isinstance(operator, dict):
                name = operator["type"]
            if name == "surrogate":
                self._surrogates[entity] = Settings.of(operator if isinstance(operator, dict) else {})
            else:
                self._functions[entity] = self._function(entity, operator, key)

    @property
    def has_surrogates(self) -> bool:
        """Tell whether made-up values may stand in a text."""
        return bool(self._surrogates)

    def surrogate(self, entity: str) -> Settings | None:
        """Give how made-up values of `entity` are made, or None when it has another operator."""
        if entity in self._functions:
            return None
        return self._surrogates.get(entity) or (
            None if DEFAULT in self._functions else self._surrogates.get(DEFAULT)
        )

    def apply(self, entity: str, value: str) -> str | None:
        """Give what replaces `value`, or None when a placeholder (or a surrogate) does.

        Raises:
            RedactionError: A function of the caller's gave something that is no text.
        """
        if entity in self._surrogates:
            return None
        function = self._functions.get(entity) if entity in self._functions else self._functions.get(DEFAULT)
        if function is None:
            return None
        written = function(entity, value)
        if not isinstance(written, str):
            kind = type(written).__qualname__
            msg = f"the operator for {entity!r} gave a {kind}, not a str; nothing was sent"
            raise RedactionError(msg)
        return written

    def _function(  # noqa: PLR0911 - one line an operator
        self, entity: str, operator: Any, key: bytes | None
    ) -> Callable[[str, str], str] | None:
        if operator == "placeholder":
            return None
        if operator == "redact":
            return _nothing
        if operator == "mask":
            return _masked
        if operator == "hash":
            return _Hash(derived(_needed(key, entity, "hash"), "hash"))
        if isinstance(operator, dict) and operator["type"] == "hash" and "key" in operator:
            # Presidio's own takes no key, and would not say so.
            return _Hash(derived(_needed(operator["key"], entity, "hash"), "hash"))
        if operator == "encrypt":
            _needed(key, entity, "encrypt")
            return self._encrypted
        if callable(operator):
            return _Own(operator)
        return _presidio(entity, operator)

    def _encrypted(self, entity: str, value: str) -> str:
        assert self.sealer is not None  # noqa: S101 - the constructor saw to it
        return Sealed(sealed_text(self.sealer, entity_name(entity), value))


def _needed(key: Any, entity: str, word: str) -> bytes:

    if key is None:
        msg = f'the operator {word!r} for {entity!r} needs a key of yours: PresidioRunnable(..., key="...")'
        raise ConfigurationError(msg)
    return checked_key(key, f"the operator {word!r}")


def _nothing(_entity: str, _value: str) -> str:
    return ""


def _masked(_: str, value: str) -> str:
    return "".join("*" if char.isalnum() else char for char in value)


class _Hash:
    """A keyed hash: the same value gives the same text for everybody who has the key, and for nobody else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, entity: str, value: str) -> str:
        digest = hmac.digest(self._key, plain_bytes(f"{entity}\0{normal(value)}"), "sha256").hex()
        return f"<{entity_name(entity)}#{digest[:_HASH_DIGITS]}>"


class _Own:
    """A function of the caller's."""

    def __init__(self, function: Callable[[str], str]) -> None:
        self._function = function

    def __call__(self, _entity: str, value: str) -> str:
        return self._function(value)


class _Theirs:
    """An operator of Presidio's."""

    def __init__(self, operator: Any, params: Mapping[str, Any]) -> None:
        self._operator = operator
        self._params = params

    def __call__(self, entity: str, value: str) -> str:
        return str(self._operator.operate(text=value, params={**self._params, "entity_type": entity}))


def _presidio(entity: str, operator: Mapping[str, Any]) -> Callable[[str, str], str]:
    operators = require("presidio_anonymizer.operators", extra="privacy")
    name = operator["type"]
    params = {key: value for key, value in operator.items() if key != "type"}
    try:
        kind = operators.OperatorType.Anonymize
        made = operators.OperatorsFactory().create_operator_class(name, kind)
        made.validate({**params, "entity_type": entity})
    except Exception as error:  # noqa: BLE001 - Presidio raises several kinds, all of them about settings
        msg = f"Presidio refuses the operator {name!r} for {entity!r} ({type(error).__qualname__})"
        raise ConfigurationError(msg) from None
    return _Theirs(made, params)
