"""Recording a real OpenAI client over real HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser

from langchain_prodkit.evaluation import MLflowEvalCallback
from langchain_prodkit.testing import ProviderServer
from tests.unit_tests.evaluation.chains import open_entries, settled

openai = pytest.importorskip("langchain_openai")


def chain(server: ProviderServer, **settings: Any) -> Any:
    """Make a model and a parser that talk to the loopback provider."""
    model = openai.ChatOpenAI(
        model="gpt-4o-mini", api_key="sk-none", base_url=server.base_url, max_retries=0, **settings
    )
    return model | StrOutputParser()


async def test_usage_and_model_are_those_the_provider_reports() -> None:
    """Plain and streamed, sync and async, the numbers are the provider's."""
    record = MLflowEvalCallback()
    config: Any = {"callbacks": [record]}
    async with ProviderServer(script=lambda _: "a fixed answer of some words") as server:
        talk = chain(server, stream_usage=True)
        await talk.ainvoke("hello there", config)
        streamed = [part async for part in talk.astream("hello there", config)]
    plain, stream = record.records
    assert plain.output == stream.output == "".join(streamed) == "a fixed answer of some words"
    assert plain.usage is not None
    assert stream.usage is not None
    for key in ("input_tokens", "output_tokens", "total_tokens"):
        assert plain.usage[key] == stream.usage[key] > 0
    assert plain.models == stream.models == ("gpt-4o-mini",)
    assert plain.ttft_ms is None
    assert stream.ttft_ms is not None
    assert open_entries(record) == 0


async def test_an_error_of_the_provider_is_recorded_by_its_class() -> None:
    """What the provider wrote about the request stays out of the record."""
    record = MLflowEvalCallback()
    async with ProviderServer(requests_per_minute=1) as server:
        talk = chain(server)
        await talk.ainvoke("first", {"callbacks": [record]})
        with pytest.raises(Exception, match="429"):
            await talk.ainvoke("second", {"callbacks": [record]})
    await settled(record)
    failed = record.records[-1]
    assert (failed.error is not None, failed.output, failed.usage) == (True, None, None)


def test_mlflow_is_imported_without_its_usage_reports() -> None:
    """If we bring it in, it does not phone home, and the environment is as it was."""
    code = """
import os
from langchain_prodkit.evaluation.store import load_mlflow
load_mlflow()
from mlflow.telemetry.client import get_telemetry_client
print(get_telemetry_client(), os.environ.get("MLFLOW_DISABLE_TELEMETRY"))
"""
    unset = {"MLFLOW_DISABLE_TELEMETRY", "CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK"}
    env = {key: value for key, value in os.environ.items() if key not in unset}
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, env=env
    )
    assert done.stdout.split() == ["None", "None"]
