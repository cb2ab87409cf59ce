"""Metrics that a judge scores: faithfulness, relevance, correctness, and rubrics of one's own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from langchain_prodkit._steps import Steps, adrive, drive
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.judge import ChatModelJudge
from langchain_prodkit.evaluation.judge_answer import Claims, Scale
from langchain_prodkit.evaluation.judge_prompt import Inquiry, case_of
from langchain_prodkit.evaluation.metrics import Score

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["JudgeMetric", "answer_correctness", "faithfulness", "relevance", "rubric"]

PASS_MARK: Final = 0.75
"""Four of five points, or three claims in four."""
_SHOWN: Final = ("input", "contexts", "expected", "output")
_FIVE: Final = Scale(1, 5)

_FAITHFULNESS: Final = """\
You check whether an answer is supported by the contexts it was to be based on.

Break the answer down into its factual claims, each of which can be checked alone; leave out greetings, \
opinions, questions, and remarks that the contexts do not say something. A claim is supported only if it \
follows from the contexts: a number, a date, a unit, a name, a negation or a condition that differs makes \
it unsupported, and so does anything you know from elsewhere. The question is there to help you \
understand the answer. An answer without any factual claim has an empty list of claims."""
_RELEVANCE: Final = """\
You rate how well an answer addresses the question that was asked, from 1 to 5. Whether the answer is true \
does not count.

5: it addresses exactly what was asked, all of it, without padding.
4: it addresses the question; a small part is missing, or it holds a little that nobody asked for.
3: it addresses the question in part.
2: it is on the topic but hardly addresses the question, or refuses without need.
1: it does not address the question at all."""
_CORRECTNESS: Final = """\
You rate how well an answer agrees with the expected answer to the same question, from 1 to 5. The expected \
answer is right; wording, order and length do not count.

5: it says all that the expected answer says and contradicts none of it.
4: it is right in the main point; a detail is missing or added that changes nothing.
3: it is right in part: something of weight is missing.
2: it is mostly wrong, or leaves out the main point.
1: it contradicts the expected answer, or does not answer."""


@dataclass(frozen=True, slots=True)
class JudgeMetric:
    """A metric whose scores are a judge's; make one with `faithfulness`, `rubric` and so on."""

    judge: ChatModelJudge = field(repr=False)
    inquiry: Inquiry = field(repr=False)
    name: str
    needs: frozenset[str]
    pass_mark: float = PASS_MARK
    """A verdict on the wrong side of it is asked for again, see `confirm_on_fail`; 0.0 to 1.0."""
    higher_is_better: bool | None = True

    def begin(self) -> None:
        """Give a judge that was down another chance."""
        self.judge.begin()

    def score(self, row: EvalRecord) -> Score:
        """Ask the judge about one row; skipped, with the reason, where it could not be asked."""
        return drive(self._steps(row))

    async def ascore(self, row: EvalRecord) -> Score:
        """Do what `score` does, from asynchronous code."""
        return await adrive(self._steps(row))

    def _steps(self, row: EvalRecord) -> Steps[Score]:
        return self.judge.judge(
            self.inquiry,
            case_of(row, self.inquiry.shows),
            pass_mark=self.pass_mark,
            is_low_better=self.higher_is_better is False,
        )


def faithfulness(judge: ChatModelJudge, *, pass_mark: float = PASS_MARK) -> JudgeMetric:
    """Score how much of an answer its contexts support, 0 to 1: supported claims over all claims.

    One call a row: the judge lists the claims and which are supported; the rationale names those that
    are not. Rows without contexts, and answers without a claim, are skipped. Defined as in
    explodinggradients/ragas (faithfulness); mlflow/mlflow's rates the same on five points.
    """
    inquiry = Inquiry("faithfulness", _FAITHFULNESS, Claims(), ("input", "contexts", "output"))
    return _metric(judge, inquiry, {"output", "contexts"}, pass_mark)


def relevance(judge: ChatModelJudge, *, pass_mark: float = PASS_MARK) -> JudgeMetric:
    """Score how well an answer addresses its question, 0 to 1 from five points; truth does not count.

    Defined as mlflow/mlflow's answer relevance.
    """
    inquiry = Inquiry("relevance", _RELEVANCE, _FIVE, ("input", "output"))
    return _metric(judge, inquiry, {"input", "output"}, pass_mark)


def answer_correctness(judge: ChatModelJudge, *, pass_mark: float = PASS_MARK) -> JudgeMetric:
    """Score how well an answer agrees with the expected one, 0 to 1 from five points.

    Rows without an expected answer are skipped. Defined as mlflow/mlflow's answer correctness.
    """
    inquiry = Inquiry("answer_correctness", _CORRECTNESS, _FIVE, ("input", "expected", "output"))
    return _metric(judge, inquiry, {"output", "expected"}, pass_mark)


def rubric(
    judge: ChatModelJudge,
    name: str,
    text: str,
    *,
    scale: tuple[float, float] = (1, 5),
    needs: Iterable[str] = ("input", "output"),
    pass_mark: float = PASS_MARK,
    higher_is_better: bool = True,
) -> JudgeMetric:
    """Score answers by a rubric of your own, mapped to 0 to 1.

    Args:
        judge: Who judges.
        name: What the metric is called in reports.
        text: The rubric: what is rated, and what each point of the scale means. It is trusted: put no
            text of users or documents into it.
        scale: The number for "not at all" and the one for "fully"; `(0, 1)` for no and yes.
        needs: What the judge sees of a row: `output`, and any of `input`, `contexts`, `expected`; rows
            that lack one of them are skipped.
        pass_mark: A verdict on the wrong side of it, 0.0 to 1.0, is confirmed before it counts.
        higher_is_better: False for a rubric that rates something bad; then a verdict passes that is
            no higher than `1 - pass_mark`.

    Raises:
        ConfigurationError: An argument makes no sense.
    """
    low, high = scale
    if not text.strip() or not (math.isfinite(low) and math.isfinite(high) and low < high):
        msg = "a rubric needs a text, and a scale of two numbers, the lower one first"
        raise ConfigurationError(msg)
    fields = frozenset(needs)
    if "output" not in fields or not fields <= set(_SHOWN):
        msg = f"needs= holds 'output' and any of {', '.join(_SHOWN[:-1])}"
        raise ConfigurationError(msg)
    task = (
        f"You rate an answer by the rubric below, from {low:g} (not at all) to {high:g} (fully).\n\n"
        f"{text.strip()}"
    )
    inquiry = Inquiry(name, task, Scale(low, high), tuple(field for field in _SHOWN if field in fields))
    return _metric(judge, inquiry, fields, pass_mark, higher_is_better=higher_is_better)


def _metric(
    judge: ChatModelJudge,
    inquiry: Inquiry,
    needs: Iterable[str],
    pass_mark: float,
    *,
    higher_is_better: bool = True,
) -> JudgeMetric:
    if not isinstance(judge, ChatModelJudge):
        msg = f"a judge is a ChatModelJudge, not a {type(judge).__qualname__}; wrap the model in one"
        raise ConfigurationError(msg)
    if not 0.0 <= pass_mark <= 1.0:
        msg = "pass_mark lies between 0.0 and 1.0"
        raise ConfigurationError(msg)
    return JudgeMetric(judge, inquiry, inquiry.name, frozenset(needs), pass_mark, higher_is_better)
