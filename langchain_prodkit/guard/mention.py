"""Which words of the lexicon are meant, and which only stand in a sentence about something else.

A word counts where an attack could use it: an override gives an order, "you are" hands out a role
instead of setting a condition, a note to the machine is addressed rather than mentioned, and what is
sent is no heading and no field of a record. Everything here looks at a bounded stretch before and
after the word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, reduce
from operator import or_
from typing import Final

from langchain_prodkit.guard.concepts import Does

__all__ = ["counts", "is_elsewhere", "is_in_passing", "is_permitted"]

_NOT_A_COMMAND = re.compile(
    r"\b(?:i|we|they|he|she|it|who|not|don't|dont|never|didn't|cannot|can't|people|users|did|does|doesn't|would|"
    r"which|that|nor|or)[\s#*/>|]{1,8}$"
    # A line may end anywhere, and an order begin the next one.
    r"|\b(?:the|a|an|in|by|of|test_?)[ \t#*/>|]{1,8}$"
    r"|(?<!you )(?<!you have )(?<!you need )(?<!you are )(?<!you want )(?<!going )(?<!told )(?<!is )\bto $"
)
# The same in other languages: who forgot or was ignored gives no order, nor does "do not forget".
_NOT_HERE = re.compile(
    r"(?:(?<!\w)(?:ich|wir|er|habe|haben|hat|hast|j'ai|avons|avez|ont|ne|yo|io|ho|hai|ha|abbiamo|eu|nao|no|non|"
    r"nie|не|я|мы|он|она|ben|biz|jangan|saya|aku|kami|toi|minh|em|chung toi|dung|jag|har|inte|ik|heb) |n'|"
    r"我|他|她|们|不要|别|勿|不能|没有|没|被|ฉัน|ผม|เรา|เขา|อย่า|ไม่|لا ت?)$"
)
_NOT_THIS = re.compile(
    r"unut(?:tu|mus|ul|ma|kan)|dimenticat|olvidad|olvido\b|olvidaste|ignorad|esqueci\b|esqueceu|esquecid|"
    r"ignor(?:ei|ou|amos|aron|aban)\b|(?:ignorier|missacht|vergiss|vergess)\w{0,4} (?:sie |bitte ){0,2}nicht|"
    r"(?:vergeet|negeer) (?:\w{1,12} )?niet|glom (?:inte|aldrig)|(?:oubli|ignor)\w{1,3} pas|"
    r"無視(?:し(?:た|てしま|てい|ない|ません|がち)|され)|忘れ(?:てしま|てい|ました|た|ちゃ|ない|ず|がち|物|られ)|"
    r"무시(?:한(?! 채)|하는|당|되|하지|했|하면)|잊어버(?:렸|린)|잊(?:었|은|지 |혀)|잊고 있|忘[记記](?:了|的)|"
    r"(?:अनदेखा|नजरअंदाज) (?:न|मत|नही)|"
    r"(?:ignore|override|disregard|discard|forget|neglect|overrule|erase|revoke|annul|nullifie|circumvent)s\b"
)
_PERMITTED = re.compile(
    r"\b(?:can|may|could|might) $|"
    r"\b(?!(?:you|it|this|that|who|assistants?|ai|models?|(?:chat)?bots?|agents?|llms?|gpt|everyone) )"
    r"[a-z]{2,20} (?:must|should|shall|will) $"
)
# What the rules are about; the machine's own rules are about itself, the talk, and what it may say.
_TOPIC = re.compile(
    r"\w{0,2} (?:(?:for|on|about|from|concerning|regarding|governing|during|under|given by|between) |unless |"
    r"(?:in|at|of|to) (?=(?:the|a|an|our|their|his|her|chapter|section|part|visitors|members|employees|"
    r"customers|guests|staff|children|students|residents) ))"
    r"(?!(?:[\w'-]{1,15} ){0,3}(?:you|your|yours|yourself|system|prompts?|dev|developers?|operators?|"
    r"creators?|openai|assistants?|chat|chatbot|conversation|session|dialog|above|models?|ai|safety|ethics|ethical|"
    r"morals?|morality|content|users?'?s?|me|mine|my|us|answers?|answering|responses?|replies|reply|responding|rest|now|"
    r"moment|context|messages?|that|this|what|which|whatever|harm|harmful|privacy|secrecy|legal|respect|no|any|"
    r"confidentiality|restrict|filter|everything|anything|far|input|output|training|programming|code|"
    r"block|list|table|json|yaml|poem|song|verse|full|detail|order|first|start|top|beginning|words?|letters?)\b)[a-z\"']"
)
_A_PROMPT = re.compile(r"\b(?:an?|good|better|custom|my|our|new|another|each|different|such) $")
_NAMED_PROMPT = re.compile(r"your|system")
_PROMPT_TOPIC = re.compile(
    r" ?(?:leak|injection|engineering|design|example|template|security|protection|extraction|best|file|"
    r"attack|for\b|to (?!the|me\b|us\b|my|a |an )[a-z]|given by (?:the|my|your|a) (?!dev|creat|sys|oper))"
)
# "You are late" may be anywhere; after these words it hands out no role.
_YOU_ARE = re.compile(r"you\s{1,3}are")
_FROM_NOW = re.compile(r"from (?:now|this)|henceforth")
_TO_YOU = re.compile(
    r"[^.!?\n]{0,80}?\b(?:you|u|your|act|be|answer|respond|reply|speak|talk|ignore|obey|never|always|will|must|answers|responses|call|pretend|dan)\b"
)
_A_GAME = re.compile(r"\b(?:the|a|an|this|our|each|every) $")
_CONDITION = re.compile(
    r"\b(?:if|when|whenever|while|until|unless|because|since|than|where|who|how|whether|likely|sure|once|"
    r"before|after|what|way|time|case|in which|means)\s{1,3}$"
)
# Anything can be switched off; what keeps a model from answering stands beside it.
_LOOSE = re.compile(
    r"(?:switched\s{1,3}off|(?:are|is)\s{1,3}disabled|not\s{1,3}bound|break\s{1,3}out\s{1,3}of)"
)
_KEPT_BACK = re.compile(
    r"(?:safe|filter|restrict|guard|rules|checks|limit|censor|moderat|ethic|polic|constrain)[^.!?\n]{0,40}$|"
    r"\byou(?: are|'re) $"
)
_KEPT_BACK_AFTER = re.compile(
    r"[^.!?\n]{0,24}(?:safe|filter|restrict|guard|rule|limit|censor|moderat|ethic|polic|moral|law)"
)
_FREE_OF = re.compile(
    r" (?:on|for|in|placed on) "
    r"(?!what|how|you|any|his|her|its|their|all|every|speech|content|topic|ai|an ai)[a-z]{3}"
)
# Devices and programs have modes, too.
_DEVICE_MODE = re.compile(
    r"(?:developer|dev|debug|maintenance|admin|root|safe|simulator|unrestricted|free|maximum) mode"
)
_DEVICE = (
    r"(?:settings?\b|menu|button|press|\btap\b|phone|printer|camera|browser|extension|server|flag| --\w|"
    r"config|install|boot|router|window|click|kernel|console|panel|usb|keyboard|device|\boptions?\b|command.line|"
    r"\bvim|start(?:ing|ed) up|paths)"
)
_DEVICE_BEFORE = re.compile(rf"{_DEVICE}[^.!?\n]{{0,72}}$")
_DEVICE_AFTER = re.compile(rf"[^.!?\n]{{0,72}}?{_DEVICE}")
_COMPOUND = re.compile(
    r" (?:reset|requests?|recordings?|polic|managers?|form|field|hint|change|protect|rotat|strength|rules|"
    r"starter|partner|topic|skill|page|prompt|dialog|expir)"
)
_OTHER_STAFF = re.compile(
    r" (?:manager|coach|professor|teacher|editor|director|principal|secretary|engineer|nurse|referee|chef|"
    r"cook|surgeon|attorney|commissioner|librarian|trainer|driver|head|team|staff)"
)
_RULES_IT = re.compile(r" (?:not|never|be|have|always have|also (?:be|have))\b")
_A_COMMAND_LINE = re.compile(
    r"(?:execute|perform|run) the\s{1,3}following\W{1,4}(?:\w{1,15} ){0,2}"
    r"(?:commands?|code|scripts?|quer|statements?|program|lines?|functions?|sql|tests?|checks?)"
)
_OF_SOMETHING = re.compile(r" of (?!this|the (?:system|chat|ai|platform|app|site|website|service|model|bot))")
_IN_PASSING = re.compile(
    r"without (?:the user|asking|telling|informing)|"
    r"(?:the )?user has (?:already )?agreed to|(?:the )?(?:assistant|agent|chatbot|model|ai) (?:must|should)|"
    r"when (?:processing|summari)|security team"
)
_WHENEVER = re.compile(r" (?:again |only )?(?:when|whenever|if|after|until|unless|each time|as soon)\b")
# Words of everyday announcements; an attack sets them before a colon or between brackets.
_PLAIN_NEWS = re.compile(
    r"(?:system|security|policy|instruction) update|(?:new|updated) (?:directive|instruction|policy|task)|"
    r"(?:real|actual) instructions|emergency protocol|override code|end of (?:user )?input|"
    r"(?<!safety )(?<!content )(?<!system )(?<!usage )polic(?:y|ies) (?:has|have|was)"
)
_ANNOUNCED = re.compile(
    r"\w{0,3}(?:[^\n.!?\"'|]{0,30}(?:[:\]>}]| -{1,2} )|\W{0,3}(?:[!=*#_~-]|$|\n)|"
    r" from (?:the |your |our )?(?:operator|developer|admin|creator|openai|system|owner))"
)
_ANNOUNCES = re.compile(r"(?:[\[(<{*=#!_~\]>}]\W{0,4}|-{2,} ?)(?:the )?$")
_MENTIONED = re.compile(
    r"(?:(?:important )?(?:note|message|instructions?) )?(?:to|for) (?:the|any|an) |@|"
    r"(?:ai |language )?models? (?:reading|processing)(?! this)"
)
_SPOKEN_TO = re.compile(
    r"(?:^|[\n.!?:;\[(<{*#>\"-])[\s*_\"'(-]{0,4}(?:(?:an? |the )?(?:\w{1,12} )?"
    r"(?:note|message|memo|notice|instructions?|important|attention|letter|hint|reminder)[\s*_-]{1,3})?$"
)
_CALLED = re.compile(
    r"[\w ]{0,24}[:!\]]|\s{1,3}(?:reading|processing|who|that (?:is )?read|handling|summari)"
)
_HANDLE = re.compile(r"[\w./-]")
_ENTRY = re.compile(
    r"(?:\w[._/-]|[#$@&]|\b(?:the|an?|this|that|your|my|our|blog|per|by|via|every|each|any|no|http|"
    r"i|we|they|he|she|it|who|not|don't|never|new|last) )$"
)
_FIELD: Final = frozenset("=_(\"':")


def counts(text: str, start: int, end: int, flags: int) -> bool:
    """Tell whether the word at `start:end` does in its sentence what it does in an attack."""
    return not (flags & _DOUBTFUL and any(is_other(text, start, end) for is_other in _checks(flags)))


@lru_cache(maxsize=1024)
def _checks(flags: int) -> tuple[Callable[[str, int, int], bool], ...]:
    return tuple(is_other for does, is_other in _CHECKS if flags & does)


def is_permitted(text: str, start: int) -> bool:
    """Tell whether the verb at `start` is said of others, or only allowed: "you can override" in a manual."""
    return _PERMITTED.search(text, max(0, start - 32), start) is not None


def is_elsewhere(text: str, end: int) -> bool:
    """Tell whether the rules that end at `end` govern something that is not the machine's answer."""
    return _TOPIC.match(text, end, end + 72) is not None


def is_in_passing(text: str, start: int) -> bool:
    """Tell whether the turn at `start` is as often a part of a report as an order."""
    return _IN_PASSING.match(text, start) is not None


def _is_no_command(text: str, start: int, end: int) -> bool:
    """Tell whether somebody merely says that something is ignored, or a name in code contains it."""
    after = text[end : end + 3].lstrip(" ")[:1]
    before = max(0, start - 24)
    return (
        after in {"=", "_", "("}
        or _NOT_A_COMMAND.search(text, before, start) is not None
        or _NOT_HERE.search(text, before, start) is not None
        or _NOT_THIS.match(text, start) is not None
    )


def _is_some_prompt(text: str, start: int, end: int) -> bool:
    """Tell whether it is about system prompts as such, or one the writer has made."""
    if _A_PROMPT.search(text, max(0, start - 16), start) or _PROMPT_TOPIC.match(text, end):
        return True
    is_named = _NAMED_PROMPT.search(text, max(0, start - 5), end) is not None
    return not is_named and bool(_TOPIC.match(text, end, end + 72) or _WHENEVER.match(text, end))


def _is_no_role(text: str, start: int, end: int) -> bool:
    """Tell whether "you are" belongs to a clause about the reader, and "from now on" to a date."""
    if _YOU_ARE.fullmatch(text, start, end) is not None:
        return _CONDITION.search(text, max(0, start - 16), start) is not None
    if _FROM_NOW.match(text, start):
        return _TO_YOU.match(text, end, end + 96) is None
    return (
        text.startswith(("role-play", "roleplay"), start)
        and _A_GAME.search(text, max(0, start - 8), start) is not None
    )


def _is_other_freedom(text: str, start: int, end: int) -> bool:
    """Tell whether what is off, or without limits, is something other than a safeguard."""
    if _FREE_OF.match(text, end, end + 24):
        return True
    return (
        _LOOSE.match(text, start) is not None
        and _KEPT_BACK.search(text, max(0, start - 64), start) is None
        and _KEPT_BACK_AFTER.match(text, end, end + 40) is None
    )


def _is_mode_of_a_device(text: str, start: int, end: int) -> bool:
    """Tell whether the sentence is about a device or a program."""
    return _DEVICE_MODE.match(text, start) is not None and bool(
        _DEVICE_BEFORE.search(text, max(0, start - 88), start) or _DEVICE_AFTER.match(text, end, end + 88)
    )


def _is_office(text: str, _start: int, end: int) -> bool:
    """Tell whether it is the administrator of a house or a club who speaks."""
    return _OF_SOMETHING.match(text, end) is not None


def _is_compound(text: str, _start: int, end: int) -> bool:
    """Tell whether "password" only says which form, page or policy is meant."""
    return _COMPOUND.match(text, end) is not None


def _is_no_task(text: str, start: int, end: int) -> bool:
    """Tell whether a manual names the command to run, or says what an agent is to be like."""
    return _A_COMMAND_LINE.match(text, start) is not None or _RULES_IT.match(text, end) is not None


def _is_plain_news(text: str, start: int, end: int) -> bool:
    """Tell whether an update is only spoken of."""
    return (
        text[end - 1] != ":"
        and _PLAIN_NEWS.match(text, start) is not None
        and _ANNOUNCED.match(text, end, end + 40) is None
        and _ANNOUNCES.search(text, max(0, start - 8), start) is None
    )


def _is_mentioned(text: str, start: int, end: int) -> bool:
    """Tell whether a model is written about; a note to one opens a line or is followed by a colon."""
    if text[start] == "@" and _HANDLE.match(text, end):
        return True
    if _OTHER_STAFF.match(text, end) or _RULES_IT.match(text, end):
        return True
    return (
        _MENTIONED.match(text, start) is not None
        and text[end - 1] not in ":,!"
        and _SPOKEN_TO.search(text, max(0, start - 48), start) is None
        and _CALLED.match(text, end, end + 32) is None
    )


def _is_entry(text: str, start: int, end: int) -> bool:
    """Tell whether a word of sending is a noun, a part of a name, or the name of a field."""
    return text[end : end + 1] in _FIELD or _ENTRY.search(text, max(0, start - 8), start) is not None


_CHECKS: Final = (
    (int(Does.OVERRIDE), _is_no_command),
    (int(Does.PROMPT), _is_some_prompt),
    (int(Does.ROLE), _is_no_role),
    (int(Does.MODE), _is_mode_of_a_device),
    (int(Does.ASSET), _is_compound),
    (int(Does.TASK), _is_no_task),
    (int(Does.AUTHORITY), _is_office),
    (int(Does.FREE), _is_other_freedom),
    (int(Does.NEW), _is_plain_news),
    (int(Does.ADDRESS), _is_mentioned),
    (int(Does.SEND), _is_entry),
)
_DOUBTFUL: Final = reduce(or_, (does for does, _ in _CHECKS))
