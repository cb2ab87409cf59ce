"""What recording a call costs: `MLflowEvalCallback` beside langchain-core's `BaseTracer`.

`python -m benchmarks.evaluation [--smoke]`. CPU time of one process, so that a busy machine distorts
little; the variants take turns in blocks, and what a handler adds is the median of its differences
to the block without one in the same round. The chain is the
usual one (retriever of three documents, prompt, model, parser: seven runs a call) with a model that
answers at once. `BaseTracer` is the base of LangSmith-style tracers; the stub that is measured keeps
nothing and sends nothing, so a real one costs more.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.tracers import BaseTracer, Run
from typing_extensions import override

from benchmarks._table import report
from langchain_prodkit.evaluation import MLflowEvalCallback

QUESTION = "My parcel has not arrived yet, and I would like to know where it is."
PAGES = ("Parcels take three days.", "Write to us when a parcel is late.", "Parcels can be followed.")
CONCURRENT = 50


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


def make_chain() -> Runnable[Any, str]:
    prompt = ChatPromptTemplate.from_messages([("system", "Answer from: {context}"), ("human", "{question}")])
    model = FakeListChatModel(responses=["It is on its way and arrives tomorrow."])
    filled = {"context": Shelf(), "question": RunnablePassthrough()} | prompt
    return filled | model | StrOutputParser()


def no_handler() -> list[BaseCallbackHandler]:
    return []


def tracer() -> list[BaseCallbackHandler]:
    return [Stub()]


def ours() -> list[BaseCallbackHandler]:
    return [MLflowEvalCallback(max_pending=1_000_000)]


def sync_block(chain: Runnable[Any, str], callbacks: list[BaseCallbackHandler], calls: int) -> float:
    """Give the CPU microseconds of one call."""
    started = time.process_time_ns()
    for _ in range(calls):
        chain.invoke(QUESTION, {"callbacks": callbacks})
    return (time.process_time_ns() - started) / calls / 1000


def async_block(chain: Runnable[Any, str], callbacks: list[BaseCallbackHandler], calls: int) -> float:
    """Give the CPU microseconds of one call among 50 at a time."""

    async def work() -> float:
        started = time.process_time_ns()
        for _ in range(max(1, calls // CONCURRENT)):
            await asyncio.gather(
                *(chain.ainvoke(QUESTION, {"callbacks": callbacks}) for _ in range(CONCURRENT))
            )
        return (time.process_time_ns() - started) / (max(1, calls // CONCURRENT) * CONCURRENT) / 1000

    return asyncio.run(work())


def measure(
    block: Callable[[Runnable[Any, str], list[BaseCallbackHandler], int], float], blocks: int, calls: int
) -> dict[str, tuple[float, float]]:
    """Give for each variant the CPU microseconds a call, and how many of them it adds."""
    chain = make_chain()
    variants = {"none": no_handler, "BaseTracer stub": tracer, "MLflowEvalCallback": ours}
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for round_number in range(blocks + 1):
        for name, make in variants.items():
            gc.collect()
            spent = block(chain, make(), calls)
            if round_number:  # the first round warms up
                taken[name].append(spent)
    return {
        name: (
            statistics.median(values),
            statistics.median(spent - base for spent, base in zip(values, taken["none"], strict=True)),
        )
        for name, values in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a few calls, to see that it runs")
    is_smoke = parser.parse_args().smoke
    blocks, calls = (2, 50) if is_smoke else (20, 100)
    rows: list[dict[str, Any]] = []
    for kind, block in (("sync", sync_block), (f"async, {CONCURRENT} at a time", async_block)):
        medians = measure(block, blocks, calls)
        base, tracer_adds = medians["none"][0], medians["BaseTracer stub"][1]
        rows += [
            {
                "calls": kind,
                "handler": name,
                "cpu_us_a_call": round(spent, 1),
                "added_us": round(added, 1),
                "times": round(1 + added / base, 3),
                "added_vs_BaseTracer": round(added / tracer_adds, 3),
            }
            for name, (spent, added) in medians.items()
        ]
    report(
        "evaluation: CPU that a handler adds to a call",
        rows,
        notes="goal: at most 150 us sync and 350 us async added, and a quarter of BaseTracer",
    )


if __name__ == "__main__":
    main()
