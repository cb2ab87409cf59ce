"""Text cut into sentences, sentences into words, words brought to a common form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["FUNCTION", "Word", "listed", "sentences", "stem", "words"]

_LONGEST_ABBREVIATION: Final = 12
LONGEST_WORDS: Final = 120
"""A sentence with more words is cut, so that the work on one sentence has an end."""

_END: Final = re.compile(
    r"(?<=[.!?\u3002])[\"'\u201d\u2019)\]]*\s+(?=[\"'\u201c\u2018(\[]?[A-Z0-9\u00c0-\u00de\uac00-\ud7a3])|\n+"
)
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|No|Nr|vs|approx|ca|e\.g|i\.e|etc|Inc|Ltd|Co|Corp|Jr|Sr|Art|"
    r"Fig|Sec|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)\.$"
)
_BULLET: Final = re.compile(r"^\s*(?:[-*\u2022\u2013>#]+|\d{1,2}[.)])\s+")
_TOKEN: Final = re.compile(
    r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:['\u2019][^\W\d_]+)*|[%\u20ac$\u00a3\u00b0\u00bd\u00bc\u00be]|[^\s\w]"
)


def listed(text: str) -> frozenset[str]:
    """Give the words of a text."""
    return frozenset(text.split())


FUNCTION: Final = listed(
    """a an the this that these those it its he him his she her hers they them their theirs we us our you
    your i me my who whom whose which what there here is are was were be been being am do does did has
    have had having will would shall of in on at by for with from to into onto as than and or but if so
    too also very just then such own same one ones other others another about around over under up down
    out off through during between within while whereas although though because since until unless when
    where how why not no nor neither either both each every all any some more most less least few many
    much several only even still yet already again may might can could must should ought need per via
    upon among against towards toward across along after before above below near like well s t d ll re
    ve m let get got"""
)
"""Words that carry no topic of their own; what they say (not, all, before ...) is read elsewhere."""

_IRREGULAR: Final = {
    form: base
    for line in """
    be is are was were been being am|have has had having|do does did done doing|go goes went gone|
    rise rose risen|fall fell fallen|buy bought|sell sold|pay paid|give gave given|take took taken|
    make made|get got gotten|say said|tell told|see saw seen|find found|think thought|bring brought|
    begin began begun|come came|become became|keep kept|leave left|lose lost|win won|hold held|
    stand stood|understand understood|run ran|write wrote written|speak spoke spoken|
    break broke broken|choose chose chosen|drive drove driven|eat ate eaten|drink drank drunk|
    fly flew flown|forget forgot forgotten|freeze froze frozen|grow grew grown|know knew known|
    draw drew drawn|show shown|throw threw thrown|blow blew blown|ride rode ridden|wear wore worn|
    shoot shot|steal stole stolen|swim swam swum|sing sang sung|sink sank sunk|sit sat|sleep slept|
    spend spent|send sent|lend lent|build built|burn burnt|learn learnt|mean meant|meet met|feed fed|
    lead led|read|fight fought|catch caught|teach taught|seek sought|feel felt|deal dealt|hear heard|
    lay laid|lie lay lain|shrink shrank shrunk|spread|shut|cut|hit|put|set|cost|hurt|quit|split|
    die died dies dying|child children|man men|woman women|foot feet|tooth teeth|mouse mice|
    goose geese|person people persons|life lives|wife wives|leaf leaves|half halves|shelf shelves|
    thief thieves|wolf wolves|good better best|bad worse worst|far further farther|index indices|
    analysis analyses|crisis crises|datum data|criterion criteria|phenomenon phenomena|strike struck|
    stick stuck|wake woke woken|withdraw withdrew withdrawn|undergo underwent|arise arose arisen|
    bear bore born borne|bite bit bitten|hide hid hidden|forbid forbade forbidden|
    forgive forgave forgiven|shake shook shaken|swear swore sworn|tear tore torn|weave wove woven|
    wind wound|bind bound|grind ground|hang hung|sweep swept|weep wept|creep crept|bend bent|
    high higher highest|low lower lowest|early earlier earliest|late later latest|
    old older oldest elder eldest|young younger youngest|large larger largest|small smaller smallest|
    big bigger biggest|long longer longest|short shorter shortest|warm warmer warmest|
    cold colder coldest|hot hotter hottest|cheap cheaper cheapest|fast faster fastest|
    slow slower slowest|rare rarer rarest|wet wetter wettest|strong stronger strongest|
    weak weaker weakest|heavy heavier heaviest|light lighter lightest|easy easier easiest
    """.replace("\n", " ").split("|")
    for base in [line.split()[0]]
    for form in line.split()
}
_CUTS: Final = """
ational:ate ization:ize isation:ize fulness:ful ousness:ous iveness:ive ement: ation: ition: ness: ment: able:
ible: ance: ence: ally: ing: ion: ive: ers: ies:y ied:y ly: ed: er: or: es: al: s:
"""
_SUFFIXES: Final = tuple((suffix, new) for suffix, _, new in (pair.partition(":") for pair in _CUTS.split()))
"""What is cut off, longest first, and what takes its place."""
_SHORTEST: Final = 3
"""Letters that a stem keeps."""
_VOWELS: Final = frozenset("aeiouy")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, number or mark of a sentence."""

    text: str
    low: str
    stem: str
    is_name: bool
    """Written with a capital for no other reason than being a name."""

    @property
    def is_content(self) -> bool:
        """Whether the word says what the sentence is about."""
        return self.low[0].isalpha() and self.low not in FUNCTION


def sentences(text: str) -> list[str]:
    """Cut a text into sentences, lines and list items; none is empty."""
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        before = text[max(start, match.start() - _LONGEST_ABBREVIATION) : match.start()]
        if "\n" not in match[0] and _ABBREVIATION.search(before):
            continue
        found.append(text[start : match.end()])
        start = match.end()
    found.append(text[start:])
    trimmed = (_BULLET.sub("", piece).strip() for piece in found)
    return [piece for piece in trimmed if any(char.isalnum() for char in piece)]


def words(sentence: str) -> list[Word]:
    """Cut a sentence into words, numbers and marks."""
    found: list[Word] = []
    is_open = True
    for raw in _TOKEN.findall(sentence.replace("\u2019", "'")):
        for text in _parted(raw):
            low = text.casefold()
            is_word = low[0].isalpha()
            is_name = (
                is_word and text[0].isupper() and low not in FUNCTION and (not is_open or not text.islower())
            )
            found.append(Word(text, low, stem(low) if is_word else low, is_name and not is_open))
            is_open = False if is_word or text.isdigit() else is_open or text in '"(:'
    return found


def _parted(raw: str) -> tuple[str, ...]:
    """Part "don't" into "do" and "not", "Ann's" into "Ann" and "s"."""
    if "'" not in raw or raw == "'":
        return (raw,)
    low = raw.casefold()
    if low.endswith("n't"):
        base = {"ca": "can", "wo": "will", "sha": "shall"}.get(low[:-3], raw[:-3])
        return (base, "not") if base else ("not",)
    head, _, tail = raw.partition("'")
    return (head, tail) if head and tail else (head or tail,)


@lru_cache(maxsize=50_000)
def stem(low: str) -> str:
    """Bring the forms of a word together; cruder than a dictionary, but the same for both texts."""
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if low == "cannot":
        return "can"
    base = low
    for _ in range(2):
        for suffix, new in _SUFFIXES:
            cut = base[: -len(suffix)] if base.endswith(suffix) else ""
            if (
                len(cut) >= _SHORTEST
                and any(char in _VOWELS for char in cut)
                and not (suffix == "s" and cut[-1] in "su")
            ):
                base = cut + new
                break
        else:
            break
    if len(base) > _SHORTEST and base[-1] == base[-2] and base[-1] not in "ls":
        base = base[:-1]
    if len(base) > _SHORTEST and base[-1] == "e":
        base = base[:-1]
    if len(base) >= _SHORTEST and base[-1] == "y":
        base = base[:-1] + "i"
    return base
