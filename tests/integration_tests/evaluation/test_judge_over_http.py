"""A judge over real HTTP: what it costs, and what becomes of an evaluation when it is down."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit import RateLimitedAsyncChat
from langchain_prodkit.evaluation import (
    ChatModelJudge,
    EvalReport,
    JudgeBudget,
    aevaluate,
    answer_correctness,
    default_metrics,
    evaluate,
    faithfulness,
    generate_questions,
    is_judge_down,
    relevance,
)
from langchain_prodkit.testing import Faults, ProviderServer
from tests.unit_tests.evaluation.judges import rows

openai = pytest.importorskip("langchain_openai")
JUDGED = ("faithfulness", "relevance", "answer_correctness")


def verdict(body: dict[str, Any]) -> dict[str, Any]:
    """Judge as a provider held to a schema does."""
    asked = json.dumps(body["messages"])
    if '{\\"claims\\"' in asked:
        return {"claims": [{"claim": "it is so", "supported": True}]}
    return {"rationale": "it fits", "score": 4}


def model(base_url: str, **settings: Any) -> Any:
    """Make a client with the settings it has by default, retries included."""
    return openai.ChatOpenAI(model="gpt-4o-mini", api_key="sk-none", base_url=base_url, **settings)


def judged(judge: ChatModelJudge) -> list[Any]:
    """Take all three questions, and the metrics that need nobody."""
    return [*default_metrics(), faithfulness(judge), relevance(judge), answer_correctness(judge)]


async def evaluated(way: str, *args: Any) -> EvalReport:
    """Evaluate in either way."""
    return evaluate(*args) if way == "sync" else await aevaluate(*args)


both_ways = pytest.mark.parametrize("way", ["sync", "async"])


@both_ways
async def test_unchanged_answers_cost_no_request(way: str, tmp_path: Path) -> None:
    """Counted by the provider."""
    with ProviderServer(script=verdict) as server:
        for _ in range(2):
            judge = ChatModelJudge(model(server.base_url), cache=tmp_path / "judge.sqlite")
            report = await evaluated(way, rows(10), judged(judge))
            assert [report.summary[name].mean for name in JUDGED] == [1.0, 0.75, 0.75]
            assert len(server.journal) == 30
        usage = judge.statistics()
        assert (usage.calls, usage.cached) == (0, 30)


def test_the_provider_is_held_to_a_schema_unless_told_otherwise() -> None:
    """In words it gives the same verdicts."""

    def no_schemas(body: dict[str, Any]) -> Any:
        assert "response_format" not in body
        return json.dumps(verdict(body))

    with ProviderServer(script=verdict) as server:
        evaluate(rows(2), [relevance(ChatModelJudge(model(server.base_url)))])
        assert all("response_format" in entry.body for entry in server.journal)
    with ProviderServer(script=no_schemas) as server:
        judge = ChatModelJudge(model(server.base_url), structured="never")
        assert evaluate(rows(2), [relevance(judge)]).summary["relevance"].n == 2


async def test_a_flaky_judge_leaves_no_wrong_score() -> None:
    """Server errors and broken JSON cost calls, not verdicts."""
    faults = Faults(rate=0.2, kinds=("error_500", "malformed_json", "wrong_schema"), seed=3)
    with ProviderServer(script=verdict, faults=faults) as server:
        judge = ChatModelJudge(model(server.base_url, max_retries=0), breaker_after=50)
        report = await aevaluate(rows(20), [relevance(judge)])
        item = report.summary["relevance"]
        assert item.mean == 0.75
        assert item.n >= 15
        assert item.n + item.errors + item.skipped == 20


async def test_the_budget_holds_at_the_provider() -> None:
    """Requests are what it counts."""
    with ProviderServer(script=verdict, latency_s=0.02) as server:
        judge = ChatModelJudge(model(server.base_url), budget=JudgeBudget(max_calls=7))
        report = await aevaluate(rows(20), judged(judge))
        assert len(server.journal) == 7
        assert sum(report.summary[name].n for name in JUDGED) == 7
        assert report.summary["relevance"].reasons.keys() <= {"judge budget spent"}


def closed_port() -> str:
    """Give the address of nobody."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/v1"


def limited(client: Any) -> Any:
    """Put a rate limiter, with retries of its own, around a model."""
    return RateLimitedAsyncChat(client, requests_per_minute=6000)


def as_it_is(client: Any) -> Any:
    """Take the model as it is."""
    return client


DEAD: dict[str, dict[str, Any]] = {
    "refused": {},
    "hanging": {"latency_s": 30.0},
    "500s": {"faults": Faults(rate=1.0, kinds=("error_500",))},
    "no quota": {"faults": Faults(rate=1.0, kinds=("insufficient_quota",))},
    "wrong key": {"api_key": "another"},
}


@pytest.mark.slow
@both_ways
@pytest.mark.parametrize("wrapped", [as_it_is, limited])
@pytest.mark.parametrize("kind", DEAD)
async def test_a_dead_judge_ends_in_time_with_all_local_scores(
    kind: str, wrapped: Callable[[Any], Any], way: str
) -> None:
    """By the clients' own retries alone it would take minutes; here it takes the judge's patience."""
    server = ProviderServer(**DEAD[kind]).start()
    try:
        url = closed_port() if kind == "refused" else server.base_url
        judge = ChatModelJudge(wrapped(model(url)), timeout_s=2.0)
        report = await asyncio.wait_for(evaluated(way, rows(30), judged(judge)), 60.0)
    finally:
        await asyncio.to_thread(server.stop)
    assert judge.is_down
    for name in JUDGED:
        assert report.summary[name].n == 0
        assert all(is_judge_down(row.scores[name]) for row in report.rows)
    assert report.summary["words"].n == report.summary["rouge_l"].n == 30


@pytest.mark.slow
def test_a_process_with_a_hanging_judge_exits(tmp_path: Path) -> None:
    """No thread that waits for an answer holds up the exit."""
    code = """
import sys
from langchain_openai import ChatOpenAI
from langchain_prodkit.evaluation import ChatModelJudge, evaluate, relevance
judge = ChatModelJudge(ChatOpenAI(model="m", api_key="k", base_url=sys.argv[1]), timeout_s=1.0)
row = {"question": "q", "answer": "a"}
print(evaluate([row] * 9, [relevance(judge)]).summary["relevance"].reasons)
"""
    with ProviderServer(latency_s=100.0) as server:
        begun = time.monotonic()
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code, server.base_url],
            capture_output=True, text=True, timeout=90, check=True, cwd=tmp_path, env=os.environ,
        )  # fmt: skip
        took_s = time.monotonic() - begun
    assert done.stdout.strip() == "{'judge unavailable': 9}"
    assert took_s < 90.0


async def test_waiting_for_a_rate_limit_is_not_being_down() -> None:
    """Calls that queue for longer than the judge's patience are waited for."""
    with ProviderServer(script=verdict) as server:
        slow = RateLimitedAsyncChat(model(server.base_url), requests_per_minute=60, max_concurrency=1)
        judge = ChatModelJudge(slow, timeout_s=0.6)
        report = await aevaluate(rows(4), [relevance(judge)])
    assert report.summary["relevance"].n == 4


async def test_questions_come_from_a_provider() -> None:
    """In and out of scope, through the same door."""

    def write(body: dict[str, Any]) -> dict[str, Any]:
        number = len(json.dumps(body["messages"])) % 997
        texts = [f"What does rule {number}{at} say of case {at}?" for at in range(5)]
        return {"questions": [{"question": text, "answer": "This."} for text in texts]}

    docs = [f"Rule {at}: whoever comes in has to sign the book on floor {at} first." for at in range(3)]
    with ProviderServer(script=write) as server:
        data = await asyncio.to_thread(generate_questions, docs, model(server.base_url), n=10, seed=1)
    assert [row.metadata["kind"] for row in data].count("out_of_scope") == 2
    assert len(data) == 10
