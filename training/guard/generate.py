"""Labelled rows of our own making for what collected data lacks.

Attacks by technique and by language, each beside harmless texts that carry the same words; documents
clean and with an instruction to the assistant in the same place; harmless talk about dangerous things;
encodings and careless writing of both; long documents with one attack somewhere. Every phrase is
written for this project (see `phrases/`). The same seed gives the same rows.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from training.guard.carriers import KINDS, carrier
from training.guard.encodings import ENCODINGS, encoded, noisy
from training.guard.grammar import PHRASES, Grammar
from training.guard.likeness import near_pairs
from training.guard.rows import Row

__all__ = ["LANGUAGES", "TECHNIQUES", "long_rows", "rows"]

SEED: Final = 20261123
TECHNIQUES: Final = (
    "direct", "leak", "role", "fiction", "terminal", "split", "shots", "system", "format", "persuade",
    "refer",
    "refuse", "prefix", "smuggle", "repeat", "exfil", "tool",
)  # fmt: skip
LANGUAGES: Final = tuple(sorted(path.stem for path in (PHRASES / "tongues").glob("*.txt")))
"""The languages of the attacks, besides English."""
INJECTED: Final = (
    "inject_blatant",
    "inject_plain",
    "inject_plain",
    "inject_task",
    "inject_task",
    "inject_note",
    "task_ask",
    "task_ask",
    "task_plain_tool",
)
CODED: Final = frozenset({"code", "markdown", "web", "files"})
"""Documents in which code to be put in is an attack of its own."""
HARMLESS: Final = {
    "safe": 1500, "work": 700, "play": 550, "prompting": 400, "everyday": 900, "code": 350, "tools": 500,
    "form_task": 900, "rhetoric": 350,
}  # fmt: skip
"""Rows of each kind of harmless talk, see `phrases/harmless.txt`."""
PER_TECHNIQUE: Final = 340
PER_TONGUE: Final = 150
PER_CARRIER: Final = 190
PER_FOREIGN: Final = 40
PER_ENCODING: Final = 110
NOTES: Final = {"ask": 2_600, "code": 700, "tool": 1_000}
"""Rows of plain tasks, and of what people write in their place, that are only put into documents."""
NOISE_SHARE: Final = 0.06
ALIKE: Final = 0.75
_NO_SPACE: Final = frozenset({"zh", "ja", "th"})
_CODES: Final = ("base64", "rot13", "hex", "reversed", "url", "base32")
_ASKS: Final = (
    "Summarise this:\n", "What does this say?\n\n", "List the dates in the text below.\n",
    "Who should I answer first?\n",
    "Translate into Dutch:\n", "Is anything urgent in here?\n\n", "Tool result:\n",
    "Explain to a beginner:\n\n",
)  # fmt: skip


class _Maker:
    """Makes rows from one source of chance."""

    def __init__(self, seed: int, scale: float) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.scale = scale
        self.attacks = Grammar(self.rng, "common", "attacks", "attacks_more")
        self.talk = Grammar(self.rng, "common", "harmless")
        self.papers = Grammar(self.rng, "common", "attacks", "attacks_more", "carriers", "tasks")
        self.tongues = {code: Grammar(self.rng, "common", f"tongues/{code}") for code in LANGUAGES}

    def count(self, whole: int) -> int:
        return max(2, round(whole * self.scale))

    def chance(self, share: float) -> bool:
        """Say yes in that share of cases."""
        return self.rng.random() < share

    def technique(self, family: str) -> tuple[str, str]:
        """Give an attack of the family, and a harmless text with words of it."""
        override, leak, goal = (self.attacks.say(rule) for rule in ("override", "leak", "goal"))
        words = override.split()
        cut = self.rng.randrange(1, max(len(words), 2))
        token = self.rng.choice(
            ("la", "poem", "!", "stop", "x", "yes", "na na", "company", "0", "-", "hello")
        )
        quote = self.rng.choice((override, override, leak, goal, f"{override} and {goal}"))
        bound = {
            "one": " ".join(words[:cut]),
            "two": " ".join(words[cut:]),
            "quote": quote[:1].upper() + quote[1:] if self.chance(0.6) else quote,
            "coded": encoded(self.rng, self.rng.choice(_CODES), f"{override} and {goal}"),
            "coded_fine": encoded(self.rng, self.rng.choice(_CODES), self.talk.say("everyday")),
            "rep": (token + " ") * self.rng.randint(8, 40),
        }
        if self.chance(0.7):
            bound["override"] = override
        return self.attacks.say(family + "+", **bound), self.spoken(self.attacks.say(family + "-", **bound))

    def spoken(self, said: str) -> str:
        """Open and close a harmless text with the words that attacks are opened and closed with."""
        if self.chance(0.35):
            opening = self.attacks.fill("{opening}").lstrip()
            if opening and said[:1].isalpha() and not said[1:2].isupper() and not said.startswith("I "):
                said = said[0].lower() + said[1:]
            said = opening + said
        if self.chance(0.15):
            said = said.rstrip(".!") + self.attacks.fill("{closing}")
        return said.strip()

    def attack(self) -> str:
        """Give an attack of a user, in English or not."""
        if self.chance(0.2):
            return self.tongues[self.rng.choice(LANGUAGES)].say("bad")
        return self.technique(self.rng.choice(TECHNIQUES))[0]

    def harmless(self) -> str:
        """Give what a user writes, in English or not, with words of attacks or without."""
        if self.chance(0.2):
            return self.foreign(self.rng.choice(LANGUAGES))
        if self.chance(0.4):
            return self.technique(self.rng.choice(TECHNIQUES))[1]
        return self.talk.say(self.rng.choice(tuple(HARMLESS)))

    def foreign(self, code: str) -> str:
        tongue = self.tongues[code]
        quote = tongue.say("over") if self.chance(0.7) else tongue.say("goal")
        return tongue.say(self.rng.choice(("fine", "fine", "fine", "day", "talk")), quote=quote)

    def pairs_of_tongue(self, code: str) -> tuple[str, str]:
        tongue, gap = self.tongues[code], self.rng.choice((" ", "\n"))
        bad, fine = tongue.say("bad"), self.foreign(code)
        if self.chance(0.2):
            bad = self.rng.choice((f"{tongue.say('day')}{gap}{bad}", f"{bad}{gap}{tongue.say('day')}"))
        elif self.chance(0.12):
            bad = f"{tongue.say('over')}{'' if code in _NO_SPACE else ' '}{tongue.say('goal')}"
        elif self.chance(0.07):
            bad = tongue.say("over")
        if self.chance(0.35):
            fine = (
                f"{fine}{gap}{tongue.say(self.rng.choice(('day', 'talk', 'fine')), quote=tongue.say('over'))}"
            )
        return bad, fine

    def mixed(self) -> tuple[str, str]:
        """Give a question in one language with an attack, or another question, in another."""
        first, second = self.rng.sample((*LANGUAGES, "en", "en", "en"), 2)
        gap = self.rng.choice((" ", "\n", "\n\n", " - "))
        asked = self.talk.say("everyday") if first == "en" else self.foreign(first)
        bad = self.technique("direct")[0] if second == "en" else self.tongues[second].say("bad")
        fine = self.technique("direct")[1] if second == "en" else self.foreign(second)
        return f"{asked}{gap}{bad}", f"{asked}{gap}{fine}"

    def injection(self) -> tuple[str, str]:
        """Give what an attacker writes into a document, and the name of its form."""
        form = self.rng.choice(INJECTED)
        if self.chance(0.12):
            return self.tongues[self.rng.choice(LANGUAGES)].say("doc"), "inject_foreign"
        if form == "inject_blatant" and self.chance(0.25):
            return self.technique(self.rng.choice(("direct", "system", "tool", "exfil")))[0], form
        said = self.papers.say(form)
        if self.chance(0.12):
            said += " " + self.papers.say("inject_plain")
        return said, form

    def remark(self) -> str:
        """Give what stands in the same place of a clean document."""
        if self.chance(0.08):
            return self.foreign(self.rng.choice(LANGUAGES))
        return self.papers.say(
            self.rng.choice(("said", "ask", "ask", "human_ask", "human_ask", "tool_said", "note"))
        )

    def note(self, kind: str) -> tuple[str, str]:
        """Give a plain task to an assistant, and what people write to one another in its place."""
        if kind == "code":
            return self.papers.say("task_code"), self.papers.say("code_said")
        if kind == "tool":
            return self.papers.say("task_plain_tool"), self.papers.say("tool_said")
        return self.papers.say("task_ask"), self.papers.say("human_ask")

    def documents(self, kind: str) -> Iterator[Row]:
        """Yield a clean document and the same one injected."""
        paper = carrier(kind, self.rng, self.papers, size=self.rng.choice((0, 0, 0, 1, 2)))
        said, form = self.injection()
        remark = self.remark()
        if kind in CODED and self.chance(0.3):
            said, remark = self.note("code")
            form = "task_code"
        clean = paper.holding(remark)[0]
        if not paper.is_wrapped and self.chance(0.5):
            clean = paper.clean()
        injected, (start, end) = paper.holding(said)
        ask = self.rng.choice(_ASKS) if self.chance(0.12) else ""
        place = start + len(ask), end + len(ask)
        yield Row(ask + clean, False, "own", f"clean_{kind}", "en")
        yield Row(ask + injected, True, "own", f"carrier_{kind}:{form.removeprefix('inject_')}", "en", place)

    def foreign_documents(self, code: str) -> Iterator[Row]:
        """Yield the same in another language; the attack is in it, or in English."""
        tongue, gap = self.tongues[code], "" if code in _NO_SPACE else " "
        units = [tongue.say("text") for _ in range(self.rng.randint(2, 4))]
        at = self.rng.randint(0, len(units))
        said, form = (tongue.say("doc"), "inject_foreign") if self.chance(0.65) else self.injection()
        remark = tongue.say("text") if self.chance(0.6) else self.foreign(code)
        clean, injected = (gap.join([*units[:at], put, *units[at:]]) for put in (remark, said))
        start = len(gap.join([*units[:at], ""]))
        yield Row(clean, False, "own", "clean_foreign", code)
        category = f"carrier_foreign:{form.removeprefix('inject_')}"
        yield Row(injected, True, "own", category, code, (start, start + len(said)))

    def long_documents(self, length: int) -> Iterator[Row]:
        """Yield a clean long document, and the same one with an attack anywhere in it."""
        kind = self.rng.choice(
            (
                "web",
                "email",
                "chat",
                "log",
                "files",
                "markdown",
                "notes",
                "search",
                "code",
                "messages",
                "manual",
            )
        )
        size = length // 45
        paper = carrier(kind, self.rng, self.papers, size=size)
        while not length <= len(paper.text) <= length * 1.2:
            size = round(size * length * 1.1 / len(paper.text))
            paper = carrier(kind, self.rng, self.papers, size=size)
        said = self.injection()[0] if self.chance(0.7) else self.attack()
        injected, place = paper.holding(said)
        yield Row(paper.holding(self.remark())[0], False, "own", f"clean_long_{length}", "en")
        yield Row(injected, True, "own", f"carrier_long_{length}", "en", place)


def _techniques(make: _Maker) -> Iterator[Row]:
    for family in TECHNIQUES:
        for _ in range(make.count(PER_TECHNIQUE)):
            attack, mate = make.technique(family)
            yield Row(attack, True, "own", f"own_{family}", "en")
            yield Row(mate, False, "own", f"own_{family}_pair", "en")


def _tongues(make: _Maker) -> Iterator[Row]:
    for code in LANGUAGES:
        for _ in range(make.count(PER_TONGUE)):
            attack, mate = make.pairs_of_tongue(code)
            yield Row(attack, True, "own", "own_tongue", code)
            yield Row(mate, False, "own", "own_tongue_pair", code)
    for _ in range(make.count(900)):
        attack, mate = make.mixed()
        yield Row(attack, True, "own", "own_mixed", "mul")
        yield Row(mate, False, "own", "own_mixed_pair", "mul")


def _talk(make: _Maker) -> Iterator[Row]:
    for kind, count in HARMLESS.items():
        for _ in range(make.count(count)):
            said = make.spoken(make.talk.say(kind))
            if make.chance(0.15):
                said = f"{make.talk.say('everyday')} {said}" if make.chance(0.5) else said.lower()
            yield Row(said, False, "own", f"own_{kind}", "en")
    for _ in range(make.count(sum(HARMLESS.values()) * 2 // 3)):
        said = make.technique(make.rng.choice(TECHNIQUES))[0]
        gap = make.rng.choice((" ", "\n", "\n\n"))
        asked = make.talk.say(make.rng.choice(("everyday", "tools", "code", "safe", "play", "form_task")))
        yield Row(make.rng.choice((asked + gap + said, said + gap + asked)), True, "own", "own_beside", "en")


def _notes(make: _Maker) -> Iterator[Row]:
    for kind, count in NOTES.items():
        for _ in range(make.count(count)):
            task, remark = make.note(kind)
            yield Row(task, True, "own", f"note_task_{kind}", "en")
            yield Row(remark, False, "own", f"note_remark_{kind}", "en")


def _encodings(make: _Maker) -> Iterator[Row]:
    for name in ENCODINGS:
        for _ in range(make.count(PER_ENCODING)):
            yield Row(encoded(make.rng, name, make.attack()[:300]), True, "own", f"own_enc_{name}", "en")
            yield Row(encoded(make.rng, name, make.harmless()[:300]), False, "own", f"own_enc_{name}", "en")


def _carriers(make: _Maker) -> Iterator[Row]:
    for kind in KINDS:
        for _ in range(make.count(PER_CARRIER)):
            yield from make.documents(kind)
    for code in LANGUAGES:
        for _ in range(make.count(PER_FOREIGN)):
            yield from make.foreign_documents(code)
    for _ in range(make.count(150)):
        yield from make.long_documents(make.rng.choice((1_000, 2_000, 4_000)))


def rows(seed: int = SEED, *, scale: float = 1.0) -> list[Row]:
    """Make all rows but the long ones, in random order and without near duplicates.

    `scale` makes fewer or more of every kind. Clean and injected documents, and what is written in an
    encoding, are only checked for exact duplicates: the former are alike on purpose.
    """
    make = _Maker(seed, scale)
    found: dict[str, Row] = {}
    parts: tuple[Callable[[_Maker], Iterator[Row]], ...] = (
        _techniques,
        _tongues,
        _talk,
        _encodings,
        _carriers,
        _notes,
    )
    for part in parts:
        for row in part(make):
            text = row.text.strip()
            if part in (_techniques, _talk, _carriers) and make.chance(NOISE_SHARE):
                text = noisy(make.rng, text).strip()
            place = row.place if text == row.text else None
            found.setdefault(text, replace(row, text=text, place=place))
    made = list(found.values())
    loose = [at for at, row in enumerate(made) if not (row.is_document or row.category.startswith("own_enc"))]
    dropped: set[int] = set()
    for later, earlier in near_pairs([made[at].text for at in loose], least=ALIKE):
        if loose[earlier] not in dropped:
            dropped.add(loose[later])
    kept = [row for at, row in enumerate(made) if at not in dropped]
    make.rng.shuffle(kept)
    return kept


def long_rows(seed: int = SEED, *, count: int = 300) -> list[Row]:
    """Make `count` pairs of documents of 3,000 to 12,000 characters, clean and with one attack somewhere."""
    made: list[Row] = []
    make = _Maker(seed + 1, 1.0)
    for _ in range(count):
        made += make.long_documents(make.rng.choice((3_000, 4_500, 6_000, 8_000, 11_000)))
    return made


def main() -> None:
    """Print how many rows there are of each kind and language."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--show", type=int, default=0, help="texts to print of each kind")
    arguments = parser.parse_args()
    made = rows(arguments.seed, scale=arguments.scale)
    for title in ("category", "lang"):
        counts = Counter((str(getattr(row, title)), row.is_attack) for row in made)
        print(f"{title:28}{'attack':>8}{'harmless':>10}")  # noqa: T201
        for name in sorted({name for name, _ in counts}):
            print(f"{name:28}{counts[name, True]:8}{counts[name, False]:10}")  # noqa: T201
    print(len(made), sum(row.is_attack for row in made))  # noqa: T201
    for name in sorted({row.category for row in made}) if arguments.show else ():
        for row in [row for row in made if row.category == name][: arguments.show]:
            print(name, row.lang, repr(row.text[:600]))  # noqa: T201


if __name__ == "__main__":
    main()
