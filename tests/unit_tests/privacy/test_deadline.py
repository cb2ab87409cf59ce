"""A detector that hangs ends in a typed error; nothing is sent, and the program can end."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from presidio_analyzer import LocalRecognizer

from langchain_prodkit.errors import ConfigurationError, DetectorTimeoutError, RedactionError
from langchain_prodkit.privacy import Detector, PresidioDetector, PresidioRunnable, Span, TimedDetector
from tests.unit_tests.privacy.parts import EchoModel, NameDetector, echo


class SlowDetector(NameDetector):
    """Waits for `gate` before it answers."""

    def __init__(self) -> None:
        """Start with a closed gate."""
        super().__init__()
        self.gate = threading.Event()

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Wait, then answer."""
        self.gate.wait(20)
        return super().detect(texts)

    async def adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Wait without holding up the loop."""
        await asyncio.sleep(0 if self.gate.is_set() else 20)
        return super().detect(texts)


class SlowRecognizer(LocalRecognizer):
    """A Presidio recognizer that waits."""

    def __init__(self, gate: threading.Event) -> None:
        """Take the gate."""
        self.gate = gate
        super().__init__(supported_entities=["SLOW"], name="Slow")

    def load(self) -> None:
        """Load nothing."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:
        """Wait, and find nothing."""
        self.gate.wait(20)
        return []


@pytest.fixture
def slow() -> Iterator[SlowDetector]:
    """A detector that hangs until the test is over."""
    detector = SlowDetector()
    yield detector
    detector.gate.set()


async def test_a_hanging_detector_ends_in_a_typed_error(slow: SlowDetector) -> None:
    """Sync and async, and again when it goes on."""
    timed = TimedDetector(slow, timeout_s=0.2)
    assert isinstance(timed, Detector)
    assert timed.entities == ("PERSON",)
    with pytest.raises(DetectorTimeoutError, match=r"0\.2 s"):
        await asyncio.to_thread(timed.detect, ["Ada Byron"])
    with pytest.raises(DetectorTimeoutError):
        await timed.adetect(["Ada Byron"])
    assert issubclass(DetectorTimeoutError, RedactionError)
    slow.gate.set()
    assert timed.detect(["Ada Byron"]) == await timed.adetect(["Ada Byron"]) != [[]]


def test_when_every_thread_hangs_calls_still_end(slow: SlowDetector) -> None:
    """Stuck threads are never waited for."""
    timed = TimedDetector(slow, timeout_s=0.05, threads=2)
    for _ in range(5):
        with pytest.raises(DetectorTimeoutError):
            timed.detect(["Ada Byron"])


async def test_nothing_reaches_the_model(slow: SlowDetector) -> None:
    """The call fails before the model is asked."""
    model = EchoModel(reply=echo)
    safe = PresidioRunnable(TimedDetector(slow, timeout_s=0.1)).protect(model)
    with pytest.raises(RedactionError):
        await asyncio.to_thread(safe.invoke, [HumanMessage("I am Ada Byron")])
    with pytest.raises(RedactionError):
        await safe.ainvoke([HumanMessage("I am Ada Byron")])
    assert model.seen == []


async def test_a_recognizer_that_hangs_ends_as_well() -> None:
    """`timeout_s` of the detector itself, loading included, sync and async."""
    gate = threading.Event()
    detector = PresidioDetector(
        profile="patterns", recognizers=[SlowRecognizer(gate)], timeout_s=0.3, cache_size=0
    )
    try:
        with pytest.raises(DetectorTimeoutError):
            await asyncio.to_thread(detector.detect, ["mail a@example.com"])
        with pytest.raises(DetectorTimeoutError):
            await detector.adetect(["mail a@example.com"])
    finally:
        gate.set()
    while True:  # the machine may be slow to load what is loaded on first use
        try:
            assert (await detector.adetect(["mail a@example.com"]))[0][0].entity == "EMAIL_ADDRESS"
            break
        except DetectorTimeoutError:
            continue


def test_errors_of_the_detector_pass_through() -> None:
    """Only lateness is the wrapper's business; a TimeoutError of the detector's own stays what it is."""

    class Failing(NameDetector):
        def detect(self, texts: Sequence[str]) -> list[list[Span]]:
            raise TimeoutError(len(texts))

    with pytest.raises(TimeoutError) as caught:
        TimedDetector(Failing(), timeout_s=5).detect(["x"])
    assert type(caught.value) is TimeoutError


def test_wrappers_can_be_copied() -> None:
    """A copy has threads of its own."""
    timed = TimedDetector(NameDetector(), timeout_s=5)
    for again in (copy.deepcopy(timed), pickle.loads(pickle.dumps(timed))):  # noqa: S301 - our own bytes
        assert again.detect(["Ada Byron"]) == timed.detect(["Ada Byron"])
        assert again.timeout_s == 5


def test_many_callers_share_few_threads() -> None:
    """A hundred calls at once need no hundred threads."""
    timed = TimedDetector(NameDetector(), timeout_s=20, threads=3)
    before = threading.active_count()
    peak = 0

    async def many() -> list[Any]:
        nonlocal peak
        texts = [[f"Ada Byron {n}"] for n in range(100)]
        calls = [asyncio.ensure_future(asyncio.to_thread(timed.detect, one)) for one in texts]
        done = await asyncio.gather(*calls)
        peak = sum(thread.name == "prodkit-detector" for thread in threading.enumerate())
        return done

    assert all(len(one[0]) == 1 for one in asyncio.run(many()))
    assert peak <= 3 + before


@pytest.mark.parametrize("bad", [0, -1])
def test_a_time_limit_is_above_zero(bad: float) -> None:
    """No time at all is a mistake."""
    with pytest.raises(ConfigurationError):
        PresidioDetector(timeout_s=bad)


def test_a_program_ends_although_a_detector_hangs() -> None:
    """A stuck thread does not keep the interpreter alive."""
    code = (
        "import threading\n"
        "from langchain_prodkit.privacy import TimedDetector\n"
        "class Hangs:\n"
        "    def detect(self, texts): threading.Event().wait()\n"
        "try: TimedDetector(Hangs(), timeout_s=0.1).detect(['x'])\n"
        "except TimeoutError: print('late')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.strip() == b"late"
