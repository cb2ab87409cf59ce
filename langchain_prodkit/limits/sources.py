"""The copies of a model that are called: one for each event loop, with headers and without."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, final
from weakref import WeakKeyDictionary, ref

from langchain_prodkit.limits.inner import apart, listening

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Sources"]


@final
class Sources:
    """Makes the copies when they are first asked for; a copy of this has none."""

    __slots__ = ("_first", "_heard", "_model", "_of_loops")

    def __init__(self) -> None:
        """Begin without any."""
        self._forget(None)

    def _forget(self, model: BaseChatModel | None) -> None:
        self._model = model
        self._heard: BaseChatModel | None = None
        self._first: ref[asyncio.AbstractEventLoop] | None = None
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, BaseChatModel]] = (
            WeakKeyDictionary()
        )

    def of(self, model: BaseChatModel, *, is_heard: bool) -> BaseChatModel:
        """Give the copy of `model` for the running event loop, or for synchronous code."""
        if model is not self._model:
            self._forget(model)
        heard = self._heard
        if heard is None:
            heard = self._heard = listening(model)
        plain = heard if is_heard else model
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return plain
        if self._first is None:
            self._first = ref(loop)
        if self._first() is loop:
            return plain
        copies = self._of_loops.get(loop)
        if copies is None:
            own = apart(model)
            copies = self._of_loops[loop] = {False: own, True: listening(own)}
        return copies[is_heard]

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Sources:
        return Sources()

    def __reduce__(self) -> tuple[type[Sources], tuple[()]]:
        return Sources, ()
