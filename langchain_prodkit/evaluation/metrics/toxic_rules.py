# ruff: noqa: E501 - a pattern is easier to read in one line than in four
"""Who is said to be, to do or to deserve what: the rules behind `Toxicity`.

Each rule looks at one sentence in lower case. A word alone decides only where it is never harmless; else
somebody must be meant by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["ToxicRule", "toxic_rules"]

_WORDS: Final = Path(__file__).with_name("toxic_words.txt")
_NAME: Final = re.compile(r"\[(\w+)\]")


@dataclass(frozen=True, slots=True)
class ToxicRule:
    """What is looked for in a sentence."""

    kind: str
    weight: float
    """0 to 1; from 0.5 on the sentence is toxic by this rule alone."""
    words: frozenset[str]
    """One of them must be in the sentence, else the pattern is not tried."""
    stems: tuple[str, ...]
    """Or a word that begins with one of these."""
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None
    """What makes the sentence harmless."""


_ABOUT: Final = (
    r"(?:you|u|he|she|they|(?:the|your|my|his|her|our|their|that|this|those|these|every)\s+(?:\w+\s+)?(?:manager|boss"
    r"|teacher|customers?|clients?|agents?|nurse|doctor|husband|wife|mother|father|mom|mum|dad|sister|brother|son"
    r"|daughter|boys?|girls?|m[ae]n|wom[ae]n|guys?|kids?|children|neighbou?rs?|colleagues?|president|minister|staff"
    r"|team|driver|users?|person|people|employees?|politicians?|cops?|clerk|waiter|lawyer|family|friends?|lot|bunch)"
    r"|people like (?:you|him|her|them)|you people|your kind)"
)
_BE: Final = r"(?:\s+(?:are|is|was|were|be|been|must be|look like|looks like|sound like|act like|acts like|behave like)|'re|'s|re)"
_FILL: Final = (
    r"(?:(?:such|a|an|the|just|really|so|very|nothing|but|all|complete|completely|total|totally|utter|utterly|absolute"
    r"|absolutely|fucking|bloody|damn|goddamn|stupid|dumb|big|little|lazy|fat|ugly|dirty|filthy|worthless|pathetic|even"
    r"|more|most|truly|always|too|as|and|of|piece|bunch|pack|real|disgusting|old|only|like|no better than|basically"
    r"|simply|clearly|obviously|honestly|quite|pretty|useless|greedy|miserable|sad|poor excuse for|excuse for|human),?\s+)"
)
_ANY: Final = r"(?:(?!not\b|never\b|no\b|neither\b)[\w'-]+,?\s+)"
_BODY: Final = (
    r"(?:legs?|arms?|necks?|bones?|faces?|heads?|skulls?|fingers?|knees?|teeth|throats?|noses?|jaws?|brains? (?:out|in)"
    r"|house|home|car|family|kids?|children|wife|husband|mother|dog|life)"
)
_SOMEBODY: Final = r"(?:you|him|her|them|you all|all of you|every (?:last |single )?one of (?:you|them))"
_FEELS: Final = (
    r"\b(?:think|thinks|thought|feel|feels|feeling|felt|believe|worry|fear|convinced|hear|telling yourself)(?: that)?"
    r"(?: like)? (?:you|i|they|he|she)\b|\bfeel(?:ing)? (?:worthless|useless|stupid|ugly|like)\b"
)
_HELP: Final = (
    r"\b(?:thoughts? (?:of|about)|think(?:ing)? (?:of|about)|want(?:s|ed|ing)? to|going to|feel(?:s|ing)? like|urges? to"
    r"|suicid\w*|plan(?:s|ning)? to|helplines?|hotlines?|crisis|do(?:n't| not)|never|did not|didn't)\b"
)


@cache
def toxic_rules() -> tuple[ToxicRule, ...]:
    """Build the rules from the word list, once."""
    words = _lists()
    insult, likened = words["insult"], words["likened"]
    hurtful, harsh = words["hurtful"], words["harsh"]
    groups = _Groups(words)
    return (
        *_plain_words(words),
        *_insults(insult, likened, hurtful, harsh),
        *_demeaning(),
        *_threats(words["harm"]),
        *_hate(groups, words),
    )


def _lists() -> dict[str, frozenset[str]]:
    lists: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in _WORDS.read_text(encoding="utf-8").splitlines():
        if name := _NAME.fullmatch(line):
            current = lists.setdefault(name[1], set())
        elif not line.startswith("#"):
            current.update(line.split())
    return {name: frozenset(found) for name, found in lists.items()}


def _any(words: frozenset[str]) -> str:
    patterns = (re.escape(word.removesuffix("*")) + r"\w*" * word.endswith("*") for word in words)
    return "(?:" + "|".join(sorted(patterns, key=len, reverse=True)) + ")"


def _rule(
    kind: str, weight: float, words: str | frozenset[str], pattern: str, unless: str | None = None
) -> ToxicRule:
    needed = frozenset(words.split()) if isinstance(words, str) else words
    return ToxicRule(
        kind,
        weight,
        frozenset(word for word in needed if not word.endswith("*")),
        tuple(sorted(word.removesuffix("*") for word in needed if word.endswith("*"))),
        re.compile(pattern),
        None if unless is None else re.compile(unless),
    )


def _plain_words(words: dict[str, frozenset[str]]) -> Iterator[ToxicRule]:
    yield _rule(
        "slur",
        0.95,
        words["slur"],
        rf"\b{_any(words['slur'])}\b",
        r"maine coon|chinks? in (?:the|its|his|her|your|their) arm|spic and span|\b(?:sea|flood|river|dutch) dykes?|retards? (?:the|growth|flame)",
    )
    yield _rule(
        "profanity",
        0.7,
        words["profanity"],
        rf"\b{_any(words['profanity'])}\b",
        r"\b(?:pupp(?:y|ies)|breeders?|litter|kennel|pedigree|spayed|needles?|fingers?|pins?|skin|thumb)\b",
    )
    yield _rule(
        "profanity",
        0.6,
        "ass arse sucks suck tits boobs nudes balls",
        r"\b(?:kiss|kick|lick|shove|up|move|haul|beat|whip)\s+(?:it\s+)?(?:up\s+)?(?:my|your|his|her|their)\s+(?:\w+\s+)?(?:ass|arse)\b"
        r"|\b(?:you|he|she)(?:'re| are|'s| is) (?:such )?an (?:ass|arse)\b|pain in the (?:ass|arse)"
        r"|\b(?:you|he|she|they)(?: all| really| totally)? sucks?(?=[.,!?]|$| at\b| so\b)|\bsuck my\b|\bsend (?:me )?nudes"
        r"|\b(?:your|her|nice) (?:tits|boobs)\b",
    )


def _insults(
    insult: frozenset[str], likened: frozenset[str], hurtful: frozenset[str], harsh: frozenset[str]
) -> Iterator[ToxicRule]:
    nouns, likes, hurts, harshes = map(_any, (insult, likened, hurtful, harsh))
    yield _rule("insult", 0.8, insult, rf"\b{_ABOUT}{_BE}\s+{_ANY}{{0,5}}{nouns}\b", _FEELS)
    yield _rule(
        "insult",
        0.75,
        likened,
        rf"\b{_ABOUT}{_BE}\s+{_FILL}{{1,6}}{likes}\b",
        rf"{_FEELS}|\bnot?\b|\bof (?:a|the) kind\b",
    )
    yield _rule("insult", 0.8, insult, rf"\b(?:you|u)\s+{_FILL}{{0,4}}{nouns}\b")
    yield _rule(
        "insult",
        0.7,
        likened - {"nothing", "nobody"},
        rf"\byou\s+(?:(?:{hurts}|{harshes}|little|big|absolute|complete|total|bloody|damn|fucking),?\s+){{0,4}}{likes}(?=\s*(?:[.,!?]|$)|\s+(?:who|and)\b)",
        r"\b(?:if|when|that|do|did|can|could|should|will|would|may|must|to) you\b",
    )
    yield _rule(
        "insult",
        0.65,
        insult,
        rf"\b(?:what an?|only an?|such an?|bunch of|pack of|like an?|kind of|is an?|was an?|those|these|fucking|bloody)\s+{_FILL}{{0,3}}{nouns}\b",
    )
    yield _rule("insult", 0.3, insult, rf"\b{nouns}\b")
    yield _rule(
        "insult",
        0.7,
        hurtful,
        rf"\b{_ABOUT}{_BE}\s+{_FILL}{{0,4}}{hurts}\b(?! (?:mistake|question|thing|idea)s?\b)",
        rf"{_FEELS}|\bnot?\b",
    )
    yield _rule(
        "insult",
        0.55,
        harsh - {"sick", "crazy", "insane", "old", "unwanted", "hopeless", "mental", "twisted"},
        rf"\b(?:you|he|she|they|people like (?:you|him|her|them))(?:\s+(?:are|is)|'re|'s)\s+{_FILL}{{0,3}}(?:{_any(harsh - {'sick', 'crazy', 'insane', 'old', 'unwanted', 'hopeless', 'mental', 'twisted'})})\b(?!-| (?:enough|as)\b)",
        rf"{_FEELS}|\bnot?\b",
    )
    yield _rule(
        "insult",
        0.6,
        hurtful | harsh,
        rf"\byour\s+(?:face|brain|mother|mom|mum|family|body|voice|accent|kids?|wife|husband|opinions?|code|work|life|looks?)\s+(?:is|are|looks?|smells?|sounds?|makes?)\s+{_FILL}{{0,3}}(?:{hurts}|{harshes})\b",
    )
    yield _rule(
        "insult", 0.55, "face ugly mother mum mom", r"\bas (?:ugly|fat|stupid|dumb) as (?:you|your|his|her)\b"
    )
    yield _rule(
        "insult",
        0.6,
        hurtful,
        rf"\b(?:your|his|her|their|you and your)\s+(?:{hurts}|fucking),?\s+(?:\w+\s+)?\w+",
        rf"{_FEELS}|\b(?:mistake|error)s?\b",
    )
    yield _rule(
        "insult",
        0.65,
        "stupid dumb dense thick idiotic brainless ignorant",
        r"\b(?:too|so) (?:stupid|dumb|idiotic|brainless|ignorant) (?:to|that)\b|\b(?:you|he|she|they)(?:'re| are|'s| is) too (?:dense|thick) to\b",
    )
    yield _rule(
        "insult",
        0.75,
        hurtful | insult | frozenset({"dense", "thick", "blind", "deaf", "mental", "insane", "crazy"}),
        rf"\bhow (?:stupid|dumb|dense|thick|ignorant|pathetic|clueless) (?:are|can|is|do)\b|\b(?:are|is) (?:you|he|she|they) (?:really |just |that |all |completely |actually |so )*(?:{hurts}|an? {nouns})\b"
        r"|\bare you (?:blind|deaf|mental|insane|crazy) or (?:just|what|something|stupid)\b",
        r"\bnot\b",
    )
    yield _rule(
        "insult",
        0.6,
        "brain brains iq intelligence goldfish marbles sense intelligent smarter pea-brain peanut mind",
        r"\b(?:brains?|iq|mind) of an?\b|\b(?:more|higher|bigger) (?:\w+ )?(?:intelligence|intelligent|brains?|sense|iq|charm|personality) than (?:you|him|her|them)\b"
        r"|\byour (?:tiny|little|pea|peanut|thick|empty) (?:brain|mind|skull|head)|\b(?:smarter|brighter) than (?:you|him|her|them)\b|\bno brains?\b|\blost (?:your|his|her) marbles",
        r"\bscan|\bmri\b|\btumou?r",
    )
    yield _rule(
        "insult",
        0.75,
        "excuse waste sorry poor sad",
        r"\bexcuse (?:for|of) an? (?:human|person|man|woman|father|mother|\w+)\b|\bwaste of (?:space|oxygen|air|skin|breath|human|life)\b",
        r"\b(?:no|good|valid) excuse",
    )
    yield _rule(
        "insult",
        0.65,
        "piece",
        r"\b(?:you|he|she|they|him|her|them)\b[^.]{0,30}\bpieces? of (?:shit|trash|garbage|crap|filth|dirt)\b",
    )


def _demeaning() -> Iterator[ToxicRule]:
    yield _rule(
        "demeaning",
        0.65,
        "nobody no none everyone everybody",
        r"\b(?:nobody|no one|no-one|none of us)(?: here| really| will| would| could)*(?: ever)? (?:likes?|loves?|wants?|cares? (?:about|for)|respects?|needs?|miss(?:es)?|stand) (?:you|him|her|them)\b(?! to\b)"
        r"|\b(?:everyone|everybody)(?: here)? (?:hates?|despises?|laughs at|is laughing at) (?:you|him|her|them)\b",
    )
    yield _rule(
        "demeaning",
        0.6,
        "shut",
        r"\bshut (?:the \w+ |your \w+ )?up\b(?! shop)|\bshut your (?:mouth|face|trap)\b",
    )
    yield _rule(
        "demeaning",
        0.65,
        "never ever nothing",
        r"\b(?:you|he|she|they)(?:'ll| will)? never (?:amount to|be (?:anything|anyone|good enough|loved|happy))|\ball you(?:'ll| will) ever be\b|\b(?:you|he|she)(?:'re| are|'s| is) nothing(?=\s*[.,!]|$| without| but\b)",
    )
    yield _rule(
        "demeaning",
        0.7,
        "me",
        r"\b(?:you|he|she|they|those people|your kind|people like you)(?:\s+(?:all|really|honestly|just|people))* (?:makes? me (?:sick|want to (?:puke|vomit|throw up))|disgusts? me|repulses? me)\b",
    )
    yield _rule(
        "demeaning",
        0.6,
        "ashamed shame",
        r"\bashamed of (?:you|yourself|him|her)\b|\bshame on (?:you|him|her|them)\b|\byou should be ashamed\b",
        r"\b(?:not|nothing|n't|no need)\b",
    )
    yield _rule("demeaning", 0.55, "wasting waste", r"\b(?:stop|quit) wasting (?:my|our|everyone's) time\b")
    yield _rule(
        "demeaning",
        0.75,
        "screw piss sod bugger hell dead off yours",
        r"\bscrew (?:you|him|her|them|off)\b|\bgo screw\b|\b(?:piss|sod|bugger) off\b|\b(?:go to|burn in|rot in|see you in) hell\b|^\W*drop dead\b|\bup yours\b|\bdamn you\b",
    )
    yield _rule(
        "demeaning",
        0.55,
        "get crawl lost sight face",
        r"^\W*get lost\b|\bget out of my (?:sight|face)\b|\bcrawl back\b",
    )
    yield _rule(
        "demeaning",
        0.85,
        "better",
        r"\b(?:better|happier)(?: off| place)? without (?:you|him|her|them|your kind|people like)\b",
        r"\b(?:can|could) do (?:it )?better\b",
    )
    yield _rule(
        "demeaning",
        0.6,
        "hate despise loathe detest",
        r"\b(?:i|we) (?:\w+ )?(?:hate|despise|loathe|detest) (?:you|him|her|them|your (?:guts|face|kind))\b(?! to\b)",
    )
    yield _rule(
        "threat",
        0.95,
        "kill hang yourself kys die dead bridge cliff themselves himself herself neck",
        r"\b(?:kill|hang|shoot|drown|neck|off) (?:yourself|yourselves|himself|herself|themselves)\b|\bkys\b|\b(?:go|just|please|and|should|why don't you) (?:and |go |just |all )*die\b(?! (?:of|in peace|for|from|out|down|at|on)\b)|\bjump off (?:a|the|that) (?:bridge|cliff|roof)\b",
        _HELP,
    )


def _threats(harm: frozenset[str]) -> Iterator[ToxicRule]:
    verbs = _any(harm - {"find", "hunt"})
    will = r"(?:'ll| will| shall|'m going to| am going to|'re going to| are going to|'m gonna|'re gonna| gonna| would love to| want to| wanna|'d (?:love|like) to)"
    steps = r"(?:(?:\w+ly|just|all|come|go|back|over|and|find|hunt|track|down|you|him|her|them|there|i|we|will|'ll)\s+){0,7}"
    idioms = (
        r"\b(?:shoot|find|cut|slap|beat) you (?:a|an|the|some|over|off|in|to it)\b|\bbeat you (?:to|at)\b|\bkill you (?:to|with kindness)\b"
        r"|\bhit you up\b|\b(?:not|never|n't) (?:\w+ )?(?:hurt|kill|harm|bite|break|attack)\b"
    )
    yield _rule(
        "threat",
        0.9,
        harm,
        rf"\b(?:i|we|i'll|we'll){will}?\s+{steps}{verbs}\s+{_SOMEBODY}\b",
        idioms
        + r"|\bi (?:did|would never|don't|do not|can't|cannot|won't)\b|\bhow (?:can|do|should) (?:i|we)\b",
    )
    yield _rule(
        "threat",
        0.85,
        harm,
        rf"\b{verbs}\s+(?:your|his|her|their|every bone in your)\s+(?:\w+\s+)?{_BODY}\b",
        r"\b(?:may|might|could|can|fell?|ski\w*|did|if|accident|hospital|doctor|hair|wash|costs?|how|whether|calories|news|story|record)\b(?<!if you call)",
    )
    yield _rule(
        "threat",
        0.85,
        "someone somebody should needs ought",
        rf"\b(?:some(?:one|body)|they|we) (?:should|ought to|needs? to|has to) (?:just )?(?:{verbs} {_SOMEBODY}\b|put a bullet|teach (?:you|him|her|them) a lesson|shut (?:you|him|her|them) up)",
        idioms,
    )
    yield _rule(
        "threat",
        0.85,
        "watch back eye know pay suffer regret dead coming bullet brains throat skull scream body tomorrow dies burn burns burned next die pulp death until regretting blood bleed beg sorry",
        r"\b(?:watch|mind) your back\b|\bone eye open\b|\bi know where (?:you|he|she|they) (?:live|work|sleep|go)|\byou(?:'ll| will) (?:pay for (?:this|that|it|what)|regret (?:this|that|it|the day)|suffer|be sorry you|bleed|beg)"
        r"|\byou(?:'re| are) (?:a )?dead (?:man|woman|meat)?(?=\s*[.,!]|$)|\b(?:i|we)(?:'ll| will) make (?:you|him|her|them|sure you) (?:pay|suffer|regret|beg|bleed|never)"
        r"|\b(?:coming|come) for you\b|\bput a bullet\b|\bblow (?:your|his|her|their) (?:head|brains)|\b(?:hear you scream|find your body)\b"
        r"|\b(?:won't|will not|never) (?:live to )?see (?:tomorrow|another day|the morning|the next)|\bbeat (?:you|him|her|them) (?:up|to (?:death|a pulp)|until|senseless)"
        r"|\b(?:your|his|her|their) (?:family|house|home|kids|children|wife|husband|mother|dog|car|shop) (?:dies|will die|(?:will|is going to) burn|burns|will be (?:killed|hurt|burned|next)|is next|are next)"
        r"|\bburn (?:down )?(?:your|his|her|their) (?:house|home|car|shop)|\bwith you in(?:side)? it\b",
        r"\bwon't regret\b|\bwill not regret\b|\bwill never regret\b",
    )
    yield _rule(
        "threat",
        0.9,
        "hope wish pray want",
        r"\b(?:hope|wish|pray|want)(?: that)? (?:you|he|she|they|your \w+|his \w+|their \w+|all of (?:you|them)|them|him)(?:'ll| will| would| to)?(?: all| both)? (?:\w+ ){0,2}?(?:die|dies|dead|suffers?|rots?|burns?|chokes?|gets? (?:cancer|raped|shot|hit|killed|hurt|aids|run over|what you deserve)|bleeds?|drowns?|never wake|loses? everything)\b",
        r"\b(?:not|never|n't)\b",
    )
    yield _rule(
        "threat",
        0.85,
        "deserve deserves should ought needs need must",
        r"\b(?:you|he|she|they|those people|people like (?:you|him|her|them))(?: all)? (?:(?:deserves?|needs?|ought) to|should(?: all)?|must)(?: just)? (?:die|suffer|rot|burn|be (?:\w+ )?(?:beaten|shot|killed|hanged|hung|put down|raped|whipped|executed|tortured|exterminated|gassed|slapped|burned))\b",
        r"\b(?:not|never|n't|eggs?|cream|butter)\b",
    )


class _Groups:
    """How a group of people is named."""

    def __init__(self, words: dict[str, frozenset[str]]) -> None:
        kin = r"(?:people|persons?|men|women|folks?|families|family|kids|children|couples|guys|boys|girls|ones|community|immigrants|migrants|refugees|students|workers|neighbou?rs|guy|man|woman|boy|girl)"
        adjective, group = _any(words["adjective"]), _any(words["group"])
        own = r"(?:disabled|elderly|poor|homeless|deaf|blind|obese|handicapped|mentally ill|unemployed|gays|blacks|jews)"
        place = r"(?:people|those|everyone|anyone|folks|men|women|refugees|immigrants) (?:from|in|of) (?:that|this|those|these|the|such)?\s*(?:\w+ )?(?:country|countries|place|places|continent|regions?|part of the world|race|religion|faith|tribe|skin|neighbou?rhoods?|africa|asia|mexico|india|china|the east|the south)"
        mean = r"(?:those|these|you|such) people|your kind|their kind|people like (?:you|them|him|her|that)"
        self.name = rf"(?:(?:all|those|these|most|every|the|such|our|any|some|many|so many|fucking|damn|typical)\s+){{0,3}}(?:(?:{adjective}[\s,]+(?:and\s+)?){{1,3}}{kin}|the {own}|{group}|{place}|{mean}|[a-z]{{3,}}(?:ians|eans))"
        self.words = words["group"] | words["adjective"] | frozenset(
            {"people", "those", "kind", "everyone", "anyone", "folks", "woman", "woman's", "women's"}
        )  # fmt: skip


def _hate(groups: _Groups, words: dict[str, frozenset[str]]) -> Iterator[ToxicRule]:
    who = groups.name
    trait, gone, barred = (_any(words[name]) for name in ("trait", "gone", "barred"))
    fill = r"(?:(?:all|just|only|nothing|but|basically|really|simply|so|too|a|an|the|such|more|naturally|inherently|genetically|mostly|born|always|like|no better than|nothing more than|pure|absolute|complete|total|bunch of|pack of|usually|known|to be|stupid|dirty|lazy|greedy|filthy|violent|very|and|fucking|biggest|real|huge|great)[\s,]+){0,5}"
    strong = words["noun"]
    yield _rule(
        "hate",
        0.8,
        strong,
        rf"\b{who}\s+(?:are|were)\s+(?:(?!not\b|never\b|of\b|by\b|from\b|with\b|for\b|against\b)[\w'-]+,?\s+){{0,4}}{_any(strong)}\b",
        r"\bnot\b|\bn't\b|\?\s*$",
    )
    yield _rule(
        "hate",
        0.6,
        strong,
        rf"\b[a-z]{{3,}}s\s+are\s+all\s+(?:just |nothing but )?{_any(strong)}\b",
        r"\bnot\b|\?\s*$",
    )
    yield _rule(
        "hate",
        0.85,
        words["trait"],
        rf"\b{who}\s+(?:are|is|were|will always be|have always been|have become)\s+{fill}{trait}\b(?! (?:to|for|of) (?:themselves|be)\b)",
        r"\bnot\b|\bn't\b|\?\s*$",
    )
    yield _rule(
        "hate",
        0.8,
        groups.words,
        rf"\b{who}\s+(?:are|is|were)\s+(?:\w+ly |by nature |all )?(?:not as (?:intelligent|strong|smart|clean|capable|good|human) as|less (?:intelligent|capable|human|worthy|evolved|clean|civili[sz]ed|moral|valuable)|too (?:emotional|weak|stupid|dumb|lazy|soft|irrational|fragile|primitive)|not (?:real |really |fully |even )*(?:human|people|welcome|equal|normal|natural|real|capable|fit to|suited to|smart|intelligent|worthy|like us|able to)|unable to|incapable of|born (?:criminals|liars|to)|ruining|destroying|invading|infesting|taking over|stealing|breeding|out of control|only good (?:for|at)|to blame for)",
    )
    yield _rule(
        "hate",
        0.85,
        groups.words,
        rf"\b{who}\s+(?:should|must|need to|needs to|ought to|have to|has to|deserve to)\s+(?:all |just |simply |never |not )*(?:be (?:all |never |not |just )*(?:{gone}|{barred}|put (?:down|in camps|away)|sent (?:back|home|away)|wiped out|kept (?:out|away)|allowed|in (?:prison|jail|charge)|permitted|trusted|hit|taught a lesson)|go (?:back|home)|leave (?:our|this|the) |die\b|have (?:no |any )?(?:rights|children|kids|a say)|vote\b|breed|exist|drive\b|lead\b|hold (?:any|office|power)|work (?:in|here|with)|stay (?:in the kitchen|at home|home|away|out)|know (?:their|her|his) place|obey|shut up|have stayed|teach\b|govern)",
        r"\bshould be allowed\b|\bmust be allowed\b|\bshould not be (?:banned|removed|locked|deported|barred|silenced|jailed|killed|sent)|\b(?:to|so that they) (?:vote|register)\b|\bshould (?:all )?vote\b",
    )
    yield _rule(
        "hate",
        0.8,
        groups.words,
        rf"\b{who}\s+(?:do(?:es)? not|don't|doesn't|never|will never|can't|cannot|can never|only)\s+(?:really |even |know how to |want to |ever )*(?:belongs?|deserves?|fit in|be trusted|think\b|control themselves|integrate|lead\b|drive\b|contribute|understand (?:science|logic|politics|how)|work\b|wash|want to work|know how|learn|bring|come here to)",
    )
    yield _rule(
        "hate",
        0.75,
        groups.words,
        rf"\b(?:i|we|everyone|everybody|you) (?:\w+ )?(?:hate|despise|loathe|detest|can't stand|cannot stand|do(?:n't| not) trust|want no|do(?:n't| not) (?:want|need|hire|serve|like))\s+(?:any |more )*{who}\b|\b(?:kill|gas|deport|ban|shoot|exterminate|sterili[sz]e|get rid of|lock up|keep out|never (?:trust|hire|marry)|do(?:n't| not) (?:trust|hire)) (?:all |every |those |these |the )*{who}\b",
    )
    yield _rule(
        "hate",
        0.8,
        groups.words,
        rf"\b{who}\s+(?:\w+ ){{0,2}}?(?:(?:are |have )?(?:ruin|destroy|infest|invad|poison|steal|stole|control|pollut|contaminat|leech|overrun|overrunning|tak(?:e|ing) over|bleed)\w*)\s+(?:\w+ ){{0,3}}?(?:country|countries|society|everything|jobs|nation|world|culture|economy|city|cities|neighbou?rhoods?|banks?|media|governments?|money|civili[sz]ation|europe|america|women|streets|schools)\b|\b{who}\s+breed like\b",
    )
    yield _rule(
        "hate",
        0.8,
        "back place kitchen belong belongs wanted welcome country",
        r"\bgo back to (?:where you (?:came|come) from|your (?:own )?(?:country|village|hut|cave|kind)|africa|asia|mexico|china|india|the jungle|the kitchen)|\bsend (?:them|him|her|you) (?:all )?back to\b"
        r"|\bwom[ae]n'?s? (?:place|job) is\b|\bbelongs? (?:in the kitchen|in a (?:zoo|cage|camp)|behind bars|on a leash)|\b(?:your kind|you people) (?:is|are|aren't|isn't)(?: not)? (?:welcome|wanted)",
        r"\btravel|\bfurniture|\bfridge|\bdishes",
    )
    yield _rule(
        "hate",
        0.8,
        groups.words,
        rf"\b(?:stupid|dirty|filthy|lazy|fucking|goddamn|bloody|damn|dumb|ugly|disgusting|smelly|greedy|sneaky|inferior|worthless|subhuman)\s+(?:{_any(words['adjective'])}\s+)?{_any(words['group'] - {'poor', 'blind', 'deaf', 'natives', 'males', 'females'})}\b",
    )
    yield _rule(
        "hate",
        0.85,
        "race power hitler purity traitor gas cleansing supremacy lesser blood races genes",
        r"\b(?:master|superior|inferior|lesser) races?\b|\bwhite power\b|\bheil hitler\b|\bhitler was right\b|\brace traitors?\b|\bgas the \w+s\b|\bracial purity\b|\binferior (?:blood|genes|culture)\b",
        r"\bnazis? (?:believed|claimed|called|ideolog)|\bideology\b|\bhistor(?:y|ians?)\b",
    )
