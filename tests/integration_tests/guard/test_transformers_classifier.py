"""Sequence classifiers of transformers keep the detector contract, windows and labels included."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit.errors import ConfigurationError, InjectionError, ModelFileError
from langchain_prodkit.guard import Cascade, Detector, InjectionGuardRunnable, TransformersClassifier
from tests.unit_tests.guard.detector_contract import ATTACK, FINE, DetectorContract

pytestmark = pytest.mark.hf


class TestTransformers(DetectorContract):
    """A BERT from a folder."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls, tiny_bert: Path) -> Detector:
        """With a small allowance for the number of windows."""
        return TransformersClassifier(tiny_bert, rise=0.2)


def relabelled(folder: Path, target: Path, **config: Any) -> Path:
    """Copy the model with another configuration."""
    shutil.copytree(folder, target)
    data = json.loads((target / "config.json").read_text())
    data.update(config)
    (target / "config.json").write_text(json.dumps(data))
    return target


def test_an_attack_at_the_end_of_a_long_text_is_seen(tiny_bert: Path) -> None:
    """Nothing is cut off at the model's window."""
    detector = TransformersClassifier(tiny_bert)
    (score,) = detector.score([f"{FINE} " * 60 + ATTACK])
    assert score.value >= 0.5
    assert score.scanned_chars == 60 * (len(FINE) + 1) + len(ATTACK)
    (reason,) = score.reasons
    assert reason.span is not None
    assert reason.span[0] > 30 * len(FINE)


def test_what_an_encoding_hides_is_read(tiny_bert: Path) -> None:
    """The classifier sees what the text decodes to."""
    (score,) = TransformersClassifier(tiny_bert).score([ATTACK.encode().hex()])
    assert score.value >= 0.5
    assert score.reasons[0].encoding == "hex"


def test_more_windows_need_more_evidence(tiny_bert: Path) -> None:
    """`rise` lowers the score of a text by its number of windows, and of a short one not at all."""
    plain, raised = TransformersClassifier(tiny_bert), TransformersClassifier(tiny_bert, rise=1.0)
    assert raised.score([ATTACK])[0].value == pytest.approx(plain.score([ATTACK])[0].value)
    long = f"{FINE} " * 60 + ATTACK
    assert raised.score([long])[0].value < plain.score([long])[0].value


def test_the_threshold_becomes_one_half(tiny_bert: Path) -> None:
    """A stricter threshold lowers every score."""
    strict = TransformersClassifier(tiny_bert, threshold=0.99).score([ATTACK])[0].value
    assert strict < TransformersClassifier(tiny_bert, threshold=0.5).score([ATTACK])[0].value


@pytest.mark.parametrize("names", [("LABEL_0", "LABEL_1"), ("benign", "malicious"), ("legit", "jailbreak")])
def test_usual_labels_are_recognised(tiny_bert: Path, tmp_path: Path, names: tuple[str, str]) -> None:
    """The same weights under other names give the same scores."""
    folder = relabelled(
        tiny_bert,
        tmp_path / "m",
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )
    assert TransformersClassifier(folder).score([ATTACK]) == TransformersClassifier(tiny_bert).score([ATTACK])


def test_unclear_labels_are_an_error_that_names_the_way_out(tiny_bert: Path, tmp_path: Path) -> None:
    """No guessing; with `labels=` it works, by name or number."""
    folder = relabelled(tiny_bert, tmp_path / "m", id2label={"0": "A", "1": "B"}, label2id={"A": 0, "B": 1})
    with pytest.raises(ConfigurationError, match="labels="):
        TransformersClassifier(folder).score([FINE])
    expected = TransformersClassifier(tiny_bert).score([ATTACK])
    assert TransformersClassifier(folder, labels=["B"]).score([ATTACK]) == expected
    assert TransformersClassifier(folder, labels=["1"]).score([ATTACK]) == expected
    with pytest.raises(ConfigurationError, match="labels="):
        TransformersClassifier(folder, labels=["C"]).score([FINE])


def test_a_multi_label_model_counts_every_attack_label(tiny_bert: Path, tmp_path: Path) -> None:
    """Independent labels are joined by the chance that any of them holds."""
    folder = relabelled(tiny_bert, tmp_path / "m", problem_type="multi_label_classification")
    scores = TransformersClassifier(folder).score([FINE, ATTACK])
    assert [score.value >= 0.5 for score in scores] == [False, True]


def test_a_loaded_model_is_taken_with_its_tokenizer(tiny_bert: Path) -> None:
    """Users who load models themselves hand them over."""
    transformers = importlib.import_module("transformers")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tiny_bert)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert)
    detector = TransformersClassifier(model, tokenizer=tokenizer)
    assert detector.score([ATTACK])[0].value >= 0.5
    with pytest.raises(ConfigurationError, match="tokenizer="):
        TransformersClassifier(model)


def test_nothing_is_fetched_unless_allowed(tiny_bert: Path, tmp_path: Path) -> None:
    """A name of the hub is refused, and a folder without weights is an error, not a download."""
    with pytest.raises(ConfigurationError, match="allow_download"):
        TransformersClassifier("protectai/deberta-v3-base-prompt-injection-v2")
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "m"))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFileError):
        TransformersClassifier(folder).load()


def test_pickled_weights_are_never_read(tiny_bert: Path, tmp_path: Path) -> None:
    """A pickle can run code; only safetensors are loaded."""
    torch = importlib.import_module("torch")
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "m"))
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelFileError):
        TransformersClassifier(folder).load()


def test_it_stands_in_a_guard_and_in_the_cascade(tiny_bert: Path) -> None:
    """Alone, or as the classifier behind the cheap layers."""
    detector = TransformersClassifier(tiny_bert)
    for guard in (InjectionGuardRunnable([detector]), InjectionGuardRunnable([Cascade(detector)])):
        assert guard.invoke(FINE) == FINE
        with pytest.raises(InjectionError):
            guard.invoke(ATTACK)
