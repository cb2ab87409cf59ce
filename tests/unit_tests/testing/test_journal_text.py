"""Whatever reached the server can be found again, however it was written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.testing import Entry
from langchain_prodkit.testing.journal import Journal, texts, visible_headers

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def _wrapped(value: Any, needle: str, depth: int) -> Any:
    """Bury `needle` under JSON text inside JSON text."""
    buried: Any = {"name": needle, "beside": value}
    for _ in range(depth):
        buried = [json.dumps(buried, ensure_ascii=True)]
    return buried


@given(JSON, st.text(min_size=1, max_size=10), st.integers(0, 3))
def test_a_name_is_found_at_any_depth_and_in_any_escape(value: Any, needle: str, depth: int) -> None:
    """Escaped letters in nested JSON text are read as what they mean."""
    assert any(needle in text for text in texts(_wrapped(value, needle, depth)))


def test_deep_nesting_is_walked_without_recursion() -> None:
    """Ten thousand levels are no problem."""
    value: Any = "needle"
    for _ in range(10_000):
        value = [value]
    assert list(texts(value)) == ["needle"]


def test_credentials_are_left_out() -> None:
    """Keys and cookies never stand in the journal."""
    raw = [
        (b"authorization", b"Bearer s3cret"),
        (b"api-key", b"s3cret"),
        (b"cookie", b"s3cret"),
        (b"host", b"h"),
    ]
    assert visible_headers(raw) == {"host": "h"}


def test_only_the_newest_are_kept_when_limited() -> None:
    """A limit drops the oldest; a dropped entry can no longer be amended."""
    journal = Journal(limit=2)
    entry = Entry(t=0.0, method="POST", path="/", headers={}, body=None)
    numbers = [journal.open(entry) for _ in range(3)]
    journal.amend(numbers[0], status=200)
    journal.amend(numbers[2], status=201)
    assert [kept.status for kept in journal.entries()] == [None, 201]
