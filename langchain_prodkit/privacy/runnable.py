"""`PresidioRunnable`: personal data out, placeholders in; and the two ways back."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from pydantic import Field, PrivateAttr, SecretBytes, SecretStr
from typing_extensions import override

from langchain_prodkit._chat import innermost, wrap
from langchain_prodkit._events import REDACTED, Emit
from langchain_prodkit._runs import watch_runs
from langchain_prodkit._steps import Call, Steps, adrive, drive
from langchain_prodkit._text import OnBinary, leaves, replace
from langchain_prodkit.errors import (
    ConfigurationError,
    ProdkitError,
    RedactionError,
    SerializationError,
)
from langchain_prodkit.privacy.access import entered, issued, known
from langchain_prodkit.privacy.crypto import checked_key
from langchain_prodkit.privacy.deadline import TimedDetector
from langchain_prodkit.privacy.detector import PresidioDetector
from langchain_prodkit.privacy.discreet import Discreet
from langchain_prodkit.privacy.draft import Draft, plain
from langchain_prodkit.privacy.experimental import as_detector
from langchain_prodkit.privacy.finder import Finder, Names, Source
from langchain_prodkit.privacy.operators import Operators, plain_operators
from langchain_prodkit.privacy.protect import ProtectedChatModel
from langchain_prodkit.privacy.protected_chain import ProtectedChain
from langchain_prodkit.privacy.redact import Writer, checked, with_known
from langchain_prodkit.privacy.remote import RemoteDetector
from langchain_prodkit.privacy.report import AuditLog, Hidden, RedactionReport
from langchain_prodkit.privacy.restore import NO_SCOPE, OnUnknown, PresidioRestorer
from langchain_prodkit.privacy.sealed import SealedTexts
from langchain_prodkit.privacy.surrogate import Cast, Need, cast_of, recast
from langchain_prodkit.privacy.tokens import Grammar, entity_name
from langchain_prodkit.privacy.vault import MemoryVault, Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_prodkit.privacy.crypto import Sealer
    from langchain_prodkit.privacy.span import Span

__all__ = ["PresidioRunnable"]

TOKEN_FORMAT: Final = "<{entity}_{n}>"  # noqa: S105 - no password
_THREADS: Final = 16
_SECRET_PARAMS = frozenset({"key", "salt"})


class PresidioRunnable(Discreet):
    """Hides personal data: the same value comes back, every text in it free of what was found.

    Reads `str`, prompt values, messages (system, tool calls and tool results included), documents,
    dicts, lists, dataclasses and pydantic models. A value gets the same placeholder every time within
    a scope: `config["configurable"]["user_id"]` and `["thread_id"]`, or the root run without the latter.
    Text that already looks like a placeholder is hidden as well, so nobody can ask for a stored value.

    Numbers of seven digits and more are read too, and keys of mappings that are no names of fields
    (`ages["Ada Byron"]`, not `question`). In the place of a number stands a placeholder, so its type
    changes to `str` until it is restored. Two spellings of a value that differ in Unicode only (NFKC) share
    a placeholder and come back in the first one.

    Its run shows callbacks and tracers what went out, not what came in.

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
    """Entity (or `DEFAULT`) -> what replaces it."""
    key: SecretBytes | None = None
    """What the operators `hash` and `encrypt` are keyed with."""
    token_format: str = TOKEN_FORMAT
    """`{entity}_{n}` between brackets."""
    on_error: Literal["raise"] = "raise"
    """A failing detector or vault always stops the call."""
    on_unknown: OnUnknown = "leave"
    """What restoring does with a bracketed placeholder that the scope never issued."""
    on_binary: OnBinary = "pass"
    """What to do with pictures, audio and files, whose text is not read."""

    detector_timeout_s: float | None = 60.0
    """Seconds until a detector that does not answer counts as failed; None for ever."""
    audit_log: str | None = None
    """File that gets one JSON line of counts for each redaction, refusal and restoration."""
    reports: bool = False
    """Whether messages that a protected chat model answers carry `redaction_report` in their metadata."""

    _grammar: Grammar = PrivateAttr()
    _ready: Operators = PrivateAttr()
    _audit: AuditLog | None = PrivateAttr(default=None)
    _bounded: Any = PrivateAttr()

    def __init__(
        self,
        detector: Any = None,
        *,
        vault: Any = None,
        operators: Any = None,
        key: str | bytes | SecretStr | SecretBytes | None = None,
        token_format: str = TOKEN_FORMAT,
        on_error: Literal["raise"] = "raise",
        on_unknown: OnUnknown = "leave",
        on_binary: OnBinary = "pass",
        detector_timeout_s: float | None = 60.0,
        audit_log: str | os.PathLike[str] | None = None,
        reports: bool = False,
        **kwargs: Any,
    ) -> None:
        """Build a redactor; without arguments, `PresidioDetector()` and `MemoryVault()`.

        Args:
            detector: A `Detector`, or a langchain-experimental anonymizer, of which the analyzer is used.
            vault: A `Vault`.
            operators: Entity (or `DEFAULT`) -> operator, or one operator for every entity:
                `"placeholder"`: restorable; what is hidden by default.
                `"surrogate"`: a made-up value of the same kind, restorable; also as
                `{"type": "surrogate", "locale": "de_DE", "seed": 7}`.
                `"encrypt"`: sealed with `key` (AES-256-GCM); `.restore()` and `decrypt()` open it.
                `"hash"`: keyed hash (HMAC-SHA-256) with `key`, for good.
                `"mask"`: letters and digits become `*`, for good. `"redact"`: removed, for good.
                A function of the value that gives a text, for good. A Presidio `OperatorConfig`, for good.
            key: At least 16 bytes, for `hash` and `encrypt`; yours to keep.
            token_format: `{entity}_{n}` between brackets of one to four characters each.
            on_error: Only `"raise"`: when something fails, nothing goes on.
            on_unknown: Placeholders that the scope never issued: `"leave"`, `"drop"` or `"raise"`.
            on_binary: Pictures, audio and files: `"pass"`, `"drop"` or `"raise"`.
            detector_timeout_s: Seconds that a detector may take before the call is refused.
            audit_log: File for one JSON line of counts an event; a line that cannot be written refuses
                the call.
            reports: Whether answers of `.protect(chat_model)` carry a `redaction_report`.
            kwargs: `name`, as for every Runnable.

        Raises:
            ConfigurationError: An argument is none of the above.
        """
        _one_of("on_error", on_error, ("raise",))
        _one_of("on_unknown", on_unknown, ("leave", "drop", "raise"))
        _one_of("on_binary", on_binary, ("pass", "drop", "raise"))
        named = plain_operators(operators)
        secret = None if key is None else SecretBytes(checked_key(key, "PresidioRunnable"))
        ready = Operators(named, None if secret is None else secret.get_secret_value())
        if detector_timeout_s is not None and not detector_timeout_s > 0:
            raise ConfigurationError("detector_timeout_s is a number of seconds above 0, or None")
        audit = None if audit_log is None else AuditLog(audit_log)
        detector = PresidioDetector() if detector is None else as_detector(detector)
        grammar = Grammar(token_format, getattr(detector, "entities", None))
        fields: dict[str, Any] = {
            "detector": detector,
            "vault": MemoryVault() if vault is None else vault,
            "operators": named,
            "key": secret,
            "token_format": token_format,
            "on_error": on_error,
            "on_unknown": on_unknown,
            "on_binary": on_binary,
            "detector_timeout_s": detector_timeout_s,
            "audit_log": None if audit_log is None else os.fspath(audit_log),
            "reports": reports,
        }
        super().__init__(**fields, **kwargs)
        self._grammar = grammar
        self._ready = ready
        self._audit = audit
        # Ours waits for nothing, or ends by itself.
        is_bounded = detector_timeout_s is None or isinstance(
            detector, PresidioDetector | TimedDetector | RemoteDetector
        )
        if detector_timeout_s is not None and not is_bounded:
            detector = TimedDetector(detector, timeout_s=detector_timeout_s, threads=_THREADS)
        self._bounded = detector
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
        redacted, report = yield from self.reported(value, scope)
        yield Emit(REDACTED, report.to_dict(), config)
        return redacted

    def reported(self, value: Any, scope: Scope) -> Steps[tuple[Any, RedactionReport]]:
        """Hide what is found in `value` and say what and where; a body for a driver."""
        drafts = [Draft(leaf) for leaf in leaves(value, on_binary=self.on_binary, reads_all=True)]
        try:
            spans, held = yield from self._found(drafts, scope)
            cast = (yield from cast_of(self.vault, scope)) if self.has_surrogates else Cast()
            writer = Writer(self._grammar, self.finder(cast), self._ready)
            for draft in drafts:
                writer.plan(draft, [next(spans) for _ in draft.texts])
            wants = writer.wants()
            tokens = dict(zip(wants, (yield from issued(self.vault, scope, wants)), strict=True))
            if needs := self._needs(writer, tokens):
                texts = [text for draft in drafts for text in draft.texts]
                values = {plain(one) for _, one in held}
                cast = yield from recast(self.vault, scope, cast, needs, texts, values)
            new = writer.texts(drafts, tokens, cast.of_token)
        except ProdkitError as error:
            yield from self.audited("refused", {"error": error.code})
            raise error from None
        except Exception as error:  # noqa: BLE001 - whatever fails, nothing goes on
            yield from self.audited("refused", {"error": RedactionError.code})
            msg = f"redaction failed ({type(error).__qualname__}); nothing was sent"
            raise RedactionError(msg) from None
        report = RedactionReport.of(writer.hidden, sum(draft.is_read for draft in drafts))
        yield from self.audited("redacted", {"entities": dict(report.entities), "leaves": report.leaves})
        return replace(value, new, on_binary=self.on_binary, reads_all=True), report

    def _found(
        self, drafts: Sequence[Draft], scope: Scope
    ) -> Steps[tuple[Iterator[list[Span]], list[tuple[str, str]]]]:
        """Give the spans of every text of every draft, and what the vault held before."""
        seen = [text for draft in drafts if draft.is_read for text in draft.seen()]
        found: Any = (yield Call(self._detect, self._adetect, seen)) if seen else []
        sound = checked(seen, found, getattr(self.detector, "entities", None))
        held = yield from entered(self.vault, scope)
        spans = iter(with_known(seen, sound, held))

        def each() -> Iterator[list[Span]]:
            for draft in drafts:
                if not draft.is_read:
                    yield from ([] for _ in draft.texts)
                else:
                    yield from draft.found([next(spans) for _ in draft.texts])

        return each(), held

    def _needs(self, writer: Writer, tokens: Mapping[tuple[str, str], str]) -> list[Need]:
        needs = []
        for want in writer.casting():
            settings = self._ready.surrogate(want.kind)
            if settings is not None:
                token = tokens[want.entity, want.value]
                needs.append(Need(token, want.entity, plain(want.value), settings))
        return needs

    def redaction_report(self, value: Any, config: RunnableConfig | None = None) -> RedactionReport:
        """Say what would be hidden in `value` and where, and change nothing.

        Values known from the conversation of `config` count as they do in `invoke`. The same counts and
        offsets come with every `prodkit.redacted` event and, with `reports=True`, with every answer.

        Raises:
            RedactionError: The detector or the vault failed.
        """
        return drive(self._report_steps(value, config))

    async def aredaction_report(self, value: Any, config: RunnableConfig | None = None) -> RedactionReport:
        """Do what `redaction_report` does."""
        return await adrive(self._report_steps(value, config))

    def _report_steps(self, value: Any, config: RunnableConfig | None) -> Steps[RedactionReport]:
        drafts = [Draft(leaf) for leaf in leaves(value, on_binary=self.on_binary, reads_all=True)]
        scope = scope_of(ensure_config(config))
        seen = [text for draft in drafts if draft.is_read for text in draft.seen()]
        try:
            found: Any = (yield Call(self._detect, self._adetect, seen)) if seen else []
            sound = checked(seen, found, getattr(self.detector, "entities", None))
            held: Any = []
            if scope is not None and (yield from known(self.vault, scope)):
                held = yield from entered(self.vault, scope)
            spans = iter(with_known(seen, sound, held))
        except ProdkitError as error:
            raise error from None
        except Exception as error:  # noqa: BLE001 - the message may hold text
            raise RedactionError(f"the report failed ({type(error).__qualname__})") from None
        hidden = [
            Hidden(draft.path(n), span.start, span.end, entity_name(span.entity))
            for draft in drafts
            if draft.is_read
            for n, one in enumerate(draft.found([next(spans) for _ in draft.texts]))
            for span in one
        ]
        return RedactionReport.of(hidden, sum(draft.is_read for draft in drafts))

    def audited(self, event: str, data: Mapping[str, Any]) -> Steps[None]:
        """Put a line of counts on record, where `audit_log` asks for it; a body for a driver."""
        if self._audit is not None:
            write = partial(self._audit.write, event, data)
            yield Call(write, partial(asyncio.to_thread, write))

    def finder(self, cast: Cast) -> Finder:
        """Give what finds all that stands for a value, `cast` included."""
        sources: list[Source] = [SealedTexts()] if self._ready.sealer is not None else []
        if cast.tokens:
            sources.append(Names(cast.tokens))
        return Finder(self._grammar, sources)

    @property
    def has_surrogates(self) -> bool:
        """Tell whether made-up values may stand in a text."""
        return self._ready.has_surrogates

    @property
    def sealer(self) -> Sealer | None:
        """What opens the values that the operator `encrypt` sealed."""
        return self._ready.sealer

    def _detect(self, texts: Sequence[str]) -> Any:
        return self._bounded.detect(texts)

    async def _adetect(self, texts: Sequence[str]) -> Any:
        adetect = getattr(self._bounded, "adetect", None)
        if adetect is None:
            return await asyncio.to_thread(self._bounded.detect, texts)
        return await adetect(texts)

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

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {} if self.key is None else {"key": "PRODKIT_OPERATOR_KEY"}


def _one_of(name: str, value: Any, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, words))}")
