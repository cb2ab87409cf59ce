"""All five pieces around a model or a chain, in the right order, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSequence
from langchain_core.runnables.base import coerce_to_runnable
from typing_extensions import override

from langchain_prodkit._chat import innermost, wrap
from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables.base import RunnableLike

    from langchain_prodkit.evaluation import MLflowEvalCallback
    from langchain_prodkit.guard import InjectionGuardRunnable, Scope, ScopeGuard
    from langchain_prodkit.limits import RateLimiter
    from langchain_prodkit.privacy import PresidioRunnable

__all__ = ["HardenedChain", "harden"]


class HardenedChain(RunnableSequence[Any, Any]):
    """What `harden` gives: a sequence that takes what stands behind its guard takes."""

    @property
    @override
    def InputType(self) -> Any:
        return _behind_guard(self.steps).InputType

    @override
    def get_input_schema(self, config: RunnableConfig | None = None) -> Any:
        return _behind_guard(self.steps).get_input_schema(config)

    @classmethod
    @override
    def get_lc_namespace(cls) -> list[str]:
        return ["langchain_prodkit", "_harden"]


def harden(
    model_or_chain: RunnableLike[Any, Any],
    *,
    prompt: RunnableLike[Any, Any] | None = None,
    privacy: PresidioRunnable | Literal[True] | None = True,
    guard: InjectionGuardRunnable | Literal[True] | None = True,
    limits: RateLimiter | Mapping[str, Any] | Literal[True] | None = None,
    response_model: Any = None,
    scope: str | Scope | BaseMessage | ScopeGuard | None = None,
    callback: MLflowEvalCallback | Literal[True] | None = None,
) -> Runnable[Any, Any]:
    """Put privacy, guard, limits, parsing and evaluation around a chat model or a chain.

    By hand, for a chat model, it reads:

    ```python
    safe = PresidioRunnable().protect(RateLimitedAsyncChat(model, requests_per_minute=500))
    chain = InjectionGuardRunnable() | prompt | InstructorParser(Ticket, llm=safe) | ScopeGuard(scope)
    chain = chain.with_config(callbacks=[MLflowEvalCallback(redact=PresidioDetector())])
    ```

    With a chain (or a model inside one) in the place of the model, privacy redacts what goes into
    the chain and restores what comes out; what the chain itself fetches is covered only when its
    model is protected: give `harden` the model, or call `protect` on the model inside your chain.

    Args:
        model_or_chain: A chat model (also one with bound tools), or any Runnable.
        prompt: What stands between the guard and the model; its input type becomes the chain's.
        privacy: True for a `PresidioRunnable()` with its defaults, your own, or None for none.
        guard: True for an `InjectionGuardRunnable()` with its defaults, your own, or None for none.
        limits: A `RateLimiter`, or the keyword arguments of `RateLimitedAsyncChat` as a mapping, or
            True for its retries without limits. Only for a chat model.
        response_model: What the answer must be; the model is re-asked when it is not. A chain
            cannot be re-asked: its answer is repaired and validated once.
        scope: What the bot is for, as a description or the message of `scoped_prompt` (which belongs into
            your prompt), for a `ScopeGuard` with its defaults on the answer; your own one, whose embeddings
            or judge see more; or None for none.
        callback: True for an `MLflowEvalCallback()`, or your own. Unless it has a redactor already, it
            gets the detector of `privacy`.

    Returns:
        A Runnable that takes what the prompt (or model, or chain) took and gives what it gave, or a
        `response_model`.

    Raises:
        ConfigurationError: `limits` were given for something that is not a chat model.

    Warns:
        ModelAgeWarning: The model is one that its maker has replaced.
    """
    shield = _privacy(privacy)
    target: Runnable[Any, Any] = coerce_to_runnable(model_or_chain)
    is_model = isinstance(innermost(target), BaseChatModel)
    if is_model:
        from langchain_prodkit.guard import warn_if_superseded  # noqa: PLC0415 - light, but only when asked for

        warn_if_superseded(target, stacklevel=3)
    if limits is not None:
        if not is_model:
            msg = (
                f"limits need a chat model, not a {type(target).__qualname__}; put "
                "RateLimitedAsyncChat(model, ...) around the model inside the chain"
            )
            raise ConfigurationError(msg)
        target = _limited(target, limits)
    if shield is not None:
        target = shield.protect(target)

    steps = _guard(guard)
    if prompt is not None:
        steps.append(coerce_to_runnable(prompt))
    if response_model is None:
        steps.append(target)
    else:
        from langchain_prodkit.parse import InstructorParser  # noqa: PLC0415 - only when asked for

        if is_model:
            steps.append(InstructorParser(response_model, llm=target))
        else:
            steps += [target, InstructorParser(response_model)]
    steps += _scope_guard(scope)

    chain = steps[0] if len(steps) == 1 else HardenedChain(*steps)  # type: ignore[call-arg]
    watcher = _callback(callback, shield)
    return chain if watcher is None else chain.with_config(callbacks=[watcher])


def _behind_guard(steps: Sequence[Runnable[Any, Any]]) -> Runnable[Any, Any]:
    """Skip the guard, which takes anything."""
    from langchain_prodkit.guard import InjectionGuardRunnable  # noqa: PLC0415 - only when asked for

    return steps[1] if isinstance(steps[0], InjectionGuardRunnable) else steps[0]


def _guard(guard: InjectionGuardRunnable | bool | None) -> list[Runnable[Any, Any]]:
    if guard is True:
        from langchain_prodkit.guard import InjectionGuardRunnable  # noqa: PLC0415 - only when asked for

        return [InjectionGuardRunnable()]
    return [guard] if guard else []


def _scope_guard(scope: Any) -> list[Runnable[Any, Any]]:
    if scope is None:
        return []
    from langchain_prodkit.guard import ScopeGuard  # noqa: PLC0415 - only when asked for

    return [scope if isinstance(scope, ScopeGuard) else ScopeGuard(scope)]


def _privacy(privacy: PresidioRunnable | bool | None) -> PresidioRunnable | None:
    if privacy is True:
        from langchain_prodkit.privacy import PresidioRunnable  # noqa: PLC0415 - only when asked for

        return PresidioRunnable()
    return privacy or None


def _limited(target: Runnable[Any, Any], limits: Any) -> Any:
    from langchain_prodkit.limits import RateLimitedAsyncChat  # noqa: PLC0415 - only when asked for

    settings: dict[str, Any]
    if limits is True:
        settings = {}
    elif isinstance(limits, Mapping):
        settings = dict(limits)
    else:
        settings = {"limiter": limits}
    return wrap(lambda model: RateLimitedAsyncChat(model, **settings), target)


def _callback(
    callback: MLflowEvalCallback | bool | None, shield: PresidioRunnable | None
) -> MLflowEvalCallback | None:
    if callback is True:
        from langchain_prodkit.evaluation import MLflowEvalCallback  # noqa: PLC0415 - only when asked for

        return MLflowEvalCallback(redact=None if shield is None else shield.detector)
    if callback and shield is not None:
        return callback.redact_with(shield.detector)
    return callback or None
