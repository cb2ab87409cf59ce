"""Prompts are measured: texts by length, pictures and files by what providers charge."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_prodkit.limits.prompt import prompt_size
from langchain_prodkit.limits.usage import TokenEstimator

MODEL = ChatOpenAI(model="gpt-4o", api_key="k")
BASE64 = base64.b64encode(bytes(range(256)) * 400).decode()


def png(width: int, height: int) -> str:
    """Make the head of a PNG, and a lot of data behind it."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return base64.b64encode(head + bytes(100_000)).decode()


def jpeg(width: int, height: int) -> str:
    """Make a JPEG whose size stands behind a preview of 60 kB."""
    preview = b"\xff\xe1" + struct.pack(">H", 60_000) + bytes(59_998)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3)
    return base64.b64encode(b"\xff\xd8" + preview + frame + bytes(1_000)).decode()


def gif(width: int, height: int) -> str:
    """Make the head of a GIF."""
    return base64.b64encode(b"GIF89a" + struct.pack("<HH", width, height) + bytes(100)).decode()


def webp(width: int, height: int) -> str:
    """Make the head of a WebP in its extended form."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return base64.b64encode(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + size + bytes(50)).decode()


def media(*blocks: Any, family: str = "openai", model: str = "gpt-4o") -> int:
    """Give what blocks take beside their text."""
    return round(prompt_size([HumanMessage(list(blocks))], family=family, model=model).media_tokens)


def text(*blocks: Any) -> int:
    """Give what the text of blocks takes."""
    return round(prompt_size([HumanMessage(list(blocks))]).text_tokens)


def test_plain_prompts_count_as_langchain_counts_them() -> None:
    """For English text the two estimates are within two percent and two tokens."""
    prompt = [SystemMessage("You help. " * 20), HumanMessage("Why? " * 50, name="ann"), AIMessage("So. " * 9)]
    assert prompt_size(prompt).text_tokens == pytest.approx(
        count_tokens_approximately(prompt), rel=0.02, abs=2
    )


def test_other_scripts_take_more_tokens_than_characters_over_four() -> None:
    """Four Korean characters are not one token."""
    assert prompt_size([HumanMessage("한국어로 답해 주세요 " * 10)]).text_tokens > 70


@pytest.mark.parametrize("make", [png, jpeg, gif, webp])
@pytest.mark.parametrize(
    ("width", "height", "tokens"), [(1024, 1024, 765), (2048, 4096, 1105), (300, 200, 255)]
)
def test_a_picture_counts_by_its_size(make: Any, width: int, height: int, tokens: int) -> None:
    """The examples of the provider's own documentation."""
    url = f"data:image/any;base64,{make(width, height)}"
    assert media({"type": "image_url", "image_url": {"url": url}}) == tokens
    assert media({"type": "image", "base64": make(width, height), "mime_type": "image/any"}) == tokens


def test_a_picture_in_low_detail_or_of_unknown_size_has_a_flat_price() -> None:
    """85 in low detail; an address nobody fetches counts as 1024 x 1024."""
    url = "https://example.com/picture.png"
    assert media({"type": "image_url", "image_url": {"url": url, "detail": "low"}}) == 85
    assert media({"type": "image_url", "image_url": {"url": url}}) == 765
    assert media({"type": "input_image", "image_url": url, "detail": "low"}) == 85
    assert media({"type": "image_url", "image_url": {"url": "data:image/png;base64,!!!"}}) == 765


def test_pictures_count_as_the_models_provider_counts_them() -> None:
    """Each by its documentation."""
    block = {"type": "image", "base64": png(1000, 750), "mime_type": "image/png"}
    assert media(block, family="anthropic") == 1000
    assert media(block, family="google") == 516
    assert media(block, model="gpt-4o-mini-2024-07-18") == pytest.approx(2833 + 4 * 5667, rel=0.01)
    large = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": png(9000, 9000)},
    }
    assert media(large, family="anthropic") == 1600


@pytest.mark.parametrize(
    "block",
    [
        {"type": "input_audio", "input_audio": {"data": BASE64, "format": "wav"}},
        {"type": "audio", "base64": BASE64, "mime_type": "audio/mpeg"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{BASE64}"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": BASE64}},
        {"type": "media", "mime_type": "image/png", "data": BASE64},
        {"type": "video", "base64": BASE64, "mime_type": "video/mp4"},
        {"image": {"format": "png", "source": {"bytes": bytes(100_000)}}},
        {"document": {"format": "pdf", "name": "a", "source": {"bytes": bytes(100_000)}}},
        {"type": "something_new", "payload": BASE64},
        {"type": "reasoning", "summary": [], "encrypted_content": BASE64},
        {"type": "tool_result", "content": [{"type": "image_url", "image_url": {"url": png(9, 9)}}]},
    ],
    ids=lambda block: str(block.get("type", "amazon")),
)
def test_base64_is_never_counted_as_text(block: Any) -> None:
    """137,000 characters of data are not 34,000 tokens."""
    size = prompt_size([HumanMessage([block, {"type": "text", "text": "What is this?"}])])
    assert size.text_tokens < 40
    assert size.media_tokens < 6_000


def test_documents_of_plain_text_count_as_text() -> None:
    """They are read, word by word."""
    assert text({"type": "text-plain", "text": "word " * 400, "mime_type": "text/plain"}) > 490
    source = {"type": "text", "media_type": "text/plain", "data": "word " * 400}
    assert text({"type": "document", "source": source}) > 490


def test_files_that_are_only_referred_to_have_a_flat_price() -> None:
    """Nothing is fetched to find out."""
    assert media({"type": "file", "file": {"file_id": "file-1"}}) == 2_000
    assert media({"type": "audio", "url": "https://example.com/a.mp3"}) == 300


def test_calls_and_results_of_tools_are_counted_once() -> None:
    """Whether they stand in the content or beside it."""
    call = {"name": "search", "args": {"query": "x" * 400}, "id": "1"}
    beside = AIMessage("", tool_calls=[call])
    block = {"type": "tool_use", "id": "1", "name": "search", "input": call["args"]}
    within = AIMessage([block], tool_calls=[call])
    sizes = [prompt_size([message]).text_tokens for message in (beside, within)]
    assert sizes[0] == pytest.approx(sizes[1], abs=12)
    assert 100 < sizes[0] < 130
    assert prompt_size([ToolMessage("y" * 400, tool_call_id="1")]).text_tokens > 100


class _Answer(BaseModel):
    """An answer with a description of some length, which travels with the prompt."""

    text: str


def test_schemas_that_travel_with_the_prompt_are_counted() -> None:
    """Tools and response formats, as dicts or classes; bound ones are measured once."""
    tool = {"type": "function", "function": {"name": "f", "description": "d" * 400, "parameters": {}}}
    estimator = TokenEstimator()
    asked = [HumanMessage("word " * 100)]
    plain = estimator.estimate(MODEL, asked, {}).prompt_tokens
    assert plain + 90 < estimator.estimate(MODEL, asked, {"tools": [tool]}).prompt_tokens < plain + 130
    assert estimator.estimate(MODEL, asked, {"tools": [tool, tool]}).prompt_tokens > plain + 180
    assert estimator.estimate(MODEL, asked, {"response_format": _Answer}).prompt_tokens > plain + 20
    assert estimator.estimate(MODEL, asked, {"tools": []}).prompt_tokens == plain


def test_pictures_are_corrected_apart_from_text() -> None:
    """A model whose pictures are dear makes no text dear."""
    estimator = TokenEstimator()
    seen = [HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}])]
    asked = [HumanMessage("word " * 100)]
    before = estimator.estimate(MODEL, asked, {}).prompt_tokens
    for _ in range(20):
        estimator.observe(estimator.estimate(MODEL, seen, {}), 7_700, 10)
    assert estimator.estimate(MODEL, seen, {}).prompt_tokens == pytest.approx(7_700, rel=0.02)
    assert estimator.estimate(MODEL, asked, {}).prompt_tokens == before


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=9)
)
names = st.sampled_from(
    ["type", "text", "image_url", "url", "data", "source", "input", "content", "mime_type", "detail", "x"]
)
values = st.sampled_from(
    ["text", "image", "image_url", "file", "audio", "tool_use", "text/plain", "/9j/AA=="]
)
blocks = st.recursive(
    leaves | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.text(max_size=9) | st.dictionaries(names, blocks, max_size=5), max_size=4))
def test_no_content_is_too_strange_to_measure(content: Any) -> None:
    """Whatever a block holds, it is measured and nothing raises."""
    for family in ("openai", "anthropic", "google"):
        size = prompt_size([HumanMessage(content)], family=family)
        assert size.text_tokens >= 0
        assert size.media_tokens >= 0
