"""Personal data that never reaches the model and comes back to its owner.

`PresidioRunnable` hides personal data behind placeholders; `.protect(model)` gives a chat model to
which only placeholders pass, and `.restore()` puts the values back into an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names

if TYPE_CHECKING:
    from langchain_prodkit.privacy.deadline import TimedDetector
    from langchain_prodkit.privacy.detector import PresidioDetector
    from langchain_prodkit.privacy.protect import ProtectedChatModel
    from langchain_prodkit.privacy.protected_chain import ProtectedChain
    from langchain_prodkit.privacy.redis_vault import RedisVault
    from langchain_prodkit.privacy.remote import RemoteDetector
    from langchain_prodkit.privacy.report import RedactionReport
    from langchain_prodkit.privacy.restore import PresidioRestorer
    from langchain_prodkit.privacy.runnable import PresidioRunnable
    from langchain_prodkit.privacy.sealed import decrypt
    from langchain_prodkit.privacy.span import Detector, Span
    from langchain_prodkit.privacy.traces import (
        MlflowRedaction,
        install_mlflow_redaction,
        redacted_langsmith_client,
    )
    from langchain_prodkit.privacy.vault import MemoryVault, Scope, Vault

__all__ = [
    "Detector",
    "MemoryVault",
    "MlflowRedaction",
    "PresidioDetector",
    "PresidioRestorer",
    "PresidioRunnable",
    "ProtectedChain",
    "ProtectedChatModel",
    "RedactionReport",
    "RedisVault",
    "RemoteDetector",
    "Scope",
    "Span",
    "TimedDetector",
    "Vault",
    "decrypt",
    "install_mlflow_redaction",
    "redacted_langsmith_client",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "Detector": "span",
        "MemoryVault": "vault",
        "MlflowRedaction": "traces",
        "PresidioDetector": "detector",
        "PresidioRestorer": "restore",
        "PresidioRunnable": "runnable",
        "ProtectedChain": "protected_chain",
        "ProtectedChatModel": "protect",
        "RedactionReport": "report",
        "RedisVault": "redis_vault",
        "RemoteDetector": "remote",
        "Scope": "vault",
        "Span": "span",
        "TimedDetector": "deadline",
        "Vault": "vault",
        "decrypt": "sealed",
        "install_mlflow_redaction": "traces",
        "redacted_langsmith_client": "traces",
    },
)
