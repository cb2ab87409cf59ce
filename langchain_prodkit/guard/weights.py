"""A model folder: a card, the files it names, and the check that they are the files it was made with.

```text
card.json       {"format": "prodkit-guard-model", "format_version": 1, "kind": "ngram" | "onnx",
                 "name": ..., "version": ..., "is_stand_in": bool,
                 "files": {"model.onnx": "<sha-256>", ...},
                 "heads": {"user": {...calibration...}, "document": {...}}, ... facts for people ...}
model.onnx      named by the card, as are all other files
```

`heads` holds one `HeadCalibration` a head; everything else a kind needs stands in the card under the
names that its loader documents.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from langchain_prodkit.errors import ModelFileError
from langchain_prodkit.guard.heads import HEADS, HeadCalibration

__all__ = ["SHIPPED", "ModelFolder"]

FORMAT: Final = "prodkit-guard-model"
FORMAT_VERSION: Final = 1
SHIPPED: Final = Path(__file__).parent / "model"
"""Where the models lie that come with the package."""


class ModelFolder:
    """The card of a model, and its files, each checked before it is handed over."""

    def __init__(self, path: str | Path, *, kind: str, sha256: str | None = None) -> None:
        """Read the card in `path`; `sha256` pins the card, and with it everything it names.

        Raises:
            ModelFileError: There is no card, it is damaged, of another kind or format, or not the one
                that `sha256` names, or a file that it names is not there.
        """
        self.path = Path(path)
        raw = self._bytes("card.json")
        if sha256 is not None and hashlib.sha256(raw).hexdigest() != sha256.lower():
            raise ModelFileError(f"card.json in {self.path} is not the one with the SHA-256 asked for")
        try:
            card = json.loads(raw)
        except ValueError:
            raise ModelFileError(f"card.json in {self.path} is damaged: it is not JSON") from None
        if not isinstance(card, dict) or card.get("format") != FORMAT:
            raise ModelFileError(f"card.json in {self.path} is no card of a guard model")
        if card.get("format_version") != FORMAT_VERSION or card.get("kind") != kind:
            raise ModelFileError(
                f"the model in {self.path} is of kind {card.get('kind')!r}, format version "
                f"{card.get('format_version')!r}; this reader needs kind {kind!r}, version {FORMAT_VERSION}"
            )
        self.card: Mapping[str, Any] = card
        self.heads = self._heads(card)
        files = card.get("files")
        if not isinstance(files, dict) or not all(isinstance(v, str) for v in files.values()):
            raise ModelFileError(f"card.json in {self.path} names no files with their SHA-256")
        self._files: dict[str, str] = files
        for name in files:
            if not (self.path / name).is_file():
                raise ModelFileError(
                    f"{name} is missing in {self.path}; install the package again, or give the right path="
                )

    def read(self, name: str) -> bytes:
        """Give the content of a file of this model.

        Raises:
            ModelFileError: It is not there, or its SHA-256 is not the one in the card.
        """
        if name not in self._files:
            raise ModelFileError(f"card.json in {self.path} does not name {name}")
        raw = self._bytes(name)
        if hashlib.sha256(raw).hexdigest() != self._files[name]:
            raise ModelFileError(
                f"{name} in {self.path} is damaged or was changed: its SHA-256 is not the one in the card"
            )
        return raw

    def _bytes(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise ModelFileError(
                f"cannot read {name} in {self.path} ({type(error).__name__}); install the package again, or "
                "give the right path="
            ) from None

    def _heads(self, card: Mapping[str, Any]) -> dict[str, HeadCalibration]:
        try:
            return {head: HeadCalibration.from_card(card["heads"][head]) for head in HEADS}
        except (KeyError, TypeError, ValueError):
            raise ModelFileError(
                f"card.json in {self.path} holds no calibration for the heads {' and '.join(HEADS)}"
            ) from None
