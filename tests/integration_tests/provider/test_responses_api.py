"""The Responses API, through the official client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import openai
import pytest
from pydantic import BaseModel

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from langchain_prodkit.testing import ProviderServer
    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker

MODEL = "gpt-4o-mini"
ADD: Any = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    "strict": False,
}


class Ticket(BaseModel):
    """A support ticket."""

    title: str
    priority: Literal["low", "high"]


def test_an_answer_has_text_status_and_usage(client: OpenAI) -> None:
    """The simplest call."""
    response = client.responses.create(model=MODEL, input="Hello", instructions="Be brief")
    assert response.output_text == "You said: Hello"
    assert response.status == "completed"
    assert response.usage
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


async def test_stream_events_build_the_same_response(async_client: AsyncOpenAI) -> None:
    """Events are numbered without a gap and join to the final text."""
    stream = await async_client.responses.create(model=MODEL, input="Hello", stream=True)
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1]
    assert final.type == "response.completed"
    assert final.response.output_text == text == "You said: Hello"


async def test_tool_calls_stream_and_their_results_are_answered(async_client: AsyncOpenAI) -> None:
    """A call, its output, and the words that follow."""
    items: list[Any] = [{"role": "user", "content": "Use add on 3 and 4"}]
    async with async_client.responses.stream(model=MODEL, input=items, tools=[ADD]) as stream:
        async for _ in stream:
            pass
        first = await stream.get_final_response()
    call = first.output[0]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"a": 3, "b": 4}
    items += [
        {"type": "function_call", "call_id": call.call_id, "name": "add", "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "7"},
    ]
    second = await async_client.responses.create(model=MODEL, input=items, tools=[ADD])
    assert second.output_text == "According to the tool: 7"


def test_structured_output_is_parsed(client: OpenAI) -> None:
    """`text.format` with a schema is filled like `response_format`."""
    text = "A high priority ticket 'Pump leaks'"
    response = client.responses.parse(model=MODEL, input=text, text_format=Ticket)
    assert response.output_parsed == Ticket(title="Pump leaks", priority="high")


def test_a_cut_answer_is_incomplete(client: OpenAI) -> None:
    """`max_output_tokens` ends the answer and says why."""
    response = client.responses.create(model=MODEL, input="one two three four", max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details
    assert response.incomplete_details.reason == "max_output_tokens"


def test_a_conversation_goes_on_from_its_id(client: OpenAI, provider_server: ProviderServer) -> None:
    """`previous_response_id` brings back what was said; an unknown one is an error."""
    first = client.responses.create(model=MODEL, input="My order is 17")
    second = client.responses.create(model=MODEL, input="And now?", previous_response_id=first.id)
    assert second.usage
    assert first.usage
    assert second.usage.input_tokens > first.usage.total_tokens
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=MODEL, input="Hi", previous_response_id="resp_unknown")
    assert caught.value.code == "previous_response_not_found"
    assert [entry.status for entry in provider_server.journal] == [200, 200, 400]


def test_a_script_sees_chat_form_whichever_endpoint_was_called(
    make_provider_server: ProviderServerMaker,
) -> None:
    """One script serves both APIs."""
    bodies: list[dict[str, Any]] = []

    def script(body: dict[str, Any]) -> str:
        bodies.append(body)
        return "ok"

    server = make_provider_server(script=script)
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
        client.responses.create(model=MODEL, input=[{"role": "user", "content": "Hi"}], instructions="Brief")
    assert bodies[0]["messages"] == [{"role": "user", "content": "Hi"}]
    assert bodies[1]["messages"] == [
        {"role": "system", "content": "Brief"},
        {"role": "user", "content": "Hi"},
    ]


def test_custom_tools_take_text(client: OpenAI) -> None:
    """A tool without a schema is called with free text, in both APIs."""
    response = client.responses.create(
        model=MODEL, input="Run it", tools=[{"type": "custom", "name": "shell"}]
    )
    call = response.output[0]
    assert call.type == "custom_tool_call"
    assert call.input == "Run it"
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Run it"}],
        tools=[{"type": "custom", "custom": {"name": "shell"}}],
    )
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert calls[0].type == "custom"
    assert calls[0].custom.input == "Run it"
