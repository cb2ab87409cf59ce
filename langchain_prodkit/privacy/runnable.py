"""`PresidioRunnable`: personal data out, placeholders in; and the two ways back."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._chat import innermost, wrap
from langchain_prodkit._events import REDACTED, Emit
from langchain_prodkit._runnable import Call, ProdkitRunnable, Steps
from langchain_prodkit._runs import watch_runs
from langchain_prodkit._text import OnBinary, leaves, replace
from langchain_prodkit.errors import (
    ConfigurationError,
    ProdkitError,
    RedactionError,
    SerializationError,
)
from langchain_prodkit.privacy.detector import PresidioDetector
from langchain_prodkit.privacy.experimental import as_detector
from langchain_prodkit.privacy.operators import Operators, plain_operators
from langchain_prodkit.privacy.protect import ProtectedChain, ProtectedChatModel
from langchain_prodkit.privacy.redact import Draft, Writer, checked, with_known
from langchain_prodkit.privacy.restore import NO_SCOPE, OnUnknown, PresidioRestorer, Reader
from langchain_prodkit.privacy.tokens import Grammar
from langchain_prodkit.privacy.vault import MemoryVault, Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_prodkit.privacy.span import Span

__all__ = ["PresidioRunnable"]

TOKEN_FORMAT: Final = "<{entity}_{n}>"  # noqa: S105 - no password
_SECRET_PARAMS = frozenset({"key", "salt"})


class PresidioRunnable(ProdkitRunnable[Any, Any]):
    """Hides personal data: the same value comes back, every text in it free of what was found.

    Reads `str`, prompt values, messages (system, tool calls and tool results included), documents,
    dicts, lists, dataclasses and pydantic models. A value gets the same placeholder every time within
    a scope: `config["configurable"]["user_id"]` and `["thread_id"]`, or the root run without the latter.
    Text that already looks like a placeholder is hidden as well, so nobody can ask for a stored value.

    The primary form is `.protect(chat_model)`; by hand it is `redact | prompt | model | redact.restore()`.

    Raises:
        RedactionError: The detector or the vault failed; nothing went on.
        InputTypeError: The value holds something whose text cannot be read.
        MissingExtraError, MissingModelError: Presidio, or a spaCy model, is not installed.
    """

    detector: Any
    """Finds the data; a `Detector`, or an anonymizer of langchain-experimental."""
    vault: Any
    """Keeps the values; a `Vault`."""
    operators: dict[str, Any] = Field(default_factory=dict, repr=False)
    """Entity (or `DEFAULT`) -> what replaces it; only `placeholder` can be restored."""
    token_format: str = TOKEN_FORMAT
    """`{entity}_{n}` between brackets."""
    on_error: Literal["raise"] = "raise"
    """A failing detector or vault always stops the call."""
    on_unknown: OnUnknown = "leave"
    """What restoring does with a bracketed placeholder that the scope never issued."""
    on_binary: OnBinary = "pass"
    """What to do with pictures, audio and files, whose text is not read."""

    _grammar: Grammar = PrivateAttr()
    _ready: Operators = PrivateAttr()

    def __init__(
        self,
        detector: Any = None,
        *,
        vault: Any = None,
        operators: Any = None,
        token_format: str = TOKEN_FORMAT,
        on_error: Literal["raise"] = "raise",
        on_unknown: OnUnknown = "leave",
        on_binary: OnBinary = "pass",
        **kwargs: Any,
    ) -> None:
        """Build a redactor; without arguments, `PresidioDetector()` and `MemoryVault()`.

        Args:
            detector: A `Detector`, or a langchain-experimental anonymizer, of which the analyzer is used.
            vault: A `Vault`.
            operators: Entity (or `DEFAULT`) -> `"placeholder"`, `"mask"` (letters and digits become
                `*`), `"redact"` (removed) or a Presidio `OperatorConfig`; or one word for every entity.
            token_format: `{entity}_{n}` between brackets of one to four characters each.
            on_error: Only `"raise"`: when something fails, nothing goes on.
            on_unknown: Placeholders that the scope never issued: `"leave"`, `"drop"` or `"raise"`.
            on_binary: Pictures, audio and files: `"pass"`, `"drop"` or `"raise"`.
            kwargs: `name`, as for every Runnable.

        Raises:
            ConfigurationError: An argument is none of the above.
        """
        _one_of("on_error", on_error, ("raise",))
        _one_of("on_unknown", on_unknown, ("leave", "drop", "raise"))
        _one_of("on_binary", on_binary, ("pass", "drop", "raise"))
        plain = plain_operators(operators)
        ready = Operators(plain)
        detector = PresidioDetector() if detector is None else as_detector(detector)
        grammar = Grammar(token_format, getattr(detector, "entities", None))
        fields: dict[str, Any] = {
            "detector": detector,
            "vault": MemoryVault() if vault is None else vault,
            "operators": plain,
            "token_format": token_format,
            "on_error": on_error,
            "on_unknown": on_unknown,
            "on_binary": on_binary,
        }
        super().__init__(**fields, **kwargs)
        self._grammar = grammar
        self._ready = ready
        watch_runs()

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        watch_runs()

    def restore(self) -> PresidioRestorer:
        """Give the Runnable that puts values back where their placeholders stand.

        It must run in the same scope: in one chain with this redactor, or with the same `thread_id`.
        """
        return PresidioRestorer(self)

    def protect(self, chain: Any) -> Any:
        """Give `chain` with the same interface, so that no personal data reaches what is inside.

        For a chat model, bound or not, the result is a chat model (`ProtectedChatModel`): everything
        that reaches the model is redacted (question, history, fetched documents, tool results) and the
        answer restored, streaming, tools and structured output included. Prefer this form.

        For any other Runnable (`ProtectedChain`) its input is redacted and its output restored. What is
        fetched inside the chain - documents, tool results, stored history - reaches the model as it is.

        Raises:
            ConfigurationError: `chain` is not a Runnable.
        """
        if isinstance(innermost(chain), BaseChatModel):
            return wrap(partial(ProtectedChatModel, privacy=self), chain)
        if not isinstance(chain, Runnable):
            msg = f"protect() takes a chat model or another Runnable, not a {type(chain).__qualname__}"
            raise ConfigurationError(msg)
        return ProtectedChain(chain, privacy=self)

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        scope = scope_of(config)
        if scope is None:  # pragma: no cover - inside its own run there always is one
            raise RedactionError(NO_SCOPE)
        return (yield from self.redacting(value, scope, config))

    def redacting(self, value: Any, scope: Scope, config: RunnableConfig | None) -> Steps[Any]:
        """Hide what is found in `value`, for a caller that knows the scope; a body for a driver."""
        drafts = [Draft(leaf) for leaf in leaves(value, on_binary=self.on_binary)]
        seen = [text.replace("_", " ") if draft.is_name else text for draft in drafts for text in draft.texts]
        try:
            found: Any = (yield Call(self.detector.detect, self._adetect, seen)) if seen else []
            sound = checked(seen, found, getattr(self.detector, "entities", None))
            self.vault.open(scope)
            spans = iter(with_known(seen, sound, self.vault.values(scope)))
            writer = Writer(self.vault, scope, self._grammar, self._ready)
            texts = [_written(writer, draft, [next(spans) for _ in draft.texts]) for draft in drafts]
        except ProdkitError as error:
            raise error from None
        except Exception as error:  # noqa: BLE001 - whatever fails, nothing goes on
            msg = f"redaction failed ({type(error).__qualname__}); nothing was sent"
            raise RedactionError(msg) from None
        redacted = replace(value, texts, on_binary=self.on_binary)
        yield Emit(REDACTED, {"entities": dict(writer.counts), "leaves": len(drafts)}, config)
        return redacted

    async def _adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        adetect = getattr(self.detector, "adetect", None)
        if adetect is None:
            return await asyncio.to_thread(self.detector.detect, texts)
        return await adetect(texts)  # type: ignore[no-any-return]

    def reader(self, scope: Scope) -> Reader:
        """Give what restores texts of `scope`."""
        return Reader(self.vault, scope, self._grammar, self.on_unknown)

    @override
    def to_json(self) -> Any:
        for entity, operator in self.operators.items():
            if isinstance(operator, dict) and not _SECRET_PARAMS.isdisjoint(operator):
                msg = f"the operator for {entity!r} holds a key; build it in code where you load the chain"
                raise SerializationError(msg)
        data = super().to_json()
        kwargs = data.get("kwargs", {})
        for name, kind in (("detector", PresidioDetector), ("vault", MemoryVault)):
            part = kwargs.get(name)
            if type(part) is kind and not part.to_json().get("kwargs"):
                del kwargs[name]  # the constructor's default
        return data


def _written(writer: Writer, draft: Draft, spans: list[list[Span]]) -> str:
    if draft.is_name:
        return writer.name(draft.leaf.text, spans[0])
    is_raw_json = draft.leaf.is_json and not draft.is_parsed
    return draft.text(
        [
            writer.text(text, found, is_json=is_raw_json)
            for text, found in zip(draft.texts, spans, strict=True)
        ]
    )


def _one_of(name: str, value: Any, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, words))}")
