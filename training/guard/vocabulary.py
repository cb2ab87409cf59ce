"""The pieces of the base's vocabulary that ship, and the tokenizer made of them.

250,000 pieces would be most of the file. Kept are those that texts of the languages at hand need: each
language counts alike, so that rare words of English don't push out common ones of Thai, and the base's
own frequencies (learned on a hundred languages) speak for words that the texts at hand don't hold.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from training.guard.base import Base
from training.guard.rows import Row

__all__ = ["chosen", "counted", "tokenizer"]

SPECIAL: Final = 4
"""The first ids: begin, padding, end, unknown."""
OPEN: Final = 0
PAD: Final = 1
CLOSE: Final = 2
CHARS: Final = 600
PRIOR: Final = 60.0
"""How often a piece counts beside a language's 100,000, for each per mille that the base gives it."""
ENGLISH: Final = 3.0
"""English counts so much more than any other language: most texts are written in it."""
CHARACTERS: Final = 8_500
"""Single characters kept at most: nothing written in a common script is unknown."""
_OTHER_SCRIPT = re.compile(
    "[\u0530-\u058f\u0700-\u08ff\u0a00-\u0dff\u0e80-\u109f\u10a0-\u10ff\u1200-\u1cff\u2c00-\ua4ff\ua500-\uabff]"
    "|[\U00010000-\U0001efff]"
)
_KANA_OR_HAN = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def tokenizer(pieces: Sequence[str], log_probs: Sequence[float], unknown: int) -> Tokenizer:
    """Make a unigram tokenizer that cuts as the base's own does."""
    made = Tokenizer(
        models.Unigram(list(zip(pieces, log_probs, strict=True)), unk_id=unknown, byte_fallback=False)
    )
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    return made


def counted(base: Base, rows: Iterable[Row]) -> Counter[int]:
    """Count the texts that need each piece; every language counts as 100,000 tokens, roots of less."""
    whole = tokenizer(base.pieces, base.log_probs, base.unknown)
    of: dict[str, Counter[int]] = defaultdict(Counter)
    by_lang: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_lang[row.lang].append(row.text[:CHARS])
    for lang, texts in by_lang.items():
        for at in range(0, len(texts), 2_000):
            for found in whole.encode_batch(texts[at : at + 2_000], add_special_tokens=False):
                of[lang].update(set(found.ids))
    total: Counter[int] = Counter()
    for counts in of.values():
        size = sum(counts.values())
        share = 100_000 * min(1.0, math.sqrt(size / 20_000)) / size * (ENGLISH if lang == "en" else 1.0)
        for piece, count in counts.items():
            if count > 1:
                total[piece] += count * share  # type: ignore[assignment]
    return total


def chosen(base: Base, counts: Counter[int], size: int) -> list[int]:
    """Choose the ids that stay, in their old order."""
    value = {}
    singles = []
    for index, (piece, log_prob) in enumerate(zip(base.pieces, base.log_probs, strict=True)):
        if index < SPECIAL:
            continue
        bare = piece.strip("\u2581")
        if not bare and piece:
            singles.append((math.inf, index))
            continue
        if _is_foreign(bare) and index not in counts:
            continue
        value[index] = counts.get(index, 0) + PRIOR * 1_000 * math.exp(log_prob)
        if len(bare) == 1:
            singles.append((value[index], index))
    kept = set(range(SPECIAL)) | {index for _, index in sorted(singles, reverse=True)[:CHARACTERS]}
    for index in sorted(value, key=lambda one: -value[one]):
        if len(kept) >= size:
            break
        kept.add(index)
    return sorted(kept)


def _is_foreign(bare: str) -> bool:
    """Tell scripts that none of the languages at hand is written in."""
    return _OTHER_SCRIPT.search(bare) is not None and _KANA_OR_HAN.search(bare) is None
