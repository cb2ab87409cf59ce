"""What a parsed answer costs and is worth: `python -m benchmarks.parse [--smoke] [--seed N] [SECTION ...]`.

Beside `InstructorParser`, `parse_aligned` and `PartialStream` stand what people use today, in one run and in
turns, so that a busy machine hits all alike: instructor, `with_structured_output`, LangChain's parsers,
json-repair, jiter, and pydantic alone. Ratios carry over to other machines, milliseconds do not.

calls      what one call adds to `prompt | model`, over HTTP and without a network
streams    a partial object after every chunk, and when the first one comes
texts      1 to 1,000 items, valid and broken
malformed  what is recovered, refused and invented: the development rows, and generated answers (a fresh seed)
reasks     the size of each request to a model that never gets it right, and 1,000 conversations at once
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from benchmarks import _parse_calls as calls
from benchmarks import _parse_reasks as reasks
from benchmarks import _parse_streams as streams
from benchmarks import _parse_texts as texts


def _calls(*, smoke: bool, seed: int) -> None:  # noqa: ARG001
    widths = [2] if smoke else [2, 50, 200]
    calls.without_network(5 if smoke else 100, widths)
    calls.over_http(5 if smoke else 100, widths)


def _streams(*, smoke: bool, seed: int) -> None:  # noqa: ARG001
    streams.costs([500, 1_000] if smoke else [2_067, 4_134, 8_268, 16_536, 33_072], 1 if smoke else 12)
    streams.first_partials(5 if smoke else 40)


def _texts(*, smoke: bool, seed: int) -> None:  # noqa: ARG001
    texts.speed([1, 10] if smoke else [1, 100, 1_000], 2 if smoke else 9)


def _malformed(*, smoke: bool, seed: int) -> None:
    texts.malformed()
    texts.fuzz(50 if smoke else 3_000, seed, [2] if smoke else [2, 3])


def _reasks(*, smoke: bool, seed: int) -> None:  # noqa: ARG001
    reasks.sizes()
    reasks.concurrent([20] if smoke else [1_000])


SECTIONS: dict[str, Callable[..., None]] = {
    "calls": _calls,
    "streams": _streams,
    "texts": _texts,
    "malformed": _malformed,
    "reasks": _reasks,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; all of them by default"
    )
    parser.add_argument("--smoke", action="store_true", help="seconds: is every way still there?")
    parser.add_argument("--seed", type=int, help="of the generated answers; a fresh one by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - SECTIONS.keys():
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    seed = random.SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    for name in arguments.sections or SECTIONS:
        SECTIONS[name](smoke=arguments.smoke, seed=seed)


if __name__ == "__main__":
    main()
