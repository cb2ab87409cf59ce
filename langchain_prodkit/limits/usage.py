"""How many tokens a call will take, and how many it took: as the provider counts them."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from langchain_prodkit._chat import innermost
from langchain_prodkit.limits.prompt import BYTES_PER_TOKEN, prompt_size, schema_bytes, text_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGeneration

__all__ = ["CountingRule", "Estimate", "Tally", "TokenEstimator", "Usage", "counting_rule", "model_name"]

_MAX_TOKENS_NAMES: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_MODEL_NAMES: Final = ("model_name", "model", "model_id", "deployment_name", "azure_deployment")
# What travels with a prompt beside the messages, and is counted with it.
_SCHEMA_NAMES: Final = ("tools", "functions", "response_format")
# Before the first answer is seen: a paragraph or two.
_FIRST_ANSWER_TOKENS: Final = 256
_REMEMBERED_ANSWERS: Final = 64
_QUANTILE: Final = 0.75
_REMEMBERED_PROMPTS: Final = 32
# What a tokenizer, or a picture's real size, can be away from what was assumed.
_CORRECTIONS: Final = (0.25, 4.0)
_MEDIA_CORRECTIONS: Final = (0.05, 20.0)
# Below this, what the provider adds to every prompt outweighs its length.
_SHORT_PROMPT_TOKENS: Final = 64
_REMEMBERED_MODELS: Final = 64


class Usage(NamedTuple):
    """What a call took."""

    input_tokens: int = 0
    """The whole prompt, what was read from or written to a cache included."""
    output_tokens: int = 0
    """The whole answer, what the model thought and does not show included."""
    cached_tokens: int = 0
    """Of `input_tokens`, those read from the provider's cache."""
    cache_write_tokens: int = 0
    """Of `input_tokens`, those written to it."""
    reasoning_tokens: int = 0
    """Of `output_tokens`, those of reasoning."""

    @property
    def total_tokens(self) -> int:
        """Prompt and answer."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class CountingRule:
    """How a provider counts a call's tokens against its limit per minute."""

    family: str = "openai"
    """How pictures are counted: "openai", "anthropic" or "google"."""
    counts_cache_reads: bool = True
    """Whether prompt tokens read from the provider's cache count."""
    answer_weight: float = 1.0
    """What one token of the answer, reasoning included, takes off the limit."""

    def tokens(self, usage: Usage) -> int:
        """Say what `usage` takes off the limit."""
        prompt = usage.input_tokens
        if not self.counts_cache_reads:
            prompt -= usage.cached_tokens
        return max(0, prompt) + round(max(0, usage.output_tokens) * self.answer_weight)


# https://platform.openai.com/docs/guides/rate-limits: prompt and answer, and
# https://platform.openai.com/docs/guides/prompt-caching: cached prompts count like others. So do
# reasoning tokens: they are part of the answer. The rule of Azure, and of whoever is not named below.
_EVERYTHING: Final = CountingRule()
_GEMINI: Final = CountingRule(family="google")
# https://docs.anthropic.com/en/api/rate-limits: reads from the cache are free of the limit, save for
# the models of families 3 and 3.5, marked there. Anthropic limits prompts and answers apart: told the
# smaller of its two numbers, a limit on their sum keeps both.
_ANTHROPIC: Final = CountingRule(family="anthropic", counts_cache_reads=False)
_ANTHROPIC_OLD: Final = CountingRule(family="anthropic")
# https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html: reads from the cache
# do not count, and a token of an answer of Claude 3.7 and later counts five.
_BEDROCK: Final = CountingRule(counts_cache_reads=False)
_BEDROCK_CLAUDE: Final = CountingRule(family="anthropic", counts_cache_reads=False, answer_weight=5.0)
_BEDROCK_CLAUDE_OLD: Final = CountingRule(family="anthropic", counts_cache_reads=False)
_OLD_CLAUDE: Final = re.compile(r"claude-(v?2|instant|3-(?!7))")


def counting_rule(provider: str, model: str) -> CountingRule:
    """Give the rule of `provider` (its `_llm_type`, `ls_provider` or both) for `model`."""
    is_old = _OLD_CLAUDE.search(model) is not None
    if "bedrock" in provider:
        if "claude" not in model:
            return _BEDROCK
        return _BEDROCK_CLAUDE_OLD if is_old else _BEDROCK_CLAUDE
    if "anthropic" in provider:
        return _ANTHROPIC_OLD if is_old else _ANTHROPIC
    if "google" in provider or "vertex" in provider:
        return _GEMINI
    return _EVERYTHING


def model_name(model: object, kwargs: Mapping[str, Any] | None = None) -> str:
    """Find the name of the model that answers a call: the call's own, else the model's; "" for none."""
    if kwargs and isinstance(name := kwargs.get("model"), str) and name:
        return name
    # Read past pydantic, for whom asking after a field that a model lacks takes microseconds.
    fields = getattr(innermost(model), "__dict__", {})
    for field in _MODEL_NAMES:
        name = fields.get(field)
        if isinstance(name, str) and name:
            return name
    return ""


class Estimate(NamedTuple):
    """What a call is expected to take."""

    raw_prompt_tokens: int
    """The prompt as counted."""
    prompt_tokens: int
    """The prompt as corrected by what earlier answers reported."""
    answer_tokens: int
    """All choices of the answer together."""
    model: str = ""
    kind: str = "text"
    """Which correction was used: "short", "text" or "media"."""
    choices: int = 1
    rule: CountingRule = _EVERYTHING

    @property
    def usage(self) -> Usage:
        """The estimate in the form of a usage, with nothing cached."""
        return Usage(self.prompt_tokens, self.answer_tokens)

    @property
    def tokens(self) -> int:
        """What to reserve of the limit."""
        return self.rule.tokens(self.usage)


@final
class _Window:
    """The last numbers, kept in order of size too: adding one takes no sorting."""

    __slots__ = ("_arrived", "_ranked", "_size")

    def __init__(self, size: int, first: tuple[float, ...] = ()) -> None:
        self._size = size
        self._arrived = deque(first)
        self._ranked = sorted(first)

    def add(self, number: float) -> None:
        if len(self._arrived) == self._size:
            del self._ranked[bisect_left(self._ranked, self._arrived.popleft())]
        self._arrived.append(number)
        insort(self._ranked, number)

    def quantile(self, share: float) -> float:
        return self._ranked[int(share * (len(self._ranked) - 1))]

    def median(self) -> float:
        last = len(self._ranked) - 1
        return (self._ranked[last // 2] + self._ranked[(last + 1) // 2]) / 2


@final
class _Learned:
    """What was learned of one model."""

    __slots__ = ("answer_tokens", "answers", "corrections", "ratios")

    def __init__(self) -> None:
        self.answers = _Window(_REMEMBERED_ANSWERS)
        self.answer_tokens = _FIRST_ANSWER_TOKENS
        self.ratios: dict[str, _Window] = {}
        self.corrections: dict[str, float] = {}


class TokenEstimator:
    """Estimates calls, and gets better with every answer that says what it took; model by model.

    The prompt is measured by length (no tokenizer files, microseconds) and corrected by the median of
    what the last prompts of its kind really took, so that a strange one changes nothing. The answer is
    `max_tokens` where the call or the model sets it, else the upper quartile of the last answers; both
    for each of the `n` choices. Thread-safe.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._lock = threading.Lock()
        self._models: dict[str, _Learned] = {}
        self._rules: dict[tuple[type, str], CountingRule] = {}
        self._schemas: tuple[tuple[Any, ...], int] = ((), 0)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> TokenEstimator:
        """Start afresh: what was learned belongs to the model it was learned from."""
        return TokenEstimator()

    def __reduce__(self) -> tuple[type[TokenEstimator], tuple[()]]:
        return TokenEstimator, ()

    def estimate(
        self, model: BaseChatModel, messages: Sequence[BaseMessage], kwargs: Mapping[str, Any]
    ) -> Estimate:
        """Estimate the call of `model` with `messages` and the call's own `kwargs`."""
        inner = innermost(model)
        name = model_name(inner, kwargs)
        rule = self._rule(inner, name)
        size = prompt_size(messages, schema_size=self._schema_size(kwargs), family=rule.family, model=name)
        raw = round(size.text_tokens + size.media_tokens)
        kind = "media" if size.media_tokens else "short" if raw < _SHORT_PROMPT_TOKENS else "text"
        learned = self._models.get(name)
        fields = inner.__dict__
        choices = kwargs.get("n") or fields.get("n")
        choices = choices if isinstance(choices, int) and choices > 0 else 1
        answer = _max_tokens(fields, kwargs)
        if answer is None:
            answer = learned.answer_tokens if learned is not None else _FIRST_ANSWER_TOKENS
        correction = learned.corrections.get(kind, 1.0) if learned is not None else 1.0
        return Estimate(raw, round(raw * correction), answer * choices, name, kind, choices, rule)

    def estimate_texts(self, name: str, sizes: Sequence[int]) -> Estimate:
        """Estimate a request that has model `name` embed texts of `sizes` bytes, and answers no token."""
        raw = round(sum(sizes) / BYTES_PER_TOKEN)
        return Estimate(raw, round(raw * self.correction(name)), 0, name)

    def correction(self, name: str) -> float:
        """Say by how much the texts of model `name` are longer than their length says."""
        learned = self._models.get(name)
        return learned.corrections.get("text", 1.0) if learned is not None else 1.0

    def observe(self, estimate: Estimate, input_tokens: int, output_tokens: int) -> None:
        """Learn from an answer that reported its usage."""
        with self._lock:
            learned = self._models.get(estimate.model)
            if learned is None:
                if len(self._models) >= _REMEMBERED_MODELS:
                    del self._models[next(iter(self._models))]
                learned = self._models[estimate.model] = _Learned()
            if input_tokens > 0:
                kind = estimate.kind
                low, high = _MEDIA_CORRECTIONS if kind == "media" else _CORRECTIONS
                # Two that say "as counted" come first: a single answer proves little.
                ratios = learned.ratios.setdefault(kind, _Window(_REMEMBERED_PROMPTS, (1.0, 1.0)))
                ratios.add(min(high, max(low, input_tokens / max(1, estimate.raw_prompt_tokens))))
                learned.corrections[kind] = ratios.median()
            if output_tokens > 0:
                learned.answers.add(-(-output_tokens // estimate.choices))
                learned.answer_tokens = round(learned.answers.quantile(_QUANTILE))

    def _rule(self, inner: Any, name: str) -> CountingRule:
        key = (type(inner), name)
        rule = self._rules.get(key)
        if rule is None:
            provider = str(getattr(inner, "_llm_type", ""))
            ask = getattr(inner, "_get_ls_params", None)
            if callable(ask):
                provider += f" {ask().get('ls_provider', '')}"
            if len(self._rules) >= _REMEMBERED_MODELS:
                self._rules.clear()
            rule = self._rules[key] = counting_rule(provider, name)
        return rule

    def _schema_size(self, kwargs: Mapping[str, Any]) -> int:
        """Measure what is bound beside the messages; the same binding is measured once."""
        parts = [kwargs[name] for name in _SCHEMA_NAMES if kwargs.get(name)]
        if not parts:
            return 0
        flat = [item for part in parts for item in (part if isinstance(part, list | tuple) else (part,))]
        known, size = self._schemas
        if len(known) == len(flat) and all(old is new for old, new in zip(known, flat, strict=True)):
            return size
        size = sum(schema_bytes(_schema(item)) for item in flat)
        self._schemas = (tuple(flat), size)
        return size


class Tally:
    """Adds up what an answer took, whole or chunk by chunk."""

    __slots__ = ("_bytes", "_usage", "is_reported")

    def __init__(self) -> None:
        """Start at nothing."""
        self._bytes = 0
        self._usage = Usage()
        self.is_reported = False
        """Whether the provider said what it took."""

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt as reported."""
        return self._usage.input_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens of the answer as reported, reasoning included."""
        return self._usage.output_tokens

    def add(self, generation: ChatGeneration) -> None:
        """Add a chunk, or a whole answer."""
        message: Any = generation.message
        usage = getattr(message, "usage_metadata", None)
        if usage:
            self.is_reported = True
            self._usage = _sum(self._usage, usage)
        self._bytes += text_bytes(generation.text)
        calls = getattr(message, "tool_call_chunks", None) or getattr(message, "tool_calls", None) or ()
        for call in calls:
            arguments = call.get("args") or ""
            self._bytes += len(call.get("name") or "")
            self._bytes += text_bytes(arguments) if isinstance(arguments, str) else schema_bytes(arguments)

    def usage(self, estimate: Estimate) -> Usage:
        """Say what the answer took, as reported, or else the prompt as estimated, the answer by length."""
        said = self._usage
        return said._replace(
            input_tokens=said.input_tokens or estimate.prompt_tokens,
            output_tokens=said.output_tokens or round(self._bytes / BYTES_PER_TOKEN),
        )

    def usage_so_far(self, estimate: Estimate) -> Usage:
        """Say what is known to be used when a stream broke off: providers report an answer at its end."""
        known = self.usage(estimate)
        return known._replace(output_tokens=max(known.output_tokens, round(self._bytes / BYTES_PER_TOKEN)))

    def used_tokens(self, estimate: Estimate) -> int:
        """Say what the answer takes off the limit."""
        return estimate.rule.tokens(self.usage(estimate))


def _sum(usage: Usage, said: Mapping[str, Any]) -> Usage:
    """Add what a message's `usage_metadata` says; what it leaves out is 0."""
    given, made = said.get("input_tokens") or 0, said.get("output_tokens") or 0
    prompt: Mapping[str, Any] = said.get("input_token_details") or {}
    answer: Mapping[str, Any] = said.get("output_token_details") or {}
    # Some providers report reasoning in the total alone.
    hidden = max(0, (said.get("total_tokens") or 0) - given - made)
    return Usage(
        usage.input_tokens + given,
        usage.output_tokens + made + hidden,
        usage.cached_tokens + (prompt.get("cache_read") or 0),
        usage.cache_write_tokens + (prompt.get("cache_creation") or 0),
        usage.reasoning_tokens + (answer.get("reasoning") or 0),
    )


def _schema(value: Any) -> Any:
    """Give the JSON schema of a pydantic class, anything else as it is."""
    make = getattr(value, "model_json_schema", None)
    return make() if isinstance(value, type) and callable(make) else value


def _max_tokens(fields: Mapping[str, Any], kwargs: Mapping[str, Any]) -> int | None:
    for owner in (kwargs, fields.get("model_kwargs") or {}, fields):
        for name in _MAX_TOKENS_NAMES:
            value = owner.get(name)
            if isinstance(value, int) and value > 0:
                return value
    return None
