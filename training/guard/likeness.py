"""Which texts are nearly the same: Jaccard likeness of their runs of five letters."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

__all__ = ["near_pairs", "runs"]

LENGTH = 5
READ_CHARS = 600
_NO_LETTER = re.compile(r"[\W_]+")


def runs(text: str) -> frozenset[str]:
    """Give the runs of five letters and digits of a text's beginning; one run when it is shorter."""
    bare = _NO_LETTER.sub("", text[:READ_CHARS].lower())
    return frozenset(bare[at : at + LENGTH] for at in range(max(len(bare) - LENGTH + 1, 1)))


def near_pairs(texts: Sequence[str], *, least: float = 0.75) -> Iterator[tuple[int, int]]:
    """Yield each pair of texts, the later one first, that is alike to `least` or more.

    Exact: two sets that alike share one of the rarest `1 - least` of their members (prefix filter).
    """
    sets = [runs(text) for text in texts]
    counts = Counter(run for one in sets for run in one)
    index: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(sets):
        rarest = sorted(one, key=lambda run: (counts[run], run))[: len(one) - int(least * len(one)) + 1]
        for other in sorted({seen for run in rarest for seen in index[run]}):
            common = len(one & sets[other])
            if common >= least * (len(one) + len(sets[other]) - common):
                yield number, other
        for run in rarest:
            index[run].append(number)
