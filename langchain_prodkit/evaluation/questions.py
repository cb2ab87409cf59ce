"""`generate_questions`: a data set of questions from documents, some of which they cannot answer."""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from langchain_core.documents import Document

from langchain_prodkit._steps import Steps, adrive, drive
from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.judge_model import JudgeModel
from langchain_prodkit.evaluation.judge_verdict import JUDGE_DOWN
from langchain_prodkit.evaluation.metrics import Score
from langchain_prodkit.evaluation.progress import Progress
from langchain_prodkit.evaluation.question_chunks import chunks_of
from langchain_prodkit.evaluation.question_likeness import Likeness
from langchain_prodkit.evaluation.question_prompt import Made, Request, inside, outside, read_questions
from langchain_prodkit.evaluation.record import EvalRecord
from langchain_prodkit.evaluation.workers import each

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

__all__ = ["agenerate_questions", "generate_questions"]

_ROUNDS: Final = 4
"""Further chances to make up for questions that came twice or not at all."""
_AT_A_TIME: Final = 5
"""Questions asked for in one call: more of them become alike."""
_SPARE: Final = 2
_SAMPLES: Final = 5
"""Chunks that show a model what the documents are about, where there is no description."""


def generate_questions(
    docs: Sequence[Document | str],
    llm: Any,
    *,
    n: int,
    out_of_scope: float = 0.2,
    seed: int = 0,
    description: str | None = None,
    concurrency: int = 8,
    with_expected: bool = True,
    embeddings: Embeddings | None = None,
    max_similarity: float | None = None,
    chunk_chars: int = 4000,
    timeout_s: float = 60.0,
    progress: bool = False,
) -> EvalDataset:
    """Have a chat model write `n` questions: most of them answered by the documents, some not.

    Rows have `metadata["kind"]`, "in_scope" or "out_of_scope". In-scope rows name their source:
    `metadata["chunk_id"]` and, where the document has an id, `metadata["relevant_ids"]`. The same seed
    and the same answers of the model give the same data set, whatever the concurrency.

    Documents reach the model as data between random borders.

    Args:
        docs: Documents or texts; those longer than `chunk_chars` are cut at paragraphs.
        llm: Any LangChain chat model.
        n: How many questions. Fewer come with a warning that says how many.
        out_of_scope: Share of questions that the documents do not answer.
        seed: Chooses the chunks and their order.
        description: What the application is for, to tell what is out of its scope; without it a few
            chunks have to show that. Trusted: put no text of users into it.
        concurrency: Calls to the model at a time.
        with_expected: Have the model write the expected answer too.
        embeddings: Tells questions that mean the same; without it, those with nearly the same letters.
        max_similarity: How alike two questions may be, 0.0 to 1.0; default 0.85, with embeddings 0.92.
            Questions that differ in a number or a name count as different in any case.
        chunk_chars: Characters of a chunk at most.
        timeout_s: Seconds in which calls wait and none is answered, after which the model counts as down.
        progress: Show on the standard error stream how far it has come.

    Raises:
        ConfigurationError: An argument makes no sense.
        EvaluationError: There is no text in the documents, or not one question came.
    """
    plan = _Plan(
        docs, llm, n, out_of_scope, seed, description, concurrency, with_expected=with_expected,
        likeness=Likeness(embeddings, max_similarity), chunk_chars=chunk_chars, timeout_s=timeout_s,
    )  # fmt: skip
    return drive(plan.steps(is_shown=progress))


async def agenerate_questions(
    docs: Sequence[Document | str],
    llm: Any,
    *,
    n: int,
    out_of_scope: float = 0.2,
    seed: int = 0,
    description: str | None = None,
    concurrency: int = 8,
    with_expected: bool = True,
    embeddings: Embeddings | None = None,
    max_similarity: float | None = None,
    chunk_chars: int = 4000,
    timeout_s: float = 60.0,
    progress: bool = False,
) -> EvalDataset:
    """Do what `generate_questions` does, from asynchronous code."""
    plan = _Plan(
        docs, llm, n, out_of_scope, seed, description, concurrency, with_expected=with_expected,
        likeness=Likeness(embeddings, max_similarity), chunk_chars=chunk_chars, timeout_s=timeout_s,
    )  # fmt: skip
    return await adrive(plan.steps(is_shown=progress))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What came of one request."""

    request: Request
    made: tuple[Made, ...] = ()
    why_not: str | None = None


class _Plan:
    """Which requests are made, in rounds, and which of the questions are kept."""

    def __init__(  # noqa: PLR0917 - the arguments of `generate_questions`
        self,
        docs: Sequence[Document | str],
        llm: Any,
        n: int,
        out_of_scope: float,
        seed: int,
        description: str | None,
        concurrency: int,
        *,
        with_expected: bool,
        likeness: Likeness,
        chunk_chars: int,
        timeout_s: float,
    ) -> None:
        for name, value in (("n", n), ("concurrency", concurrency), ("chunk_chars", chunk_chars)):
            if type(value) is not int or value < 1:
                msg = f"{name} is a whole number, 1 or more"
                raise ConfigurationError(msg)
        if not 0.0 <= out_of_scope <= 1.0:
            msg = "out_of_scope is a share between 0.0 and 1.0"
            raise ConfigurationError(msg)
        if isinstance(docs, str | Document):
            msg = "docs is a list of documents or texts, not a single one"
            raise ConfigurationError(msg)
        self._model = JudgeModel(llm, timeout_s=timeout_s, breaker_after=3)
        self._outside = round(n * out_of_scope)
        self._inside = n - self._outside
        self._width = concurrency
        self._with_expected = with_expected
        self._likeness = likeness
        chunks = chunks_of(docs, chunk_chars)
        if not chunks and (self._inside or not description):
            msg = "there is no text in the documents to ask about"
            raise EvaluationError(msg)
        draw = random.Random(seed)  # noqa: S311 - a choice, not a secret
        draw.shuffle(chunks)
        self._chunks = chunks
        self._description = description
        self._seed = seed

    def steps(self, *, is_shown: bool) -> Steps[EvalDataset]:
        """Ask in rounds until there are enough questions."""
        kept: dict[str, list[tuple[Request, Made]]] = {"in_scope": [], "out_of_scope": []}
        wanted = {"in_scope": self._inside, "out_of_scope": self._outside}
        failed: list[str] = []
        with Progress("generating", sum(wanted.values()), is_shown=is_shown) as bar:
            for number in range(_ROUNDS):
                requests = self._requests(number, kept, wanted)
                if not requests:
                    break
                asked = yield _Together(self._model, requests, self._width, with_expected=self._with_expected)
                failed += [one.why_not for one in asked if one.why_not is not None]
                for one in asked:
                    mine = kept[one.request.kind]
                    for made in one.made[: one.request.count]:
                        if len(mine) < wanted[one.request.kind]:
                            is_new = yield from self._likeness.is_new(made.question)
                            if is_new:
                                mine.append((one.request, made))
                                bar.advance()
                if self._model.is_down:
                    break
        return self._dataset([*kept["in_scope"], *kept["out_of_scope"]], failed)

    def _requests(
        self, number: int, kept: dict[str, list[tuple[Request, Made]]], wanted: dict[str, int]
    ) -> list[Request]:
        """Plan a round; it depends on the seed and on the answers so far, never on their timing."""
        requests: list[Request] = []
        # Once some came twice, more of them will.
        spare = _SPARE if number else 0
        missing = wanted["in_scope"] - len(kept["in_scope"])
        if missing > 0:
            # Each round goes on where the last one ended, so that all chunks have their turn.
            start = self._turn(number, missing)
            counts = [0] * min(len(self._chunks), missing)
            for at in range(missing):
                counts[at % len(counts)] += 1
            for at, count in enumerate(counts):
                chunk = self._chunks[(start + at) % len(self._chunks)]
                asked = tuple(
                    made.question for request, made in kept["in_scope"] if request.chunk_id == chunk.id
                )
                requests += [
                    inside(chunk, part + spare, turn=start + at + number + extra, known=asked)
                    for extra, part in enumerate(_parts(count))
                ]
        missing = wanted["out_of_scope"] - len(kept["out_of_scope"])
        known = tuple(made.question for _, made in kept["out_of_scope"])
        samples = self._chunks[:_SAMPLES]
        requests += [
            outside(self._description, samples, part + spare, turn=number + at, known=known)
            for at, part in enumerate(_parts(missing))
        ]
        return requests

    def _turn(self, number: int, missing: int) -> int:
        return 0 if number == 0 else (self._inside + (number - 1) * missing) % len(self._chunks)

    def _dataset(self, made: list[tuple[Request, Made]], failed: list[str]) -> EvalDataset:
        total = self._inside + self._outside
        if len(made) < total:
            why = ", ".join(sorted(set(failed))) or "the others were alike or empty"
            msg = f"{len(made)} of {total} questions were made: {why}"
            if not made:
                raise EvaluationError(msg)
            warnings.warn(msg, UserWarning, stacklevel=4)
        return EvalDataset(
            tuple(
                EvalRecord(
                    id=f"question-{number}",
                    input=question.question,
                    expected=question.answer if self._with_expected and request.kind == "in_scope" else None,
                    metadata=request.metadata,
                )
                for number, (request, question) in enumerate(made, start=1)
            ),
            name="generated questions",
        )


def _parts(count: int) -> list[int]:
    """Cut a number of questions into calls."""
    return [min(_AT_A_TIME, count - done) for done in range(0, count, _AT_A_TIME)] if count > 0 else []


@final
class _Together:
    """The step that makes a round's requests side by side; its results are in the order of the plan."""

    def __init__(
        self, model: JudgeModel, requests: Sequence[Request], width: int, *, with_expected: bool
    ) -> None:
        self._model = model
        self._requests = requests
        self._width = width
        self._with_expected = with_expected
        self._found: list[_Asked] = [_Asked(request) for request in requests]

    def run(self) -> list[_Asked]:
        def job(at: int) -> None:
            self._found[at] = drive(self._one(self._requests[at]))

        each([partial(job, at) for at in range(len(self._requests))], width=self._width)
        return self._found

    async def arun(self) -> list[_Asked]:
        places = iter(range(len(self._requests)))

        async def work() -> None:
            for at in places:
                self._found[at] = await adrive(self._one(self._requests[at]))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._width):
                tasks.create_task(work())
        return self._found

    def _one(self, request: Request) -> Steps[_Asked]:
        """Ask until the answer can be read, twice at most."""
        for is_again in (False, True):
            messages = request.messages(with_expected=self._with_expected, is_again=is_again)
            answer = yield from self._model.ask(request.schema(with_expected=self._with_expected), messages)
            if isinstance(answer, Score):
                return _Asked(request, why_not=_reason(answer))
            made = read_questions(answer)
            if made is not None:
                return _Asked(request, made)
        return _Asked(request, why_not="the model's answer could not be read")


def _reason(score: Score) -> str:
    why = score.skipped or score.error or ""
    return why.replace(JUDGE_DOWN, "the model does not answer").replace("judge refused", "the model refused")
