"""Evaluation: from a running chain to a scored, static data set in an MLflow store.

`MLflowEvalCallback` collects what a chain did, `EvalDataset` holds it (or questions of your own),
`evaluate` scores it with local metrics, and `EvalReport.log_to_mlflow` writes one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.callback import CallbackStatistics, MLflowEvalCallback
    from langchain_prodkit.evaluation.dataset import EvalDataset
    from langchain_prodkit.evaluation.embeddings import MiniLMEmbeddings
    from langchain_prodkit.evaluation.metrics import Metric, Score, default_metrics
    from langchain_prodkit.evaluation.mlflow_log import StoredRun, read_run
    from langchain_prodkit.evaluation.record import Context, EvalRecord, Feedback
    from langchain_prodkit.evaluation.report import (
        EvalReport,
        FailedRow,
        MetricChange,
        MetricSummary,
        RowScores,
    )
    from langchain_prodkit.evaluation.scoring import aevaluate, evaluate

__all__ = [
    "CallbackStatistics",
    "Context",
    "EvalDataset",
    "EvalRecord",
    "EvalReport",
    "FailedRow",
    "Feedback",
    "MLflowEvalCallback",
    "Metric",
    "MetricChange",
    "MetricSummary",
    "MiniLMEmbeddings",
    "RowScores",
    "Score",
    "StoredRun",
    "aevaluate",
    "default_metrics",
    "evaluate",
    "read_run",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "CallbackStatistics": "callback",
        "Context": "record",
        "EvalDataset": "dataset",
        "EvalRecord": "record",
        "EvalReport": "report",
        "Feedback": "record",
        "MLflowEvalCallback": "callback",
        "Metric": "metrics",
        "FailedRow": "report",
        "MetricChange": "report",
        "MetricSummary": "report",
        "MiniLMEmbeddings": "embeddings",
        "RowScores": "report",
        "Score": "metrics",
        "StoredRun": "mlflow_log",
        "aevaluate": "scoring",
        "default_metrics": "metrics",
        "evaluate": "scoring",
        "read_run": "mlflow_log",
    },
)
