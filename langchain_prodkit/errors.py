"""Every error this package raises, in one tree.

```text
ProdkitError
├── ConfigurationError (ValueError)         a constructor argument makes no sense
├── MissingExtraError (ImportError)         an optional dependency is not installed
├── MissingModelError (ImportError)         a spaCy (or other) model package is not installed
├── InputTypeError (TypeError)              a value of a type the piece cannot read
├── SerializationError (TypeError)          a part of the piece cannot be written by `dumps`
├── RedactionError                          privacy: nothing was sent to the model
│   ├── DetectorTimeoutError (TimeoutError)   a detector did not answer in time
│   ├── DetectorUnavailableError            a remote detector does not answer, or not as it should
│   ├── UnknownScopeError                   no vault scope belongs to this call
│   ├── UnknownTokenError                   a placeholder nobody issued, with `on_unknown="raise"`
│   ├── VaultKeyError                       the vault was written with another key
│   └── VaultUnavailableError               the server of a vault does not answer
├── InjectionError                          guard: the input was judged an attack
├── GuardError                              guard: a detector failed, the input was not judged
│   ├── ConductStoreError                   the store of users' conduct cannot be reached
│   └── ModelFileError                      a classifier's file is missing, damaged or of another kind
├── BannedError                             guard: this user is banned, nothing was judged
│   └── CoolDownError                       barred for a short while, `retry_after_s` says how long
├── IrrelevantError                         guard: no document fits the question, no model was asked
├── NoQuestionError                         guard: a rewriter found no question, nothing went on
├── OutputError                             guard: an answer leaks, links out or leaves its scope
├── LimitError                              limits
│   ├── BudgetExceededError                 would spend more than the budget; nothing was sent
│   ├── LimitConflictError                  one shared key is told two different limits
│   ├── RequestTooLargeError                can never fit in the limit, however long you wait
│   └── LimitTimeoutError (TimeoutError)    would have to wait past the caller's deadline
├── StructuredOutputError (OutputParserException)   parse: no valid object after all re-asks
├── EvaluationError                         evaluation
│   ├── BaselineError                       the baseline cannot be read, or belongs to other questions
│   ├── RecordsFullError                    no room for the record of another run
│   ├── StoreError                          the MLflow store cannot be written or read
│   └── UnknownRunError                     feedback on a run that is not, or no longer, recorded
└── ProviderServerError                     testing: the loopback provider did not start
```

Messages carry codes, kinds, spans and counts; never the text of a user, a document or a model, and
never a secret. Decide by class or by `code`, `status_code` and `is_retryable`, not by message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from langchain_core.exceptions import OutputParserException

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "BannedError", "BaselineError", "BudgetExceededError", "ConductStoreError", "ConfigurationError",
    "CoolDownError", "DetectorTimeoutError", "DetectorUnavailableError", "EvaluationError", "GuardError",
    "InjectionError", "InputTypeError", "IrrelevantError", "LimitConflictError", "LimitError",
    "LimitTimeoutError", "MissingExtraError", "MissingModelError", "ModelFileError", "NoQuestionError",
    "OutputError", "ProdkitError", "ProviderServerError", "RecordsFullError", "RedactionError",
    "RequestTooLargeError", "SerializationError", "StoreError", "StructuredOutputError",
    "UnknownRunError", "UnknownScopeError", "UnknownTokenError", "VaultKeyError", "VaultUnavailableError",
]  # fmt: skip


def _restore(
    make: Callable[..., BaseException], cls: type[BaseException], args: Any, state: Any
) -> BaseException:
    """Rebuild an error without calling its keyword-only constructor."""
    error = make(cls, *args)
    error.__dict__.update(state)
    return error


class ProdkitError(Exception):
    """Base of every error raised by langchain-prodkit."""

    code: ClassVar[str] = "prodkit"
    """Stable machine-readable name of the kind of error."""
    status_code: ClassVar[int] = 500
    """The HTTP status a server should answer with."""
    is_retryable: ClassVar[bool] = False
    """Whether the very same call may succeed later (same meaning as langchain-core's)."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the fields when an error crosses a process border."""
        return _restore, (type(self).__new__, type(self), self.args, self.__dict__)


class ConfigurationError(ProdkitError, ValueError):
    """Raised by a constructor whose arguments contradict each other or make no sense."""

    code = "configuration"


class MissingExtraError(ProdkitError, ImportError):
    """Raised on first use of a feature whose optional dependency is not installed."""

    code = "missing_extra"

    def __init__(self, module: str, *, extra: str, hint: str = "") -> None:
        """Name the missing `module` and the `extra` that brings it."""
        command = f'pip install "langchain-prodkit[{extra}]"'
        message = f"{module!r} is not installed. Install it with: {command}"
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.module = module
        self.extra = extra
        self.command = command


class MissingModelError(ProdkitError, ImportError):
    """Raised when no model package (spaCy pipeline) that a detector asks for is installed."""

    code = "missing_model"

    def __init__(self, model: str, *, commands: Sequence[str]) -> None:
        """Name the `model` and the shell `commands` that install one."""
        ways = "".join(f"\n  {command}" for command in commands)
        super().__init__(f"no model for {model!r} is installed. Ways to get one:{ways}")
        self.model = model
        self.commands = tuple(commands)


class InputTypeError(ProdkitError, TypeError):
    """Raised for a value whose text cannot be found, instead of letting it through unread."""

    code = "input_type"
    status_code = 422


class SerializationError(ProdkitError, TypeError):
    """Raised by `dumps` for a piece that holds something JSON cannot describe."""

    code = "serialization"


class RedactionError(ProdkitError):
    """Raised when personal data could not be hidden; nothing was sent to the model."""

    code = "redaction"


class DetectorTimeoutError(RedactionError, TimeoutError):
    """Raised when a detector did not answer within its time."""

    code = "detector_timeout"
    status_code = 504
    is_retryable = True


class DetectorUnavailableError(RedactionError):
    """Raised when a remote detector cannot be reached, or answers with something else than spans."""

    code = "detector_unavailable"
    status_code = 503
    is_retryable = True


class UnknownScopeError(RedactionError):
    """Raised when no vault scope belongs to a call, so its placeholders cannot be looked up."""

    code = "unknown_scope"
    status_code = 409


class UnknownTokenError(RedactionError):
    """Raised, with `on_unknown="raise"`, for a placeholder that this scope never issued."""

    code = "unknown_token"
    status_code = 422


class VaultKeyError(RedactionError):
    """Raised for a vault, or a sealed value, that was written with a key other than those given."""

    code = "vault_key"


class VaultUnavailableError(RedactionError):
    """Raised when the server of a vault does not answer; what it holds is there when it is back."""

    code = "vault_unavailable"
    status_code = 503
    is_retryable = True


class InjectionError(ProdkitError):
    """Raised by the guard, with `on_injection="raise"`, for an input judged an attack."""

    code = "injection"
    status_code = 422

    def __init__(
        self, *, layer: str, score: float, reasons: Sequence[str], spans: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Say which `layer` decided, with what `score`, for which `reasons` (codes) and where."""
        super().__init__(
            f"input blocked by {layer} with score {score:.2f}: {', '.join(reasons) or 'no reason given'}"
        )
        self.layer = layer
        self.score = score
        self.reasons = tuple(reasons)
        self.spans = tuple(spans)


class GuardError(ProdkitError):
    """Raised when a detector failed, so that the input was not judged and must not go on."""

    code = "guard"


class ConductStoreError(GuardError):
    """Raised when the store of users' conduct cannot be reached, so that a ban cannot be known."""

    code = "conduct_store"
    status_code = 503
    is_retryable = True

    def __init__(self, failure: str) -> None:
        """Name the kind of the `failure`, never its message."""
        super().__init__(
            f"the store of users' conduct cannot be reached ({failure}); nothing went on. Bring it back, or "
            "pass on_store_error='flag' to let inputs go on untracked."
        )
        self.failure = failure


class BannedError(ProdkitError):
    """Raised for every input of a banned user, before anything is judged or spent."""

    code = "banned"
    status_code = 403

    def __init__(self, *, strikes: int, retry_after_s: float | None) -> None:
        """Say how many `strikes` count and in how many seconds the bar is lifted; None for never."""
        until = "for good" if retry_after_s is None else f"for another {retry_after_s:.0f} s"
        super().__init__(f"this user is barred {until}, after {strikes} strike(s)")
        self.strikes = strikes
        self.retry_after_s = retry_after_s


class CoolDownError(BannedError):
    """Raised for every input of a user who is barred for a short while; try again after it."""

    code = "cool_down"
    status_code = 429
    is_retryable = True


class ModelFileError(GuardError):
    """Raised when a classifier's files are missing, damaged, or not those that its card names."""

    code = "model_file"


class IrrelevantError(ProdkitError):
    """Raised by a relevance gate when no document is close enough to the question."""

    code = "irrelevant"
    status_code = 422

    def __init__(self, *, score: float, cut: float, retrieved: int, dropped: int) -> None:
        """Say the best `score` of the `retrieved` documents, `dropped` ones left out, and the `cut`."""
        super().__init__(
            f"no document fits the question: best score {score:.3f}, cut {cut:.3f}, {retrieved} retrieved, "
            f"{dropped} dropped as poisoned; no model was asked"
        )
        self.score = score
        self.cut = cut
        self.retrieved = retrieved
        self.dropped = dropped


class NoQuestionError(ProdkitError):
    """Raised when a rewriter could not make a question of an input; nothing went on."""

    code = "no_question"
    status_code = 422

    def __init__(self, *, reason: Literal["no_question", "unreadable"]) -> None:
        """Say whether there was no question, or the rewriting model's answer was unreadable."""
        super().__init__(f"the input was not rewritten: {reason}")
        self.reason = reason


class OutputError(ProdkitError):
    """Raised by an output guard, with `on_violation="raise"`, for an answer that must not leave."""

    code = "output"
    status_code = 502

    def __init__(self, *, reasons: Sequence[str], spans: Sequence[tuple[int, int]] = ()) -> None:
        """Say for which `reasons` (codes) the answer was stopped, and where in it they lie."""
        super().__init__(f"answer blocked: {', '.join(reasons)}")
        self.reasons = tuple(reasons)
        self.spans = tuple(spans)


class LimitError(ProdkitError):
    """Base of the errors of the rate limiter."""

    code = "limit"
    status_code = 429


class BudgetExceededError(LimitError):
    """Raised before a call whose estimate does not fit in what is left of a budget."""

    code = "budget_exceeded"
    status_code = 402

    def __init__(
        self, *, unit: Literal["usd", "tokens"], estimated: float, spent: float, limit: float
    ) -> None:
        """Say in `unit` what the call was `estimated` at, what is `spent` and what the `limit` is."""
        super().__init__(
            f"a call of about {estimated:g} {unit} does not fit: {spent:g} of {limit:g} {unit} are spent or "
            "reserved; raise the budget, or give the model a new one"
        )
        self.unit = unit
        self.estimated = estimated
        self.spent = spent
        self.limit = limit


class LimitConflictError(LimitError):
    """Raised when a shared key already holds a limit with other numbers."""

    code = "limit_conflict"
    status_code = 500


class RequestTooLargeError(LimitError):
    """Raised at once for a request that can never fit in the limit."""

    code = "request_too_large"
    status_code = 413

    def __init__(self, *, tokens: int, limit: int) -> None:
        """Say how many `tokens` were asked for and how many the `limit` ever holds."""
        super().__init__(
            f"a request of about {tokens} tokens never fits in a limit that holds {limit}; "
            "shorten the prompt, lower max_tokens, or raise tokens_per_minute"
        )
        self.tokens = tokens
        self.limit = limit


class LimitTimeoutError(LimitError, TimeoutError):
    """Raised when a permit cannot be had before the caller's deadline."""

    code = "limit_timeout"
    is_retryable = True


class StructuredOutputError(ProdkitError, OutputParserException):
    """Raised when the model gave no valid object, all re-asks included.

    A langchain-core `OutputParserException` too, so handlers written for any parser catch it; its
    `llm_output` stays empty, because an answer may hold personal data.
    """

    code = "structured_output"
    status_code = 502

    def __init__(
        self,
        *,
        reason: Literal["validation", "truncated", "refused", "no_output", "budget"],
        attempts: int,
        fields: Sequence[str] = (),
        usage: Any = None,
    ) -> None:
        """Say the `reason`, the number of `attempts` and the paths of the `fields` at fault."""
        where = f" at {', '.join(fields)}" if fields else ""
        super().__init__(f"no valid answer after {attempts} attempt(s): {reason}{where}")
        self.reason = reason
        self.attempts = attempts
        """Calls made to the model, the first one included; 0 when a ready answer was judged."""
        self.fields = tuple(fields)
        """Dotted paths of the fields that failed last, without their values."""
        self.usage = usage
        """`UsageMetadata` summed over all attempts, or None."""
        self.failed_attempts: tuple[Any, ...] = ()
        """One `parse.FailedAttempt` an answer, as codes and counts."""
        self.last_completion: Any = None
        """The last answer as the model gave it, where `include_raw=True` asked for it; else None."""

    @property
    def n_attempts(self) -> int:
        """`attempts`, by the name that instructor's users know."""
        return self.attempts

    @property
    def total_usage(self) -> Any:
        """`usage`, by the name that instructor's users know."""
        return self.usage


class EvaluationError(ProdkitError):
    """Base of the errors of the evaluation room."""

    code = "evaluation"


class RecordsFullError(EvaluationError):
    """Raised in a chain, with `on_full="raise"`, when there is no room for the record of its run."""

    code = "records_full"
    status_code = 503
    is_retryable = True

    def __init__(self, held: int) -> None:
        """Say how many records are `held` in memory."""
        super().__init__(
            f"{held} records are held and there is no room for more; hand them over with log(clear=True) or "
            "dataset(clear=True), or raise max_pending or max_spool_bytes"
        )
        self.held = held


class BaselineError(EvaluationError):
    """Raised for a baseline that cannot be read, or that was taken over other questions."""

    code = "baseline"


class StoreError(EvaluationError):
    """Raised when the MLflow store cannot be written or read."""

    code = "store"


class UnknownRunError(EvaluationError):
    """Raised for feedback on a run that was not recorded, or whose record was handed over already."""

    code = "unknown_run"
    status_code = 404


class ProviderServerError(ProdkitError):
    """Raised when the loopback provider cannot start, e.g. because its port is taken."""

    code = "provider_server"
