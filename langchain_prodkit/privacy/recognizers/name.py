"""Names in places where names stand: introductions, greetings, signatures, titles, labels and kinship.

A small language model needs a sentence around a name; letters, forms and dialogues have none. Each rule
names the words beside a name; the name itself needs a capital, and, where the words beside it are no proof,
must be no everyday word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import regex  # type: ignore[import-untyped]
from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from langchain_prodkit.privacy.words import is_acronym, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IntroducedNameRecognizer", "capitalised", "introduced_names"]

_WORD: Final = r"\p{Lu}[\p{L}\p{M}'\u2019\-]*[\p{L}\p{M}]"
_INITIAL: Final = r"\p{Lu}\."
_PARTICLE: Final = r"(?:de|da|del|della|di|van|von|der|den|ter|la|le|el|al|bin|ibn|dos|du|zu)"
_NEXT: Final = rf"(?:[ \u00a0](?:{_PARTICLE}[ ]){{0,2}}(?:{_WORD}|{_INITIAL}))"
_NAMES: Final = rf"(?:{_WORD}|{_INITIAL}(?=[ ])){_NEXT}{{0,3}}"
_KIN: Final = (
    "friend", "wife", "husband", "spouse", "son", "daughter", "brother", "sister", "mother", "father",
    "mom", "mum", "dad", "boss", "colleague", "neighbor", "neighbour", "partner", "girlfriend",
    "boyfriend", "cousin", "uncle", "aunt", "doctor", "manager", "assistant", "fiance", "fiancé",
    "fiancée", "grandmother", "grandfather", "grandma", "grandpa", "grandson", "granddaughter",
    "nephew", "niece", "roommate", "teacher", "lawyer", "client", "patient", "teammate", "coworker",
    "co-worker", "landlord", "ex", "secretary", "supervisor", "therapist", "dentist", "nanny",
)  # fmt: skip
_SAYS: Final = (
    "says", "said", "asked", "told", "replied", "adds", "added", "explained", "explains", "writes",
    "wrote", "announced", "insisted", "admitted", "laughed", "shouted", "whispered", "answered",
    "thinks", "believes",
)  # fmt: skip
_TITLES: Final = (
    "miss", "mx", "mister", "sir", "dame", "lord", "lady", "judge", "justice", "senator", "officer",
    "captain", "sergeant", "sgt", "lt", "rev", "father", "uncle", "aunt", "auntie", "coach", "prince",
    "princess", "queen", "king", "president", "professor", "doctor", "nurse",
)  # fmt: skip
_POLITE: Final = ("mr", "mrs", "ms", "dr", "prof", "m.r", "m.s")
_BY: Final = tuple(
    f"{done} by"
    for done in (
        "directed", "written", "produced", "sung", "signed", "played", "painted", "composed", "hosted",
        "owned", "created", "founded", "sent", "reviewed", "approved", "recorded", "prescribed",
    )
)  # fmt: skip
_ACTING: Final = (
    *_SAYS, "starring", "featuring", "met with", "spoke to", "spoke with", "married", "named", "meet",
    "is", "according to", "nephew of", "daughter of", "son of", "wife of", "husband of", "signature of",
    "care of", "c/o", "on behalf of", "attention of", "i'm", "i\u2019m", "i\\'m", "i am", "me,", "actor",
    "actors", "actress", "singer", "player", "director", "author", "producer", "commenter", "spokesman",
    "spokeswoman", "spokesperson", "victim", "suspect", *_BY,
)  # fmt: skip
_GREETINGS: Final = (
    "dear", "hi", "hello", "hey", "good morning", "good evening", "good afternoon", "thanks", "thank you",
    "welcome", "greetings", "congratulations", "bye", "goodbye", "sorry", "hi there", "hello there",
    "hey there",
)  # fmt: skip
_CLOSINGS: Final = (
    "regards", "sincerely", "best", "wishes", "cheers", "thanks", "thank you", "yours", "love",
    "faithfully", "truly", "respectfully",
)  # fmt: skip
_LABELS: Final = (
    "name", "names", "surname", "cardholder", "card holder", "applicant", "sender", "recipient", "author",
    "signed", "from", "to", "cc", "bcc", "attn", "attention", "caller", "agent", "contact", "patient",
    "customer", "client", "employee", "manager", "doctor", "physician", "owner", "beneficiary", "payee",
    "directed by", "written by", "guest", "passenger", "driver", "student", "teacher",
)  # fmt: skip
_CALLED: Final = (
    "name is", "name's", "name\u2019s", "i am called", "i'm called", "i\u2019m called", "they call me",
)  # fmt: skip
# The last words of what may stand before a name: without one of them nothing is tried.
_LAST: Final = frozenset(
    phrase.split()[-1].rstrip(",")
    for phrases in (_KIN, _TITLES, _POLITE, _ACTING, _GREETINGS, _CALLED, ("called", "named", "is"))
    for phrase in phrases
)


def _any(phrases: tuple[str, ...]) -> str:
    return "(?:" + "|".join(sorted(map(regex.escape, phrases), key=len, reverse=True)) + ")"


_OWNED: Final = (
    rf"\\?['\u2019]s (?:{_any(_KIN)}|birthday|e-?mail|address|phone|number|account|password|passport|house"
    r"|home|family|parents|kids|children|concert|album|book|novel)\b"
)
# A dialogue: the speaker, a colon, and what is said.
_SPOKEN: Final = r":[ ]?(?:\\?[\"\u201c]|[A-Z][^:\n]*[ ][^:\n]*[.?!])"


class _Rule(NamedTuple):
    before: str
    after: str
    is_sure: bool = False
    """An everyday word with a capital is a name here."""
    n_words: int = 1
    """The least number of words."""


_RULES: Final = (
    _Rule(
        rf"\bmy (?:full )?{_any(_CALLED[:3])} |\b{_any(_CALLED[3:])} |\b{_any(_POLITE)}\.? ", "", is_sure=True
    ),
    # "This is" introduces many things: two capitalised words, and then a pause or a place.
    _Rule(
        r"(?:^|[.!?] )(?:(?:hello|hi|hey),? )?this is ",
        r",|\.| (?:here|speaking|from|calling)\b",
        is_sure=True,
        n_words=2,
    ),
    _Rule(
        rf"\b{_any(_TITLES)}\.? |\b{_any(_ACTING)} "
        rf"|(?:^|[\n,;|\t] ?|  )(?:[a-z]+[ _\-])?{_any(_LABELS)}[ \t]*[:=][ \t]*[\"']?",
        "",
    ),
    _Rule(
        rf"\b(?:my|his|her|our|your|their|whose) (?:\w+ )?{_any(_KIN)},? (?:called |named )?",
        "",
        is_sure=True,
    ),
    _Rule(rf"(?:^|[.!?,] |\n)[\"'\u201c]?{_any(_GREETINGS)},? ", r"[,!.?:;\n]|$| and "),
    _Rule(rf"\b{_any(_CLOSINGS)}[,.!]?[ ]*\n\s*", r"[ ]*(?:,|\n|$)"),
    _Rule(r"(?:^|\n)[ ]*", _SPOKEN),
    _Rule("", rf" {_any(_SAYS)}\b|{_OWNED}"),
)
_COMPILED: Final = tuple(
    (
        rule,
        regex.compile(rf"(?:{rule.before})\Z") if rule.before else None,
        regex.compile(rule.after) if rule.after else None,
    )
    for rule in _RULES
)
_OPENING: Final = frozenset({"", "\n", '"', "'", "\u201c", "=", ":"})
REACH: Final = 40
"""Characters before a name that are looked at."""
_RUN: Final = regex.compile(rf"(?<![\w@#.'\u2019\-]){_NAMES}")
_WORD_START: Final = regex.compile(rf"(?:(?<=[ \u00a0])|\G)(?:{_WORD}|{_INITIAL})")
_POSSESSIVE: Final = ("'s", "\u2019s")
_SURE: Final = 0.8
_LIKELY: Final = 0.6


def capitalised(text: str) -> Iterator[tuple[list[int], int]]:
    """Give each run of capitalised words: where its words start, and where it ends."""
    for run in _RUN.finditer(text):
        end = run.end() - 2 * (run.group()[-2:] in _POSSESSIVE)
        yield [word.start() for word in _WORD_START.finditer(text, run.start(), end)], end


def introduced_names(text: str) -> Iterator[tuple[int, int, float]]:
    """Give start, end and score of each name that stands where names stand."""
    for starts, end in capitalised(text):
        for index, start in enumerate(starts):
            rule = _rule(text, start, end, len(starts) - index)
            if rule is not None:
                yield start, end, _SURE if rule.is_sure else _LIKELY
                break


def _rule(text: str, start: int, end: int, n_words: int) -> _Rule | None:
    before = text[max(0, start - REACH) : start].lower()
    words = before.split()
    is_tried = (
        not words
        or before[-1] in "\n\"'\u201c=:"
        or words[-1].strip(".,\"'") in _LAST
        or words[-1][-1] in ":="
    )
    first = text[start:end].split(None, 1)[0]
    is_doubtful = is_plain(first) or is_acronym(first)
    for rule, left, right in _COMPILED:
        if (
            n_words < rule.n_words
            or (is_doubtful and not rule.is_sure)
            or (left is not None and not is_tried)
        ):
            continue
        if right is not None and right.match(text, end) is None:
            continue
        if left is None or left.search(before) is not None:
            return rule
    return None


class IntroducedNameRecognizer(EntityRecognizer):
    """Finds names by the words beside them: "my name is", "Dear", "Mr", "Name:", "her sister", "says"."""

    def __init__(self, supported_language: str = "en", supported_entity: str = "PERSON") -> None:
        """Take the language and the entity that results bear."""
        super().__init__(
            supported_entities=[supported_entity],
            supported_language=supported_language,
            name="IntroducedNameRecognizer",
        )

    def load(self) -> None:
        """Need nothing."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: Any = None,  # noqa: ARG002 - Presidio's signature
    ) -> list[RecognizerResult]:
        """Give the names of `text`."""
        entity = self.supported_entities[0]
        if entity not in entities:
            return []
        return [
            RecognizerResult(
                entity,
                start,
                end,
                score,
                analysis_explanation=AnalysisExplanation(
                    "IntroducedNameRecognizer", score, pattern_name="introduced"
                ),
            )
            for start, end, score in introduced_names(text)
        ]
