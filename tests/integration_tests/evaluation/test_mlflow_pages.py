"""What people see of an evaluation on MLflow's own pages, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from langchain_prodkit.evaluation import (
    Context,
    EvalDataset,
    EvalRecord,
    EvalReport,
    Feedback,
    RowScores,
    Score,
)
from langchain_prodkit.evaluation.report import summarised
from tests.integration_tests.evaluation.mlflow_server import MlflowServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

SLOW_MS = 240_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Give the path of the browser."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "no Chromium: install Debian's package chromium, or set CHROMIUM to the path of one"
    return found


def report() -> EvalReport:
    """Score six rows: one is grounded badly, one failed."""
    records, rows = [], []
    for number in range(6):
        failed = number == 5
        grounded = 0.125 if number == 4 else 0.875
        records.append(
            EvalRecord(
                id=f"row-{number}",
                input={"question": f"Where is parcel number {number}?"},
                output=None if failed else f"Parcel {number} waits in Hamburg.",
                expected="Hamburg",
                contexts=(Context(f"Parcel {number}: depot Hamburg.", "depot.md"),),
                latency_ms=120.0 + number,
                error="TimeoutError" if failed else None,
                feedback=(Feedback("helpful", value=False, rationale="Which depot?"),) if number == 4 else (),
            )
        )
        skipped = Score(skipped="the run failed")
        scores = {
            "groundedness": skipped if failed else Score(grounded, rationale=f"depot seen in {number}"),
            "exact_match": skipped if failed else Score(float(number < 2)),
        }
        rows.append(RowScores(f"row-{number}", scores))
    directions: dict[str, bool | None] = {"groundedness": True, "exact_match": True}
    return EvalReport(EvalDataset(tuple(records), "parcels"), tuple(rows), summarised(rows, directions))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Give one server to all pages."""
    running = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def run(server: MlflowServer) -> tuple[str, str]:
    """Log the report twice, as two versions of an application, and give experiment and latest run."""
    mlflow = pytest.importorskip("mlflow")
    for name in ("monday", "tuesday"):
        run_id = report().log_to_mlflow(
            tracking_uri=server.uri,
            experiment="parcel desk",
            run_name=name,
            passing={"groundedness": 0.5},
            plots=name == "tuesday",
        )
    found = mlflow.MlflowClient(tracking_uri=server.uri).get_experiment_by_name("parcel desk")
    return str(found.experiment_id), run_id


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder for pictures: `SCREENSHOTS`, where CI keeps them, or a temporary one."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Open a browser that has never been used, with what MLflow shows first closed."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as driver:
        window = driver.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=chromium(),
            headless=True,
            args=FLAGS,
            viewport={"width": 1800, "height": 1000},
        )
        window.set_default_timeout(SLOW_MS)
        yield window.pages[0]
        window.close()


def opened(page: Page, server: MlflowServer, path: str, text: str) -> Page:
    """Open a page, wait for a text on it, and close the panel that covers a third of it at first."""
    page.goto(f"{server.uri}/#/{path}", wait_until="commit")
    page.get_by_text(text, exact=True).first.wait_for()
    panel = page.locator('[data-component-id="mlflow.assistant.chat_panel.close"]')
    if panel.count():
        panel.first.click()
    return page


def seen(page: Page, *texts: str) -> None:
    """Expect texts on the page, as people see them."""
    body = re.sub(r"\s+", " ", page.inner_text("body"))
    for text in texts:
        assert text in body


def test_a_run_stands_among_the_evaluation_runs_with_its_metrics(
    page: Page, server: MlflowServer, run: tuple[str, str], screenshots: Path
) -> None:
    """Name, type, data set, and a column for each mean."""
    opened(page, server, f"experiments/{run[0]}/evaluation-runs", "tuesday")
    page.get_by_text("groundedness/mean", exact=True).first.wait_for()
    page.screenshot(path=screenshots / "evaluation-runs.png")
    seen(page, "monday", "tuesday", "Eval", "parcels", "groundedness/mean", "exact_match/mean", "0.725")


def test_a_failed_row_shows_its_trace_with_assessments(
    page: Page, server: MlflowServer, run: tuple[str, str], screenshots: Path
) -> None:
    """In the table of rows: question, answer, expectation, scores; opened: contexts and all that was said."""
    question = "Where is parcel number 4?"
    opened(page, server, f"experiments/{run[0]}/runs/{run[1]}/traces", question)
    page.screenshot(path=screenshots / "rows.png")
    seen(page, question, "Parcel 4 waits in Hamburg.", "Hamburg", "exact_match", "0.125", "Error")
    page.get_by_text(question, exact=True).first.click()
    page.get_by_text("retrieved contexts", exact=True).first.wait_for()
    page.get_by_role("button", name=re.compile("^Assess trace")).first.click()
    page.get_by_text("expected_response", exact=True).first.wait_for()
    page.screenshot(path=screenshots / "failed-row.png")
    seen(page, "Assessments", "groundedness 0.125", "exact_match False", "helpful False")


def test_plots_and_table_are_artifacts_that_the_page_shows(
    page: Page, server: MlflowServer, run: tuple[str, str], screenshots: Path
) -> None:
    """The picture of the distributions is drawn in the browser."""
    opened(page, server, f"experiments/{run[0]}/runs/{run[1]}/artifacts", "eval_results_table.json")
    page.get_by_text("plots", exact=True).first.click()
    page.get_by_text("distributions.png", exact=True).first.click()
    picture: Any = page.locator("img[src^='blob:'], img[src*='distributions'], img[src^='data:image/png']")
    picture.first.wait_for()
    page.screenshot(path=screenshots / "plots.png")
    assert picture.first.evaluate("image => image.naturalWidth") > 100
