"""What stands in the place of a value: a placeholder that can be restored, or something that can't."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT", "Operators", "plain_operators"]

DEFAULT: Final = "DEFAULT"
"""The key for every entity without an operator of its own; Presidio's name for it."""
_WORDS: Final = ("placeholder", "mask", "redact")


def plain_operators(operators: Any) -> dict[str, Any]:
    """Bring operators to a plain form: entity -> word, or entity -> Presidio's dict form.

    Raises:
        ConfigurationError: An operator is neither one of the words nor a Presidio `OperatorConfig`.
    """
    if operators is None:
        return {}
    if isinstance(operators, str):
        operators = {DEFAULT: operators}
    if not isinstance(operators, dict):
        raise ConfigurationError("operators must be a dict of entity -> operator, or one word for all")
    return {str(entity): _plain(entity, operator) for entity, operator in operators.items()}


def _plain(entity: str, operator: Any) -> Any:
    if isinstance(operator, str) and operator in _WORDS:
        return operator
    if isinstance(operator, dict) and isinstance(operator.get("type"), str):
        return dict(operator)
    name, params = getattr(operator, "operator_name", None), getattr(operator, "params", None)
    if isinstance(name, str) and isinstance(params, dict):
        return {**params, "type": name}
    msg = (
        f"the operator for {entity!r} must be 'placeholder', 'mask', 'redact' or a Presidio OperatorConfig; "
        f"got a {type(operator).__qualname__}"
    )
    raise ConfigurationError(msg)


class Operators:
    """Operators ready for use."""

    def __init__(self, operators: Mapping[str, Any]) -> None:
        """Look up Presidio's operators and check their parameters.

        Raises:
            ConfigurationError: Presidio knows no such operator, or refuses its parameters.
            MissingExtraError: A Presidio operator is asked for and presidio-anonymizer is missing.
        """
        self._words: dict[str, str] = {}
        self._presidio: dict[str, tuple[Any, dict[str, Any]]] = {}
        for entity, operator in operators.items():
            if isinstance(operator, str):
                self._words[entity] = operator
            else:
                self._presidio[entity] = _presidio(entity, operator)

    def apply(self, entity: str, value: str) -> str | None:
        """Give what replaces `value` for good, or None when a placeholder does."""
        for key in (entity, DEFAULT):
            if key in self._presidio:
                operator, params = self._presidio[key]
                return str(operator.operate(text=value, params={**params, "entity_type": entity}))
            if key in self._words:
                return _word(self._words[key], value)
        return None


def _word(word: str, value: str) -> str | None:
    if word == "redact":
        return ""
    if word == "mask":
        return "".join("*" if char.isalnum() else char for char in value)
    return None


def _presidio(entity: str, operator: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
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
    return made, params
