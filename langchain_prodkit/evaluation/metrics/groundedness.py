"""Whether an answer says only what its contexts say, without asking a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_core.embeddings import Embeddings

from langchain_prodkit.errors import ConfigurationError, MissingExtraError
from langchain_prodkit.evaluation.grounding.support import ClaimSupport, claims_of, support_of
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.metrics.readability import is_latin
from langchain_prodkit.evaluation.record import EvalRecord

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.grounding.meaning import SentenceMeanings, TokenMeanings

__all__ = ["Groundedness", "claim_support"]

SUPPORTED_FROM: Final = 0.5
"""From here up a claim counts as supported in the rationale."""


@dataclass(frozen=True, slots=True)
class Groundedness:
    """How far the contexts support an answer, 0 to 1; 0.5 is as likely as not.

    Each sentence of the answer is a claim (questions are none) and is compared with the passages that
    share most with it: amounts, dates and units, negations and opposites, names, who did what to whom,
    scope, additions, and meaning. Made for near misses in English prose: a copied sentence with
    another number scores lower than a loose paraphrase of the right one. It reads no other script than
    Latin, knows only what the contexts say, and is no proof: let a judge look at what scores low.

    With `embeddings=None` the embedded MiniLM is used where extra `embeddings` is installed, else
    words alone decide; `False` always means words alone. `MiniLMEmbeddings` are compared token by token,
    other embeddings sentence by sentence. The rationale says which: `tokens`, `sentences` or `words`.

    Raises:
        ConfigurationError: An argument makes no sense.
    """

    embeddings: Embeddings | Literal[False] | None = field(default=None, repr=False)
    """Any LangChain embeddings; a remote one is sent the claims and the passages they are compared with."""
    over: Literal["mean", "min"] = "mean"
    """How the claims of an answer make one score: their mean, or that of the worst."""
    max_claims: int = 500
    """Of an answer with more claims so many are read, evenly spread; the rationale says so."""
    name: str = "groundedness"
    needs: frozenset[str] = frozenset({"output", "contexts"})
    higher_is_better: bool | None = True

    def __post_init__(self) -> None:
        is_known = self.embeddings is None or self.embeddings is False
        if not is_known and not isinstance(self.embeddings, Embeddings):
            raise ConfigurationError(
                "embeddings= takes a LangChain Embeddings, None or False, not a "
                f"{type(self.embeddings).__name__}"
            )
        if self.over not in {"mean", "min"} or self.max_claims < 1:
            raise ConfigurationError('over= is "mean" or "min", max_claims= at least 1')

    def score(self, row: EvalRecord) -> Score:
        """Compare one row's answer with its contexts."""
        contexts = [context.text for context in row.contexts]
        if not is_latin(row.answer):
            return Score(skipped="the answer is not in Latin script")
        claims = claims_of(row.answer)
        if not claims:
            return Score(skipped="the answer makes no claim")
        count = len(claims)
        if count > self.max_claims:
            claims = [claims[place * count // self.max_claims] for place in range(self.max_claims)]
        meanings = _meanings(self.embeddings)
        found = support_of(claims, contexts, meanings)
        values = [claim.value for claim in found]
        value = min(values) if self.over == "min" else sum(values) / len(values)
        return Score(value, rationale=_rationale(found, count, meanings))


def claim_support(
    claim: str, contexts: Sequence[str], *, embeddings: Embeddings | Literal[False] | None = None
) -> float:
    """Give how likely the contexts support a claim, 0 to 1.

    A claim of several sentences is worth as much as its worst. 0 where the contexts, or the claim, say
    nothing. `embeddings` as in `Groundedness`.
    """
    claims = claims_of(claim)
    if not claims:
        return 0.0
    return min(found.value for found in support_of(claims, contexts, _meanings(embeddings)))


def _rationale(found: Sequence[ClaimSupport], count: int, meanings: Any) -> str:
    """Say how many claims lack support, and what speaks against them; no text is quoted."""
    against = [claim.reason for claim in found if claim.value < SUPPORTED_FROM]
    said = f"{len(against)} of {len(found)} claims unsupported"
    if against:
        said += ": " + ", ".join(f"{reason} {times}" for reason, times in Counter(against).most_common())
    if len(found) < count:
        said += f"; {len(found)} of {count} claims read"
    return f"{said}; compared by {'words' if meanings is None else meanings.head}"


def _meanings(embeddings: Embeddings | Literal[False] | None) -> SentenceMeanings | TokenMeanings | None:
    chosen = _embedded() if embeddings is None else embeddings
    if not chosen:
        return None
    from langchain_prodkit.evaluation.grounding.meaning import meanings_for  # noqa: PLC0415

    return meanings_for(chosen)


@lru_cache(maxsize=1)
def _embedded() -> Embeddings | None:
    """Give the embedded model, made when first asked for; None where its extra is not installed."""
    # Only here: its module brings what words alone do without.
    from langchain_prodkit.evaluation.embeddings import MiniLMEmbeddings  # noqa: PLC0415

    try:
        return MiniLMEmbeddings()
    except MissingExtraError:
        return None
