r"""Phrase books and the sentences they make.

A phrase book is a text file. `[name]` alone on a line opens a rule; each line below it is one way to
say it. In a line, `{name}` stands for another rule, `{name^}` for the same with a capital first letter,
`[a|b|]` for one of several wordings, `\n` for a new line, and `⟦` and `⟧` for brackets.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

__all__ = ["Grammar", "read"]

PHRASES: Final = Path(__file__).parent / "phrases"
_RULE = re.compile(r"\[([a-z_]+[+-]?)\]")
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{([a-z_]+[+-]?)(\^?)\}")
_BRACKETS: Final = str.maketrans("⟦⟧", "[]")
Rules = Mapping[str, tuple[str, ...]]


@lru_cache
def read(name: str) -> Rules:
    """Read `phrases/<name>.txt`."""
    rules: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (PHRASES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        opened = _RULE.fullmatch(line)
        if opened is not None:
            lines = rules.setdefault(opened[1], [])
        elif line and not line.startswith("##"):
            lines.append(line.replace("\\n", "\n"))
    return {rule: tuple(ways) for rule, ways in rules.items()}


class Grammar:
    """Makes sentences of phrase books with one source of chance."""

    def __init__(self, rng: random.Random, *books: str) -> None:
        """Join the rules of all books; a later book adds to a rule of the same name."""
        self.rng = rng
        self.rules: dict[str, tuple[str, ...]] = {}
        for book in books:
            for rule, ways in read(book).items():
                self.rules[rule] = self.rules.get(rule, ()) + ways
        self._made: dict[str, Callable[[], str]] = {
            "k": lambda: str(rng.randint(2, 95)),
            "n": lambda: str(rng.randint(101, 9899)),
            "year": lambda: str(rng.randint(1480, 2019)),
            "mail": self._mail,
            "url": self._url,
            "iban": lambda: rng.choice(("DE", "GB", "FR", "NL", "ES", "CH", "PL")) + self._digits(18),
            "hour": lambda: f"{rng.randint(7, 21)}:{rng.choice(('00', '15', '30', '45'))}",
            "date": lambda: f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            "phone": lambda: f"+{rng.randint(1, 98)} {self._digits(3)} {self._digits(6)}",
        }

    def has(self, rule: str) -> bool:
        """Say whether there is a rule of that name."""
        return rule in self.rules

    def say(self, rule: str, **bound: str) -> str:
        """Give one way to say `rule`; `bound` rules are said in the words given."""
        return self.fill(self.rng.choice(self.rules[rule]), **bound).strip()

    def fill(self, line: str, **bound: str) -> str:
        """Give one wording of a line of a phrase book."""
        while _CHOICE.search(line):
            line = _CHOICE.sub(lambda match: self.rng.choice(match[1].split("|")), line)

        def slot(match: re.Match[str]) -> str:
            name = match[1]
            if name in bound:
                said = bound[name]
            elif name in self._made:
                said = self._made[name]()
            elif name in self.rules:
                said = self.fill(self.rng.choice(self.rules[name]), **bound)
            else:
                return match[0]
            return said[:1].upper() + said[1:] if match[2] else said

        return _SLOT.sub(slot, line).translate(_BRACKETS)

    def _digits(self, count: int) -> str:
        return "".join(self.rng.choice("0123456789") for _ in range(count))

    def _mail(self) -> str:
        user = self.rng.choice(
            (
                "dana.w",
                "k.lund",
                "mailbox7",
                "r.okoro",
                "archive",
                "t.silva",
                "helpdesk",
                "yuki88",
                "pm-office",
            )
        )
        host = self.rng.choice(
            (
                "parcelhub",
                "fjordmail",
                "tinybox",
                "collectr",
                "quickpost",
                "relaypoint",
                "mossbank",
                "aster-it",
            )
        )
        return f"{user}@{host}.{self.rng.choice(('example', 'test', 'invalid'))}"

    def _url(self) -> str:
        host = self.rng.choice(
            (
                "pixel-count",
                "sync-station",
                "freegifts",
                "doc-mirror",
                "img-relay",
                "verify-desk",
                "kiosk7",
                "lumo",
            )
        )
        path = self.rng.choice(("a", "u/31", "in.php", "log", "c.gif", "start", "x?id=8", "files/new"))
        return f"{self.rng.choice(('https', 'http'))}://{host}.{self.rng.choice(('example', 'test'))}/{path}"
