"""Trace stores that never see personal data: `install_mlflow_redaction`, `redacted_langsmith_client`."""

from __future__ import annotations

from langchain_prodkit.privacy.traces_langsmith import redacted_langsmith_client
from langchain_prodkit.privacy.traces_mlflow import MlflowRedaction, install_mlflow_redaction

__all__ = ["MlflowRedaction", "install_mlflow_redaction", "redacted_langsmith_client"]
