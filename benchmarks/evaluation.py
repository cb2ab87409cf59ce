"""Evaluation: what recording costs, what storing costs, how often the gate is wrong, what grounding finds.

`python -m benchmarks.evaluation [--smoke] [--json] [--only PART]`. Each part stands beside a peer measured
in the same run: the callback beside langchain-core's `BaseTracer` and MLflow's tracer, the static data set
beside `mlflow.genai.evaluate`, the gate beside "the mean went down", groundedness beside word overlap and
the cosine of embeddings.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from benchmarks import _evaluation_cost as cost
from benchmarks import _evaluation_gate as gate
from benchmarks import _evaluation_groundedness as grounding
from benchmarks import _evaluation_static as static
from benchmarks._table import report

Part = Callable[..., list[dict[str, Any]]]

_COST: Final = "goal: at most 150 us sync and 350 us async added, and a quarter of BaseTracer"
_MEMORY: Final = "goal: at most 2 MB over 10,000 runs"

PARTS: Final[dict[str, tuple[tuple[str, Part, str], ...]]] = {
    "cost": (
        ("CPU that a handler adds to a call", cost.callback_cost, _COST),
        ("CPU that a handler adds to a stream", cost.streaming_cost, ""),
        (
            "CPU of redaction, apart",
            cost.redaction_cost,
            "the writer is a thread of its own",
        ),
    ),
    "memory": (("memory that runs leave behind", cost.memory, _MEMORY),),
    "static": (("a static data set, scored and stored", static.static_rows, static.GOAL),),
    "gate": (("how often a gate is wrong", gate.gate_power, gate.GOAL),),
    "groundedness": (
        ("groundedness without a model that answers", grounding.groundedness, grounding.GOAL),
        ("groundedness by kind of claim", grounding.groundedness_by_kind, ""),
    ),
}
_NEEDS: Final = {"static": "mlflow"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a few rows, to see that it runs")
    parser.add_argument("--json", action="store_true", help="the JSON lines alone")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; again for more")
    given = parser.parse_args()
    for name in given.only or PARTS:
        needed = _NEEDS.get(name)
        if needed and find_spec(needed) is None:
            print(f"# {name}: left out, as {needed} is not installed")
            continue
        for title, measure, notes in PARTS[name]:
            _shown(f"evaluation: {title}", measure(smoke=given.smoke), notes, is_json=given.json)


def _shown(title: str, rows: list[dict[str, Any]], notes: str, *, is_json: bool) -> None:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        report(title, rows, notes=notes)
    lines = text.getvalue().splitlines()
    if is_json:
        json.loads(lines[-1])
        lines = lines[-1:]
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
