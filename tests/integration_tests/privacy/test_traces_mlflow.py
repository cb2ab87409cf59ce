"""What a real MLflow store holds after real runs: the chain's shape, and nobody's data."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy import (
    MemoryVault,
    MlflowRedaction,
    PresidioDetector,
    PresidioRunnable,
    install_mlflow_redaction,
)
from tests.integration_tests.privacy.traced import CARD, MAIL, NAME, QUESTION, Failing, look_up

mlflow = pytest.importorskip("mlflow")
pytestmark = [
    pytest.mark.slow,  # MLflow makes its tables: half a minute
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

SECRETS = ("Silberstein", "silberstein", "4111 1111", "41111111")  # 4111 alone stands in times and ids, too


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make MLflow's tables once, and give MLflow back as it was."""
    path = tmp_path_factory.mktemp("traces") / "mlflow.db"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    mlflow.set_experiment("traces")
    mlflow.langchain.autolog()
    yield path
    mlflow.langchain.autolog(disable=True)
    mlflow.set_tracking_uri(before)


@pytest.fixture
def redaction(database: Path, detector: PresidioDetector) -> Iterator[MlflowRedaction]:
    """Install for one test."""
    with install_mlflow_redaction(detector) as installed:
        yield installed


def stored(database: Path) -> str:
    """Read every cell of every table, after MLflow's writers are done."""
    mlflow.flush_trace_async_logging()
    with sqlite3.connect(database) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [repr(row) for table in tables for row in connection.execute(f"SELECT * FROM [{table}]")]  # noqa: S608
    artifacts = [path.read_text("utf-8", "replace") for path in database.parent.rglob("*.json")]
    return "\n".join([*rows, *artifacts])


def hits(database: Path) -> list[str]:
    """Give the secrets that can be read in the store."""
    text = stored(database)
    return [secret for secret in SECRETS if secret in text]


def spans(database: Path) -> int:
    """Count the spans of the store."""
    mlflow.flush_trace_async_logging()
    with sqlite3.connect(database) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM spans").fetchone()[0])


def chain() -> Runnable[Any, Any]:
    """Fetch a document, ask, and answer with the person's data."""
    prompt = ChatPromptTemplate.from_messages([("human", "{question} {documents}")])
    fetch: Runnable[Any, Any] = RunnableLambda(
        lambda text: {"question": text, "documents": [Document(f"{NAME}: {CARD}")]}
    )
    return fetch | prompt | FakeListChatModel(responses=[f"Dear {NAME}, sent to {MAIL}"])


CONFIG: Any = {
    "tags": [f"customer {NAME}"],
    "metadata": {"customer": f"Her name is {NAME}", "mail": MAIL},
    "run_name": f"case of {MAIL}",
}


def test_every_way_to_run_a_chain(redaction: MlflowRedaction, database: Path) -> None:
    """Invoke, stream, batch and their async twins, with tags, metadata and a run name."""
    before = spans(database)
    chain().invoke(QUESTION, CONFIG)
    list(chain().stream(QUESTION, CONFIG))
    chain().batch([QUESTION, QUESTION], CONFIG)

    async def others() -> None:
        await chain().ainvoke(QUESTION, CONFIG)
        _ = [chunk async for chunk in chain().astream(QUESTION, CONFIG)]
        await chain().abatch([QUESTION], CONFIG)

    asyncio.run(others())
    assert hits(database) == []
    assert spans(database) > before + 20
    assert "<EMAIL_ADDRESS>" in stored(database)


def test_errors_tools_and_documents(redaction: MlflowRedaction, database: Path) -> None:
    """An exception's message, its traceback and the status; a tool's arguments and its result."""

    def fail(text: str) -> str:
        raise ValueError(text)

    with pytest.raises(ValueError, match="Silberstein"):
        RunnableLambda(fail).invoke(QUESTION, CONFIG)
    look_up.invoke({"name": NAME}, CONFIG)
    look_up.invoke({"name": "look_up", "args": {"name": NAME}, "id": "1", "type": "tool_call"}, CONFIG)
    assert hits(database) == []


def test_manual_spans_tags_and_feedback(redaction: MlflowRedaction, database: Path) -> None:
    """`mlflow.trace`, events, attributes, nested JSON, later tags and what a user thought of it."""
    with mlflow.start_span(name=f"for {MAIL}") as span:
        span.set_inputs({"q": f'{{"text": "{QUESTION}"}}', "card": 4111111111111111})
        span.set_attributes({"customer": QUESTION, "list": [MAIL, 1]})
        span.add_event(mlflow.entities.SpanEvent("note", attributes={"text": QUESTION}))
        mlflow.update_current_trace(
            tags={"customer": QUESTION}, metadata={"mlflow.trace.user": MAIL}, client_request_id=MAIL
        )
        span.set_outputs(QUESTION)
    mlflow.flush_trace_async_logging()
    trace_id = span.trace_id
    mlflow.set_trace_tag(trace_id, "later", QUESTION)
    mlflow.log_feedback(trace_id=trace_id, name="good", value=QUESTION, rationale=QUESTION)
    assert hits(database) == []
    trace = mlflow.get_trace(trace_id)
    assert trace.info.tags["later"].startswith("My name is <PERSON>")
    assert trace.data.spans[0].inputs["card"] == "<CREDIT_CARD>"


def test_a_protected_model_leaves_nothing_either(
    redaction: MlflowRedaction, database: Path, detector: PresidioDetector
) -> None:
    """The redactor's own runs see the raw question; the store does not."""
    privacy = PresidioRunnable(detector)
    safe = privacy.protect(FakeListChatModel(responses=["Done."]))
    (RunnableLambda(lambda text: [HumanMessage(text)]) | safe).invoke(QUESTION, CONFIG)
    (privacy | FakeListChatModel(responses=["Hello <PERSON_1>"]) | privacy.restore()).invoke(QUESTION, CONFIG)
    assert hits(database) == []


def test_values_of_a_thread_are_hidden_where_no_detector_sees_them(
    database: Path, detector: PresidioDetector
) -> None:
    """A name in a vault stays a name where nothing around it says so."""
    vault = MemoryVault()
    privacy = PresidioRunnable(detector, vault=vault)
    config: Any = {"configurable": {"thread_id": "t-77"}, "metadata": {"thread_id": "t-77"}}
    privacy.invoke("My name is Quixabeth Orlanova.", config)
    with install_mlflow_redaction(detector, vault=vault):
        RunnableLambda(lambda text: text).invoke("quixotic: Quixabeth Orlanova/12", config)
        assert "Quixabeth" not in stored(database)


def test_a_failing_redactor_drops_the_content(database: Path, detector: PresidioDetector) -> None:
    """The shape of the trace is kept, its content is not; the error's own text is not either."""
    failing = Failing(detector)
    with install_mlflow_redaction(failing):
        failing.is_broken = True
        before = spans(database)
        chain().invoke(QUESTION, CONFIG)
        list(chain().stream(QUESTION, CONFIG))
        mlflow.set_trace_tag(mlflow.get_last_active_trace_id(), "later", QUESTION)
        assert hits(database) == []
        assert spans(database) > before
    assert "redaction failed" in stored(database)


def test_installing_twice_and_otherwise(redaction: MlflowRedaction, detector: PresidioDetector) -> None:
    """The same detector gives the same handle; another one is refused, and so is one that finds nobody."""
    assert install_mlflow_redaction(detector) is redaction
    with pytest.raises(ConfigurationError, match="uninstall"):
        install_mlflow_redaction(PresidioDetector(entities=["EMAIL_ADDRESS"]))
    redaction.uninstall()
    assert not redaction.is_installed
    with pytest.raises(ConfigurationError, match="would not be redacted"):
        install_mlflow_redaction(PresidioDetector(entities=["IBAN_CODE"]))


def test_uninstalling_gives_mlflow_back(redaction: MlflowRedaction, database: Path) -> None:
    """After it MLflow stores what it gets, which shows that the other tests can fail."""
    redaction.uninstall()
    with mlflow.start_span(name="raw") as span:
        span.set_inputs("Nobody Special, somebody@example.org")
    assert "somebody@example.org" in stored(database)
