"""Every test runs offline, without keys, and hypothesis tries the same examples everywhere."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

for _name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "LANGSMITH_TRACING"):
    os.environ.pop(_name, None)
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

# A shell that starts a run in the background has it ignore Ctrl-C; so would programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "project", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=80
)
settings.load_profile("project")
