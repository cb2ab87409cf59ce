"""One call for vectors: its texts cut into batches, sent side by side, and put back in order."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from langchain_prodkit._steps import Call, Steps, adrive, drive
from langchain_prodkit.errors import InputTypeError, LimitError, RequestTooLargeError
from langchain_prodkit.limits.apart import Apart
from langchain_prodkit.limits.batching import batch_limits, batches
from langchain_prodkit.limits.embedder import Embedder, Heard
from langchain_prodkit.limits.headers import read_limits
from langchain_prodkit.limits.passage import Passage
from langchain_prodkit.limits.prompt import BYTES_PER_TOKEN, text_bytes
from langchain_prodkit.limits.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from langchain_prodkit.limits.budget import Budget, Hold
    from langchain_prodkit.limits.protocol import RateLimiter
    from langchain_prodkit.limits.retry import RetryPolicy
    from langchain_prodkit.limits.usage import TokenEstimator

__all__ = ["Errand", "Means", "Vectors"]

Vectors = list[list[float]]

# OpenAI refuses an empty text, and with it all others of its request.
_BLANK: Final = " "
# Texts that go ahead alone where no limit is known: the answer may say what the limits are.
_SCOUTS: Final = 16
# Requests under way at once when nobody says: enough for fifty a second that take a second each; from
# synchronous code each is a thread.
_ASYNC_WIDTH: Final = 64
_SYNC_WIDTH: Final = 16


class Means(NamedTuple):
    """What errands are done with."""

    model: str
    limiter: RateLimiter
    retry: RetryPolicy
    estimator: TokenEstimator
    embedder: Embedder
    budget: Budget | None
    max_concurrency: int | None
    max_batch_texts: int
    max_batch_tokens: int
    learns: bool

    def rate(self, name: str) -> float | None:
        """Read a rate off the limiter; None where it has none, or does not say."""
        for owner in (self.limiter.statistics(), self.limiter):
            value = getattr(owner, name, None)
            if isinstance(value, int | float):
                return value
        return None

    def width(self, most: int, count: int) -> int:
        """Say how many requests to have under way."""
        return max(1, min(count, self.max_concurrency or most))


class _Batch(NamedTuple):
    """Texts that travel together."""

    texts: list[str]
    sizes: list[int]
    is_long: bool
    inputs: tuple[int, int]
    """The first and the last input of the caller that it is about."""


@final
class Errand:
    """One call of the caller: its batches, their vectors, and what they cost."""

    def __init__(self, means: Means, texts: Any, *, is_query: bool = False) -> None:
        """Look through `texts`, and cut them.

        Raises:
            InputTypeError: They are no texts.
            RequestTooLargeError: One alone is over the limit.
        """
        self._means = means
        self._is_query = is_query
        self._hold: Hold | None = None
        self._used_tokens = 0
        # Each text once, with the inputs that it stands for.
        self._places: dict[str, list[int]] = {}
        for at, text in enumerate(_listed(texts)):
            self._places.setdefault(_sendable(text, at, means.embedder), []).append(at)
        self._count = sum(map(len, self._places.values()))
        self._texts = list(self._places)
        self._sizes = [text_bytes(text) for text in self._texts]
        self._batches: list[_Batch] = []
        self._vectors: list[Vectors] = []
        knows = not means.learns or means.embedder.has_answered or means.rate("tokens_per_minute") is not None
        self._scouts = _SCOUTS if not knows and len(self._texts) > _SCOUTS else 0
        self._cut(self._scouts or len(self._texts))
        longest = means.embedder.max_bytes
        self.is_long = longest is not None and any(size > longest for size in self._sizes)
        """Whether a text may have to be cut by the model's tokenizer."""

    def run(self) -> Vectors:
        """Do it from synchronous code."""
        with self:
            if self._scouts:
                self._vectors[0] = drive(self._steps(0))
                self._cut(len(self._texts))
            first = 1 if self._scouts else 0
            if len(self._batches) == first + 1:
                self._vectors[first] = drive(self._steps(first))
            elif len(self._batches) > first:
                width = self._means.width(_SYNC_WIDTH, len(self._batches) - first)
                # The waiting is done in an event loop, where it can be called off.
                with Apart(width) as apart:
                    apart.run(lambda: self._side_by_side(first, width, apart.call))
            return self._result()

    async def arun(self) -> Vectors:
        """Do it from asynchronous code."""
        with self:
            if self._scouts:
                self._vectors[0] = await adrive(self._steps(0))
                self._cut(len(self._texts))
            first = 1 if self._scouts else 0
            if len(self._batches) == first + 1:
                self._vectors[first] = await adrive(self._steps(first))
            elif len(self._batches) > first:
                width = self._means.width(_ASYNC_WIDTH, len(self._batches) - first)
                await self._side_by_side(first, width)
            return self._result()

    def __enter__(self) -> None:
        means = self._means
        if means.budget is not None and self._texts:
            estimate = means.estimator.estimate_texts(means.model, self._sizes)
            self._hold = means.budget.reserve(means.model, estimate.usage)

    def __exit__(self, *error: object) -> None:
        if self._hold is not None:
            if self._used_tokens:
                self._hold.settle(Usage(self._used_tokens))
            self._hold.release()

    async def _side_by_side(self, first: int, width: int, run: Callable[..., Any] | None = None) -> None:
        """Embed all batches from `first` on, `width` at a time; the first failure calls off the rest."""
        waiting = iter(range(first, len(self._batches)))

        async def work() -> None:
            for at in waiting:
                self._vectors[at] = await adrive(self._steps(at, run))

        tasks = [asyncio.create_task(work()) for _ in range(width)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _steps(self, at: int, run: Callable[..., Any] | None = None) -> Steps[Vectors]:
        """Embed a batch; `run` awaits a synchronous call, None calls the model's own coroutine."""
        means, batch = self._means, self._batches[at]
        estimate = means.estimator.estimate_texts(means.model, batch.sizes)
        passage = Passage(means.limiter, means.retry, means.estimator, estimate, learns=means.learns)
        try:
            while True:
                lease = yield from passage.enter()
                heard = Heard()
                try:
                    vectors = yield self._call(
                        means.embedder.listen(heard, is_long=batch.is_long), batch, run
                    )
                except BaseException as error:
                    if not isinstance(error, Exception):
                        # Sent, and called off: whether it was embedded nobody knows.
                        self._used_tokens += estimate.prompt_tokens
                    if not (yield from passage.failed(lease, error)):
                        raise
                    continue
                passage.used_tokens = estimate.prompt_tokens if heard.tokens is None else heard.tokens
                self._used_tokens += passage.used_tokens
                lease.settle(heard.tokens, reading=read_limits(heard.headers) if means.learns else None)
                if heard.tokens is not None:
                    means.estimator.observe(estimate, heard.tokens, 0)
                means.embedder.has_answered = True
                yield from passage.report()
                return _whole(vectors, len(batch.texts))
        except Exception as error:
            error.add_note(self._inputs(*batch.inputs))
            raise

    def _call(self, inner: Any, batch: _Batch, run: Callable[..., Any] | None) -> Call:
        if self._is_query:
            return Call(_query(inner), _aquery(inner), batch.texts[0])
        if run is None:
            return Call(inner.embed_documents, inner.aembed_documents, batch.texts)
        return Call(inner.embed_documents, run, inner.embed_documents, batch.texts)

    def _result(self) -> Vectors:
        """Give every input its vector."""
        found: list[Any] = [None] * self._count
        made = (vector for vectors in self._vectors for vector in vectors)
        for places, vector in zip(self._places.values(), made, strict=True):
            found[places[0]] = vector
            for place in places[1:]:
                found[place] = list(vector)
        return found

    def _cut(self, end: int) -> None:
        """Cut the texts that are not yet in a batch, up to `end`."""
        means = self._means
        start = sum(len(batch.texts) for batch in self._batches)
        rate = means.rate("tokens_per_minute")
        correction = means.estimator.correction(means.model)
        tokens = [max(1.0, size / BYTES_PER_TOKEN * correction) for size in self._sizes[start:]]
        most = min(means.max_batch_tokens, math.inf if rate is None else rate)
        inputs = list(self._places.values())
        for at, number in enumerate(tokens, start):
            if number > most:
                error = RequestTooLargeError(tokens=round(number), limit=math.floor(most))
                error.add_note(self._inputs(inputs[at][0], inputs[at][0]))
                raise error
        limits = batch_limits(
            end - start,
            max_texts=min(means.max_batch_texts, means.embedder.max_texts or means.max_batch_texts),
            max_tokens=means.max_batch_tokens,
            requests_per_minute=means.rate("requests_per_minute"),
            tokens_per_minute=rate,
        )
        longest = means.embedder.max_bytes
        for part in batches(tokens[: end - start], limits):
            first, last = start + part.start, start + part.stop
            sizes = self._sizes[first:last]
            is_long = longest is not None and max(sizes) > longest
            about = (inputs[first][0], inputs[last - 1][0])
            self._batches.append(_Batch(self._texts[first:last], sizes, is_long, about))
            self._vectors.append([])

    def _inputs(self, first: int, last: int) -> str:
        which = f"input {first}" if first == last else f"inputs {first} to {last}"
        return f"while embedding {which} of {self._count} (counted from 0)"


def _query(inner: Any) -> Callable[[str], Vectors]:
    return lambda text: [inner.embed_query(text)]


def _aquery(inner: Any) -> Callable[[str], Coroutine[Any, Any, Vectors]]:
    async def embed(text: str) -> Vectors:
        return [await inner.aembed_query(text)]

    return embed


def _whole(vectors: Any, count: int) -> Vectors:
    """Give `vectors`, one for each text."""
    if len(vectors) != count:
        msg = f"the model gave {len(vectors)} vectors for {count} texts"
        raise LimitError(msg)
    return list(vectors)


def _listed(texts: Any) -> Sequence[Any]:
    if isinstance(texts, str | bytes):
        msg = "embed_documents takes a list of texts, not one text; for one there is embed_query"
        raise InputTypeError(msg)
    try:
        return list(texts)
    except TypeError:
        msg = f"embed_documents takes a list of texts, not a {type(texts).__qualname__}"
        raise InputTypeError(msg) from None


def _sendable(text: Any, at: int, embedder: Embedder) -> str:
    """Give a text as it can be sent."""
    if not isinstance(text, str):
        msg = f"texts to embed are str; input {at} is a {type(text).__qualname__}"
        raise InputTypeError(msg)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            # Half of a pair has no form in UTF-8, in which requests travel.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text or _BLANK if embedder.has_client else text
