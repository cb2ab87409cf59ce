"""Evaluation: from a running chain to a scored, static data set in an MLflow store.

`MLflowEvalCallback` collects what a chain did, `EvalDataset` holds it (or questions of your own),
`evaluate` scores it with local metrics, and `EvalReport.log_to_mlflow` writes one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.baseline import Baseline
    from langchain_prodkit.evaluation.bridges import (
        as_mlflow_metric,
        as_mlflow_rows,
        as_mlflow_scorer,
        one_writer,
    )
    from langchain_prodkit.evaluation.callback import CallbackStatistics, MLflowEvalCallback, is_error
    from langchain_prodkit.evaluation.checks import (
        Check,
        CheckResult,
        ForbiddenPattern,
        GroundedNumbers,
        MatchesPattern,
        MaxChars,
        MaxWords,
        NoRefusal,
        NotEmpty,
        check,
        metric_check,
    )
    from langchain_prodkit.evaluation.dataset import EvalDataset
    from langchain_prodkit.evaluation.embeddings import MiniLMEmbeddings
    from langchain_prodkit.evaluation.gate import Gate
    from langchain_prodkit.evaluation.gate_result import GateResult, MetricVerdict, Outcome
    from langchain_prodkit.evaluation.judge import ChatModelJudge
    from langchain_prodkit.evaluation.judge_budget import BudgetStatistics, JudgeBudget
    from langchain_prodkit.evaluation.judge_cache import JsonlJudgeCache, JudgeCache, SqliteJudgeCache
    from langchain_prodkit.evaluation.judge_metrics import (
        JudgeMetric,
        answer_correctness,
        faithfulness,
        relevance,
        rubric,
    )
    from langchain_prodkit.evaluation.judge_model import JudgeStatistics
    from langchain_prodkit.evaluation.judge_verdict import JUDGE_DOWN, Verdict, is_judge_down
    from langchain_prodkit.evaluation.metrics import (
        Groundedness,
        Metric,
        Score,
        claim_support,
        default_metrics,
        metric_named,
    )
    from langchain_prodkit.evaluation.metrics.function import metric
    from langchain_prodkit.evaluation.mlflow_log import StoredRun, read_run
    from langchain_prodkit.evaluation.mlflow_scorers import from_mlflow_metric, from_mlflow_scorer
    from langchain_prodkit.evaluation.output_check import OutputCheckRunnable
    from langchain_prodkit.evaluation.questions import agenerate_questions, generate_questions
    from langchain_prodkit.evaluation.record import Context, EvalRecord, Feedback
    from langchain_prodkit.evaluation.report import (
        EvalReport,
        FailedRow,
        MetricChange,
        MetricSummary,
        RowScores,
    )
    from langchain_prodkit.evaluation.scoring import aevaluate, evaluate
    from langchain_prodkit.evaluation.threshold import Threshold

__all__ = [
    "JUDGE_DOWN",
    "Baseline",
    "BudgetStatistics",
    "CallbackStatistics",
    "ChatModelJudge",
    "Check",
    "CheckResult",
    "Context",
    "EvalDataset",
    "EvalRecord",
    "EvalReport",
    "FailedRow",
    "Feedback",
    "ForbiddenPattern",
    "Gate",
    "GateResult",
    "GroundedNumbers",
    "Groundedness",
    "JsonlJudgeCache",
    "JudgeBudget",
    "JudgeCache",
    "JudgeMetric",
    "JudgeStatistics",
    "MLflowEvalCallback",
    "MatchesPattern",
    "MaxChars",
    "MaxWords",
    "Metric",
    "MetricChange",
    "MetricSummary",
    "MetricVerdict",
    "MiniLMEmbeddings",
    "NoRefusal",
    "NotEmpty",
    "Outcome",
    "OutputCheckRunnable",
    "RowScores",
    "Score",
    "SqliteJudgeCache",
    "StoredRun",
    "Threshold",
    "Verdict",
    "aevaluate",
    "agenerate_questions",
    "answer_correctness",
    "as_mlflow_metric",
    "as_mlflow_rows",
    "as_mlflow_scorer",
    "check",
    "claim_support",
    "default_metrics",
    "evaluate",
    "faithfulness",
    "from_mlflow_metric",
    "from_mlflow_scorer",
    "generate_questions",
    "is_error",
    "is_judge_down",
    "metric",
    "metric_check",
    "metric_named",
    "one_writer",
    "read_run",
    "relevance",
    "rubric",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "JUDGE_DOWN": "judge_verdict",
        "Baseline": "baseline",
        "BudgetStatistics": "judge_budget",
        "CallbackStatistics": "callback",
        "ChatModelJudge": "judge",
        "Check": "checks",
        "CheckResult": "checks",
        "Context": "record",
        "EvalDataset": "dataset",
        "EvalRecord": "record",
        "EvalReport": "report",
        "FailedRow": "report",
        "Feedback": "record",
        "ForbiddenPattern": "checks",
        "Gate": "gate",
        "GateResult": "gate_result",
        "GroundedNumbers": "checks",
        "JsonlJudgeCache": "judge_cache",
        "JudgeBudget": "judge_budget",
        "JudgeCache": "judge_cache",
        "JudgeMetric": "judge_metrics",
        "JudgeStatistics": "judge_model",
        "MLflowEvalCallback": "callback",
        "MatchesPattern": "checks",
        "MaxChars": "checks",
        "MaxWords": "checks",
        "Groundedness": "metrics",
        "Metric": "metrics",
        "MetricChange": "report",
        "MetricSummary": "report",
        "MetricVerdict": "gate_result",
        "MiniLMEmbeddings": "embeddings",
        "NoRefusal": "checks",
        "NotEmpty": "checks",
        "Outcome": "gate_result",
        "OutputCheckRunnable": "output_check",
        "RowScores": "report",
        "Score": "metrics",
        "SqliteJudgeCache": "judge_cache",
        "StoredRun": "mlflow_log",
        "Threshold": "threshold",
        "Verdict": "judge_verdict",
        "aevaluate": "scoring",
        "agenerate_questions": "questions",
        "answer_correctness": "judge_metrics",
        "as_mlflow_metric": "bridges",
        "as_mlflow_rows": "bridges",
        "as_mlflow_scorer": "bridges",
        "check": "checks",
        "claim_support": "metrics",
        "default_metrics": "metrics",
        "evaluate": "scoring",
        "faithfulness": "judge_metrics",
        "from_mlflow_metric": "mlflow_scorers",
        "from_mlflow_scorer": "mlflow_scorers",
        "generate_questions": "questions",
        "is_error": "callback",
        "is_judge_down": "judge_verdict",
        "metric": "metrics.function",
        "metric_check": "checks",
        "one_writer": "bridges",
        "read_run": "mlflow_log",
        "relevance": "judge_metrics",
        "rubric": "judge_metrics",
        "metric_named": "metrics",
    },
)
