"""What `dumps` writes of our pieces, and when it refuses to."""

from __future__ import annotations

from typing import Any, Self

from langchain_core.load.serializable import Serializable

from langchain_prodkit.errors import SerializationError

__all__ = ["Rebuilt", "Written", "ensure_serializable"]


class Written(Serializable):
    """A piece that `dumps` can write, under the name of its public room, and `loads` read again.

    `loads` needs both `allowed_objects=[...]` and `valid_namespaces=["langchain_prodkit"]`. Writing one
    that holds a function, a connection, a class or another live object raises `SerializationError`.
    """

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say that `dumps` can write it."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Name the public room (`langchain_prodkit.privacy`, ...), not the private module."""
        return cls.__module__.split(".")[:2]

    def to_json(self) -> Any:
        """Describe the constructor's arguments.

        Raises:
            SerializationError: One of them cannot be described.
        """
        data: dict[str, Any] = dict(super().to_json())
        ensure_serializable(type(self).__name__, data.get("kwargs", {}))
        return data


class Rebuilt(Written):
    """A piece with a state of its own: a copy or a pickle is built afresh from the same arguments."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return type(self)(**self._arguments())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._arguments())

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}


def _rebuild(cls: type[Rebuilt], arguments: dict[str, Any]) -> Rebuilt:
    return cls(**arguments)


def ensure_serializable(owner: str, kwargs: Any) -> None:
    """Check that `dumps` can write every constructor argument of a piece.

    Raises:
        SerializationError: An argument is a function, a connection, a class or another live object.
    """

    def check(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                check(f"{name}.{key}" if name else str(key), item)
        elif isinstance(value, list | tuple):
            for item in value:
                check(name, item)
        elif isinstance(value, Serializable) and value.is_lc_serializable():
            # Deep inside, `dumps` would write "not implemented" and `loads` fail much later.
            check(name, dict(value.to_json()).get("kwargs", {}))
        elif not (value is None or isinstance(value, str | int | float | bool)):
            msg = (
                f"{owner} cannot be serialised: its argument {name!r} is a {type(value).__qualname__}. "
                "Build it in code where you load the chain."
            )
            raise SerializationError(msg)

    check("", kwargs)
