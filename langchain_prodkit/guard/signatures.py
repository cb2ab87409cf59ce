# ruff: noqa: PLR2004 - distances in characters stand where they are used
"""Combinations of words that attacks need and harmless text rarely has.

A word alone hardly counts. A signature is a few concepts of the lexicon close together (tell to
drop + rules + which ones), a forged border of a chat format, or a link that carries data away. What
stands in a question, in quotation marks or after words that talk about a text counts less than half.
One pass over the text: every window is bounded.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from operator import or_
from typing import Final

from langchain_prodkit.guard.concepts import Does
from langchain_prodkit.guard.mention import counts, is_elsewhere, is_in_passing, is_permitted
from langchain_prodkit.guard.vocabulary import hits as words_in

__all__ = ["fired"]


@dataclass(frozen=True)
class _Rule:
    code: str
    needs: tuple[Does, ...]
    weight: float
    window: int = 90
    one_sentence: bool = True
    is_ordered: bool = False
    """The concepts come in the order of `needs`."""
    is_one_line: bool = False
    """Nothing but blanks and rulers may hold a line break between the first and the last concept."""

    def places(self, last: Mapping[int, tuple[int, int]]) -> list[tuple[int, int]]:
        """Give where each concept stood last; nothing when one is missing or out of order."""
        if not all(need in last for need in self.needs):
            return []
        found = [last[need] for need in self.needs]
        return [] if self.is_ordered and found != sorted(found) else found

    @cached_property
    def all_needs(self) -> int:
        return reduce(or_, map(int, self.needs))


D = Does
_RULES: Final = (
    _Rule("override", (D.OVERRIDE, D.RULES, D.QUALIFY), 0.9, 80),
    _Rule("override", (D.OVERRIDE, D.EVERYTHING, D.PRIOR), 0.75, 60),
    _Rule("override", (D.RULES, D.QUALIFY, D.VOID), 0.8, 60),
    _Rule("override", (D.RULES, D.YOURS, D.VOID), 0.8, 40),
    _Rule("override", (D.MASTER,), 0.65),
    _Rule("override", (D.EVERYTHING, D.PRIOR, D.VOID), 0.7, 70),
    _Rule("prompt_leak", (D.REVEAL, D.PROMPT), 0.8, 80),
    _Rule("prompt_leak", (D.ASK, D.PROMPT, D.YOURS), 0.65, 60),
    _Rule("prompt_leak", (D.VERBATIM, D.ABOVE), 0.6, 50),
    _Rule("prompt_leak", (D.REVEAL, D.ABOVE), 0.2, 50),
    _Rule("role_hijack", (D.ROLE, D.FREE), 0.75, 160),
    _Rule("role_hijack", (D.ROLE, D.FREE), 0.75, 160, one_sentence=False, is_ordered=True),
    _Rule("role_hijack", (D.ROLE, D.NEGATE, D.RULES), 0.7, 110, is_ordered=True),
    _Rule("persona", (D.ROLE, D.MODE), 0.75, 80),
    _Rule("persona", (D.MODE, D.FREE), 0.7, 200, one_sentence=False),
    _Rule("obedience", (D.ROLE, D.OBEY), 0.35, 160, one_sentence=False),
    _Rule("obedience", (D.FREE, D.OBEY), 0.5, 200, one_sentence=False),
    _Rule("address", (D.ADDRESS, D.DEMAND), 0.6, 160, one_sentence=False),
    _Rule("address", (D.ADDRESS,), 0.5),
    _Rule("concealment", (D.CONCEAL, D.DEMAND), 0.5, 160, one_sentence=False),
    _Rule("concealment", (D.CONCEAL,), 0.5),
    _Rule("new_rules", (D.NEW, D.DEMAND), 0.55, 120, one_sentence=False),
    _Rule("new_rules", (D.NEW,), 0.3),
    _Rule("authority", (D.AUTHORITY, D.DEMAND), 0.55, 120, one_sentence=False),
    _Rule("authority", (D.AUTHORITY,), 0.5),
    _Rule("freedom", (D.FREE, D.YOURS), 0.5, 50),
    _Rule("freedom", (D.FREE,), 0.25),
    _Rule("jailbreak_mode", (D.MODE,), 0.35),
    _Rule("exfiltration", (D.SEND, D.ASSET, D.TARGET), 0.7, 160),
    _Rule("exfiltration", (D.SEND, D.ASSET), 0.35, 80),
    _Rule("border", (D.BORDER, D.DEMAND), 0.55, 120, one_sentence=False, is_one_line=True, is_ordered=True),
    _Rule("border", (D.BORDER, D.NEW), 0.55, 120, one_sentence=False, is_one_line=True),
)
_CONTENT_RULES: Final = (
    *_RULES,
    _Rule("task", (D.TASK, D.DEMAND), 0.55, 200, one_sentence=False),
    _Rule("task", (D.TASK, D.SEND), 0.5, 200, one_sentence=False),
    _Rule("task", (D.TASK, D.ASSET), 0.5, 200, one_sentence=False),
    _Rule("task", (D.TASK, D.ADDRESS), 0.6, 200, one_sentence=False),
    _Rule("task", (D.TASK,), 0.25),
    _Rule("address", (D.ADDRESS,), 0.6),
)
"""For documents and tool results, which have no business giving the assistant a task."""
_SYSTEM = (
    "system|sistema|systeme|sistem|systeem|система|시스템|系统|システム|النظام|सिस्टम|সিস্টেম|ระบบ|he thong"
)
_PATTERNS: Final = tuple(
    (code, weight, marks, re.compile(pattern))
    for code, weight, marks, pattern in (
        # Words of chat formats that end one role and begin another.
        (
            "border",
            0.5,
            ("<|", "sys>>", "inst]"),
            r"<\|(?:im_start|im_end|system|endoftext|eot_id|start_header_id)\|>|<</?sys>>|\[/?inst\]",
        ),
        ("border", 0.45, ("system",), r"(?<!\w)</?s?system[^>\n]{0,20}>"),
        (
            "border",
            0.35,
            (":", "]", ">"),
            (
                rf"\n\W{{0,12}}(?:{_SYSTEM})\W{{0,3}}(?:message|prompt|note)?"
                rf"[^\w\n()]{{0,4}}[:\]>](?!\w)"
            ),
        ),
        (
            "border",
            0.35,
            ("admin", "developer ", "root "),
            (
                r"\n\W{0,6}(?:admin|administrator|developer|root) "
                r"(?:message|note|override|instructions?|command):(?!\w)"
            ),
        ),
        (
            "border",
            0.45,
            ("---", "===", "###", "***", "___", "~~~"),
            (
                r"(?:-|=|#|\*|_|~){3,12} {0,3}(?:end|beginning|begin|start) of (?:the )?"
                r"(?:document|user|input|context|text|data|email|conversation|prompt|file|page)"
            ),
        ),
        (
            "prompt_leak",
            0.5,
            ("first ",),
            (
                r"\bfirst (?:\w{1,12} ){0,3}(?:words?|lines?|sentences?|characters|tokens|messages?) "
                r"(?:of|in|from) (?:this|our|your) (?:conversation|chat|prompt|context|instructions)"
            ),
        ),
        ("role_json", 0.35, ('"role"',), r"\"role\"\s{0,3}:\s{0,3}\"system\""),
        (
            "closed_tag",
            0.3,
            ("</",),
            r"</(?:context|user_input|user|data|input|instructions?|untrusted|email)>\s{0,4}\w",
        ),
        (
            "turns",
            0.15,
            ("human", "user"),
            r"\n\W{0,3}(?:human|user)\W{0,3}:[^\n]{1,200}\n\s{0,3}\W{0,3}(?:system|assistant)\W{0,3}:",
        ),
        # A picture whose address carries what the model knows.
        (
            "link",
            0.5,
            ("](http",),
            (
                r"!\[[^\]\n]{0,200}\]\(https?://[^)\s]{1,300}[?&][^)\s=]{1,40}=(?:[^)\s]{0,20}[{<\[]|"
                r"(?:secret|data|token|password|history|conversation|prompt|key|context|summary|message)s?\b)"
            ),
        ),
    )
)
"""Code, weight, what must be in the text before it is worth searching, and the pattern."""
_SENTENCE_END = re.compile(
    r"[.!?]\s|;|[.!?]$|\n\s{0,40}[\n*#|/<>\d-]|\n\s{4}|\"\s{0,2}\}|\",\s{0,3}\"\w{1,20}\"\s?:"
)
_QUESTION = re.compile(
    r"(?:^|[.!?\n:]\s{0,3}|[\"'] ?)(?:how|why|can i|could i|may i|should i|when|where|who|what happens|is it|"
    r"is the|does|did|do i|explain|define|wie |warum|darf ich|kann ich|como |por que|puedo|posso|comment|"
    r"pourquoi|puis-je|come |perche|czy|jak |dlaczego|можно ли|как |почему)\b[^.!?\n]{0,80}$"
)
_ABOUT: Final = int(D.ABOUT)
_ROLE: Final = int(D.ROLE)
_STORY: Final = int(D.WILD | D.FREE | D.MODE)
_OVERRIDE: Final = int(D.OVERRIDE)
_TARGETS: Final = tuple(
    (sign, re.compile(pattern))
    for sign, pattern in (("http", "https?://"), ("@", r"@[\w-]{1,63}\.\w"), ("www.", r"www\.(?<!\w....)"))
)
_TALK_WEIGHT: Final = 0.45
_PASSING_WEIGHT: Final = 0.8
_QUOTES: Final = ("'", '"')
LINE_BREAK_WINDOW: Final = 40
BLOCK: Final = 1_000
"""Of each signature the heaviest place in so many characters is kept."""
WILD_WINDOW: Final = 1_500


def fired(text: str, *, is_content: bool = False) -> list[tuple[str, float, int, int]]:
    """List what fires in one reading: code, weight, start, end.

    In content that others wrote (`is_content`: a document, a tool result) tasks for the assistant count.
    """
    hits = [hit for hit in words_in(text) if counts(text, *hit)]
    fired = []
    lines = f"\n{text}"  # so that patterns of whole lines begin with a character, which is searched fast
    for code, weight, marks, pattern in _PATTERNS:
        if not any(mark in text for mark in marks):
            continue
        seen = -1
        for match in pattern.finditer(lines):
            start, end = max(match.start() - 1, 0), match.end() - 1
            if start // BLOCK == seen:
                continue
            seen = start // BLOCK
            is_named = text[start - 1 : start] in _QUOTES and text[end : end + 1] in _QUOTES
            fired.append((code, weight * (_TALK_WEIGHT if is_named else 1), start, end))
            if code == "border" and not is_named:
                hits.append((start, end, int(D.BORDER)))
    for sign, target in _TARGETS:
        if sign in text:
            hits.extend((match.start(), match.end(), int(D.TARGET)) for match in target.finditer(text))
    hits.sort()
    fired.extend(_combined(text, hits, is_content=is_content))
    wild = _wild(text, hits)
    if wild is not None:
        fired.append(wild)
    return fired


def _combined(
    text: str, hits: list[tuple[int, int, int]], *, is_content: bool
) -> list[tuple[str, float, int, int]]:
    """Slide over the hits and note each rule whose concepts all lie in its window."""
    rules = _rules_among(reduce(or_, (flags for _, _, flags in hits), 0), is_content)
    if not rules:
        return []
    best: dict[tuple[int, int], tuple[str, float, int, int]] = {}
    last: dict[int, tuple[int, int]] = {}
    for start, end, flags in hits:
        for bit in _bits(flags):
            last[bit] = (start, end)
        for number, rule in rules:
            if not flags & rule.all_needs:
                continue
            place = number, start // BLOCK
            old = best.get(place)
            if old is not None and old[1] >= rule.weight:
                continue
            span = _span(text, rule, last)
            if span is None:
                continue
            first, final = span
            weight = rule.weight * _context(text, first, final, last, rule)
            # The same beginning with a later end is the same place, seen with more of its surroundings.
            if old is None or (old[1] < weight and first != old[2]):
                best[place] = (rule.code, weight, first, final)
    return list(best.values())


@lru_cache(maxsize=4096)
def _bits(flags: int) -> tuple[int, ...]:
    return tuple(int(does) for does in Does if flags & does)


@lru_cache(maxsize=4096)
def _rules_among(seen: int, is_content: bool) -> tuple[tuple[int, _Rule], ...]:
    """Give the rules whose concepts are all among those seen."""
    return tuple(
        (n, rule)
        for n, rule in enumerate(_CONTENT_RULES if is_content else _RULES)
        if rule.all_needs & seen == rule.all_needs
    )


def _is_parted(text: str, start: int, end: int) -> bool:
    """Tell whether a sentence, a list item or a paragraph ends between the two."""
    if end - start > LINE_BREAK_WINDOW and text.find("\n", start, end) >= 0:
        return True
    return _SENTENCE_END.search(text, start, end) is not None


def _span(text: str, rule: _Rule, last: Mapping[int, tuple[int, int]]) -> tuple[int, int] | None:
    """Give the stretch from the first concept of the rule to the last, when they belong together."""
    places = rule.places(last)
    if not places:
        return None
    first = min(at[0] for at in places)
    final = max(at[1] for at in places)
    if final - first > rule.window or (rule.one_sentence and _is_parted(text, first, final)):
        return None
    if rule.is_one_line:
        before, after = min(places)[1], max(places)[0]
        if after < before or _is_on_other_line(text, before, after):
            return None
    return first, final


def _is_on_other_line(text: str, start: int, end: int) -> bool:
    return "\n" in text[start:end].strip(" \n\t*#=_>:|-")


def _context(text: str, start: int, end: int, last: Mapping[int, tuple[int, int]], rule: _Rule) -> float:
    """Weigh down what is asked about, allowed, quoted, or follows words that talk about a text."""
    about = last.get(_ABOUT)
    is_remark = len(rule.needs) == 1 or rule.code == "concealment"
    if is_remark and is_in_passing(text, last[rule.needs[0]][0]):
        return _PASSING_WEIGHT
    is_talk = (
        (about is not None and 0 <= start - about[1] < 100)
        or (rule.all_needs & _OVERRIDE and is_permitted(text, last[_OVERRIDE][0]))
        or (rule.code == "override" and is_elsewhere(text, end))
        or (
            _QUOTED_BEFORE.search(text, max(0, start - 20), start)
            and _QUOTED_AFTER.match(text, end, end + 60)
        )
        or _QUESTION.search(text, max(0, start - 90), start) is not None
    )
    return _TALK_WEIGHT if is_talk else 1.0


_QUOTE = r"(?:\\?[\"']|&(?:quot|apos|#39|#x27);)"
_QUOTED_BEFORE = re.compile(
    rf"[^\W\d_][ ,(]{{0,2}}{_QUOTE}[^\"']{{0,8}}$|^\W{{0,2}}{_QUOTE}[^\"'\n]{{0,12}}$"
)
_QUOTED_AFTER = re.compile(rf"[^\"'\n]{{0,40}}?{_QUOTE}\s?[\w?.,)]")


def _wild(text: str, hits: list[tuple[int, int, int]]) -> tuple[str, float, int, int] | None:
    """Count different jailbreak words near each other in a text that hands out a role."""
    if not any(flags & _ROLE for _, _, flags in hits):
        return None
    window: deque[tuple[int, str]] = deque()
    counts: dict[str, int] = {}
    most = (0, 0, 0)
    for start, end, flags in hits:
        if not flags & _STORY:
            continue
        word = text[start:end]
        window.append((start, word))
        counts[word] = counts.get(word, 0) + 1
        while start - window[0][0] > WILD_WINDOW:
            _, old = window.popleft()
            counts[old] -= 1
            if not counts[old]:
                del counts[old]
        most = max(most, (len(counts), window[0][0], end))
    kinds, first, final = most
    return ("jailbreak_story", min(0.8, 0.1 * (kinds - 2)), first, final) if kinds > 3 else None
