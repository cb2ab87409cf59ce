"""What follows the core of an address: units, towns, states, postcodes and countries, as far as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_prodkit.privacy.recognizers import address_forms as form
from langchain_prodkit.privacy.recognizers.postcode import CODE, STATE
from langchain_prodkit.privacy.recognizers.street import (
    COMMON,
    COUNTRIES,
    is_capital,
    is_known_particle,
    is_particle,
    plain,
)

if TYPE_CHECKING:
    import re

__all__ = ["is_coded", "tail", "unit_after"]

_MAX_PARTS: Final = 10
_TOWN_WORDS: Final = 5
_SMALL: Final = 3
_NO_STATE: Final = frozenset({"st", "and"})


class _Reach(NamedTuple):
    """How far an address has been read."""

    end: int
    is_open: bool
    """A town may follow over a blank."""
    has_code: bool


def unit_after(text: str, at: int) -> re.Match[str] | None:
    """Read an apartment, a suite, a floor, over a blank, a comma, a bar or a line end."""
    gap = form.TO_UNIT.match(text, at)
    return form.UNIT.match(text, gap.end()) if gap is not None and gap.end() > at else None


def is_coded(text: str, at: int) -> bool:
    """Say whether a postcode follows soon: over a town, a state, a comma or a line end."""
    return form.SOON.match(text, at) is not None


def tail(text: str, end: int, *, is_lower: bool) -> list[int]:
    """Take what belongs to an address after its core.

    Gives an end for each field, where fields are set apart by bars or the like, and the last one.
    """
    ends: list[int] = []
    kept = end
    reach = _Reach(end, form.COMMA_CODE.search(text, max(0, end - 8), end) is not None, has_code=False)
    for _ in range(_MAX_PARTS):
        mark = form.MARK.match(text, reach.end)
        nearer = _part(text, reach, mark, is_lower=is_lower)
        if nearer is None:
            break
        if mark is not None and kept == reach.end and form.FIELD.search(mark.group()):
            ends.append(kept)
        # A town over a blank counts only when the postcode that was seen behind it is reached.
        is_town_on_trust = (
            mark is None and not reach.is_open and not nearer.is_open and _is_blank(text, reach)
        )
        reach = nearer
        kept = kept if is_town_on_trust else reach.end
    return [*ends, kept] if not ends or ends[-1] != kept else ends


def _is_blank(text: str, reach: _Reach) -> bool:
    return form.BREAK.match(text, reach.end) is None


def _part(text: str, reach: _Reach, mark: re.Match[str] | None, *, is_lower: bool) -> _Reach | None:
    unit = unit_after(text, reach.end)
    if unit is not None:
        return _Reach(unit.end(), is_open=True, has_code=reach.has_code)
    gap = mark or form.BREAK.match(text, reach.end)
    is_break = gap is not None
    gap = gap or form.BLANK.match(text, reach.end)
    if gap is None:
        return None
    code = CODE.match(text, gap.end())
    if code is not None and form.DIGIT.search(code.group()):
        is_other = reach.has_code or form.MORE.match(text, code.end()) is not None
        return None if is_other else _Reach(code.end(), is_open=True, has_code=True)
    state = STATE.match(text, gap.end())
    if state is not None and _is_state(state.group()):
        return _Reach(state.end(), is_open=True, has_code=reach.has_code)
    town = _town(text, gap.end(), is_lower=is_lower)
    if town is None or not _is_joined(text, gap, town, is_free=is_break or reach.is_open):
        return None
    return _Reach(town, is_open=False, has_code=reach.has_code)


def _is_joined(text: str, gap: re.Match[str], town: int, *, is_free: bool) -> bool:
    """Say whether a town belongs to what stands before it: on a line of its own, or before a postcode."""
    is_line = "\n" in gap.group() or "\r" in gap.group()
    if is_free and not is_line:
        return True
    if is_free and (form.WHOLE_LINE.match(text, town) or _country(text, gap.end())):
        return True
    return is_coded(text, town)


def _is_state(word: str) -> bool:
    return (word.isupper() or plain(word) not in COMMON) and word.lower() not in _NO_STATE


def _town(text: str, at: int, *, is_lower: bool) -> int | None:
    """Read a town, district, state or country; what follows must be an end or a small word."""
    country = _country(text, at)
    if country is not None:
        return country
    end = _town_words(text, at, is_lower=is_lower)
    if end == at:
        return None
    while (
        (cut := text.rfind(" ", at, end)) > at
        and text[cut + 1].islower()
        and is_particle(plain(text[cut + 1 : end]))
    ):
        end = cut
    for form_behind in (form.IN_BRACKETS, form.DISTRICT):
        behind = form_behind.match(text, end)
        end = behind.end() if behind else end
    if form.ENDS.match(text, end) or STATE.match(text, end + 1):
        return end
    following = form.FOLLOWING.match(text, end)
    if following is None:
        return None
    word = following.group(1)
    is_code = word.islower() and len(word) <= _SMALL and form.ENDS.match(text, following.end())
    return end if word.lower() in COMMON or is_code else None


def _town_words(text: str, at: int, *, is_lower: bool) -> int:
    end = at
    for _ in range(_TOWN_WORDS):
        match = form.WORD.match(text, at)
        if match is None:
            break
        raw, word = match.group(), plain(match.group())
        if word in COMMON and not is_known_particle(word):
            break
        if not (is_capital(raw) or is_lower or is_particle(word)):
            break
        end = match.end()
        if raw.endswith(".") and (len(word) > _SMALL or form.SENTENCE.match(text, end)):
            return end - 1
        if text[end : end + 1] not in {" ", "/"}:
            break
        at = end + (2 if text[end : end + 2] == "  " else 1)
    return end


def _country(text: str, at: int) -> int | None:
    match = form.COUNTRY_WORDS.match(text, at)
    words = match.group(1).rstrip(" .") if match else ""
    while match and words:
        if words.lower() in COUNTRIES:
            end = match.start(1) + len(words)
            bracket = form.IN_BRACKETS.match(text, end)
            return bracket.end() if bracket else end
        words = words.rpartition(" ")[0]
    return None
