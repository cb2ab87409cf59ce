"""An MLflow store for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables once: MLflow takes seconds for that."""
    mlflow = pytest.importorskip("mlflow")
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def db(empty_store: Path, tmp_path: Path) -> Path:
    """Give a store of its own to each test."""
    return Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))
