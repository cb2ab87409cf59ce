"""Which words of the lexicon are meant, and which only stand in a sentence about something else.

A word counts where an attack could use it: an override gives an order, "you are" hands out a role
instead of setting a condition, a note to the machine is addressed rather than mentioned, and what is
sent is no heading and no field of a record. Everything here looks at a bounded stretch before and
after the word.
"""

from __future__ import annotations

import re
from typing import Final

from langchain_prodkit.guard.concepts import Does

__all__ = ["counts", "is_permitted"]

_NOT_A_COMMAND = re.compile(
    r"\b(?:i|we|they|he|she|it|who|not|don't|dont|never|didn't|cannot|can't|people|users|did|does|doesn't|would|"
    r"which|that|nor|or|the|a|an|in|by|of|test_?)[\s#*/>|]{1,8}$"
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
    r"(?:अनदेखा|नजरअंदाज) (?:न|मत|नही)"
)
_PERMITTED = re.compile(r"\b(?:can|may|could|might) $")
_A_PROMPT = re.compile(r"\b(?:an?|good|better|custom|my|our|new|another|each|different|such) $")
_PROMPT_TOPIC = re.compile(
    r" ?(?:leak|injection|engineering|design|example|template|security|protection|extraction|best|file|"
    r"attack|for\b|to (?!the|me\b|us\b|my|a |an )[a-z]|given by (?:the|my|your|a) (?!dev|creat|sys|oper))"
)
# "You are late" may be anywhere; after these words it hands out no role.
_YOU_ARE = re.compile(r"you\s{1,3}are")
_CONDITION = re.compile(
    r"\b(?:if|when|whenever|while|until|unless|because|since|than|where|who|how|whether|likely|sure|once|"
    r"before|after|what|way|time|case|in which|means)\s{1,3}$"
)
# Anything can be switched off; what keeps a model from answering stands beside it.
_LOOSE = re.compile(
    r"(?:switched\s{1,3}off|(?:are|is)\s{1,3}disabled|not\s{1,3}bound|break\s{1,3}out\s{1,3}of)"
)
_KEPT_BACK = re.compile(
    r"(?:safe|filter|restrict|guard|rules|checks|limit|censor|moderat|ethic|polic|constrain)[^.!?\n]{0,40}$"
)
_KEPT_BACK_AFTER = re.compile(
    r"[^.!?\n]{0,24}(?:safe|filter|restrict|guard|rule|limit|censor|moderat|ethic|polic|moral|law)"
)
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
_ANNOUNCES = re.compile(r"(?:[\[(<{*=#!_~]\W{0,4}|-{2,} ?)$")
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
    if not flags & _DOUBTFUL:
        return True
    return not any(flags & does and is_other(text, start, end) for does, is_other in _CHECKS)


def is_permitted(text: str, start: int) -> bool:
    """Tell whether what the verb at `start` says is only possible: "you can override", as manuals say."""
    return _PERMITTED.search(text, max(0, start - 16), start) is not None


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
    return bool(_A_PROMPT.search(text, max(0, start - 16), start) or _PROMPT_TOPIC.match(text, end))


def _is_condition(text: str, start: int, end: int) -> bool:
    """Tell whether "you are" belongs to a clause about the reader."""
    return (
        _YOU_ARE.fullmatch(text, start, end) is not None
        and _CONDITION.search(text, max(0, start - 16), start) is not None
    )


def _is_other_freedom(text: str, start: int, end: int) -> bool:
    """Tell whether what is off, or not bound, is something other than a safeguard."""
    return (
        _LOOSE.match(text, start) is not None
        and _KEPT_BACK.search(text, max(0, start - 64), start) is None
        and _KEPT_BACK_AFTER.match(text, end, end + 40) is None
    )


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
    (int(Does.ROLE), _is_condition),
    (int(Does.FREE), _is_other_freedom),
    (int(Does.NEW), _is_plain_news),
    (int(Does.ADDRESS), _is_mentioned),
    (int(Does.SEND), _is_entry),
)
_DOUBTFUL: Final = int(
    Does.OVERRIDE | Does.PROMPT | Does.ROLE | Does.FREE | Does.NEW | Does.ADDRESS | Does.SEND
)
