"""Any sequence classifier that transformers can load, as a detector."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, PrivateAttr

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, MissingExtraError, ModelFileError
from langchain_prodkit.guard.heads import HeadCalibration
from langchain_prodkit.guard.verdict import Source
from langchain_prodkit.guard.windows import Encoded, WindowedClassifier

__all__ = ["TransformersClassifier", "attack_columns"]

_ATTACK: Final = re.compile(
    r"injection|jailbreak|malicious|attack|unsafe|harmful|hijack|override|leak|^injected$"
)
_HARMLESS: Final = re.compile(
    r"^(safe|benign|legit|legitimate|normal|clean|harmless|innocent|ok|none|valid|negative|no|false"
    r"|(no|not|non)[ _-]?.*)$"
)
_NUMBERED: Final = re.compile(r"^label[ _-]?(\d+)$")
_TINY: Final = 1e-6
BINARY: Final = 2
LARGEST: Final = 100_000
"""Tokenizers without a limit of their own report astronomic ones."""


class TransformersClassifier(WindowedClassifier):
    """Scores texts by a sequence classifier: ProtectAI's, Prompt Guard 2, or any other.

    Texts of any length are read in overlapping windows, what common encodings hide included. Needs
    extra `guard-hf` (transformers and torch), and the weights as safetensors in a local folder,
    unless `allow_download=True` lets transformers fetch them. Code that comes with a model is
    never run.

    ```python
    guard = InjectionGuardRunnable(
        [HeuristicDetector(), TransformersClassifier("./Llama-Prompt-Guard-2-86M")]
    )
    ```

    Raises:
        ConfigurationError: No label, or more than one reading of the labels, tells an attack: name them
            with `labels=`. Or `model_or_path` is no local folder and downloads are not allowed.
        ModelFileError: The folder's files are missing, or transformers cannot load them.
        MissingExtraError: Without extra `guard-hf`.
    """

    model_or_path: Any
    """A folder, a name on the hub (with `allow_download=True`), or a loaded model."""
    tokenizer: Any = None
    """The tokenizer of a loaded model; None for the one in the folder."""
    labels: tuple[str, ...] | None = None
    """The labels, or numbers of labels, that mean an attack; their probabilities are added up. None to
    recognise them by name."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """The probability of an attack that becomes the score 0.5."""
    rise: float = Field(default=0.0, ge=0)
    """How much the log-odds needed for 0.5 grow with the logarithm of the number of windows."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens of a window, special ones included; None for the model's own limit, at most 512."""
    stride: int | None = Field(default=None, ge=1)
    """Tokens from the start of a window to the start of the next; None for three quarters of it."""
    device: str = "cpu"
    """Where torch computes, e.g. `cuda:0`."""
    allow_download: bool = False
    """Whether transformers may fetch what is not there. Off: nothing ever leaves this machine."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _ready: _Model | None = PrivateAttr(default=None)

    def __init__(self, model_or_path: Any, **kwargs: Any) -> None:
        """Take the model as the first argument, everything else by name."""
        if isinstance(model_or_path, Path):
            model_or_path = str(model_or_path)
        labels = kwargs.get("labels")
        if isinstance(labels, str | int):
            kwargs["labels"] = (str(labels),)
        elif labels is not None:
            kwargs["labels"] = tuple(map(str, labels))
        super().__init__(model_or_path=model_or_path, **kwargs)
        for module in ("torch", "transformers"):
            if find_spec(module) is None:
                raise MissingExtraError(module, extra="guard-hf")
        if not isinstance(model_or_path, str):
            if self.tokenizer is None:
                raise ConfigurationError("a loaded model needs its tokenizer: give tokenizer=")
        elif not self.allow_download and not Path(model_or_path).is_dir():
            raise ConfigurationError(
                "model_or_path is no folder on this machine; give one, or allow_download=True to let "
                "transformers fetch a model by its name"
            )

    @property
    def name(self) -> str:
        """The layer's name in reasons, errors and events."""
        return "transformers"

    def load(self) -> None:
        """Load now rather than with the first text."""
        self._loaded()

    def _reads(self) -> Literal["folded", "plain"]:
        return "plain"

    def _sizes(self) -> tuple[int, int]:
        ready = self._loaded()
        return ready.room, min(self.stride or max(ready.room * 3 // 4, 1), ready.room)

    def _judges(self, source: Source) -> Mapping[str, tuple[int, HeadCalibration]]:  # noqa: ARG002 - one head
        cut = math.log(self.threshold / (1 - self.threshold))
        return {"injection": (0, HeadCalibration(cut, self.rise))}

    def _encode(self, texts: Sequence[str]) -> list[Encoded]:
        tokenizer = self._loaded().tokenizer
        is_fast = bool(getattr(tokenizer, "is_fast", False))
        found = tokenizer(
            list(texts),
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_offsets_mapping=is_fast,
            verbose=False,
        )
        offsets = found["offset_mapping"] if is_fast else [()] * len(texts)
        return [Encoded(ids, spans) for ids, spans in zip(found["input_ids"], offsets, strict=True)]

    def _logits(self, windows: Sequence[Sequence[int]]) -> Sequence[Sequence[float]]:
        torch = require("torch", extra="guard-hf")
        ready = self._loaded()
        before, after = ready.around
        longest = max(map(len, windows)) + len(before) + len(after)
        ids = torch.full((len(windows), longest), ready.pad, dtype=torch.long)
        mask = torch.zeros((len(windows), longest), dtype=torch.long)
        for index, window in enumerate(windows):
            whole = torch.tensor([*before, *window, *after], dtype=torch.long)
            ids[index, : len(whole)] = whole
            mask[index, : len(whole)] = 1
        with torch.no_grad():
            logits = ready.model(
                input_ids=ids.to(ready.model.device), attention_mask=mask.to(ready.model.device)
            ).logits
        logits = logits.float().cpu()
        if logits.shape[-1] == 1 or ready.is_multi_label:
            chances = torch.sigmoid(logits)
            attack = 1 - torch.prod(1 - chances[:, ready.columns], dim=-1)
        else:
            attack = torch.softmax(logits, -1)[:, ready.columns].sum(-1)
        return [(_log_odds(chance),) for chance in attack.tolist()]

    def _loaded(self) -> _Model:
        if self._ready is None:
            with self._lock:
                if self._ready is None:
                    self._ready = self._load()
        return self._ready

    def _load(self) -> _Model:
        require("torch", extra="guard-hf")
        transformers = require("transformers", extra="guard-hf")
        model, tokenizer = self.model_or_path, self.tokenizer
        if isinstance(model, str):
            asked = {"local_files_only": not self.allow_download, "trust_remote_code": False}
            try:
                tokenizer = tokenizer or transformers.AutoTokenizer.from_pretrained(model, **asked)
                # Weights as pickles can run code when they are read.
                model = transformers.AutoModelForSequenceClassification.from_pretrained(
                    model, use_safetensors=True, **asked
                )
            except Exception as error:  # noqa: BLE001 - transformers raises many kinds
                raise ModelFileError(
                    f"transformers can load no sequence classifier here ({type(error).__qualname__}): "
                    "it needs config.json, model.safetensors and the tokenizer's files"
                ) from None
        model = model.to(self.device).eval()
        config = model.config
        names = {int(number): str(label) for number, label in config.id2label.items()}
        columns = attack_columns(names, self.labels)
        before, after = _around(tokenizer)
        limits = [
            limit
            for limit in (getattr(tokenizer, "model_max_length", None), _positions(config))
            if limit and limit < LARGEST
        ]
        longest = min([*limits, 512]) if self.max_length is None else min([*limits, self.max_length])
        room = longest - len(before) - len(after)
        if room < 1:
            raise ConfigurationError("max_length leaves no room for text between the special tokens")
        return _Model(
            model=model, tokenizer=tokenizer, columns=columns, room=room, around=(before, after),
            pad=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
            is_multi_label=getattr(config, "problem_type", None) == "multi_label_classification",
        )  # fmt: skip


class _Model:
    """A loaded model and what is known of it."""

    def __init__(
        self, *, model: Any, tokenizer: Any, columns: list[int], room: int,
        around: tuple[list[int], list[int]], pad: int, is_multi_label: bool,
    ) -> None:  # fmt: skip
        self.model = model
        self.tokenizer = tokenizer
        self.columns = columns
        self.room = room
        self.around = around
        self.pad = pad
        self.is_multi_label = is_multi_label


def attack_columns(names: Mapping[int, str], labels: Sequence[str] | None) -> list[int]:
    """Find the outputs that mean an attack.

    Raises:
        ConfigurationError: `labels` names one that the model does not have, or the names do not tell.
    """
    known = {label.casefold(): number for number, label in names.items()}
    if labels is not None:
        columns = []
        for label in labels:
            number = known.get(label.casefold(), int(label) if label.isdecimal() else -1)
            if number not in names:
                raise ConfigurationError(
                    f"labels= names a label that the model lacks; it has {sorted(names.values())}"
                )
            columns.append(number)
        if not columns or (len(columns) == len(names) and len(names) > 1):
            raise ConfigurationError("labels= must name some of the model's labels, not none and not all")
        return sorted(set(columns))
    is_binary = len(names) == BINARY
    harmless = {number for number, label in names.items() if _HARMLESS.match(label.casefold().strip())}
    attack = {number for number, label in names.items() if _ATTACK.search(label.casefold())} - harmless
    if len(names) == 1:
        return [0]
    if attack and attack | harmless == set(names) and harmless:
        return sorted(attack)
    if is_binary and len(attack) == 1:
        return sorted(attack)
    if is_binary and len(harmless) == 1 and not attack:
        return sorted(set(names) - harmless)
    # Two numbered labels: by the custom of binary classifiers, 1 is what is looked for.
    if is_binary and all(_NUMBERED.match(label.casefold()) for label in names.values()):
        return [1]
    raise ConfigurationError(
        f"cannot tell which of the labels {sorted(names.values())} mean an attack; name them with labels="
    )


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Find the special tokens that the tokenizer puts before and after a text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a", add_special_tokens=True)["input_ids"]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return list(whole[:start]), list(whole[start + len(bare) :])
    return [], []


def _positions(config: Any) -> int | None:
    found = getattr(config, "max_position_embeddings", None)
    # RoBERTa and its kin begin to count behind the padding token.
    reserved = 2 if getattr(config, "model_type", "") in {"roberta", "xlm-roberta", "camembert"} else 0
    return found - reserved if isinstance(found, int) and found > reserved else None


def _log_odds(chance: float) -> float:
    if math.isnan(chance):
        return chance
    chance = min(max(chance, _TINY), 1 - _TINY)
    return math.log(chance / (1 - chance))
