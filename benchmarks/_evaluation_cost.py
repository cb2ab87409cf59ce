"""What recording a call costs: `MLflowEvalCallback` beside langchain-core's and MLflow's tracers.

CPU time of one process, so that a busy machine distorts little; the variants take turns in blocks, and
what a handler adds is the median of its differences to the block without one in the same round. The
chain is the usual one (retriever of three documents, prompt, model, parser: seven runs a call) with a
model that answers at once. `BaseTracer` is the base of LangSmith-style tracers; the stub that is
measured keeps nothing and sends nothing, so a real one costs more. MLflow's tracer and its autolog write
to a fresh sqlite store, and the time that the traces take to get there counts. Memory is what a fresh
process grows by.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.tracers import BaseTracer, Run
from typing_extensions import override

from langchain_prodkit.evaluation import GroundedNumbers, MaxWords, MLflowEvalCallback, NotEmpty

__all__ = ["callback_cost", "memory", "redaction_cost", "streaming_cost"]

QUESTION = "My parcel has not arrived yet, and I would like to know where it is."
PAGES = ("Parcels take three days.", "Write to us when a parcel is late.", "Parcels can be followed.")
ANSWER = "It is on its way and arrives tomorrow."
CONCURRENT = 50
TOKENS = 100
RUNS = 10_000

Handlers = list[BaseCallbackHandler]
Block = Callable[[Runnable[Any, str], Handlers, int], float]


class Shelf(BaseRetriever):
    """Gives three documents for every question."""

    @override
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document(text) for text in PAGES]

    @override
    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(text) for text in PAGES]


class Stub(BaseTracer):
    """A tracer that keeps nothing."""

    @override
    def _persist_run(self, run: Run) -> None:
        return


def make_chain(model: Any = None) -> Runnable[Any, str]:
    prompt = ChatPromptTemplate.from_messages([("system", "Answer from: {context}"), ("human", "{question}")])
    filled = {"context": Shelf(), "question": RunnablePassthrough()} | prompt
    return filled | (model or FakeListChatModel(responses=[ANSWER])) | StrOutputParser()


def no_handler() -> Handlers:
    return []


def tracer() -> Handlers:
    return [Stub()]


def ours() -> Handlers:
    return [MLflowEvalCallback(max_pending=1_000_000)]


def ours_with_checks() -> Handlers:
    checks = [NotEmpty(), MaxWords(max_words=500), GroundedNumbers()]
    return [MLflowEvalCallback(max_pending=1_000_000, checks=checks)]


def one_in_a_hundred() -> Handlers:
    return [MLflowEvalCallback(max_pending=1_000_000, sample_rate=0.01)]


def mlflow_tracer() -> Handlers:
    from mlflow.langchain.langchain_tracer import MlflowLangchainTracer  # noqa: PLC0415 - takes seconds

    return [MlflowLangchainTracer()]


def sync_block(chain: Runnable[Any, str], callbacks: Handlers, calls: int) -> float:
    """Give the CPU microseconds of one call."""
    started = time.process_time_ns()
    for _ in range(calls):
        chain.invoke(QUESTION, {"callbacks": callbacks})
    return (time.process_time_ns() - started) / calls / 1000


def async_block(chain: Runnable[Any, str], callbacks: Handlers, calls: int) -> float:
    """Give the CPU microseconds of one call among 50 at a time."""
    rounds = max(1, calls // CONCURRENT)

    async def work() -> float:
        started = time.process_time_ns()
        for _ in range(rounds):
            await asyncio.gather(
                *(chain.ainvoke(QUESTION, {"callbacks": callbacks}) for _ in range(CONCURRENT))
            )
        return (time.process_time_ns() - started) / (rounds * CONCURRENT) / 1000

    return asyncio.run(work())


def stream_block(chain: Runnable[Any, str], callbacks: Handlers, calls: int) -> float:
    """Give the CPU microseconds of one streamed answer."""
    started = time.process_time_ns()
    for _ in range(calls):
        for _ in chain.stream(QUESTION, {"callbacks": callbacks}):
            pass
    return (time.process_time_ns() - started) / calls / 1000


def callback_cost(*, smoke: bool = False, mlflow: bool | None = None) -> list[dict[str, Any]]:
    """Give a row for each handler and way to call; `mlflow` (not in smoke runs) adds MLflow's own."""
    blocks, calls = (3, 50) if smoke else (20, 100)
    variants = {
        "none": no_handler,
        "BaseTracer stub": tracer,
        "MLflowEvalCallback": ours,
        "... with three checks": ours_with_checks,
        "... one run in 100": one_in_a_hundred,
    }
    rows = []
    for kind, block in (("sync", sync_block), (f"async, {CONCURRENT} at a time", async_block)):
        rows += _rows(kind, _measured(block, variants, make_chain(), blocks, calls))
    if not smoke if mlflow is None else mlflow:
        rows += _beside_mlflow()
    return rows


def streaming_cost(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give a row for each handler: an answer of 100 tokens, streamed."""
    words = " ".join(f"w{number}" for number in range(TOKENS // 2))

    def forever() -> Iterator[AIMessage]:
        while True:
            yield AIMessage(words)

    chain = make_chain(GenericFakeChatModel(messages=forever()))
    variants = {"none": no_handler, "BaseTracer stub": tracer, "MLflowEvalCallback": ours}
    blocks, calls = (3, 5) if smoke else (15, 20)
    return _rows(f"stream of {TOKENS} tokens", _measured(stream_block, variants, chain, blocks, calls))


def redaction_cost(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give what `redact=` adds for each record: to the caller, and in the writer's own thread."""
    from langchain_prodkit.privacy import PresidioDetector  # noqa: PLC0415 - an extra

    rows = []
    records = 50 if smoke else 500
    redactors: dict[str, Any] = {
        "none": None,
        "a function": str.strip,
        "PresidioDetector(profile='patterns')": PresidioDetector(profile="patterns", cache_size=0),
    }
    if not smoke:
        redactors["PresidioDetector()"] = PresidioDetector(cache_size=0)
    for name, redact in redactors.items():
        with tempfile.TemporaryDirectory() as folder:
            record = MLflowEvalCallback(redact=redact, spool_dir=folder, max_pending=records + 20)
            chain = make_chain()
            # Loads what the redactor needs.
            _distinct(chain, record, 5)
            record.flush(600)
            started_ns = time.thread_time_ns()
            _distinct(chain, record, records)
            caller_us = (time.thread_time_ns() - started_ns) / records / 1000
            started_ns, own_ns = time.process_time_ns(), time.thread_time_ns()
            record.flush(600)
            writer_ns = time.process_time_ns() - started_ns - (time.thread_time_ns() - own_ns)
            record.close()
        rows.append(
            {
                "redact": name,
                "caller_us_a_call": round(caller_us, 1),
                "writer_us_a_record": round(writer_ns / records / 1000, 1),
            }
        )
    return rows


def memory(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give what a fresh process grows by over 10,000 runs, for each handler."""
    runs = 500 if smoke else RUNS
    names = ("none", "BaseTracer stub", "MLflowEvalCallback", "... with spool_dir")
    rows = []
    for name in names[2:] if smoke else names:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "benchmarks._evaluation_cost", name, str(runs)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        rows.append({"handler": name, "runs": runs, **json.loads(done.stdout)})
    return rows


def _distinct(chain: Runnable[Any, str], record: MLflowEvalCallback, count: int) -> None:
    """Ask questions that no cache has seen."""
    for number in range(count):
        chain.invoke(f"{QUESTION} It is number {number:07d}.", {"callbacks": [record]})


def _measured(
    block: Block, variants: dict[str, Callable[[], Handlers]], chain: Any, blocks: int, calls: int
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for round_number in range(blocks + 1):
        for name, make in variants.items():
            gc.collect()
            spent = block(chain, make(), calls)
            if round_number:  # the first round warms up
                taken[name].append(spent)
    return taken


def _rows(kind: str, taken: dict[str, list[float]]) -> list[dict[str, Any]]:
    added = {
        name: statistics.median(spent - base for spent, base in zip(values, taken["none"], strict=True))
        for name, values in taken.items()
    }
    base = statistics.median(taken["none"])
    tracer_adds = added.get("BaseTracer stub")
    return [
        {
            "calls": kind,
            "handler": name,
            "cpu_us_a_call": round(statistics.median(values), 1),
            "added_us": round(added[name], 1),
            "times": round(1 + added[name] / base, 3),
            "added_vs_BaseTracer": round(added[name] / tracer_adds, 3) if tracer_adds else None,
        }
        for name, values in taken.items()
    ]


def _beside_mlflow() -> list[dict[str, Any]]:
    from langchain_prodkit.evaluation.store import load_mlflow  # noqa: PLC0415 - takes seconds

    mlflow = load_mlflow()
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/m.db")
        mlflow.set_experiment("cost")

        def flushed(block: Block) -> Block:
            def work(chain: Runnable[Any, str], callbacks: Handlers, calls: int) -> float:
                started = time.process_time_ns()
                block(chain, callbacks, calls)
                mlflow.flush_trace_async_logging()
                return (time.process_time_ns() - started) / calls / 1000

            return work

        variants = {"none": no_handler, "MLflowEvalCallback": ours, "MLflow's tracer": mlflow_tracer}
        rows = []
        for kind, block in (("sync", sync_block), (f"async, {CONCURRENT} at a time", async_block)):
            taken = _measured(flushed(block), variants, make_chain(), 2, CONCURRENT)
            mlflow.langchain.autolog()
            try:
                taken |= _measured(
                    flushed(block), {"MLflow's autolog": no_handler}, make_chain(), 2, CONCURRENT
                )
            finally:
                mlflow.langchain.autolog(disable=True)
            rows += _rows(f"{kind}, few", taken)
    return rows


def _grown(name: str, runs: int) -> dict[str, float]:
    """Run in a process of its own: warm up with one handler, then measure with another."""
    with tempfile.TemporaryDirectory() as folder:

        def make() -> Handlers:
            if name == "none":
                return []
            if name == "BaseTracer stub":
                return [Stub()]
            return [MLflowEvalCallback(spool_dir=folder) if "spool" in name else MLflowEvalCallback()]

        chain = make_chain()

        def ask(handlers: Handlers, count: int) -> None:
            for number in range(count):
                chain.invoke(f"{QUESTION} It is number {number:07d}.", {"callbacks": handlers})

        ask(make(), 300)
        gc.collect()
        before, peak_before = _resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        handlers = make()
        ask(handlers, runs)
        gc.collect()
        grown = {
            "grown_mb": round(_resident() - before, 2),
            "peak_grown_mb": round(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - peak_before, 2
            ),
        }
        for handler in handlers:
            if isinstance(handler, MLflowEvalCallback):
                counts = handler.statistics()
                grown |= {"held": counts.held, "spooled": counts.spooled, "dropped": counts.dropped}
                handler.close()
    return grown


def _resident() -> float:
    """Give what this process holds in memory, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    print(json.dumps(_grown(sys.argv[1], int(sys.argv[2]))))
