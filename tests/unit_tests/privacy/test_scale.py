"""Many users, many scopes, many cuts: nothing foreign, nothing wrong, nothing growing."""

from __future__ import annotations

import asyncio
import gc
import random
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig

from langchain_prodkit._steps import drive
from langchain_prodkit.privacy import MemoryVault, PresidioRunnable, Scope, Span
from langchain_prodkit.privacy.restore import reading
from langchain_prodkit.privacy.stream import ChunkStream
from tests.unit_tests.privacy.parts import NAMES, EchoModel, NameDetector

CONFIG: RunnableConfig = {"configurable": {"user_id": "u", "thread_id": "t"}}


class UserDetector(NameDetector):
    """Finds the names of users, `Ua<n>b`."""

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give every name."""
        return [[Span(m.start(), m.end(), "PERSON", 1.0) for m in re.finditer(r"Ua\d+b", t)] for t in texts]


def _reply(messages: list[Any]) -> AIMessage:
    # Asks for everybody's: the first tokens of any scope.
    return AIMessage(f"{messages[-1].text} <PERSON_1> <PERSON_2> <PERSON_3> person_1")


async def _everybody(runs: int, scopes: int) -> int:
    safe = PresidioRunnable(UserDetector(), detector_timeout_s=None).protect(EchoModel(reply=_reply, cut=5))
    pool = ThreadPoolExecutor(8)
    loop = asyncio.get_running_loop()

    async def one(run: int) -> bool:
        user = run % scopes
        config: RunnableConfig = {"configurable": {"user_id": user, "thread_id": "same"}}
        text = f"I am Ua{user}b, with Ua{1_000_000 + user * 1_000 + run % 3}b."
        match run % 4:
            case 0:
                answer = (await safe.ainvoke(text, config)).text
            case 1:
                answer = (await loop.run_in_executor(pool, safe.invoke, text, config)).text
            case 2:
                answer = "".join([chunk.text async for chunk in safe.astream(text, config)])
            case _:
                chunks = await loop.run_in_executor(pool, lambda: list(safe.stream(text, config)))
                answer = "".join(chunk.text for chunk in chunks)
        own = {f"Ua{user}b", *(f"Ua{1_000_000 + user * 1_000 + n}b" for n in range(3))}
        return answer.startswith(text) and set(re.findall(r"Ua\d+b", answer)) <= own

    right = sum(await asyncio.gather(*(one(run) for run in range(runs))))
    pool.shutdown()
    return right


async def test_many_users_at_once_get_their_own_values_and_no_others() -> None:
    """Threads and tasks, whole and streamed, a model that asks for everybody's: each gets their own."""
    assert await _everybody(200, 20) == 200


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_thousand_runs_over_five_hundred_scopes() -> None:
    """0 foreign values, 0 wrong restores."""
    assert await _everybody(10_000, 500) == 10_000


PIECES = (
    *NAMES, "<PERSON_1>", "<PERSON_2>", "<person_3>", "PERSON_4", "&lt;PERSON_5&gt;", "\uff1cPERSON_1\uff1e",
    "\\<PERSON\\_2\\>", "<PERSON_99>", "<LITERAL_1>", "<b>", "x < y", "PERSON", "_1", "\n", " and ", "은",
    "1", "🙂", "\\u003cPERSON_1\\u003e", "<<PERSON_1>>",
)  # fmt: skip


def _mismatches(answers: int, seed: int) -> int:
    chance = random.Random(seed)
    privacy = PresidioRunnable(NameDetector())
    privacy.invoke(", ".join(NAMES) + " <PERSON_1>", CONFIG)
    restorer = privacy.restore()
    # What the restorer streams with, without a run around each of the many streams.
    reader = drive(reading(privacy, Scope("u", "t", None)))
    wrong = 0
    for _ in range(answers):
        text = "".join(chance.choices(PIECES, k=chance.randint(3, 10)))
        whole = restorer.invoke(text, CONFIG)
        for cut in range(len(text) + 1):
            stream = ChunkStream(reader)
            wrong += "".join([*stream.feed(text[:cut]), *stream.feed(text[cut:]), *stream.close()]) != whole
        pieces = [AIMessageChunk(content=char, id="1") for char in text]
        wrong += "".join(chunk.text for chunk in restorer.transform(iter(pieces), CONFIG)) != whole
    return wrong


def test_every_split_point_of_some_answers() -> None:
    """Cut anywhere, the joined stream is the restored whole."""
    assert _mismatches(12, 1) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_split_point_of_a_thousand_answers() -> None:
    """0 mismatches."""
    assert _mismatches(1_000, 2) == 0


def _resident_mb() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("has_threads", [True, False], ids=["bounded", "with the run"])
def test_memory_stays_flat_over_a_hundred_thousand_scopes(*, has_threads: bool) -> None:
    """Within 5 MB, once the vault holds as many scopes as it may; runs without a thread leave nothing."""
    vault = MemoryVault(max_scopes=2_000)
    privacy = PresidioRunnable(UserDetector(), vault=vault, detector_timeout_s=None)
    chain = privacy | privacy.restore()

    def use(first: int, last: int) -> None:
        for n in range(first, last):
            if has_threads:
                scope = Scope(f"user {n}", f"thread {n}", None)
                for word in ("PERSON", "PHONE_NUMBER", "LOCATION"):
                    vault.token_for(scope, word, f"{word} of {n}")
            elif n % 20 == 0:
                chain.invoke(f"I am Ua{n}b")

    use(0, 5_000)
    before = _resident_mb()
    use(5_000, 105_000)
    assert abs(_resident_mb() - before) < 5.0
    assert len(vault) == (2_000 if has_threads else 0)
