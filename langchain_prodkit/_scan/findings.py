"""What was found, and how it is written: for people, for scripts, for code scanning services."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Literal
from urllib.parse import quote

from langchain_prodkit import __version__
from langchain_prodkit._scan.records import STDIN, Record

__all__ = ["FORMATS", "Finding", "Output", "Place"]

Output = Literal["text", "jsonl", "sarif"]
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_HELP: Final = {
    "override": "Tells the model to drop its instructions.",
    "prompt_leak": "Asks for the system prompt.",
    "exfiltration": "Sends data to an address.",
    "hidden_text": "Characters that people cannot see carry text.",
    "nested_encoding": "Encodings inside encodings, deeper than is undone.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One reason and where it stands."""

    code: str
    layer: str
    score: float
    start: int | None = None
    """First character: in the file for text files, else in the field. None for the whole text."""
    end: int | None = None
    line: int = 1
    column: int = 1
    encoding: str = ""
    """What had to be undone to see it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A text that was judged an attack."""

    record: Record
    score: float
    source: str
    layer: str
    places: tuple[Place, ...]
    """Heaviest first."""

    @property
    def name(self) -> str:
        """The file as it was named."""
        return "stdin" if self.record.file == STDIN else self.record.file

    @property
    def first(self) -> Place | None:
        """The heaviest reason that points somewhere."""
        return next((place for place in self.places if place.start is not None), None)

    @property
    def codes(self) -> list[str]:
        """Each code once, heaviest first."""
        return list(dict.fromkeys(place.code for place in self.places))

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of the heaviest reason."""
        first = self.first
        return (first.line, first.column) if first else (self.record.line, self.record.column)


def _text_lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        line, column = finding.place
        where = f"{finding.name}:{line}:{column}"
        if finding.record.field:
            where = f"{finding.name}:{finding.record.line}: {finding.record.field}"
        yield f"{where}: injection {finding.score:.2f} {finding.layer} [{', '.join(finding.codes)}]\n"


def _json_lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        yield (
            json.dumps(
                {
                    "file": finding.name,
                    "line": finding.place[0] if not finding.record.field else finding.record.line,
                    "field": finding.record.field or None,
                    "is_injection": True,
                    "score": round(finding.score, 4),
                    "source": finding.source,
                    "layer": finding.layer,
                    "reasons": [_reason(place) for place in finding.places],
                }
            )
            + "\n"
        )


def _reason(place: Place) -> dict[str, Any]:
    return {
        "code": place.code,
        "layer": place.layer,
        "score": round(place.score, 4),
        "span": None if place.start is None else [place.start, place.end],
        "encoding": place.encoding or None,
    }


def _sarif(findings: Iterable[Finding]) -> Iterator[str]:
    """Write one log, a result at a time; the rules come last, when all are known."""
    yield f'{{"$schema": {json.dumps(_SCHEMA)}, "version": "2.1.0", "runs": [{{"results": ['
    rules: dict[str, int] = {}
    between = "\n"
    for finding in findings:
        code = finding.codes[0] if finding.places else "injection"
        rules.setdefault(code, len(rules))
        yield between + json.dumps(_result(finding, code, rules[code]))
        between = ",\n"
    driver = {
        "name": "langchain-prodkit",
        "semanticVersion": __version__,
        "rules": [{"id": code, "shortDescription": {"text": _rule_text(code)}} for code in rules],
    }
    tool = json.dumps({"driver": driver})
    yield f'\n], "columnKind": "unicodeCodePoints", "tool": {tool}}}]}}\n'


def _rule_text(code: str) -> str:
    return _HELP.get(code, f"Prompt injection: {code.replace('_', ' ')}.")


def _result(finding: Finding, code: str, index: int) -> dict[str, Any]:
    record = finding.record
    line, column = finding.place
    region: dict[str, Any] = {"startLine": record.line}
    if not record.field:
        region = {"startLine": line, "startColumn": column}
        if finding.first is not None and finding.first.start is not None and finding.first.end is not None:
            region["charOffset"] = finding.first.start
            region["charLength"] = finding.first.end - finding.first.start
    where = f" in field {record.field}" if record.field else ""
    return {
        "ruleId": code,
        "ruleIndex": index,
        "level": "error",
        "message": {
            "text": f"Prompt injection{where}: {', '.join(finding.codes) or 'no reason given'} "
            f"(score {finding.score:.2f}, layer {finding.layer})."
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(PurePath(finding.name).as_posix())},
                    "region": region,
                }
            }
        ],
        "properties": {
            "score": round(finding.score, 4),
            "source": finding.source,
            "layer": finding.layer,
            "field": record.field or None,
            "reasons": [_reason(place) for place in finding.places],
        },
    }


FORMATS: Final = {"text": _text_lines, "jsonl": _json_lines, "sarif": _sarif}
"""Each turns findings into pieces of text as they come."""
