"""The chat models inside a Runnable, and the same Runnable with something bound to each of them.

Bindings, retries, fallbacks, configurable models and sequences stay what they are: only the chat model
in the middle is replaced, so nothing that the user put around it is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.configurable import DynamicRunnable

from langchain_prodkit._chat import innermost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from langchain_core.runnables import RunnableConfig

__all__ = ["calls_tools", "is_dynamic", "leaves", "provider_model", "refit"]

_TOOL_ARGUMENTS = ("tools", "tool_choice")


def refit(
    llm: Any, change: Callable[[Any], Runnable[Any, Any]], config: RunnableConfig | None, *, tools: bool
) -> Any:
    """Give `llm` with every chat model in it changed; where none is found, `llm` itself is changed.

    With `tools`, tools that were bound before are taken off: the answer's tool takes their place.
    """
    if isinstance(llm, DynamicRunnable):
        return refit(llm.prepare(config)[0], change, config, tools=tools)
    if isinstance(llm, RunnableBindingBase):
        bound = refit(llm.bound, change, merge_configs(config, llm.config), tools=tools)
        update: dict[str, Any] = {"bound": bound}
        if tools:
            update["kwargs"] = {k: v for k, v in llm.kwargs.items() if k not in _TOOL_ARGUMENTS}
        return llm.model_copy(update=update)
    if isinstance(llm, RunnableWithFallbacks):
        update = {
            "runnable": refit(llm.runnable, change, config, tools=tools),
            "fallbacks": [refit(fallback, change, config, tools=tools) for fallback in llm.fallbacks],
        }
        return llm.model_copy(update=update)
    if isinstance(llm, RunnableSequence) and (place := _place(llm)) is not None:
        steps = list(llm.steps)
        steps[place] = refit(steps[place], change, config, tools=tools)
        return RunnableSequence(*steps, name=llm.name)
    return change(llm)


def leaves(
    llm: Any, config: RunnableConfig | None = None, arguments: Mapping[str, Any] | None = None
) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """List the chat models that may answer, the first choice first, with the arguments bound to each."""
    arguments = arguments or {}
    if isinstance(llm, DynamicRunnable):
        yield from leaves(llm.prepare(config)[0], config, arguments)
    elif isinstance(llm, RunnableBindingBase):
        yield from leaves(llm.bound, merge_configs(config, llm.config), {**llm.kwargs, **arguments})
    elif isinstance(llm, RunnableWithFallbacks):
        for part in (llm.runnable, *llm.fallbacks):
            yield from leaves(part, config, arguments)
    elif isinstance(llm, RunnableSequence) and (place := _place(llm)) is not None:
        yield from leaves(llm.steps[place], config, arguments)
    else:
        yield llm, arguments


def calls_tools(llm: Any, config: RunnableConfig | None = None) -> bool:
    """Tell whether every model that may answer has tools."""
    return all(_has_tools(leaf) for leaf, _ in leaves(llm, config))


def is_dynamic(llm: Any) -> bool:
    """Tell whether a call's configuration decides which model answers."""
    if isinstance(llm, DynamicRunnable):
        return True
    if isinstance(llm, RunnableBindingBase):
        return is_dynamic(llm.bound)
    if isinstance(llm, RunnableWithFallbacks):
        return any(is_dynamic(part) for part in (llm.runnable, *llm.fallbacks))
    return isinstance(llm, RunnableSequence) and any(is_dynamic(step) for step in llm.steps)


def provider_model(leaf: Any) -> Any:
    """Look through our wrappers to the model that talks to the provider."""
    return innermost(leaf)


def _has_tools(leaf: Any) -> bool:
    model = provider_model(leaf)
    if isinstance(model, BaseChatModel):
        return type(model).bind_tools is not BaseChatModel.bind_tools
    return callable(getattr(model, "bind_tools", None))


def _place(sequence: RunnableSequence[Any, Any]) -> int | None:
    """Find the one step of a sequence that is a chat model, however wrapped."""
    places = [
        place
        for place, step in enumerate(sequence.steps)
        if any(isinstance(leaf, BaseChatModel) for leaf, _ in leaves(step))
    ]
    return places[0] if len(places) == 1 else None
