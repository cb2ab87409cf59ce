"""Cutting a text into windows: nothing is left out, no window is too large, none larger than it has to be."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.guard.windows import window_spans


@given(count=st.integers(0, 5_000), stride=st.integers(1, 200), shared=st.integers(0, 60))
def test_windows_cover_every_token_and_are_of_like_length(count: int, stride: int, shared: int) -> None:
    """And neighbours share what they were told to."""
    window = stride + shared
    spans = window_spans(count, window, stride)

    assert spans[0][0] == 0
    assert spans[-1][1] == count
    sizes = [end - start for start, end in spans]
    assert max(sizes) <= window
    assert max(sizes) - min(sizes) <= 1
    for (_, end), (start, _) in pairwise(spans):
        assert end - start == shared


@given(count=st.integers(1, 5_000), stride=st.integers(1, 200), shared=st.integers(0, 60))
def test_there_are_no_more_windows_than_it_takes(count: int, stride: int, shared: int) -> None:
    """One fewer would leave something out."""
    spans = window_spans(count, stride + shared, stride)

    fewer = len(spans) - 1
    assert fewer == 0 or fewer * stride + shared < count


def test_what_fits_into_one_window_is_one() -> None:
    """One token more makes two halves."""
    assert window_spans(126, 126, 116) == [(0, 126)]
    assert window_spans(127, 126, 116) == [(0, 68), (58, 127)]
    assert window_spans(0, 126, 116) == [(0, 0)]
