"""Signatures: combinations of words that attacks need and harmless text rarely has.

A word alone never fires. A signature is a few concepts close together (tell to drop + rules +
which ones), a forged border of a chat format, or a link that carries data away. Talk about attacks,
questions and quotations weigh less. Everything is one pass over each reading of the text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from langchain_core.load.serializable import Serializable
from typing_extensions import override

from langchain_prodkit.guard.lexicon import LEXICON, Does
from langchain_prodkit.guard.normalize import MAX_DEPTH, fold, readings
from langchain_prodkit.guard.verdict import Reason, Score, Source

__all__ = ["HeuristicDetector"]

INLINE_CHARS: Final = 20_000
"""Up to this many characters are scored on the event loop; more go to a thread."""


@dataclass(frozen=True, slots=True)
class _Rule:
    code: str
    needs: tuple[Does, ...]
    weight: float
    window: int = 90
    one_sentence: bool = True
    bears_talk: bool = False
    """Counts in full even in a question or a text about attacks."""


D = Does
_RULES: Final = (
    _Rule("override", (D.OVERRIDE, D.RULES, D.QUALIFY), 0.9, 80),
    _Rule("override", (D.OVERRIDE, D.EVERYTHING, D.PRIOR), 0.75, 60),
    _Rule("override", (D.RULES, D.QUALIFY, D.VOID), 0.8, 90),
    _Rule("override", (D.EVERYTHING, D.PRIOR, D.VOID), 0.7, 70),
    _Rule("prompt_leak", (D.REVEAL, D.PROMPT), 0.8, 80),
    _Rule("prompt_leak", (D.ASK, D.PROMPT), 0.6, 50),
    _Rule("role_hijack", (D.ROLE, D.FREE), 0.75, 160, one_sentence=False),
    _Rule("persona", (D.ROLE, D.MODE), 0.75, 80),
    _Rule("persona", (D.MODE, D.FREE), 0.7, 200, one_sentence=False),
    _Rule("obedience", (D.ROLE, D.OBEY), 0.4, 160, one_sentence=False),
    _Rule("obedience", (D.FREE, D.OBEY), 0.5, 200, one_sentence=False),
    _Rule("address", (D.ADDRESS,), 0.45),
    _Rule("concealment", (D.CONCEAL,), 0.4),
    _Rule("new_rules", (D.NEW,), 0.3),
    _Rule("authority", (D.AUTHORITY,), 0.35),
    _Rule("freedom", (D.FREE,), 0.2),
    _Rule("jailbreak_mode", (D.MODE,), 0.15),
    _Rule("exfiltration", (D.SEND, D.ASSET), 0.45, 80),
)
_BORDER: Final = (
    (
        "border",
        re.compile(
            r"<\|(?:im_start|im_end|system|endoftext|eot_id|start_header_id)\|>|<<sys>>|\[/?inst\]|</?s?system>|</?(?:context|document|user_input|instructions?|untrusted)>"
        ),
        0.45,
    ),
    (
        "border",
        re.compile(
            r"(?:^|\n)\W{0,12}(?:system|admin|developer)\W{0,3}(?:message|prompt|note|override|instruction)?s?\W{0,4}[:\n\]>#]"
        ),
        0.35,
    ),
    ("border", re.compile(r"\"role\"\s{0,3}:\s{0,3}\"system\""), 0.45),
    (
        "border",
        re.compile(
            r"(?:-|=|#|\*){3,12} {0,3}(?:end|beginning|begin|start) of (?:the )?(?:document|user input|input|context|text|data|email|conversation|prompt|file)"
        ),
        0.45,
    ),
    (
        "link",
        re.compile(r"!\[[^\]\n]{0,200}\]\(https?://[^)\s]{1,300}[?&][^)\s=]{1,40}=[^)\s]{0,20}[{<\[%]"),
        0.6,
    ),
)
_URL = re.compile(r"https?://|www\.|[\w.]{1,64}@[\w-]{1,64}\.")
_SENTENCE_END = re.compile(r"[.!?;]\s|[.!?]$|\n\s{0,40}[\n*#|\d-]|[。！？]")
_QUESTION = re.compile(
    r"(?:^|[.!?\n:]\s{0,3}|[\"'] ?)(?:how|why|can i|could i|may i|should i|when|where|who|what happens|is it|does|did|do i|explain|define|"
    r"wie |warum|darf ich|kann ich|como |por que|puedo|posso|comment|pourquoi|puis-je|come |perche|czy|jak |можно ли|как |почему)\b[^.!?\n]{0,80}$"
)
_HARMLESS_BEFORE = re.compile(
    r"(?:\b(?:i|we|they|he|she|it|who|not|don't|dont|never|didn't|cannot|can't|people|users|did|does|doesn't|would|which|that|nor|or|the|a|an|in) $)"
    r"|(?<!you )(?<!you have )(?<!you need )(?<!you are )(?<!going )(?<!told )(?<!is )\bto $"
)


@lru_cache(maxsize=1)
def _index() -> tuple[dict[str, list[tuple[str, re.Pattern[str] | None, bool, int]]], re.Pattern[str]]:
    """Sort the lexicon by the first two letters of each entry; tell which characters need no border."""
    table: dict[str, dict[tuple[str, bool], int]] = {}
    glued: set[str] = set()
    for does, entries in LEXICON.items():
        for raw in entries.replace("\n", "").split("|"):
            # A blank at the end is part of the entry (Arabic "all"): fold keeps it.
            entry = fold(raw).lstrip()
            is_open = entry.endswith("*")
            entry = entry.rstrip("*")
            if not entry:
                continue
            if _is_glued(entry[0]):
                glued.add(entry[0])
                is_open = True
            words = table.setdefault(entry[:2], {})
            words[entry, is_open] = words.get((entry, is_open), 0) | int(does)
    index = {
        key: [
            (entry, _flexible(entry) if "*" in entry or " " in entry.strip() else None, is_open, flags)
            for (entry, is_open), flags in words.items()
        ]
        for key, words in table.items()
    }
    return index, re.compile(rf"(?<![^\W_])[^\W_]|[{''.join(sorted(glued))}]")


def _flexible(entry: str) -> re.Pattern[str]:
    return re.compile(
        r"\s{1,3}".join(re.escape(part).replace(r"\*", r"\w{0,8}") for part in entry.split(" "))
    )


def _is_glued(char: str) -> bool:
    code = ord(char)
    return 0x0590 <= code <= 0x0EFF or 0x1100 <= code <= 0x11FF or 0x3040 <= code <= 0xD7AF


def _hits(text: str) -> list[tuple[int, int, int]]:
    """Find every entry of the lexicon: start, end, flags."""
    index, starts = _index()
    found = []
    for match in starts.finditer(text):
        at = match.start()
        for entry, flexible, is_open, flags in index.get(text[at : at + 2], ()):
            if flexible is not None:
                got = flexible.match(text, at)
                if got is None:
                    continue
                end = got.end()
            elif text.startswith(entry, at):
                end = at + len(entry)
            else:
                continue
            if is_open or not text[end : end + 1].isalnum():
                found.append((at, end, flags))
    return found


class HeuristicDetector(Serializable):
    """Finds attacks by signatures in 20 languages, through 16 ways of hiding them.

    Needs no model, no network and no extra. Scores from 0.5 up have a false alarm rate of about
    1 %. It reads every character of every text.
    """

    @property
    def name(self) -> str:
        """The layer's name in reasons, errors and events."""
        return "heuristics"

    def score(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text, one for one; time grows linearly with the text."""
        return [_score(text, source) for text in texts]

    async def ascore(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text; more than 20,000 characters together are judged in a thread."""
        if sum(map(len, texts)) > INLINE_CHARS:
            return await asyncio.to_thread(self.score, texts, source=source)
        return self.score(texts, source=source)

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        return True

    @classmethod
    @override
    def get_lc_namespace(cls) -> list[str]:
        """Name the public room."""
        return cls.__module__.split(".")[:2]


def _score(text: str, source: Source) -> Score:
    best: dict[str, Reason] = {}
    depth = 0
    for reading in readings(text):
        depth = max(depth, reading.depth)
        for code, weight, start, end in _fired(reading.text, source):
            old = best.get(code)
            if old is None or old.score < weight:
                best[code] = Reason(code, "heuristics", weight, reading.span(start, end), reading.encoding)
        if reading.hidden and "hidden_text" not in best:
            best["hidden_text"] = Reason("hidden_text", "heuristics", 0.3, None, reading.encoding)
    if depth >= MAX_DEPTH:
        best["nested_encoding"] = Reason("nested_encoding", "heuristics", 0.3)
    harmless = 1.0
    for reason in best.values():
        harmless *= 1.0 - reason.score
    reasons = sorted(best.values(), key=lambda reason: -reason.score)
    return Score(1.0 - harmless, tuple(reasons), len(text))


def _fired(text: str, source: Source) -> list[tuple[str, float, int, int]]:
    fired: list[tuple[str, float, int, int]] = []
    for code, pattern, weight in _BORDER:
        match = pattern.search(text)
        if match is not None:
            fired.append((code, weight, match.start(), match.end()))
    fired.extend(_combined(text, _hits(text)))
    return fired


def _combined(text: str, hits: list[tuple[int, int, int]]) -> list[tuple[str, float, int, int]]:
    """Slide over the hits and note each rule whose concepts all lie in its window."""
    fired = []
    last: dict[Does, tuple[int, int]] = {}
    open_rules = list(_RULES)
    for start, end, flags in hits:
        if flags & D.OVERRIDE and _HARMLESS_BEFORE.search(text, max(0, start - 24), start):
            flags &= ~D.OVERRIDE
        for does in Does:
            if flags & does:
                last[does] = (start, end)
        for rule in tuple(open_rules):
            if not any(flags & need for need in rule.needs):
                continue
            places = [last.get(need) for need in rule.needs]
            if None in places:
                continue
            first = min(place[0] for place in places if place)
            final = max(place[1] for place in places if place)
            if final - first > rule.window or (
                rule.one_sentence and _SENTENCE_END.search(text, first, final) is not None
            ):
                continue
            weight = rule.weight
            if not rule.bears_talk:
                weight *= _context(text, first, last.get(D.ABOUT))
            fired.append((rule.code, weight, first, final))
            if weight == rule.weight:
                open_rules.remove(rule)
    return fired


def _context(text: str, start: int, about: tuple[int, int] | None) -> float:
    """Weigh down what stands in a question or right after words that talk about a text."""
    if about is not None and start - about[1] < 100:
        return 0.45
    if _QUESTION.search(text, max(0, start - 90), start) is not None:
        return 0.4
    return 1.0
