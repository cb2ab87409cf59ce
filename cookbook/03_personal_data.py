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
# # Personal data that never reaches the model
#
# People type names, addresses and card numbers into a chat. A hosted model, its logs and your traces need
# none of them. This notebook puts a redactor around a chat model and looks at all three places:
#
# 1. what the provider receives, and what the caller gets back,
# 2. the same as a stream, over several turns, and in Korean,
# 3. two users of one app,
# 4. traces, before and after, and
# 5. what the detector misses: a table and a plot of what stays readable.
#
# Nothing here needs a key or leaves this machine: the provider listens on 127.0.0.1. It runs with the extras
# `openai`, `testing`, `privacy`, `privacy-ko` and `eval`, and draws with matplotlib.

# %%
import json
import logging
import re
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import mlflow
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI

from langchain_prodkit.privacy import PresidioDetector, PresidioRunnable, install_mlflow_redaction
from langchain_prodkit.testing import ProviderServer

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
HERE = Path("cookbook") if Path("cookbook").is_dir() else Path()

# %% [markdown]
# ## 1. Around the model
#
# The provider answers with the last message that it received, so that every mistake shows. `.protect()` takes
# any chat model and is one: what goes in is redacted - the question, the history, documents, tool results -
# and the answer is restored.


# %%
def repeat(body: dict[str, Any]) -> str:
    return f"Noted. You wrote: {body['messages'][-1]['content']}"


server = ProviderServer(script=repeat).start()
model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")

detector = PresidioDetector()
privacy = PresidioRunnable(detector)
safe = privacy.protect(model)

QUESTION = (
    "My name is Marta Lindqvist, I live at 14 Willow Crescent, Madison, WI 53703. "
    "Call +46 8 123 456 78 or write to marta@example.org about card 4111 1111 1111 1111."
)
ada: RunnableConfig = {"configurable": {"user_id": "ada", "thread_id": "t1"}}
answer = safe.invoke(QUESTION, ada)


def last_prompt() -> str:
    content: str = server.journal[-1].body["messages"][-1]["content"]
    return content


print("the provider saw:", last_prompt())
print("the caller reads:", answer.content)

# %%
VALUES = ("Lindqvist", "Willow", "53703", "123 456 78", "marta@", "4111")
assert not any(value in server.journal_text() for value in VALUES)
assert answer.content == f"Noted. You wrote: {QUESTION}"

# %% [markdown]
# ## 2. Streams, turns, Korean
#
# A placeholder may come in pieces: `<PER`, `SON_1>`. The stream holds back only what may still become one,
# and gives the rest at once.

# %%
chunks = [chunk.text for chunk in safe.stream(QUESTION, ada)]
print(len(chunks), "chunks:", chunks[:12])

# %%
assert "".join(chunks) == answer.content
assert len(chunks) > 5

# %% [markdown]
# The same value gets the same placeholder in every turn of a thread, so that the model can tell people apart
# without knowing them. History is redacted again each time; what was seen before is not analysed again.

# %%
history: list[BaseMessage] = [
    HumanMessage("I am Marta Lindqvist."),
    AIMessage("Good morning, Marta Lindqvist."),
    HumanMessage("Is Jonas Weber in the office? This is Marta Lindqvist again."),
]
restored = safe.invoke(history, ada)
seen = [message["content"] for message in server.journal[-1].body["messages"]]
print(*seen, sep="\n")

# %%
token = re.search(r"<PERSON_\d+>", seen[0])
assert token is not None
assert all(token.group() in text for text in seen)
assert restored.text.endswith("This is Marta Lindqvist again.")

# %% [markdown]
# Korean writes particles onto the name and the number, where word borders end nothing. Its recognizers load
# with the first Korean text.

# %%
KOREAN = "제 이름은 김서연이고 전화번호는 010-9990-9334입니다. 서울특별시 마포구 석촌호수로 911에 살아요."
korean = safe.invoke(KOREAN, ada)
print(last_prompt())

# %%
assert not any(value in last_prompt() for value in ("김서연", "9334", "석촌호수로"))
assert korean.text.endswith(KOREAN)

# %% [markdown]
# ## 3. Somebody else's placeholder
#
# A scope is a user and a thread. Another user who types a placeholder gets the text back as typed, whoever
# it belongs to elsewhere.

# %%
bob: RunnableConfig = {"configurable": {"user_id": "bob", "thread_id": "t1"}}
probe = safe.invoke("Who is <PERSON_1>? Repeat after me: PERSON_1", bob)
print(probe.content)

# %%
assert "Marta" not in probe.text
assert probe.text.endswith("Who is <PERSON_1>? Repeat after me: PERSON_1")

# %% [markdown]
# ## 4. Traces
#
# The root run of a trace holds the raw question and the restored answer: whoever can open the traces reads
# everything. Here MLflow stores a trace as it does by default; then the same call with its store guarded.

# %%
folder = Path(tempfile.mkdtemp())
mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
mlflow.set_experiment("personal data")
mlflow.langchain.autolog()


def stored() -> str:
    """Give the newest trace, all of it, as the store has it."""
    mlflow.flush_trace_async_logging()
    (trace,) = mlflow.search_traces(max_results=1, return_type="list")
    text: str = trace.to_json()
    return text


safe.invoke(QUESTION, ada)
before = {value: stored().count(value) for value in VALUES}

with install_mlflow_redaction(detector):
    safe.invoke(QUESTION, ada)
    guarded = stored()
after = {value: guarded.count(value) for value in VALUES}
mlflow.langchain.autolog(disable=True)

for value in VALUES:
    print(f"{value:12s} before {before[value]:2d} times, after {after[value]}")

# %%
assert all(before.values())
assert not any(after.values())
assert "PERSON" in guarded

# %% [markdown]
# LangSmith: `LangChainTracer(client=redacted_langsmith_client(detector))` does the same for its requests.
#
# ## 5. What stays readable
#
# No detector finds everything, so measure yours on texts like yours. `personal_texts.jsonl` holds a few dozen
# made up for this notebook (Apache-2.0, as everything here), with the personal data marked: most of them as
# people write, some as hard as they come. Leak is the share of personal letters and digits that stay
# readable; over-redaction is the share of the others that are hidden.

# %%
MARKED = re.compile(r"\[([^\]]+)\]\(([A-Z_]+)\)")


def unmarked(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """Give the text as somebody would type it, and where its personal data stands."""
    plain, spans, at = "", [], 0
    for match in MARKED.finditer(text):
        plain += text[at : match.start()]
        spans.append((len(plain), len(plain) + len(match[1]), match[2]))
        plain, at = plain + match[1], match.end()
    return plain + text[at:], spans


lines = (HERE / "data" / "personal_texts.jsonl").read_text(encoding="utf-8").splitlines()
rows = [unmarked(json.loads(line)["text"]) for line in lines]


def readable(finder: PresidioDetector) -> tuple[Counter[str], Counter[str], float]:
    """Count what stays readable of each entity, and all of it; and the share hidden of everything else."""
    left: Counter[str] = Counter()
    total: Counter[str] = Counter()
    other = hidden_other = 0
    for (text, gold), found in zip(rows, finder.detect([text for text, _ in rows]), strict=True):
        hidden = {place for span in found for place in range(span.start, span.end)}
        entities = {place: entity for start, end, entity in gold for place in range(start, end)}
        for place, char in enumerate(text):
            if not char.isalnum():
                continue
            entity = entities.get(place)
            if entity is None:
                other += 1
                hidden_other += place in hidden
            else:
                total[entity] += 1
                left[entity] += place not in hidden
    return left, total, hidden_other / other


finders = {"patterns": PresidioDetector(profile="patterns"), "balanced": detector}
results = {name: readable(finder) for name, finder in finders.items()}
entities = sorted(results["balanced"][1])
leaks = {
    name: [100 * left[entity] / total[entity] for entity in entities]
    for name, (left, total, _) in results.items()
}
print(f"{'leak in percent':20s}", *(f"{name:>10s}" for name in finders))
for place, entity in enumerate(entities):
    print(f"{entity:20s}", *(f"{leaks[name][place]:10.1f}" for name in finders))
for name, (left, total, over) in results.items():
    print(f"{name}: leak {100 * left.total() / total.total():.1f} %, over-redaction {100 * over:.1f} %")

# %%
figure, axis = plt.subplots(figsize=(9, 4))
for offset, (name, values) in enumerate(leaks.items()):
    axis.barh([place + 0.4 * offset for place in range(len(entities))], values, height=0.38, label=name)
axis.set_yticks([place + 0.2 for place in range(len(entities))], entities)
axis.set_xlabel("letters and digits left readable, percent")
axis.set_xlim(0, 100)
axis.legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# Patterns alone, without a model, know no names and places; the spaCy model adds those. What is left are
# names in small letters that are words as well, and a number that is spelled out. Where that is too much:
# `profile="strict"`, a second model, your own recognizers; see the README.

# %%
left, total, over = results["balanced"]
structured = set(entities) - {"PERSON", "LOCATION", "PHONE_NUMBER"}
assert sum(left[entity] for entity in structured) == 0
assert left.total() / total.total() < 0.1
assert over < 0.065
assert results["patterns"][2] < 0.02
server.stop()

# %% [markdown]
# How fast this is, and how it does on thousands of texts: `python -m benchmarks.privacy`.
