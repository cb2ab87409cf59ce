"""Chat models that judge as a test tells them to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr
from typing_extensions import override

from langchain_prodkit.evaluation import EvalDataset, EvalRecord

Says = Callable[[str], Any]


class ScriptedJudge(BaseChatModel):
    """Answers what `says` gives for its prompt: a text, an object, or an error to raise."""

    says: Any
    usage: Any = None
    model_name: str = "scripted"
    temperature: float = 0.0

    _prompts: list[str] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    @override
    def _llm_type(self) -> str:
        return "scripted"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "temperature": self.temperature}

    @property
    def prompts(self) -> list[str]:
        """What it was asked, in order of arrival."""
        return self._prompts

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = "\n".join(str(message.content) for message in messages)
        with self._lock:
            self._prompts.append(prompt)
        said = self.says(prompt)
        if isinstance(said, BaseException):
            raise said
        text = said if isinstance(said, str) else json.dumps(said)
        message = AIMessage(content=text, usage_metadata=self.usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


def scores(*numbers: int) -> Says:
    """Give these scores in turn, the last one for ever."""
    left = list(numbers)
    lock = threading.Lock()

    def says(_: str) -> dict[str, Any]:
        with lock:
            number = left.pop(0) if len(left) > 1 else left[0]
        return {"rationale": f"it is a {number}", "score": number}

    return says


def texts_between(prompt: str, label: str) -> list[str]:
    """Find what stands between the borders of a label."""
    found = re.findall(rf"<{label} ([a-z]{{20}})>\n(.*?)\n</{label} \1>", prompt, re.DOTALL)
    return [text for _, text in found]


def rows(count: int, **columns: Sequence[Any]) -> EvalDataset:
    """Make rows with a question, an answer, a context and an expected answer each."""
    made = []
    for at in range(count):
        row = {"id": f"r{at}", "input": f"question {at}", "output": f"answer {at}"}
        row |= {"contexts": [f"context {at}"], "expected": f"expected {at}"}  # type: ignore[dict-item]
        made.append(EvalRecord.from_dict(row | {name: values[at] for name, values in columns.items()}))
    return EvalDataset(tuple(made))
