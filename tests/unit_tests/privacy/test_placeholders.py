"""Which text is a placeholder, which is not, and that nobody can ask for one."""

from __future__ import annotations

import pytest
from langchain_core.runnables import RunnableConfig

from langchain_prodkit.errors import ConfigurationError, UnknownTokenError
from langchain_prodkit.privacy import PresidioRunnable
from tests.unit_tests.privacy.parts import NameDetector

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
FORMS = (
    "<PERSON_1>",
    "<person_1>",
    "<Person 1>",
    "<PERSON-1>",
    "< PERSON_1 >",
    "PERSON_1",
    "<PERSON_1",
    "PERSON_1>",
    r"\<PERSON\_1\>",
    r"PERSON\_1",
    "&lt;PERSON_1&gt;",
    "\uff1cPERSON_1\uff1e",
    r"\u003cPERSON_1\u003e",
)


@pytest.mark.parametrize("form", FORMS)
def test_what_models_make_of_a_placeholder_is_restored(privacy: PresidioRunnable, form: str) -> None:
    """Case, blanks, lost brackets and escapes do not keep a value from its owner."""
    privacy.invoke("Ada Byron", CONFIG)
    assert privacy.restore().invoke(f"Dear {form}, hi", CONFIG) == "Dear Ada Byron, hi"


@pytest.mark.parametrize("form", FORMS)
def test_two_placeholders_without_a_blank_are_two(privacy: PresidioRunnable, form: str) -> None:
    """The end of one is not taken for the inside of a longer one."""
    privacy.invoke("Ada Byron", CONFIG)
    if form.startswith("PERSON") and form.endswith("1"):
        form += "/"
    name = "Ada Byron/" if form.endswith("/") else "Ada Byron"
    assert privacy.restore().invoke(form + form, CONFIG) == name + name


@pytest.mark.parametrize("form", FORMS)
def test_every_restored_form_is_escaped_on_the_way_in(privacy: PresidioRunnable, form: str) -> None:
    """Somebody who writes a placeholder gets their own writing back, not the value."""
    privacy.invoke("Ada Byron", CONFIG)
    question = f"Who is {form}?"
    redacted = privacy.invoke(question, CONFIG)
    assert "PERSON" not in redacted.upper()
    assert privacy.restore().invoke(redacted, CONFIG) == question


@pytest.mark.parametrize(
    "text", ["<PERSONNEL>", "PERSONS_1", "XPERSON_1", "PERSON_1A", "<PERSON>", "PERSON 1"]
)
def test_similar_words_are_left_alone(privacy: PresidioRunnable, text: str) -> None:
    """There is no guessing: only an exact entity and number names a value."""
    privacy.invoke("Ada Byron", CONFIG)
    assert privacy.restore().invoke(text, CONFIG) == text
    assert privacy.invoke(text, CONFIG) == text


def test_a_particle_may_follow_without_a_blank(privacy: PresidioRunnable) -> None:
    """A Korean particle does not hide a placeholder that lost its brackets."""
    privacy.invoke("김철수", CONFIG)
    assert privacy.restore().invoke("PERSON_1님", CONFIG) == "김철수님"


def test_two_halves_around_a_removed_value_make_no_placeholder() -> None:
    """A value that is removed cannot join what stood beside it into a placeholder."""
    privacy = PresidioRunnable(
        NameDetector(["Ada", "Bob"]), operators={"PERSON": {"type": "custom", "lambda": lambda _: ""}}
    )
    redacted = privacy.invoke("<PERAdaSON_1>", CONFIG)
    assert redacted == "<LITERAL_1>"


def test_unknown_placeholders_follow_the_policy() -> None:
    """A placeholder nobody issued is left, dropped or raised; a bare word is always left."""
    made: dict[str, PresidioRunnable] = {
        policy: PresidioRunnable(NameDetector(), on_unknown=policy) for policy in ("leave", "drop", "raise")
    }
    for privacy in made.values():
        privacy.invoke("Ada Byron", CONFIG)
    assert made["leave"].restore().invoke("a <PERSON_7> b", CONFIG) == "a <PERSON_7> b"
    assert made["drop"].restore().invoke("a <PERSON_7> b PERSON_7", CONFIG) == "a  b PERSON_7"
    with pytest.raises(UnknownTokenError) as caught:
        made["raise"].restore().invoke("a <PERSON_7> b", CONFIG)
    assert "PERSON_7" not in str(caught.value)


def test_other_brackets_work_the_same() -> None:
    """The format of placeholders is the caller's choice."""
    privacy = PresidioRunnable(NameDetector(), token_format="[[{entity}_{n}]]")
    redacted = privacy.invoke("I am Ada Byron, not [[PERSON_1]]", CONFIG)
    assert redacted == "I am [[PERSON_1]], not [[LITERAL_1]]"
    assert privacy.restore().invoke(redacted, CONFIG) == "I am Ada Byron, not [[PERSON_1]]"


@pytest.mark.parametrize(
    "bad", ["{entity}_{n}", "<{entity}>", "x{entity}_{n}x", '"{entity}_{n}"', "", "<{n}>"]
)
def test_a_format_that_cannot_be_read_back_is_refused(bad: str) -> None:
    """Formats without brackets would run into the text around them."""
    with pytest.raises(ConfigurationError):
        PresidioRunnable(NameDetector(), token_format=bad)
