"""The classifier that ships with the package, and any other in the same file format."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, PrivateAttr

from langchain_prodkit._extras import require
from langchain_prodkit.errors import MissingExtraError, ModelFileError
from langchain_prodkit.guard.heads import HEADS, HeadCalibration, heads_of
from langchain_prodkit.guard.pieces import Pieces
from langchain_prodkit.guard.verdict import Source
from langchain_prodkit.guard.weights import SHIPPED, ModelFolder
from langchain_prodkit.guard.windows import Encoded, WindowedClassifier

__all__ = ["EmbeddedClassifier"]

LAYER: Final = "classifier"
PIECES: Final = "pieces.txt"
READ_CHARS: Final = 4_500
"""About 1,300 tokens of English: what one core reads in a ninth of a second; 6,500 caught no more."""
STRETCH_CHARS: Final = 240
"""About half a window: short enough that one attack makes a stretch stand out."""


class EmbeddedClassifier(WindowedClassifier):
    """Tells attacks from harmless text by a small transformer that runs on one core, offline.

    Two heads: attacks by users, and instructions inside documents and tool results. Texts of any
    length are read in overlapping windows, what common encodings hide included, and scores are
    calibrated by the number of windows. Needs extra `guard`; no download, ever.

    What ships was fine-tuned from the lowest layers of multilingual-e5-small; `card` says on what, and how
    well it did. Any other model in the same format can be given as `path`, a folder with

    - `card.json`: `"format": "prodkit-guard-model"`, `"format_version": 1`, `"kind": "onnx"`, `name`,
      `version`, `is_stand_in`, `files` (name -> SHA-256), `text` (`"folded"`: lower case, without
      accents and disguises, or `"plain"`), `window` (tokens, those of `prefix_ids` and `suffix_ids`
      included), `stride`, `pad_id`, `prefix_ids`, `suffix_ids`, `inputs` (names; the first takes
      token ids, the second the attention mask, a third zeros), `output`, and `heads`: for
      `user` and `document`, the columns of the output in this order, `cut`, `rise`, `slope` and,
      optionally, `auto_cut` and `auto_rise` (see `HeadCalibration`). Optional is `max_batch`: 1 for
      models whose output for a window depends on the windows beside it, as dynamic int8 makes it;
    - `model.onnx`: int64 `[batch, tokens]` in, float32 `[batch, 2]` logits out;
    - `tokenizer.json` of the `tokenizers` library, or `pieces.txt` (see `Pieces`; the card has `unknown_id`).

    Raises:
        MissingExtraError: At construction, without extra `guard`.
        ModelFileError: At construction when a file is missing or the card is no card of such a model; on
            first use when a file is not the one whose SHA-256 the card names.
        ConfigurationError: An argument makes no sense.
    """

    path: str | None = None
    """The folder; None for the model that ships with the package."""
    sha256: str | None = None
    """SHA-256 of `card.json`, and so of everything the card names; None to trust the folder's card."""
    max_chars: int = Field(default=READ_CHARS, ge=4 * STRETCH_CHARS)
    """Characters of one text that are read at most: the beginning, the end, and the short
    stretches between them that the n-gram layer, which reads everything, finds worst."""
    threads: int = Field(default=1, ge=1)
    """Threads that one call computes with."""

    _folder: ModelFolder = PrivateAttr()
    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _ready: tuple[Any, Any] | None = PrivateAttr(default=None)
    _room: int = PrivateAttr(default=0)
    _stride: int = PrivateAttr(default=0)
    _pad: int = PrivateAttr(default=0)
    _most: int = PrivateAttr(default=1)
    _stretch_chars: int = PrivateAttr(default=STRETCH_CHARS)
    _around: tuple[list[int], list[int]] = PrivateAttr(default=([], []))
    _inputs: list[str] = PrivateAttr(default_factory=list)
    _output: str = PrivateAttr(default="")

    def __init__(self, path: str | Path | None = None, **kwargs: Any) -> None:
        """Take the folder as the first argument, everything else by name."""
        super().__init__(path=None if path is None else str(path), **kwargs)
        folder = ModelFolder(
            SHIPPED / "classifier" if path is None else path, kind="onnx", sha256=self.sha256
        )
        card = folder.card
        for module in ("onnxruntime",) if PIECES in card["files"] else ("onnxruntime", "tokenizers"):
            if find_spec(module) is None:
                raise MissingExtraError(module, extra="guard")
        try:
            self._room = int(card["window"]) - len(card["prefix_ids"]) - len(card["suffix_ids"])
            self._stride = int(card["stride"])
            self._pad = int(card["pad_id"])
            self._around = ([int(i) for i in card["prefix_ids"]], [int(i) for i in card["suffix_ids"]])
            self._inputs = [str(name) for name in card["inputs"]]
            self._output = str(card["output"])
            self._most = int(card.get("max_batch", self.batch_size))
            is_sound = (
                self._most > 0
                and card["text"] in {"folded", "plain"}
                and 0 < self._stride <= self._room
                and self._inputs
            )
        except (KeyError, TypeError, ValueError):
            is_sound = False
        if not is_sound:
            raise ModelFileError(
                f"card.json in {folder.path} lacks what a classifier's card holds, or contradicts itself"
            )
        self._folder = folder

    @property
    def name(self) -> str:
        """The layer's name in reasons, errors and events."""
        return LAYER

    @property
    def card(self) -> dict[str, Any]:
        """What the model is, was trained on and can do, as its folder says; `is_stand_in` among it."""
        return dict(self._folder.card)

    def load(self) -> None:
        """Load now rather than with the first text.

        Raises:
            ModelFileError: A file is missing, or not the one whose SHA-256 the card names.
        """
        self._loaded()

    def _reads(self) -> Literal["folded", "plain"]:
        return "plain" if self._folder.card["text"] == "plain" else "folded"

    def _sizes(self) -> tuple[int, int]:
        return self._room, self._stride

    def _most_windows(self) -> int:
        return min(self.batch_size, self._most)

    def _judges(self, source: Source) -> Mapping[str, tuple[int, HeadCalibration]]:
        return {head: (HEADS.index(head), self._folder.heads[head]) for head in heads_of(source)}

    def _encode(self, texts: Sequence[str]) -> list[Encoded]:
        _, tokenizer = self._loaded()
        if isinstance(tokenizer, Pieces):
            return [Encoded(*tokenizer.encode(text)) for text in texts]
        found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [Encoded(one.ids, one.offsets) for one in found]

    def _logits(self, windows: Sequence[Sequence[int]]) -> Sequence[Sequence[float]]:
        numpy = require("numpy", extra="guard")
        session, _ = self._loaded()
        before, after = self._around
        longest = max(map(len, windows)) + len(before) + len(after)
        ids = numpy.full((len(windows), longest), self._pad, dtype=numpy.int64)
        mask = numpy.zeros((len(windows), longest), dtype=numpy.int64)
        for index, window in enumerate(windows):
            whole = [*before, *window, *after]
            ids[index, : len(whole)] = whole
            mask[index, : len(whole)] = 1
        feed = dict(zip(self._inputs, (ids, mask, numpy.zeros_like(ids)), strict=False))
        (logits,) = session.run([self._output], feed)
        return [tuple(map(float, row)) for row in logits]

    def _loaded(self) -> tuple[Any, Any]:
        if self._ready is None:
            with self._lock:
                if self._ready is None:
                    self._ready = self._load()
        return self._ready

    def _load(self) -> tuple[Any, Any]:
        runtime = require("onnxruntime", extra="guard")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # From the bytes that were checked: the file could change between the check and the load.
        model = self._folder.read("model.onnx")
        try:
            session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            # It keeps the file for a fallback to other providers, of which there is none.
            session._model_bytes = None  # noqa: SLF001
            tokenizer = self._tokenizer()
        except ModelFileError:
            raise
        except Exception as error:  # noqa: BLE001 - each library raises its own
            raise ModelFileError(
                f"the model in {self._folder.path} cannot be loaded ({type(error).__qualname__})"
            ) from None
        return session, tokenizer

    def _tokenizer(self) -> Any:
        card = self._folder.card
        if PIECES in card["files"]:
            return Pieces(self._folder.read(PIECES), unknown=int(card["unknown_id"]))
        tokenizers = require("tokenizers", extra="guard")
        tokenizer = tokenizers.Tokenizer.from_str(self._folder.read("tokenizer.json").decode())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
