"""ChatOpenAI and its chains over both APIs, with what the standard suite leaves out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from langchain_prodkit.testing import ProviderServer
    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker


class City(BaseModel):
    """What is asked for."""

    name: str
    people: int


def _model(server: ProviderServer, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key=SecretStr("any"), **settings)


def test_rate_limit_headers_reach_the_message(make_provider_server: ProviderServerMaker) -> None:
    """`include_response_headers` finds level and limit on plain and streamed answers."""
    server = make_provider_server(requests_per_minute=500, tokens_per_minute=30_000)
    model = _model(server, include_response_headers=True)
    plain = model.invoke("Hi").response_metadata["headers"]
    assert plain["x-ratelimit-limit-requests"] == "500"
    chunks = list(model.stream("Hi"))
    assert chunks[0].response_metadata["headers"]["x-ratelimit-limit-tokens"] == "30000"


@pytest.mark.parametrize("use_responses_api", [False, True])
async def test_chunks_arrive_while_the_answer_is_being_made(
    make_provider_server: ProviderServerMaker, use_responses_api: bool
) -> None:
    """With an interval between events the first chunk is there long before the last."""
    server = make_provider_server(chunk_interval_s=0.02, script=["word " * 12])
    model = _model(server, use_responses_api=use_responses_api)
    loop = asyncio.get_running_loop()
    times = [loop.time() async for chunk in model.astream("Hi") if chunk.text]
    assert len(times) >= 10
    assert times[-1] - times[0] > 0.1


def test_a_parser_that_writes_its_schema_into_the_prompt_is_answered(provider_server: ProviderServer) -> None:
    """No JSON mode, no tools: format instructions alone bring JSON of that schema."""
    parser: PydanticOutputParser[City] = PydanticOutputParser(pydantic_object=City)
    prompt = ChatPromptTemplate.from_messages([("system", "{format}"), ("user", "{question}")])
    chain = prompt.partial(format=parser.get_format_instructions()) | _model(provider_server) | parser
    assert chain.invoke({"question": "Is 'Seoul' home to 9000000?"}) == City(name="Seoul", people=9_000_000)


def test_embeddings_reach_a_vector_store(provider_server: ProviderServer) -> None:
    """OpenAIEmbeddings works, and words shared with the question decide."""
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-small",
        openai_api_base=provider_server.base_url,
        openai_api_key=SecretStr("any"),
        check_embedding_ctx_length=False,  # its tokenizer would be downloaded
    )
    question, *documents = embeddings.embed_documents(
        ["how do I return a pump", "return a pump within 14 days", "we ship on Mondays"]
    )
    near, far = (sum(x * y for x, y in zip(question, other, strict=True)) for other in documents)
    assert near > far


@pytest.mark.parametrize("use_responses_api", [False, True])
def test_pictures_are_taken_and_left_unread(provider_server: ProviderServer, use_responses_api: bool) -> None:
    """An image beside the text reaches the journal and changes nothing in the answer."""
    picture = {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": "aGVsbG8="}
    message = HumanMessage([{"type": "text", "text": "What is this?"}, picture])
    answer = _model(provider_server, use_responses_api=use_responses_api).invoke([message])
    assert answer.text.strip() == "You said: What is this?"
    assert "aGVsbG8=" in provider_server.journal_text()
