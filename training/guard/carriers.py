"""Documents and tool results: each one clean, and with an instruction to the assistant in the same place."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from training.guard.grammar import Grammar

__all__ = ["KINDS", "Carrier", "carrier"]

PLACE: Final = "\x00"
"""Stands in a carrier where a text can be put in."""
_EMPTY: Final = re.compile("\x00 |[ \n]\x00|\x00\n?")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _in_cell(text: str) -> str:
    return _one_line(text).replace(",", ";").replace("|", "/").replace("\t", " ")


@dataclass(frozen=True, slots=True)
class Carrier:
    """A document with one place where something can be written."""

    text: str
    kind: str
    escape: Callable[[str], str] = str
    is_wrapped: bool = False
    """Whether the place stands inside a comment, a cell or a tag that must not stay empty."""

    def clean(self) -> str:
        """Give the document with nothing in the place."""
        return _EMPTY.sub("", self.text)

    def holding(self, text: str) -> tuple[str, tuple[int, int]]:
        """Give the document with `text` in the place, and the span of it."""
        put = self.escape(text)
        at = self.text.index(PLACE)
        return self.text.replace(PLACE, put), (at, at + len(put))


class _Builder:
    """Builds the documents of one source of chance."""

    def __init__(self, rng: random.Random, grammar: Grammar, size: int) -> None:
        self.rng = rng
        self.say = grammar.say
        self.fill = grammar.fill
        self.size = size

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def sentences(self, asks: float = 0.25) -> list[str]:
        count = self.rng.randint(1, 4) + self.size
        return [self.say("ask" if self.chance(asks) else "said") for _ in range(count)]

    def placed(self, units: list[str], wrap: str = "{}") -> list[str]:
        """Put the place at the start, in the middle or at the end."""
        at = self.rng.choice(
            (0, len(units), self.rng.randint(0, len(units)), self.rng.randint(0, len(units)))
        )
        return [*units[:at], wrap.replace("{}", PLACE), *units[at:]]

    def one_of(self, *ways: str) -> str:
        return self.fill(self.rng.choice(ways))

    def email(self) -> Carrier:
        head = self.one_of(
            "From: {name} <{mail}>\nTo: {name}\nSubject: [Re: |Fwd: ||]{matter}\n\n",
            "Subject: {matter}\nFrom: {mail}\nDate: {date}\n\n[Hi|Dear|Hello] {first},\n\n",
            "[Dear|Hi|Good morning] {first},\n\n",
            "On {date}, {name} wrote:\n",
        )
        tail = self.one_of(
            "\n\n[Best|Regards|Cheers|Thanks],\n{first}",
            "\n\n{name}\n{firm}",
            "\n-- \nSent from my phone",
            "",
        )
        return Carrier(head + " ".join(self.placed(self.sentences(0.4))) + tail, "email")

    def chat(self) -> Carrier:
        people = self.say("first"), self.say("first")
        style = self.rng.choice(
            ("[{hour}] {who}: {said}", "{who}: {said}", "<{who}> {said}", "{date} {hour} - {who}: {said}")
        )
        lines = [
            self.fill(style, who=self.rng.choice(people), said=said)
            for said in self.placed(self.sentences(0.35))
        ]
        return Carrier("\n".join(lines), "chat", _one_line, is_wrapped=True)

    def ticket(self) -> Carrier:
        head = self.one_of(
            "Ticket {n} ([open|waiting|solved])\nReporter: {name}\n\n",
            "#{n} {matter} [bug|request]\nassigned: {first}\n",
        )
        return Carrier(head + "\n".join(self.placed(self.sentences(0.3))), "ticket")

    def html(self) -> Carrier:
        wrap = self.rng.choice(
            (
                "<p>{}</p>", "<!-- {} -->", '<div style="display:none">{}</div>', "<li>{}</li>",
                '<span style="font-size:0">{}</span>', '<img src="p.png" alt="{}">', "<td>{}</td>",
                "<footer>{}</footer>",
                '<meta name="description" content="{}">', '<p style="color:white">{}</p>', "<h2>{}</h2>",
                "<title>{}</title>",
            )
        )  # fmt: skip
        body = [f"<p>{said}</p>" for said in self.sentences(0.2)]
        page = self.placed(body, wrap)
        if self.chance(0.5):
            page.insert(
                self.rng.randint(0, len(page)),
                self.one_of("<!-- {note} -->", '<div style="display:none">{said}</div>'),
            )
        return Carrier(
            self.fill("<html><body><h1>{firm}: {matter}</h1>\n") + "\n".join(page) + "\n</body></html>",
            "html",
            lambda text: text.replace('"', "'") if '"{}"' in wrap else text,
            is_wrapped=True,
        )

    def markdown(self) -> Carrier:
        lines = [
            self.one_of("## {matter}", "# {firm}", "### {town}"),
            *(self.rng.choice(("", "- ", "> ", "")) + s for s in self.sentences(0.3)),
        ]
        return Carrier("\n".join(self.placed(lines)), "markdown")

    def table(self) -> Carrier:
        mark = self.rng.choice((",", " | ", "\t", ";"))
        rows = [["name", "item", "qty", "remark"]]
        rows += [
            [self.say("name"), self.say("thing"), self.fill("{k}"), said] for said in self.sentences(0.1)
        ]
        rows[self.rng.randrange(1, len(rows))][self.rng.choice((3, 3, 3, 1))] = PLACE
        return Carrier("\n".join(mark.join(row) for row in rows), "table", _in_cell, is_wrapped=True)

    def _records(self, kind: str, keys: dict[str, str], field: str) -> Carrier:
        records: list[dict[str, Any]] = [
            {key: self.fill(way) for key, way in keys.items()}
            for _ in range(self.rng.randint(1, 3) + self.size // 2)
        ]
        spoilt = self.rng.choice(records)
        whole = self.chance(0.4)
        spoilt[field] = (
            PLACE if whole else self.rng.choice((f"{spoilt[field]} {PLACE}", f"{PLACE} {spoilt[field]}"))
        )
        style = self.rng.randrange(4)
        if style == 0:
            blocks = [
                "\n".join(f"{'- ' if n == 0 else '  '}{k}: {v}" for n, (k, v) in enumerate(r.items()))
                for r in records
            ]
            return Carrier("\n".join(blocks), kind, _one_line, is_wrapped=whole)
        if style == 1:
            blocks = ["\n".join(f"{k.capitalize()}: {v}" for k, v in r.items()) for r in records]
            return Carrier("\n\n".join(blocks), kind, _one_line, is_wrapped=whole)
        data: Any = records if style == 2 else {"status": "ok", "count": len(records), "results": records}  # noqa: PLR2004 - the third of four
        text = json.dumps(data, ensure_ascii=False, indent=self.rng.choice((None, 1, 2)))
        return Carrier(text.replace("\\u0000", PLACE), kind, _in_json, is_wrapped=whole)

    def calendar(self) -> Carrier:
        keys = {
            "id": "{k}",
            "title": "{matter}",
            "start": "{date} {hour}",
            "place": "{town}",
            "participants": "{mail}",
            "description": "{said}",
        }
        return self._records(
            "calendar", keys, self.rng.choice(("description", "description", "title", "place"))
        )

    def bank(self) -> Carrier:
        keys = {
            "id": "{n}",
            "date": "{date}",
            "from": "{iban}",
            "to": "{iban}",
            "amount": "{n}.{k}",
            "subject": "[rent|{thing}|{matter}|invoice {n}|thanks, {first}]",
        }
        return self._records("bank", keys, "subject")

    def files(self) -> Carrier:
        keys = {
            "name": "{matter}.[txt|docx|md|pdf]",
            "owner": "{mail}",
            "size": "{n}",
            "modified": "{date}",
            "content": "{said} {said}",
        }
        return self._records("files", keys, "content")

    def search(self) -> Carrier:
        keys = {"title": "{firm} - {matter}", "url": "{url}", "snippet": "{said} {said}"}
        return self._records("search", keys, self.rng.choice(("snippet", "snippet", "title")))

    def reviews(self) -> Carrier:
        keys = {
            "author": "{first}",
            "stars": "[1|2|3|4|5]",
            "text": "[I like the {thing}.|Never again.|Solid {thing}.|Nice stay in {town}.|"
            "The staff at {firm} helped.] {said}",
        }
        return self._records("reviews", keys, "text")

    def messages(self) -> Carrier:
        keys = {
            "sender": "{first}",
            "channel": "{matter}",
            "time": "{hour}",
            "body": "[{said}|{ask}|{said} {ask}]",
        }
        return self._records("messages", keys, "body")

    def lookup(self) -> Carrier:
        keys = {
            "name": "{firm}",
            "address": "{k} Mill Road, {town}",
            "rating": "4.[1|3|5|8]",
            "phone": "{phone}",
            "info": "[Open daily|Closed on {day}|Family run|Since 1{n}]",
        }
        return self._records("lookup", keys, self.rng.choice(("info", "address", "name")))

    def code(self) -> Carrier:
        wrap = self.rng.choice(("# {}", "// {}", '"""{}"""', "/* {} */", 'MSG = "{}"', "-- {}", "# TODO: {}"))
        ways = (
            "def total(items):", "    return sum(i.price for i in items)", "x = load('{thing}.csv')",
            "if not user.active:",
            "    raise ValueError('limit {k}')", "import os, json", "log.info('ignored %s', name)",
            "prompt = input('name: ')",
            "SELECT * FROM orders WHERE id = {n};", "for (let i = 0; i < {k}; i++) {",
            "system = platform.system()",
            "# {note}", "// {note}", "assert answer == {n}", "override = settings.get('override')",
            "return reply",
        )  # fmt: skip
        lines = [self.one_of(*ways) for _ in range(self.rng.randint(3, 7) + 2 * self.size)]
        return Carrier(
            "\n".join(self.placed(lines, wrap)),
            "code",
            lambda text: _one_line(text).replace('"', "'"),
            is_wrapped=True,
        )

    def log(self) -> Carrier:
        style = self.rng.choice(
            (
                "{date} {hour} [INFO|WARN|ERROR|DEBUG] ",
                "[{hour}] [api|auth|db|cron]: ",
                "{date}T{hour}Z level=info msg=",
            )
        )
        ways = (
            "GET /orders/{n} took {k} ms", "user {n} changed password", "ignoring unknown option --fast",
            "retry {k} after timeout",
            "system prompt file loaded", "deleted {k} expired sessions", "access denied for {mail}",
            "override from env: LIMIT={k}",
            "job {matter} finished", "restart required, please run migrate", "instruction cache flushed",
        )  # fmt: skip
        lines = [self.one_of(*ways) for _ in range(self.rng.randint(2, 6) + 2 * self.size)]
        wrap = self.rng.choice(('user_agent="{}"', "comment: {}", "{}", "input={}"))
        return Carrier(
            "\n".join(self.fill(style) + line for line in self.placed(lines, wrap)),
            "log",
            _one_line,
            is_wrapped=True,
        )

    def invoice(self) -> Carrier:
        items = [self.fill("{thing}  x{k}  {n}.00") for _ in range(self.rng.randint(1, 3) + self.size)]
        lines = [
            self.fill("Invoice {n}\n{firm}, {town}\nBill to: {name}"),
            *items,
            self.fill("Total due {day}: {n}.00"),
            self.one_of("Please pay within {k} days.", "Kindly quote the invoice number.", "IBAN {iban}"),
        ]
        return Carrier("\n".join(self.placed(lines)), "invoice")

    def resume(self) -> Carrier:
        lines = [
            self.fill("{name}\n{town}, {phone}"),
            self.one_of(
                "Skills: SQL, negotiation, {thing} repair",
                "Languages: Dutch, Hindi",
                "Hobbies: chess, rowing",
            ),
            *(
                self.one_of(
                    "{date} to {date}: [clerk|analyst|driver|designer|nurse] at {firm}",
                    "Led the {matter} with {k} people",
                    "Cut costs of the {matter} by {k} %",
                    "B.Sc., University of {town}",
                )
                for _ in range(self.rng.randint(2, 4) + self.size)
            ),
        ]
        return Carrier(
            "\n".join(self.placed(lines, self.rng.choice(("{}", "{}", "Keywords: {}", "[white text] {}")))),
            "resume",
            is_wrapped=True,
        )

    def web(self) -> Carrier:
        head = self.one_of(
            "{firm}\nHome | Shop | Contact\n\n", "{matter^} in {town}\nby {name}, {date}\n\n", ""
        )
        tail = self.one_of(
            "\n\nShare this page. Cookie settings.", "\n\nSubscribe to our newsletter.", "", ""
        )
        units = self.placed(self.sentences(0.15))
        return Carrier(head + " ".join(units) + tail, "web")

    def subtitles(self) -> Carrier:
        units = self.placed(self.sentences(0.2))
        blocks = [
            f"{n}\n00:0{n % 10}:{10 + n % 50},000 --> 00:0{n % 10}:{12 + n % 47},500\n{said}"
            for n, said in enumerate(units, 1)
        ]
        return Carrier("\n\n".join(blocks), "subtitles", _one_line, is_wrapped=True)

    def notes(self) -> Carrier:
        units = self.placed(self.sentences(0.5))
        mark = self.rng.choice(("- ", "* ", "[ ] ", ""))
        return Carrier(
            self.fill("{matter^}, {date}\n") + "\n".join(mark + unit for unit in units),
            "notes",
            is_wrapped=True,
        )

    def manual(self) -> Carrier:
        units = [self.say("manual") for _ in range(self.rng.randint(2, 5) + self.size)]
        head = self.one_of("# {thing^} API\n\n", "## [Setup|Usage|Errors|Tests]\n\n", "")
        return Carrier(head + self.rng.choice(("\n", "\n\n", " ")).join(self.placed(units)), "manual")

    def snippet(self) -> Carrier:
        units = self.placed([self.say("said") for _ in range(1 + self.size)])
        return Carrier(" ".join(units), "snippet")


KINDS: Final = (
    "email", "chat", "ticket", "html", "markdown", "table", "calendar", "bank", "files", "search",
    "reviews", "messages",
    "lookup", "code", "log", "invoice", "resume", "web", "subtitles", "notes", "manual", "snippet",
)  # fmt: skip


def carrier(kind: str, rng: random.Random, grammar: Grammar, *, size: int = 0) -> Carrier:
    """Make one document of the kind, of a few sentences and `size` more."""
    built = getattr(_Builder(rng, grammar, size), kind)()
    assert isinstance(built, Carrier)  # noqa: S101 - the name of a kind is the name of a method
    return built
