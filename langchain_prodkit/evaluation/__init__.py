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
    from langchain_prodkit.evaluation.judge import ChatModelJudge, JudgeStatistics
    from langchain_prodkit.evaluation.judge_budget import BudgetStatistics, JudgeBudget
    from langchain_prodkit.evaluation.judge_cache import JsonlJudgeCache, JudgeCache, SqliteJudgeCache
    from langchain_prodkit.evaluation.judge_metrics import (
        JudgeMetric,
        answer_correctness,
        faithfulness,
        relevance,
        rubric,
    )
    from langchain_prodkit.evaluation.judge_verdict import JUDGE_DOWN, Verdict, is_judge_down
    from langchain_prodkit.evaluation.metrics import Metric, Score, default_metrics, metric
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
    "JUDGE_DOWN",
    "BudgetStatistics",
    "CallbackStatistics",
    "ChatModelJudge",
    "Context",
    "EvalDataset",
    "EvalRecord",
    "EvalReport",
    "FailedRow",
    "Feedback",
    "JsonlJudgeCache",
    "JudgeBudget",
    "JudgeCache",
    "JudgeMetric",
    "JudgeStatistics",
    "MLflowEvalCallback",
    "Metric",
    "MetricChange",
    "MetricSummary",
    "MiniLMEmbeddings",
    "RowScores",
    "Score",
    "SqliteJudgeCache",
    "StoredRun",
    "Verdict",
    "aevaluate",
    "answer_correctness",
    "default_metrics",
    "evaluate",
    "faithfulness",
    "is_judge_down",
    "metric",
    "read_run",
    "relevance",
    "rubric",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "JUDGE_DOWN": "judge_verdict",
        "BudgetStatistics": "judge_budget",
        "CallbackStatistics": "callback",
        "ChatModelJudge": "judge",
        "Context": "record",
        "EvalDataset": "dataset",
        "EvalRecord": "record",
        "EvalReport": "report",
        "FailedRow": "report",
        "Feedback": "record",
        "JsonlJudgeCache": "judge_cache",
        "JudgeBudget": "judge_budget",
        "JudgeCache": "judge_cache",
        "JudgeMetric": "judge_metrics",
        "JudgeStatistics": "judge",
        "MLflowEvalCallback": "callback",
        "Metric": "metrics",
        "MetricChange": "report",
        "MetricSummary": "report",
        "MiniLMEmbeddings": "embeddings",
        "RowScores": "report",
        "Score": "metrics",
        "SqliteJudgeCache": "judge_cache",
        "StoredRun": "mlflow_log",
        "Verdict": "judge_verdict",
        "aevaluate": "scoring",
        "answer_correctness": "judge_metrics",
        "default_metrics": "metrics",
        "metric": "metrics",
        "evaluate": "scoring",
        "faithfulness": "judge_metrics",
        "is_judge_down": "judge_verdict",
        "read_run": "mlflow_log",
        "relevance": "judge_metrics",
        "rubric": "judge_metrics",
    },
)
