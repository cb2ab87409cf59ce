"""Names, places and organisations are found in forms, letters, dialogues and odd case, everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from presidio_analyzer import RecognizerRegistry

from langchain_prodkit.privacy import PresidioDetector
from langchain_prodkit.privacy.ner import Ner, installed_model
from langchain_prodkit.privacy.recognizers import IntroducedNameRecognizer, NamedPlaceRecognizer
from langchain_prodkit.privacy.recognizers.name import introduced_names
from langchain_prodkit.privacy.recognizers.place import named_places
from langchain_prodkit.privacy.words import recased


@pytest.fixture(scope="module")
def reader() -> Ner:
    """Load one model for what needs no detector around it."""
    return Ner(language="en", models=("auto",), wanted=("PERSON", "LOCATION"))


def _found(detector: PresidioDetector, text: str, *entities: str) -> list[str]:
    return [text[one.start : one.end] for one in detector.detect([text])[0] if one.entity in entities]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Dear Oluwaseun,\nyour parcel is here.", "Oluwaseun"),
        ("See you soon.\n\nKind regards,\nXiomara Quispe\n", "Xiomara Quispe"),
        ("Patient name: Tjitske de Vries\nWard: 4", "Tjitske de Vries"),
        ("Mrs. Nguyen will call back.", "Nguyen"),
        ("my brother Thandeka knows", "Thandeka"),
        ("The plan is sound, says Wolniewicz.", "Wolniewicz"),
        ('Ayşe: "Where were you?"\nTaavi: "At home."', "Taavi"),
        ("It is Bronwen's birthday today", "Bronwen"),
        ("A film directed by Ngozi O. Adichie-Smith was shown.", "Ngozi O. Adichie-Smith"),
        ("Hi, this is Mark Young from the front desk.", "Mark Young"),
    ],
)
def test_a_name_is_found_where_names_stand(presidio: PresidioDetector, text: str, name: str) -> None:
    """The words beside a name are enough, whether or not a model knows it."""
    assert name in {text[start:end] for start, end, _ in introduced_names(text)}
    assert name in _found(presidio, text, "PERSON")


@pytest.mark.parametrize(
    "text",
    [
        "Dear Customer,\nthe Invoice is attached.",
        "Best regards,\nSupport",
        "Note: restart the server. Warning: it takes time.",
        "From: Monday\nTo: Friday",
        "The Price is Right, says Everyone.",
        "My Manager is Happy.",
    ],
)
def test_everyday_words_in_those_places_are_no_names(text: str) -> None:
    """A capital alone does not make a name of a common word."""
    assert list(introduced_names(text)) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("She flew to Ouagadougou on Monday.", "Ouagadougou"),
        ("They live in Hódmezővásárhely now", "Hódmezővásárhely"),
        ("City: Szczebrzeszyn\nPhone: none", "Szczebrzeszyn"),
        ("he was born in San Cristóbal and left", "San Cristóbal"),
        ("We are based in KUOPIO.", "KUOPIO"),
    ],
)
def test_a_place_is_found_where_places_stand(presidio: PresidioDetector, text: str, place: str) -> None:
    """Going, living and being born need a place; so does the field of a form."""
    assert place in {text[start:end] for start, end, _ in named_places(text)}
    assert place in _found(presidio, text, "LOCATION")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hi, i'm radoslava ivanova and my brother goran lives in turku", ["radoslava ivanova", "goran"]),
        ("my name is will smith and i need help", ["will smith"]),
        ("PLEASE CONTACT RADOSLAVA IVANOVA ABOUT THE CONTRACT", ["RADOSLAVA IVANOVA"]),
    ],
)
def test_small_and_capital_letters_hide_nobody(
    presidio: PresidioDetector, text: str, names: list[str]
) -> None:
    """Chat and headlines are read in the usual case, and spans stand where the names stand."""
    assert set(names) <= set(_found(presidio, text, "PERSON"))


def test_a_name_found_once_is_found_everywhere(presidio: PresidioDetector) -> None:
    """Later mentions by the family name alone, in any case, are the same person's."""
    text = "Dear Thandeka Mokoena, we wrote. Yesterday mokoena came, MOKOENA left. Ask Mokoena's wife."
    spans = [text[one.start : one.end].lower() for one in presidio.detect([text])[0]]
    assert sum("mokoena" in value for value in spans) == 4


def test_a_name_is_hidden_whole(presidio: PresidioDetector) -> None:
    """Initials, particles and hyphens belong to a name; possessives and the next line do not."""
    text = "Name: Jean-Luc P. van der Meer\nAddress: none. Jean-Luc P. van der Meer's car is red."
    assert _found(presidio, text, "PERSON") == ["Jean-Luc P. van der Meer"] * 2


@pytest.mark.parametrize(
    "text",
    [
        "Call the API with Bearer token",
        "Use Kubernetes and Docker to deploy FastAPI on AWS in March.",
        "TypeError: unsupported operand; KeyError and DataFrame are classes.",
        "import os\n\n@property\ndef value(self): return self._x\n",
        "Install LangChain with pip install langchain-core>=1.0",
        "Please summarise the Quarterly Report for Monday.",
        "## Getting Started\n\nRun `make test`.",
        "PLEASE READ THE TERMS AND CONDITIONS BEFORE SIGNING",
        "thanks a lot, that worked. have a nice weekend!",
        "I am Happy to help. I'm Sorry for the delay.",
    ],
)
def test_technical_and_everyday_text_is_left_alone(presidio: PresidioDetector, text: str) -> None:
    """Products, months, headings, programs and shouting are no names, companies or places."""
    assert _found(presidio, text, "PERSON", "LOCATION", "ORGANIZATION", "NRP") == []


def test_handles_of_people_are_names(presidio: PresidioDetector) -> None:
    """What stands after an at sign is somebody, unless it is a decorator or part of an address."""
    assert _found(presidio, "thanks @radka_92 for the hint", "PERSON") == ["radka_92"]
    assert _found(presidio, "@dataclass\nclass A: ...\n@app.get('/x')", "PERSON") == []


def test_strict_hides_what_only_looks_like_a_name() -> None:
    """An unknown capitalised word stays readable when balanced, and does not when strict."""
    text = "The meeting about Flumbotron takes place after lunch, with coffee."
    assert "Flumbotron" in _found(PresidioDetector(profile="strict"), text, "PERSON", "ORGANIZATION")


def test_parity_is_not_mended() -> None:
    """A reader of another profile gives the spans of the model as they are."""
    text = "Name: Ada Byron\nAddress: none"
    nlp = spacy.load(installed_model("auto", "en"))
    reader = Ner(language="en", models=("auto",), wanted=("PERSON",), profile="parity")
    _, spans = next(reader.read([text]))
    ents = nlp(text).ents
    assert [(s.start, s.end) for s in spans] == [
        (e.start_char, e.end_char) for e in ents if e.label_ == "PERSON"
    ]


def test_recasing_keeps_every_place() -> None:
    """The usual case of a text has its length; texts in usual case are not touched."""
    for text in ("wir treffen ǆemal in İzmir", "STRASSE ẞ UND ŒUVRE", "ﬁne ǅ text with ŉ"):
        other = recased(text)
        assert other is None or len(other) == len(text)
    assert recased("Anna lives in Rome.") is None
    assert recased("") is None


def test_the_recognizers_serve_plain_presidio() -> None:
    """They are Presidio's kind and need nothing of this package around them."""
    text = "Dear Oluwaseun, she flew to Ouagadougou."
    registry = RecognizerRegistry(recognizers=[IntroducedNameRecognizer(), NamedPlaceRecognizer()])
    found = {
        (text[hit.start : hit.end], hit.entity_type)
        for one in registry.get_recognizers("en", all_fields=True)
        for hit in one.analyze(text, ["PERSON", "LOCATION"], None)  # type: ignore[arg-type]
    }
    assert found == {("Oluwaseun", "PERSON"), ("Ouagadougou", "LOCATION")}


def test_a_model_inside_another_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that carries a pipeline in its `_model` folder can be named like one."""
    package = tmp_path / "carrier_of_a_model"
    package.mkdir()
    (package / "__init__.py").touch()
    source = spacy.util.get_package_path(installed_model("auto", "en"))
    inner = next(source.glob("*/meta.json")).parent
    (package / "_model").symlink_to(inner, target_is_directory=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Path(installed_model("carrier_of_a_model", "en")) == package / "_model"
    assert spacy.load(installed_model("carrier_of_a_model", "en"), exclude=["tok2vec"]).has_pipe("ner")


@pytest.mark.parametrize(
    "unit", ["Aa ", "A", "@a", "://", "Mr. ", "a/", "O'", "Aa-", "Name: ", "\n", "a@b.c "]
)
def test_hostile_text_is_read_to_its_end(reader: Ner, unit: str) -> None:
    """A window full of what looks like the start of a name is mended like any other."""
    text = (unit * 20_000)[:19_000] + "\nDear Oluwaseun,\n"
    names = {text[one.start : one.end] for one in reader._mended(text, text, [])}
    assert any(name.endswith("Oluwaseun") for name in names)
    assert len(recased(text) or text) == len(text)
