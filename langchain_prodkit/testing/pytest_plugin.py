"""For pytest: the fixtures `provider_server`, `make_provider_server` and `prodkit_eval`.

`prodkit_eval` evaluates rows in a test. What all tests evaluated is one report at the end of the session:
`--prodkit-report=FILE` keeps it, `--prodkit-baseline=FILE` gates it (the session fails unless the verdict
is PASS), `--prodkit-update-baseline` writes that file anew. Works under pytest-xdist.

Found by pytest as an installed plugin, so importing this module must stay cheap: the server, evaluation
and what they need are imported when a test first asks for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_prodkit.evaluation import GateResult
    from langchain_prodkit.testing.evaluations import Collected, Evaluator
    from langchain_prodkit.testing.server import ProviderServer

_OUTPUT = "prodkit_evaluations"


class ProviderServerMaker(Protocol):
    """Makes running servers; takes the arguments of `ProviderServer`."""

    def __call__(self, **settings: Any) -> ProviderServer:
        """Start one more server."""
        ...


@pytest.fixture
def make_provider_server() -> Iterator[ProviderServerMaker]:
    """Start servers with settings of the test's own; all stop when the test ends."""
    from langchain_prodkit.testing.server import ProviderServer  # noqa: PLC0415 - see above

    servers: list[ProviderServer] = []

    def make(**settings: Any) -> ProviderServer:
        server = ProviderServer(**settings).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def provider_server(make_provider_server: ProviderServerMaker) -> ProviderServer:
    """Give a running `ProviderServer` without limits, faults or script, to this test alone."""
    return make_provider_server()


# -- evaluations ------------------------------------------------------------------------------------


class _Session:
    """What is known of the evaluations of this session; nothing as long as no test makes one."""

    collected: Collected | None = None
    result: GateResult | None = None
    problem: str | None = None
    lines: tuple[str, ...] = ()

    def start(self) -> Collected:
        from langchain_prodkit.testing.evaluations import Collected  # noqa: PLC0415 - see above

        self.collected = self.collected or Collected()
        return self.collected


_SESSION = pytest.StashKey[_Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `prodkit_eval`."""
    group = parser.getgroup("prodkit", "langchain-prodkit: what prodkit_eval evaluates")
    group.addoption(
        "--prodkit-baseline",
        metavar="FILE",
        help="fail the session unless all evaluations together are no worse than this baseline",
    )
    group.addoption(
        "--prodkit-update-baseline",
        action="store_true",
        help="write the file of --prodkit-baseline from this session",
    )
    group.addoption("--prodkit-report", metavar="FILE", help="write scores of all evaluations to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that could not be followed, before any test runs."""
    config.stash[_SESSION] = _Session()
    baseline = config.getoption("--prodkit-baseline")
    is_update = config.getoption("--prodkit-update-baseline")
    if is_update and not baseline:
        msg = "--prodkit-update-baseline writes to the file of --prodkit-baseline; give that too"
        raise pytest.UsageError(msg)
    if baseline and not is_update and not Path(baseline).is_file():
        msg = "there is no file at --prodkit-baseline; make it with --prodkit-update-baseline"
        raise pytest.UsageError(msg)


@pytest.fixture(scope="session")
def prodkit_gate() -> Mapping[str, Any]:
    """Give the settings of the `Gate` at the end of the session, `thresholds` included: override it."""
    return {}


@pytest.fixture
def prodkit_eval(request: pytest.FixtureRequest, prodkit_gate: Mapping[str, Any]) -> Evaluator:
    """Evaluate rows in this test: `prodkit_eval(rows, metrics, thresholds=...)` gives the report."""
    from langchain_prodkit.testing.evaluations import Evaluator  # noqa: PLC0415 - see above

    collected = request.config.stash[_SESSION].start()
    collected.settings = dict(prodkit_gate)
    return Evaluator(collected, request.node.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take up what a worker of pytest-xdist evaluated."""
    text = getattr(node, "workeroutput", {}).get(_OUTPUT)
    if text is not None:
        node.config.stash[_SESSION].start().take(text)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Gate what was evaluated."""
    known = session.config.stash.get(_SESSION, None)
    output = getattr(session.config, "workeroutput", None)
    if known is None:
        return
    baseline = session.config.getoption("--prodkit-baseline")
    if known.collected is None or not known.collected.rows:
        if baseline and output is None and exitstatus == pytest.ExitCode.OK:
            known.problem = "no test evaluated anything, so nothing was held against the baseline"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return
    if output is not None:
        output[_OUTPUT] = known.collected.to_json()
        return
    if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        # Broken off: what there is would be neither a result nor a baseline.
        return
    from langchain_prodkit.errors import ProdkitError  # noqa: PLC0415 - see above
    from langchain_prodkit.testing.evaluations import gated  # noqa: PLC0415

    report = session.config.getoption("--prodkit-report")
    try:
        known.result, lines = gated(
            known.collected,
            baseline=Path(baseline) if baseline else None,
            update=session.config.getoption("--prodkit-update-baseline"),
            report_path=Path(report) if report else None,
        )
        known.lines = tuple(lines)
    except ProdkitError as error:
        known.problem = str(error)
    if known.problem or (known.result is not None and not known.result.passed):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what the gate said."""
    known = config.stash.get(_SESSION, None)
    if known is None or not (known.result or known.problem or known.lines):
        return
    terminalreporter.section("prodkit evaluations")
    if known.result is not None:
        terminalreporter.write_line(known.result.to_markdown())
    for line in (*known.lines, *filter(None, [known.problem])):
        terminalreporter.write_line(line)
