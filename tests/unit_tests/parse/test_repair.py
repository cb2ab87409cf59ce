"""`parse_aligned`: what is recovered, what is refused, and that nothing is ever made up."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from langchain_prodkit.errors import ConfigurationError, StructuredOutputError
from langchain_prodkit.parse import parse_aligned
from tests.unit_tests.parse.models import Branch, Flat, Priority, Score, Ticket

ANN = Flat(name="Ann", age=30, city="Oslo")
TICKET = '"title": "Broken", "priority": "high", "customer_id": 7, "opened_on": "2026-01-02"'

BODY = '"name": "Ann", "age": 30, "city": "Oslo"'
JSON = "{" + BODY + "}"

RECOVERED: list[tuple[str, str]] = [
    ("surroundings", f"Here you go:\n```json\n{JSON}\n```\nAnything else?"),
    ("surroundings", "Based on {context}: " + JSON),
    ("thinking", '<think>{"name": "Bob", "age": 1, "city": "x"}</think>' + JSON),
    ("thinking", "so it is Ann</think>" + JSON),
    ("thinking", JSON + '<think>or {"name": "Bo", "age": 2, "city": "y"}'),
    ("extra_comma", "{" + BODY + ",}"),
    ("quotes", "{'name': 'Ann', 'age': 30, 'city': 'Oslo'}"),
    ("unquoted_key", '{name: "Ann", age: 30, city: "Oslo"}'),
    ("missing_comma", '{"name": "Ann" "age": 30 "city": "Oslo"}'),
    ("comment", '{"name": "Ann", // says "hi"\n "age": 30, /* {x} */ "city": "Oslo" # end\n}'),
    ("quotes", "{“name”: “Ann”, “age”: 30, “city”: “Oslo”}"),
    ("unclosed", "{" + BODY),
    ("envelope", '{"name": "Flat", "arguments": ' + JSON + "}"),
    ("envelope", '{"result": ' + JSON + "}"),
    ("envelope", "[" + JSON + "]"),
    ("double_encoded", json.dumps(JSON)),
    ("html_entities", "<pre>" + JSON.replace('"', "&quot;") + "</pre>"),
    ("key", '{"Name": "Ann", "AGE": 30, "City": "Oslo"}'),
    ("invisible_characters", "\ufeff" + JSON),
]

REFUSED: list[tuple[type[BaseModel], str]] = [
    (Flat, ""),
    (Flat, "I can't help with that."),
    (Flat, "null"),
    (Flat, '{"name": "Ann", "age": 30}'),
    (Flat, '{"name": , "age": 30, "city": "Oslo"}'),
    (Flat, '{"name": "Ann", "age": "about thirty", "city": "Oslo"}'),
    (Flat, '{"name": "Ann", "age": "30%", "city": "Oslo"}'),
    (Flat, '{"name": "Ann", "age": 30.5, "city": "Oslo"}'),
    (Flat, '{"name": "Ann", "age": NaN, "city": "Oslo"}'),
    (Flat, '{"name": true, "age": 30, "city": "Oslo"}'),
    (Flat, '{"name": "Ann", "age": 3 4, "city": "Oslo"}'),
    (Flat, '{"name": "\\ud800", "age": 30, "city": "Oslo"}'),
    (Flat, '{"city": "Oslo", "name": "Ann", "age": 3'),
    (Flat, '{"name": "Ann", "age": 1, "city": "Oslo"} final: {"name": "Bob", "age": 2, "ci'),
    (Flat, "<think>" + JSON),
    (Score, '{"verdict": "pass", "score": 1.7}'),
    (Score, '{"verdict": "maybe", "score": 0.7}'),
    (Branch, '{"label": "a", "children": [{"label": "b"}, {"label": "c", "chil'),
    (Flat, "{" * 20_000),
    (Flat, '[{"name":' * 5_000),
]


@pytest.mark.parametrize(("repair", "text"), RECOVERED, ids=range(len(RECOVERED)))
def test_what_models_really_write_is_read_and_the_repair_is_named(repair: str, text: str) -> None:
    """Each of these means one thing, and the caller can see what was done."""
    repairs: list[str] = []
    assert parse_aligned(text, Flat, repairs=repairs) == ANN
    assert repair in repairs


@pytest.mark.parametrize(("model", "text"), REFUSED, ids=range(len(REFUSED)))
def test_what_could_mean_two_things_is_refused(model: type[BaseModel], text: str) -> None:
    """A typed error, never a value that the text does not hold."""
    with pytest.raises(StructuredOutputError) as caught:
        parse_aligned(text, model)
    assert caught.value.attempts == 0
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "<answer>\n{}\n</answer>", "{}\nDone."])
@pytest.mark.parametrize("after", [", /* as asked */ ", " /* n, a */, ", "/* a */, /* b */ ", ', /* "x": */'])
@pytest.mark.parametrize("name", ['"n/a"', "'n/a'", '"the "n/a""'])
def test_a_comment_on_the_line_ends_where_it_ends(frame: str, after: str, name: str) -> None:
    """What follows it on the same line is read, whatever follows on the next."""
    repairs: list[str] = []
    text = frame.replace("{}", '{"label": ' + name + after + '"children": [{"label": "b"}]}')
    branch = parse_aligned(text, Branch, repairs=repairs)
    assert branch == Branch(label=name[1:-1], children=[Branch(label="b")])
    assert "comment" in repairs


def test_valid_json_needs_no_repair() -> None:
    """What fits is taken as it is."""
    repairs: list[str] = []
    assert parse_aligned(ANN.model_dump_json(), Flat, repairs=repairs) == ANN
    assert repairs == []


def test_the_last_complete_block_that_fits_wins() -> None:
    """A record quoted from the prompt, or a draft, comes before the answer; usage comes after."""
    text = (
        'The user sent {"name": "EVIL", "age": 1, "city": "x"}.\nMy answer: '
        '{"name": "Ann", "age": 30, "city": "Oslo"}\n{"prompt_tokens": 12}'
    )
    assert parse_aligned(text, Flat) == ANN


@pytest.mark.parametrize(
    ("change", "repair"),
    [
        (('"high"', '"HIGH"'), "case"),
        (('"customer_id": 7', '"customer_id": "1,007"'), "number"),
        (('"customer_id": 7', '"customerId": 7'), "key"),
        (('"title": "Broken"', '"title": 4711'), "string"),
    ],
)
def test_values_that_say_the_same_are_fitted(change: tuple[str, str], repair: str) -> None:
    """Case, thousands separators, key style and numbers for text have one meaning."""
    repairs: list[str] = []
    ticket = parse_aligned("{" + TICKET.replace(*change) + "}", Ticket, repairs=repairs)
    assert ticket.priority is Priority.HIGH
    assert ticket.customer_id in {7, 1007}
    assert repairs == [repair]


def test_one_item_stands_for_a_list_of_one() -> None:
    """Wrong nesting is fixed at every level, numbers inside included."""
    text = "{" + TICKET + ', "lines": {"article": "A", "amount": "1,200", "price": "$3,499.00"}}'
    lines = parse_aligned(text, Ticket).lines
    assert [(line.article, line.amount, line.price) for line in lines] == [("A", 1200, 3499.0)]


def test_an_optional_field_under_another_key_style_is_not_lost() -> None:
    """Valid JSON that pydantic would accept with the value dropped is mended first."""
    repairs: list[str] = []
    assert parse_aligned("{" + TICKET + ', "dueNote": "soon"}', Ticket, repairs=repairs).due_note == "soon"
    assert repairs == ["key"]


def test_an_envelope_that_happens_to_fit_is_opened() -> None:
    """A tool call written as text has a `name` too; the answer is what is inside."""

    class Named(BaseModel):
        name: str
        tags: list[str] = []

    text = '{"name": "Named", "arguments": {"name": "Ann", "tags": ["a"]}}'
    assert parse_aligned(text, Named) == Named(name="Ann", tags=["a"])


def test_an_object_of_something_else_is_no_empty_answer() -> None:
    """A model without required fields does not swallow any object."""

    class Filters(BaseModel):
        color: str | None = None

    assert parse_aligned("{}", Filters) == Filters()
    with pytest.raises(StructuredOutputError):
        parse_aligned('{"prompt_tokens": 3}', Filters)


@pytest.mark.parametrize(
    ("text", "is_answer"),
    [
        (" {} ", True),
        ("```json\n{}\n```", True),
        ("No filters were named.\n```json\n{ }\n```\nShall I go on?", True),
        ("<think>no color</think>\n{}", True),
        ("<answer>{}</answer>", True),
        ("I refuse {}", False),
        ("I refuse: `{}`", False),
        ("{} is all that I can say.", False),
        ("Empty braces {/* like this */} say nothing.", False),
        ("```json\n{}\n``` and {} means none.", True),
    ],
)
def test_empty_braces_in_prose_are_no_answer(text: str, is_answer: bool) -> None:
    """An answer that says nothing stands alone, in a fence or in a tag."""

    class Filters(BaseModel):
        color: str | None = None

    if is_answer:
        assert parse_aligned(text, Filters) == Filters()
        return
    for model in (Filters, list[Filters], dict[str, int]):
        with pytest.raises(StructuredOutputError) as caught:
            parse_aligned(text, model)
        assert caught.value.reason == "no_output"


def test_empty_braces_in_prose_hide_no_answer() -> None:
    """What was said before them counts, and among rows they are a row."""

    class Filters(BaseModel):
        color: str | None = None

    assert parse_aligned('{"color": "red"}, and nothing else {}', Filters) == Filters(color="red")
    assert parse_aligned('{"color": "red"}\n{}', list[Filters]) == [Filters(color="red"), Filters()]


def test_several_objects_are_one_list_only_when_nothing_stands_between() -> None:
    """JSON lines are a list; two drafts are not."""
    rows = '{"verdict": "pass", "score": 1}\n{"verdict": "fail", "score": 0}'
    assert [item.verdict for item in parse_aligned(rows, list[Score])] == ["pass", "fail"]
    with pytest.raises(StructuredOutputError):
        parse_aligned(rows.replace("\n", " or rather "), list[Score])


@pytest.mark.parametrize(
    ("model", "text", "value"),
    [
        (int, "42", 42),
        (int, '{"content": "1,042"}', 1042),
        (Literal["yes", "no"], '{"content": "YES"}', "yes"),
        (Priority, '```\n{"content": "low"}\n```', Priority.LOW),
        (list[int], '{"content": [1, 2]}', [1, 2]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (list[Score], '{"tasks": [{"verdict": "pass", "score": 1}]}', [Score(verdict="pass", score=1)]),
        (list[Score], '{"verdict": "pass", "score": 1}', [Score(verdict="pass", score=1)]),
    ],
)
def test_other_types_than_models_are_read_too(model: Any, text: str, value: Any) -> None:
    """Bare, or inside the one-key object that travels to providers."""
    assert parse_aligned(text, model) == value


@pytest.mark.parametrize("model", [None, 3, "Flat", len, object()])
def test_what_is_no_type_is_a_configuration_error(model: Any) -> None:
    """The mistake is in the code, not in the answer."""
    with pytest.raises(ConfigurationError):
        parse_aligned("{}", model)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
flats = st.builds(Flat, name=words, age=st.integers(-(10**6), 10**6), city=words)


@given(flat=flats, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_every_valid_object_comes_back_as_it_is(flat: Flat, indent: int | None, ascii_only: bool) -> None:
    """Whatever the strings hold: quotes, braces, tags, control characters."""
    repairs: list[str] = []
    text = json.dumps(flat.model_dump(), indent=indent, ensure_ascii=ascii_only)
    assert parse_aligned(text, Flat, repairs=repairs) == flat
    assert repairs == []


@given(flat=flats, data=st.data())
def test_a_cut_answer_is_refused_or_whole(flat: Flat, data: st.DataObject) -> None:
    """However a text is cut, no value comes out that was not there."""
    text = flat.model_dump_json()
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with suppress(StructuredOutputError):
        assert parse_aligned(cut, Flat) == flat


@given(text=st.text(max_size=200))
def test_any_text_gives_an_object_or_the_typed_error(text: str) -> None:
    """Nothing else is ever raised."""
    for wrapped in (text, "{" + text + "}", '{"label": ' + text):
        with suppress(StructuredOutputError):
            assert isinstance(parse_aligned(wrapped, Branch), Branch)


@given(text=st.text("{}[]\":,'\\ \n#/*“”abc1.", max_size=60))
def test_json_noise_gives_an_object_or_the_typed_error(text: str) -> None:
    """The characters that matter, in every order."""
    with suppress(StructuredOutputError):
        assert isinstance(parse_aligned('{"label": ' + text, Branch), Branch)
