"""`/v1/embeddings`: vectors made from words, so that texts that share words lie close together."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import sys
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.testing.request import checked_body, integer, invalid, model_of, tokens_in
from langchain_prodkit.testing.run import Result
from langchain_prodkit.testing.wire import dump

if TYPE_CHECKING:
    from langchain_prodkit.testing.faults import FaultKind
    from langchain_prodkit.testing.run import Run

_DIMENSIONS: Final = {"text-embedding-3-large": 3072}
_DEFAULT_DIMENSIONS: Final = 1536
_MAX_INPUTS: Final = 2048
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed; token ids count as words."""

    model: str
    texts: tuple[str, ...]
    dimensions: int
    is_base64: bool
    tokens: int

    @property
    def charge(self) -> int:
        """Tokens taken off the limit on arrival."""
        return self.tokens


class EmbeddingEndpoint:
    """`POST /v1/embeddings`."""

    def parse(self, body: Any, run: Run) -> EmbeddingRequest:  # noqa: ARG002 - the protocol's
        """Read and check a body."""
        body = checked_body(body)
        model = model_of(body)
        texts, tokens = _inputs(body.get("input"))
        encoding = body.get("encoding_format") or "float"
        if encoding not in ("float", "base64"):
            raise invalid("encoding_format", "'float' or 'base64'")
        default = _DIMENSIONS.get(model, _DEFAULT_DIMENSIONS)
        return EmbeddingRequest(
            model=model,
            texts=texts,
            dimensions=integer(body, "dimensions", low=1, high=default) or default,
            is_base64=encoding == "base64",
            tokens=tokens,
        )

    async def reply(self, request: EmbeddingRequest, run: Run, fault: FaultKind | None) -> Result:  # noqa: ARG002
        """Embed each text."""
        rows = []
        for index, text in enumerate(request.texts):
            vector = embedding(text, request.dimensions)
            value = _base64(vector) if request.is_base64 else vector.tolist()
            rows.append({"object": "embedding", "index": index, "embedding": value})
        usage = {"prompt_tokens": request.tokens, "total_tokens": request.tokens}
        body = dump({"object": "list", "data": rows, "model": request.model, "usage": usage})
        summary = f"{len(rows)} x {request.dimensions} dimensions"
        return Result(summary=summary, prompt_tokens=request.tokens, body=body)


def embedding(text: str, dimensions: int) -> array[float]:
    """Give a vector of length one; the same text always gets the same one.

    Each word adds to a few dimensions of its own, weighted less the more often it is repeated.
    """
    words = Counter(_WORD.findall(text.lower())) or Counter([text])
    values = [0.0] * dimensions
    for word, count in words.items():
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        weight = 1.0 + math.log(count)
        for start in range(0, len(digest), 4):
            number = int.from_bytes(digest[start : start + 4], "little")
            values[(number >> 1) % dimensions] += weight if number & 1 else -weight
    length = math.sqrt(math.fsum(value * value for value in values))
    if not length:  # opposite words met in too few dimensions
        values[0] = length = 1.0
    return array("f", (value / length for value in values))


def _base64(vector: array[float]) -> str:
    if sys.byteorder == "big":
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode("ascii")


def _inputs(value: Any) -> tuple[tuple[str, ...], int]:
    """Read one or many texts, given as strings or as token ids, and count their tokens."""
    expected = "a non-empty string, an array of them, or arrays of token ids"
    if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
        value = [value]
    items = value if isinstance(value, list) else [value]
    if not 0 < len(items) <= _MAX_INPUTS:
        raise invalid("input", expected)
    texts, tokens = [], 0
    for item in items:
        if isinstance(item, str) and item:
            texts.append(item)
            tokens += tokens_in(item)
        elif isinstance(item, list) and item and all(isinstance(token, int) for token in item):
            texts.append(" ".join(map(str, item)))
            tokens += len(item)
        else:
            raise invalid("input", expected)
    return tuple(texts), tokens
