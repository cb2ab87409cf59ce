from __future__ import annotations

from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage

from tests.integration_tests.serving.served import ATTACK, NAME, PASSWORD, PHONE, QUESTION, Served

# LangServe's own, on every call.
pytestmark = pytest.mark.filterwarnings("ignore:Accessing the 'model_fields' attribute")

TICKET = {"customer": NAME, "summary": "coffee machine leaks"}
ANSWER = f"Dear {NAME}, thank you for writing. We are looking into it."


def _is_private(served: Served) -> bool:
    """Tell whether the provider was called and never saw the customer's data."""
    told = served.provider.journal_text()
    return "<PERSON_1>" in told and NAME not in told and PHONE not in told


class TestAnswers:
    """What a client gets, and what the provider gets to know."""

    def test_invoke_returns_a_ticket_with_the_name_the_provider_never_saw(self, served: Served) -> None:
        """Redaction, a re-ask and restoring work behind HTTP as they do in the process."""
        assert served.remote("/desk").invoke({"question": QUESTION}) == TICKET
        assert len(served.provider.journal) == 2
        assert _is_private(served)
        assert NAME not in served.log.getvalue()

    async def test_ainvoke_returns_the_same(self, served: Served) -> None:
        """The client's async form meets the same chain."""
        assert await served.remote("/desk").ainvoke({"question": QUESTION}) == TICKET
        assert _is_private(served)

    def test_batch_keeps_the_order_and_the_values_apart(self, served: Served) -> None:
        """Every input of a batch is a run with placeholders of its own."""
        names = ["Maria Keller", "Daniel Moore", "Grace Hopper", "John Miller"]
        questions = [{"question": f"I am {name}. My coffee machine leaks."} for name in names]
        tickets = served.remote("/desk").batch(questions)
        assert [ticket["customer"] for ticket in tickets] == names
        assert not any(name in served.provider.journal_text() for name in names)

    def test_messages_come_back_as_messages(self, served: Served) -> None:
        """LangServe keeps the type of a chat model's answer, through the wrappers too."""
        answer = served.remote("/talk").invoke({"question": QUESTION})
        assert isinstance(answer, AIMessage)
        assert answer.text == ANSWER

    def test_every_run_is_recorded_and_redacted(self, served: Served) -> None:
        """The callback given to `harden` sees the runs that come in over HTTP, and keeps no name."""
        served.remote("/desk").invoke({"question": QUESTION})
        (row,) = served.record.records
        assert (row.reasks, row.model_calls) == (1, 2)
        assert row.output == {**TICKET, "customer": "<PERSON>"}
        assert NAME not in str(row.to_dict())


class TestStreams:
    """Answers that arrive bit by bit."""

    def test_stream_restores_a_name_cut_into_chunks(self, served: Served) -> None:
        """Placeholders that the provider sends in pieces never reach the client."""
        chunks = [chunk.text for chunk in served.remote("/talk").stream({"question": QUESTION})]
        assert "".join(chunks) == ANSWER
        assert len([chunk for chunk in chunks if chunk]) > 3
        assert _is_private(served)

    async def test_astream_gives_the_same_text(self, served: Served) -> None:
        """The client's async form streams too."""
        stream = served.remote("/talk").astream({"question": QUESTION})
        assert "".join([chunk.text async for chunk in stream]) == ANSWER
        assert _is_private(served)

    async def test_events_of_every_piece_arrive(self, served: Served) -> None:
        """`astream_events` carries what the pieces report, in counts and codes."""
        events: list[Any] = [
            event
            async for event in served.remote("/desk").astream_events({"question": QUESTION}, version="v2")
        ]
        told = {event["name"]: event["data"] for event in events if event["event"] == "on_custom_event"}
        assert {"prodkit.injection", "prodkit.redacted", "prodkit.reasked", "prodkit.restored"} <= set(told)
        assert told["prodkit.redacted"]["entities"]["PERSON"] >= 1
        assert NAME not in str(told)


class TestRefusals:
    """What an attack leads to, and what is written down about it."""

    def test_an_attack_is_an_http_error_without_its_text(self, served: Served) -> None:
        """The status is the error's own; body and log name the kind of error at most."""
        answer = httpx.post(f"{served.url}/desk/invoke", json={"input": {"question": ATTACK}})
        assert (answer.status_code, answer.json()) == (422, {"error": "injection"})
        assert served.provider.journal == []
        assert PASSWORD not in served.log.getvalue()
        assert "POST /desk/invoke" in served.log.getvalue()

    def test_without_a_handler_the_traceback_in_the_log_holds_no_text(self, served: Served) -> None:
        """A server that prints the whole traceback still prints nothing of the user's."""
        answer = httpx.post(f"{served.url}/bare/desk/invoke", json={"input": {"question": ATTACK}})
        assert answer.status_code == 500
        assert PASSWORD not in answer.text
        log = served.log.getvalue()
        assert "InjectionError" in log
        assert PASSWORD not in log
        assert "Ignore all previous" not in log

    def test_one_attack_refuses_the_whole_batch(self, served: Served) -> None:
        """LangServe answers a batch with one status; not even its harmless inputs were sent."""
        inputs = [{"question": QUESTION}, {"question": ATTACK}]
        answer = httpx.post(f"{served.url}/desk/batch", json={"inputs": inputs})
        assert (answer.status_code, answer.json()) == (422, {"error": "injection"})
        assert served.provider.journal == []

    def test_a_stream_ends_in_an_error_event_without_its_text(self, served: Served) -> None:
        """On a stream the status is gone already: LangServe sends an error event and cuts."""
        with pytest.raises((httpx.HTTPStatusError, httpx.RemoteProtocolError)) as caught:
            list(served.remote("/talk").stream({"question": ATTACK}))
        assert PASSWORD not in str(caught.value)
        assert PASSWORD not in served.log.getvalue()
        assert served.provider.journal == []

    def test_a_remote_client_raises(self, served: Served) -> None:
        """`RemoteRunnable` turns the status into httpx's error."""
        with pytest.raises(httpx.HTTPStatusError, match="422"):
            served.remote("/desk").invoke({"question": ATTACK})


class TestCallers:
    """What a caller can decide, and what not."""

    @pytest.mark.parametrize(
        "configurable",
        [
            {"threshold": 1.0},
            {"on_injection": "flag"},
            {"detectors": [], "guard": None, "privacy": None, "on_error": "flag"},
        ],
    )
    def test_safety_settings_are_no_configurable_fields(
        self, served: Served, configurable: dict[str, Any]
    ) -> None:
        """Whatever a request body says, the guard stays as it was built."""
        body = {"input": {"question": ATTACK}, "config": {"configurable": configurable}}
        assert httpx.post(f"{served.url}/desk/invoke", json=body).status_code == 422
        assert served.provider.journal == []

    def test_a_body_cannot_switch_redaction_off(self, served: Served) -> None:
        """The same for privacy: the provider sees placeholders."""
        config: dict[str, Any] = {
            "configurable": {"privacy": None, "operators": {}, "vault": None, "entities": []}
        }
        body = {"input": {"question": QUESTION}, "config": config}
        answer = httpx.post(f"{served.url}/desk/invoke", json=body)
        assert answer.json()["output"] == TICKET
        assert _is_private(served)

    def test_the_routes_offer_nothing_to_configure(self, served: Served) -> None:
        """The config schema of a hardened chain is empty."""
        schema = httpx.get(f"{served.url}/desk/config_schema").json()
        assert schema.get("properties", {}) == {}

    def test_a_conversation_keeps_its_names_by_login(self, served: Served) -> None:
        """`per_req_config_modifier` says whose thread it is: later requests know its placeholders."""
        maria = {"x-user": "maria", "x-thread": "1"}
        served.remote("/talk", maria).invoke({"question": QUESTION})
        later = served.remote("/talk", maria).invoke({"question": "Is there any news?"})
        assert later.text == ANSWER

    def test_a_thread_id_alone_opens_nobody_elses_conversation(self, served: Served) -> None:
        """Another user with the same thread id gets the placeholder, not the name."""
        served.remote("/talk", {"x-user": "maria", "x-thread": "2"}).invoke({"question": QUESTION})
        eve = served.remote("/talk", {"x-user": "eve", "x-thread": "2"})
        assert NAME not in eve.invoke({"question": "Is there any news?"}).text

    def test_a_body_cannot_claim_another_user(self, served: Served) -> None:
        """Who calls is what the server's modifier says, not what the request says."""
        served.remote("/talk", {"x-user": "maria", "x-thread": "3"}).invoke({"question": QUESTION})
        body = {
            "input": {"question": "Is there any news?"},
            "config": {"configurable": {"user_id": "maria", "thread_id": "3"}},
        }
        for headers in ({"x-user": "eve", "x-thread": "3"}, {}):
            answer = httpx.post(f"{served.url}/talk/invoke", json=body, headers=headers)
            assert answer.status_code == 200
            assert NAME not in answer.text


class TestSchemas:
    """What the routes say about themselves."""

    def test_input_and_output_are_typed(self, served: Served) -> None:
        """The guard takes anything; what the route asks for is the prompt's input."""
        asked = httpx.get(f"{served.url}/desk/input_schema").json()
        given = httpx.get(f"{served.url}/desk/output_schema").json()
        assert asked["properties"]["question"]["type"] == "string"
        assert asked["required"] == ["question"]
        assert set(given["properties"]) == {"customer", "summary"}

    def test_openapi_describes_all_routes(self, served: Served) -> None:
        """The document that clients are generated from is complete."""
        document = httpx.get(f"{served.url}/openapi.json").json()
        for route in ("/desk", "/talk"):
            for call in ("invoke", "batch", "stream", "stream_events", "input_schema", "output_schema"):
                assert f"{route}/{call}" in document["paths"]

    def test_an_input_of_another_shape_is_refused_before_the_chain(self, served: Served) -> None:
        """A typed input gives the caller a 422 and the provider no call."""
        answer = httpx.post(f"{served.url}/desk/invoke", json={"input": {"questoin": "hello"}})
        assert answer.status_code == 422
        assert served.provider.journal == []
