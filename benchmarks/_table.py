"""How every benchmark reports: an aligned table for people, one line of JSON for programs."""

from __future__ import annotations

import json
from typing import Any


def report(name: str, rows: list[dict[str, Any]], *, notes: str = "") -> None:
    """Print `rows` as a table (columns in order of appearance), `notes`, and one JSON line."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    print(f"# {name}")
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if notes:
        print(notes)
    print(json.dumps({"benchmark": name, "rows": rows, "notes": notes}))


def _cell(value: Any) -> str:
    """Write a value short: three significant digits for fractions, thousands apart."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
