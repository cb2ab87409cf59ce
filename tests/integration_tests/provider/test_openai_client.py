"""The official client finds everything it knows, in the types it expects."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any, Literal

import openai
import pytest
from pydantic import BaseModel

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI
    from openai.types.chat import ChatCompletionToolParam

    from langchain_prodkit.testing import ProviderServer
    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker

MODEL = "gpt-4o-mini"


class Ticket(BaseModel):
    """A support ticket."""

    title: str
    priority: Literal["low", "high"]
    orders: list[int]


def _tool(name: str, **properties: Any) -> ChatCompletionToolParam:
    parameters: dict[str, object] = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": parameters, "strict": True}}


ADD = _tool("add", a={"type": "integer"}, b={"type": "integer"})
SEARCH = _tool("search", query={"type": "string"})


def test_an_answer_repeats_the_question_and_counts_tokens(client: OpenAI) -> None:
    """Plain chat without a script, with `usage`."""
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello there"}]
    )
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 6)


async def test_a_stream_joins_to_the_same_answer(async_client: AsyncOpenAI) -> None:
    """Chunks carry the text in pieces; usage comes last, and only when asked for."""
    stream = await async_client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Hello there"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "You said: Hello there"
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-2].choices[0].finish_reason == "stop"
    plain = await async_client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    assert not any([chunk.usage async for chunk in plain])


def test_tools_are_called_with_arguments_from_schema_and_prompt(client: OpenAI) -> None:
    """One tool: called with the numbers of the prompt; after its result the model answers in words."""
    messages: list[Any] = [{"role": "user", "content": "Add 3 and 4"}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[ADD]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls
    call = first.message.tool_calls[0]
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"a": 3, "b": 4}
    messages += [first.message.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": "7"}]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[ADD]).choices[0]
    assert second.message.content == "According to the tool: 7"


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["add", "search"]),
        ({"parallel_tool_calls": False}, ["add"]),
        ({"tool_choice": "none"}, []),
        ({"tool_choice": "required"}, ["add", "search"]),
        ({"tool_choice": {"type": "function", "function": {"name": "search"}}}, ["search"]),
    ],
)
def test_tool_choice_is_respected(client: OpenAI, settings: dict[str, Any], names: list[str]) -> None:
    """Tools named in the prompt are called, as far as the caller lets them be."""
    message = {"role": "user", "content": "Use add and search for 'pumps', 1 and 2"}
    body: dict[str, Any] = {"model": MODEL, "messages": [message], "tools": [ADD, SEARCH], **settings}
    calls = client.chat.completions.create(**body).choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == names


async def test_tool_arguments_stream_in_pieces(async_client: AsyncOpenAI) -> None:
    """The client's own accumulator puts parallel calls together again."""
    async with async_client.chat.completions.stream(
        model=MODEL,
        messages=[{"role": "user", "content": "Use add and search: 1 2 'pumps'"}],
        tools=[ADD, SEARCH],
    ) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"a": 1, "b": 2}, {"query": "pumps"}]
    deltas = [event for event in events if event.type == "tool_calls.function.arguments.delta"]
    assert len(deltas) > len(calls)


def test_a_schema_is_filled_and_parsed(client: OpenAI) -> None:
    """`json_schema` answers validate; the enum follows the prompt."""
    message: Any = {"role": "user", "content": "A high priority ticket 'Pump leaks' for order 17"}
    answer = client.chat.completions.parse(model=MODEL, messages=[message], response_format=Ticket)
    assert answer.choices[0].message.parsed == Ticket(title="Pump leaks", priority="high", orders=[17])


def test_json_mode_answers_an_object_with_the_asked_keys(client: OpenAI) -> None:
    """`json_object` takes its keys from the prompt, or its shape from a schema written there."""
    message: Any = {"role": "user", "content": "Return JSON with 'setup' and 'punchline'"}
    form: Any = {"type": "json_object"}
    answer = client.chat.completions.create(model=MODEL, messages=[message], response_format=form)
    assert json.loads(answer.choices[0].message.content or "").keys() == {"setup", "punchline"}
    schema = json.dumps(Ticket.model_json_schema())
    message = {"role": "user", "content": f"Follow this schema:\n```json\n{schema}\n```"}
    answer = client.chat.completions.create(model=MODEL, messages=[message], response_format=form)
    Ticket.model_validate_json(answer.choices[0].message.content or "")


def test_choices_stop_length_and_logprobs(client: OpenAI) -> None:
    """`n`, `stop`, `max_tokens` and `top_logprobs` do what they say."""
    message: Any = {"role": "user", "content": "one two three"}
    answer = client.chat.completions.create(
        model=MODEL, messages=[message], n=3, stop=["two"], logprobs=True, top_logprobs=2
    )
    assert [choice.message.content for choice in answer.choices] == ["You said: one "] * 3
    logprobs = answer.choices[0].logprobs
    assert logprobs
    assert "".join(token.token for token in logprobs.content or []) == "You said: one "
    cut = client.chat.completions.create(model=MODEL, messages=[message], max_completion_tokens=2)
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("You said", "length")
    assert cut.usage
    assert cut.usage.completion_tokens == 2


def test_a_refusal_arrives_as_one(make_provider_server: ProviderServerMaker) -> None:
    """A scripted refusal stands in `refusal`, plain and streamed, and leaves the content empty."""
    server = make_provider_server(script=[{"refusal": "I can't help with that."}])
    with openai.OpenAI(base_url=server.base_url, api_key="any") as client:
        message: Any = {"role": "user", "content": "x"}
        answer = client.chat.completions.parse(model=MODEL, messages=[message], response_format=Ticket)
        assert answer.choices[0].message.refusal == "I can't help with that."
        assert answer.choices[0].message.content is None
        stream = client.chat.completions.create(model=MODEL, messages=[message], stream=True)
        pieces = [choice.delta.refusal or "" for chunk in stream for choice in chunk.choices]
        assert "".join(pieces) == "I can't help with that."
        response = client.responses.create(model=MODEL, input="x")
        assert response.output[0].to_dict()["content"] == [
            {"type": "refusal", "refusal": "I can't help with that."}
        ]


def test_embeddings_are_repeatable_unit_vectors_that_know_shared_words(client: OpenAI) -> None:
    """Both encodings agree; texts that share words lie closer than those that do not."""
    texts = ["the pump leaks oil", "oil leaks from the pump", "invoices are sent monthly"]
    answer = client.embeddings.create(model="text-embedding-3-small", input=texts)
    vectors = [row.embedding for row in answer.data]
    floats = client.embeddings.create(
        model="text-embedding-3-small", input=texts, encoding_format="float", dimensions=1536
    )
    assert floats.data[0].embedding == pytest.approx(vectors[0])
    assert [len(vector) for vector in vectors] == [1536] * 3
    assert math.fsum(x * x for x in vectors[0]) == pytest.approx(1.0, abs=1e-5)
    near, far = (sum(x * y for x, y in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > 0.7
    assert far < 0.3
    short = client.embeddings.create(model="text-embedding-3-small", input=[[1, 2, 3]], dimensions=8)
    assert len(short.data[0].embedding) == 8
    assert short.usage.total_tokens == 3


def test_models_are_listed_and_checked(make_provider_server: ProviderServerMaker) -> None:
    """With `models` given, others are unknown; without, any name will do."""
    server = make_provider_server(models=["small", "large"])
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["small", "large"]
        assert client.models.retrieve("small").id == "small"
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="huge", messages=[{"role": "user", "content": "Hi"}])
        assert caught.value.code == "model_not_found"


def test_moderation_flags_and_lets_pass(client: OpenAI) -> None:
    """Plain words decide, one result for each text."""
    results = client.moderations.create(input=["I will kill you", "Where is my parcel?"]).results
    assert [result.flagged for result in results] == [True, False]
    assert results[0].categories.violence
    assert not results[1].categories.violence


async def test_two_hundred_calls_at_once_get_their_own_answers(
    provider_server: ProviderServer, async_client: AsyncOpenAI
) -> None:
    """No answer is mixed up with another."""

    async def ask(number: int) -> str:
        answer = await async_client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": f"number {number}"}]
        )
        return answer.choices[0].message.content or ""

    answers = await asyncio.gather(*(ask(number) for number in range(200)))
    assert answers == [f"You said: number {number}" for number in range(200)]
    assert provider_server.statistics().answered == 200
