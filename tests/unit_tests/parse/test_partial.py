"""`PartialStream`: what a snapshot shows of each kind of value, and who validates it when."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from langchain_prodkit.errors import ConfigurationError, InputTypeError, StructuredOutputError
from langchain_prodkit.parse import PartialStream
from tests.unit_tests.parse.grown import (
    Branch,
    Cat,
    Circle,
    Colour,
    Dog,
    Everything,
    Open,
    Point,
    Square,
    Tags,
    Where,
    looks,
)
from tests.unit_tests.parse.models import ActorFilmography


def shown(model: Any, text: str, **settings: Any) -> Any:
    """Give the snapshot after a text."""
    stream = PartialStream(model, **settings)
    stream.feed(text)
    return stream.snapshot()


def test_nothing_read_is_an_empty_object() -> None:
    """Before the first character every field is None, and no field is said to be set."""
    empty = PartialStream(Everything).snapshot()
    assert type(empty) is Everything
    assert empty.title is None
    assert empty.colour is None, "a default holds only when the object closed without it"
    assert empty.model_fields_set == set()
    assert PartialStream(list[Cat]).snapshot() == []
    assert PartialStream(int).snapshot() is None


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ('{"title": "Hel', "title", "Hel"),
        ('{"title": "Hel\\', "title", "Hel"),
        ('{"title": "Hel\\ud83d', "title", "Hel"),
        ('{"title": "Hel\\ud83d\\ude42', "title", "Hel🙂"),
        ('{"title": "', "title", ""),
        ('{"title": ', "title", None),
        ('{"tit', "title", None),
        ('{"howMany": 12', "count", None),
        ('{"howMany": 12,', "count", 12),
        ('{"count": 12,', "count", 12),
        ('{"howMany": -1,', "count", None),
        ('{"howMany": "many",', "count", None),
        ('{"is_new": fals', "is_new", None),
        ('{"is_new": false ', "is_new", False),
        ('{"colour": "blu', "colour", None),
        ('{"colour": "blue"', "colour", Colour.BLUE),
        ('{"mode": "slow"', "mode", "slow"),
        ('{"either": "te', "either", "te"),
        ('{"notes": ["a", "b', "notes", ["a", "b"]),
        ('{"notes": [', "notes", []),
        ('{"grid": [[1, 2], [3', "grid", [[1, 2], []]),
        ('{"pair": [7, "se', "pair", (7, "se")),
        ('{"seen": ["a", "b', "seen", {"a", "b"}),
        ('{"scores": {"x": 1, "y": 2', "scores", {"x": 1.0}),
        ('{"where": {"street": "Ma', "where", Where(street="Ma")),
        ('{"point": {"x": 1,', "point", Point(x=1.0, y=None)),  # type: ignore[arg-type]
        ('{"anything": {"free": ["fo', "anything", {"free": ["fo"]}),
        ('{"unknown": {"title": "x"}, "title": "T', "title", "T"),
    ],
)
def test_what_is_shown_of_an_open_object(text: str, field: str, value: Any) -> None:
    """Open strings and containers so far; other scalars when complete and of their type."""
    result = shown(Everything, text)
    found = getattr(result, field)
    if isinstance(value, Point):
        assert type(found) is Point
        assert vars(found) == {"x": 1.0, "y": None, "label": None}
        return
    assert found == value
    assert type(found) is type(value)
    assert result.model_fields_set == ({field} if value is not None else set())


def test_nested_objects_are_of_their_own_class() -> None:
    """Members of a tagged union at their tag, of another at the key that only one of them has."""
    assert type(shown(Everything, '{"pet": {"kind": "dog", "name": "R').pet) is Dog
    early = shown(Everything, '{"pet": {"name": "R')
    assert early.pet is None
    late = shown(Everything, '{"pet": {"name": "Rex", "kind": "dog", "toys": ["b')
    assert (late.pet.name, late.pet.toys) == ("Rex", ["b"])
    assert type(shown(Everything, '{"shape": {"radius": 2').shape) is Circle
    assert type(shown(Everything, '{"shape": {"side": 2').shape) is Square
    assert shown(Everything, '{"tags": ["a", "b').tags == Tags(["a", "b"])
    assert shown(Everything, '{"open": {"known": "k", "more": "x').open.more == "x"
    assert type(shown(Everything, '{"open": {').open) is Open
    tree = shown(Everything, '{"tree": {"label": "r", "children": [{"label": "a"}, {"lab').tree
    assert [type(child) for child in tree.children] == [Branch, Branch]
    assert tree.children[0] == Branch(label="a"), "closed: validated, defaults included"
    assert tree.children[1].label is None


def test_simple_types_and_unions_travel_in_their_envelope() -> None:
    """The root may be any type; what it travels in is not shown."""
    assert shown(str, '{"content": "Hel') == "Hel"
    assert shown(int, '{"content": 12') is None
    assert shown(int, '{"content": 12}') == 12
    assert shown(list[Cat], '{"tasks": [{"name": "To')[0].name == "To"
    assert shown(list[Cat], '[{"name": "Tom"}')[0] == Cat(name="Tom")
    assert shown(Iterable[Cat], '{"tasks": [{"name": "Tom"}') == [Cat(name="Tom")]
    assert type(shown(Circle | Square, '{"content": {"side": 1')) is Square
    assert type(shown(Circle | Square, '{"side": 1')) is Square
    assert shown(dict[str, int], '{"content": {"a": 1, "b"') == {"a": 1}
    assert shown(Literal["yes", "no"], '{"content": "yes"}') == "yes"
    assert shown(Where, '{"street": "M') == {"street": "M"}
    assert shown(Tags, '["a", "b') == Tags(["a", "b"])


def test_secrets_are_not_shown_in_parts() -> None:
    """A type that pydantic makes of a string appears when the string is complete."""

    class Login(BaseModel):
        password: SecretStr
        name: str

    assert shown(Login, '{"password": "hun').password is None
    assert "hunter2" not in repr(shown(Login, '{"password": "hunter2", "name": "A'))


def test_snapshots_pickle_and_compare() -> None:
    """They are ordinary instances: equality, pickle, dump and copy work."""
    tree = shown(Branch, '{"label": "r", "children": [{"label": "a"}, {"label": "b')
    assert pickle.loads(pickle.dumps(tree)) == tree  # noqa: S301 - our own
    assert tree.model_dump()["children"][1] == {"label": "b", "children": None}
    assert tree.model_copy(deep=True) == tree


def test_private_attributes_and_post_init_wait() -> None:
    """A snapshot runs no code of the class; the result does."""
    calls = []

    class Counted(BaseModel):
        label: str
        _seen: int = PrivateAttr(default=3)

        def model_post_init(self, context: Any) -> None:
            calls.append(self.label)

    *snapshots, result = looks(Counted, list('{"label": "abc"}'))
    assert calls == ["abc"]
    assert snapshots[5]._seen == 3
    assert result.label == "abc"


# -- validators ---------------------------------------------------------------------------------


class Part(BaseModel):
    """Notes what its validators see."""

    name: str
    size: int = 1

    @field_validator("name")
    @classmethod
    def note(cls, value: str, info: ValidationInfo) -> str:
        """Note it."""
        if isinstance(info.context, dict):
            info.context.setdefault("names", []).append(value)
        return value.upper()

    @model_validator(mode="after")
    def whole(self, info: ValidationInfo) -> Part:
        """Note it."""
        if isinstance(info.context, dict):
            info.context.setdefault("wholes", []).append(self.name)
        return self


class Machine(BaseModel):
    """Has validators of every mode around and above its parts."""

    title: str
    main: Part
    spare: Part | None = None
    parts: list[Part] = []
    by_name: dict[str, Part] = {}

    @field_validator("parts")
    @classmethod
    def some(cls, value: list[Part], info: ValidationInfo) -> list[Part]:
        """Note it."""
        if isinstance(info.context, dict):
            info.context.setdefault("lists", []).append([part.name for part in value])
        return value


MACHINE = {
    "title": "m",
    "main": {"name": "a"},
    "spare": {"name": "b"},
    "parts": [{"name": "c"}, {"name": "d", "size": 2}, {"name": "c"}],
    "by_name": {"e": {"name": "e"}},
}


@pytest.mark.parametrize(
    "frame", ["{}", "Well:\n```json\n{}\n```\n", "<think>hm</think> {}", "{} and that is it"]
)
def test_every_validator_runs_once_per_complete_object(frame: str) -> None:
    """Never on half a string, not again when the parent closes, not again at the end."""
    context: dict[str, Any] = {}
    text = frame.replace("{}", json.dumps(MACHINE))
    *snapshots, result = looks(Machine, list(text), validation_context=context)
    assert context["names"] == ["a", "b", "c", "d", "c", "e"]
    assert context["wholes"] == ["A", "B", "C", "D", "C", "E"]
    assert context["lists"] == [["C", "D", "C"]]
    assert result == Machine.model_validate_json(json.dumps(MACHINE))
    part = next(one.main for one in snapshots if one.main is not None and one.main.name == "A")
    assert result.main is part, "the very object that the snapshots showed"


def test_a_before_validator_sees_the_json_and_hides_what_it_may_change() -> None:
    """Below it nothing is validated early; once it has run, everything has run once."""
    seen: list[Any] = []

    class Child(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def note(cls, value: str) -> str:
            seen.append(value)
            return value.upper()

    class Parent(BaseModel):
        children: list[Child]
        number: Annotated[int, BeforeValidator(lambda value: int(value) * 2)] = 0

        @model_validator(mode="before")
        @classmethod
        def renamed(cls, data: Any) -> Any:
            assert all(isinstance(child, dict) for child in data["children"])
            return data

    text = '{"children": [{"name": "a"}, {"name": "b"}], "number": "4"}'
    *snapshots, result = looks(Parent, list(text))
    assert seen == ["a", "b"]
    assert result == Parent.model_validate_json(text)
    assert [child.name for child in snapshots[-2].children] == ["a", "b"]
    assert snapshots[-2].number is None


def test_an_object_that_does_not_fit_stops_the_snapshots() -> None:
    """What was shown stays, nothing more is shown, and `close` says what is wrong."""
    stream = PartialStream(list[ActorFilmography])
    stream.feed('[{"name": "BRAD", "film_names": ["Seven"]}, {"name": "Ed", "film_names": ["Fi')
    before = stream.snapshot()
    assert [actor.name for actor in before] == ["BRAD", "Ed"]
    stream.feed('ght"]}, {"name": "ANN"}]')
    assert stream.snapshot() is before
    with pytest.raises(StructuredOutputError) as caught:
        stream.close()
    assert caught.value.fields == ("1.name", "2.film_names")


def test_bad_json_stops_the_snapshots_and_close_repairs() -> None:
    """A quote that is missing, a comma too many: shown no more, mended in the end."""
    *snapshots, result = looks(Branch, list('{"label": "r", "children": [{"label": "a",},]}'))
    assert snapshots[-1].label == "r"
    assert result == Branch(label="r", children=[Branch(label="a")])


def test_validators_of_items_run_when_their_list_closes() -> None:
    """An item's own validator belongs to the list: until then the item is what its class makes of it."""

    class Bag(BaseModel):
        items: list[Annotated[Cat, AfterValidator(lambda cat: cat.model_copy(update={"lives": 1}))]]

    *snapshots, result = looks(Bag, list('{"items": [{"name": "Tom"}] }'))
    assert snapshots[-4].items[0].lives == 9
    assert result.items[0].lives == 1


# -- documents ----------------------------------------------------------------------------------


def test_json_inside_a_thought_is_never_shown() -> None:
    """Neither in a closed thought nor in one whose opening stood in the prompt, once that is known."""
    answer = '{"label": "real"}'
    for text in (
        f'<think>{{"label": "draft"}}</think>{answer}',
        f'<THINKING>{{"label": "draft</THINKING>{answer}',
    ):
        assert {one.label for one in looks(Branch, list(text))} <= {
            None,
            "",
            *("real"[:n] for n in range(1, 5)),
        }
    *snapshots, result = looks(Branch, list(f'{{"label": "draft"}} hm </think> {answer}'))
    assert result.label == "real"
    end = next(n for n, one in enumerate(snapshots) if n > 20 and one.label is None)
    assert all("draft" not in (one.label or "") for one in snapshots[end:])


def test_a_later_block_takes_over_with_its_first_known_key() -> None:
    """Never a mixture of two; a later block that does not fit ends the showing."""
    text = '{"label": "one"} or rather {"label": "two", "children": []}'
    labels = [one.label for one in looks(Branch, list(text))]
    assert labels[-1] == "two"
    assert set(labels) == {None, "", "o", "on", "one", "t", "tw", "two"}
    stream = PartialStream(Branch)
    stream.feed('{"label": "one"} is not {"other": 1}')
    assert stream.snapshot() == Branch(label="one")
    stream.feed(' but {"label": 5, "children": "no"}')
    assert stream.snapshot() == Branch(label="one"), "stopped where it was"


def test_an_object_of_another_kind_is_not_shown() -> None:
    """A known key tells: what quotes the question is passed over, and so are keys that are no fields."""
    assert shown(Branch, 'You asked {"question": "label"}: {"label": "answer').label == "answer"
    assert shown(Branch, '{"reasoning": "x", "label": "answer').label == "answer"
    assert shown(Branch, '{"label": "answer"} as in {"question": "la').label == "answer"


def test_a_snapshot_without_news_is_the_same_object() -> None:
    """So `is` tells whether something changed."""
    stream = PartialStream(Branch)
    stream.feed('{"label": "a"')
    first = stream.snapshot()
    assert stream.snapshot() is first
    stream.feed('  , "chil')
    assert stream.snapshot() is first
    stream.feed('dren": [')
    assert stream.snapshot() is not first


def test_what_is_no_use_is_refused() -> None:
    """A chunk that is no text, a feed after the end, a model that is none."""
    stream = PartialStream(Branch)
    with pytest.raises(InputTypeError):
        stream.feed(b"{")  # type: ignore[arg-type]
    stream.feed('{"label": "a"}')
    assert stream.close() is stream.close()
    with pytest.raises(ConfigurationError):
        stream.feed(" ")
    with pytest.raises(ConfigurationError):
        PartialStream(None)
    with pytest.raises(StructuredOutputError) as caught:
        PartialStream(Branch).close()
    assert caught.value.reason == "no_output"


def test_strict_and_repair_hold_for_the_result() -> None:
    """`strict=True` converts nothing, `repair="off"` mends nothing."""
    for settings, text in (
        ({"strict": True}, '{"name": "T", "lives": "3"}'),
        ({"repair": "off"}, '{"name": "T",}'),
    ):
        stream = PartialStream(Cat, **settings)
        stream.feed(text)
        assert stream.snapshot().lives is None
        with pytest.raises(StructuredOutputError):
            stream.close()
