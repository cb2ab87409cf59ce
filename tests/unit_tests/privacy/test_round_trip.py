"""What goes in comes out again, whatever the text and wherever a stream is cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig, RunnableGenerator

from langchain_prodkit.privacy import PresidioRunnable
from tests.unit_tests.privacy.parts import NAMES, NameDetector

CONFIG: RunnableConfig = {"configurable": {"user_id": "u", "thread_id": "t"}}
FRAGMENTS = (
    *NAMES, "<", ">", "<<", "\\", "&lt;", "&gt;", "\\u003c", "PERSON_1", "<PERSON_1>", "<person 1>", "PERSON",
    "_1", "PERSON_", "1", "2", " ", "\n", "LITERAL_1", "<LITERAL_2>",
    "\uff1cPERSON_1\uff1e", "\\<PERSON\\_1\\>", '"',
    "은", "-", "x < y", "<b>", "A_1", "a", "\ud800", "[", "]", "\u0301", "🙂",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=14).map("".join)


def _cut(text: str, points: list[int]) -> list[str]:
    marks = sorted({0, len(text), *(point % (len(text) + 1) for point in points)})
    return [text[a:b] for a, b in pairwise(marks)]


def _streamed(privacy: PresidioRunnable, chunks: list[Any]) -> list[Any]:
    def source(_: Iterator[Any]) -> Iterator[Any]:
        yield from chunks

    return list((RunnableGenerator(source) | privacy.restore()).stream("go", CONFIG))


@given(TEXTS)
def test_restore_gives_back_the_exact_text(text: str) -> None:
    """Redacting and restoring is the identity, placeholder look-alikes included."""
    privacy = PresidioRunnable(NameDetector())
    redacted = privacy.invoke(text, CONFIG)
    assert privacy.restore().invoke(redacted, CONFIG) == text


@given(TEXTS)
def test_no_name_survives_redaction(text: str) -> None:
    """No listed name is left in what goes to the model."""
    redacted = PresidioRunnable(NameDetector()).invoke(text, CONFIG)
    for name in NAMES:
        assert name not in redacted


@given(TEXTS, st.lists(st.integers(0, 400), max_size=30))
def test_a_stream_restores_what_the_whole_restores(text: str, points: list[int]) -> None:
    """However a redacted text is cut, the joined output is the original."""
    privacy = PresidioRunnable(NameDetector())
    redacted = privacy.invoke(text, CONFIG)
    assert "".join(_streamed(privacy, _cut(redacted, points))) == text


@given(TEXTS, st.lists(st.integers(0, 400), max_size=30))
def test_a_stream_of_model_text_reads_as_the_whole_does(text: str, points: list[int]) -> None:
    """Text that a model made up, broken placeholders included, restores the same cut and whole."""
    privacy = PresidioRunnable(NameDetector())
    privacy.invoke("Ada Byron, Alan, Art, <PERSON_9>", CONFIG)
    whole = privacy.restore().invoke(text, CONFIG)
    assert "".join(_streamed(privacy, _cut(text, points))) == whole


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
def test_message_chunks_add_up_to_the_original(text: str, points: list[int]) -> None:
    """Message chunks carry the same text as strings do, and keep their id."""
    privacy = PresidioRunnable(NameDetector())
    redacted = privacy.invoke(text, CONFIG)
    chunks = [AIMessageChunk(content=part, id="m") for part in _cut(redacted, points)]
    out = _streamed(privacy, [*chunks, AIMessageChunk(content="", id="m", chunk_position="last")])
    assert "".join(chunk.content for chunk in out) == text
    assert out[-1].chunk_position == "last"
    assert {chunk.id for chunk in out} == {"m"}


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=12))
def test_tool_arguments_stay_json_at_every_cut(names: list[str], points: list[int]) -> None:
    """Values with quotes and backslashes are escaped inside streamed tool arguments."""
    privacy = PresidioRunnable(NameDetector())
    args = json.dumps({"who": privacy.invoke(names, CONFIG)})
    chunks = [
        AIMessageChunk(
            content="",
            tool_call_chunks=[
                {"name": "f" if at == 0 else None, "id": "1" if at == 0 else None, "index": 0, "args": part}
            ],
        )
        for at, part in enumerate(_cut(args, points))
    ]
    total = _streamed(privacy, chunks)
    message = sum(total[1:], total[0])
    assert message.tool_calls[0]["args"] == {"who": names}


def test_two_tool_calls_and_content_keep_their_own_buffers(privacy: PresidioRunnable) -> None:
    """Interleaved texts never mix: each index and block has a buffer."""
    redacted = privacy.invoke(["Ada Byron", "Alan Kay"], CONFIG)
    one, two = (json.dumps({"who": text}) for text in redacted)
    chunks = []
    for at in range(max(len(one), len(two))):
        calls = [
            {
                "name": "f" if at == 0 else None,
                "id": str(index) if at == 0 else None,
                "index": index,
                "args": c,
            }
            for index, c in enumerate((one[at : at + 1], two[at : at + 1]))
        ]
        chunks.append(AIMessageChunk(content=redacted[0][at : at + 1], tool_call_chunks=calls))
    total = _streamed(privacy, chunks)
    message = sum(total[1:], total[0])
    assert [call["args"]["who"] for call in message.tool_calls] == ["Ada Byron", "Alan Kay"]
    assert message.content == "Ada Byron"


def test_content_blocks_are_restored_in_order(privacy: PresidioRunnable) -> None:
    """What waits in one block leaves before the next block begins."""
    privacy.invoke("Ada Byron", CONFIG)
    texts = [(0, "Hi <PERS"), (0, "ON_1> and <PERSON"), (1, "_1 <PERSON_1"), (1, ">")]
    chunks = [AIMessageChunk(content=[{"type": "text", "index": at, "text": text}]) for at, text in texts]
    out = _streamed(privacy, chunks)
    flat = [(block["index"], block["text"]) for chunk in out for block in chunk.content]
    assert "".join(text for at, text in flat if at == 0) == "Hi Ada Byron and <PERSON"
    assert "".join(text for at, text in flat if at == 1) == "_1 Ada Byron"
    assert [at for at, text in flat if text] == sorted(at for at, text in flat if text)


def test_a_stream_leaves_before_its_source_ends(privacy: PresidioRunnable) -> None:
    """Only a possible placeholder is held back."""
    privacy.invoke("Ada Byron", CONFIG)
    pulled: list[str] = []

    def source(_: Iterator[Any]) -> Iterator[str]:
        for part in ("Hello ", "<PER", "SON_1>", " and PER", "haps"):
            pulled.append(part)
            yield part

    stream = (RunnableGenerator(source) | privacy.restore()).stream("go", CONFIG)
    assert (next(stream), len(pulled)) == ("Hello ", 1)
    assert (next(stream), len(pulled)) == ("Ada Byron", 3)
    assert (next(stream), len(pulled)) == (" and ", 4)
    assert list(stream) == ["PERhaps"]
