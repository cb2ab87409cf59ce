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
# # From a table of answers to a gate in CI
#
# A model answers differently every time, so it is tested as one tests anything random: on many rows, with
# numbers that say how sure they are. This notebook goes the whole way:
#
# 1. a plain table of questions, source documents and generated answers, judged for faithfulness and
#    relevance,
# 2. what that cost, and why the second time costs nothing,
# 3. the same in MLflow,
# 4. the table that a running chain writes by itself,
# 5. a worse prompt, a picture of what it did, and a gate that stops it,
# 6. questions that nobody had to write,
# 7. the quick checks, before the user sees the answer.
#
# Nothing here needs a key or leaves this machine. It runs with the extras `openai`, `testing`, `eval` and
# `embeddings`.

# %%
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd  # type: ignore[import-untyped]
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_openai import ChatOpenAI

from langchain_prodkit import MLflowEvalCallback
from langchain_prodkit.evaluation import (
    ChatModelJudge,
    EvalDataset,
    Gate,
    GroundedNumbers,
    MaxWords,
    NotEmpty,
    OutputCheckRunnable,
    Threshold,
    default_metrics,
    evaluate,
    faithfulness,
    generate_questions,
    read_run,
    relevance,
)
from langchain_prodkit.testing import ProviderServer

home = Path(tempfile.mkdtemp())

# %% [markdown]
# ## 1. The table
#
# Ten kettles with four facts each make a handbook, and forty questions about it. A bot has answered them all;
# most answers are right. Some are not: a number that the handbook does not have, or a sentence about
# something else.

# %%
NAMES = ["Arno", "Bela", "Cora", "Dino", "Elba", "Faro", "Gero", "Hilo", "Iris", "Juno"]
FACTS = {
    "capacity": ("What is the capacity of the {name}?", "The {name} has a capacity of {n} millilitres."),
    "price": ("What is the price of the {name}?", "The price of the {name} is {n} euros."),
    "warranty": ("How long is the warranty of the {name}?", "The warranty of the {name} is {n} months."),
    "power": ("What is the power of the {name}?", "The power of the {name} is {n} watts."),
}
NUMBERS = {"capacity": 900, "price": 39, "warranty": 12, "power": 1800}
HANDBOOK = {
    (name, fact): text.format(name=name, n=NUMBERS[fact] + at)
    for at, name in enumerate(NAMES)
    for fact, (_, text) in FACTS.items()
}
asked: list[dict[str, Any]] = [
    {"question": question.format(name=name), "key": (name, fact)}
    for name in NAMES
    for fact, (question, _) in FACTS.items()
]


def answered(at: int, key: tuple[str, str]) -> str:
    """Answer from the handbook, but not always."""
    if at % 10 == 3:
        return re.sub(r"\d+", "7777", HANDBOOK[key])
    if at % 10 == 8:
        return "Tea is best at eighty degrees."
    return HANDBOOK[key]


frame = pd.DataFrame(
    {
        "question": [row["question"] for row in asked],
        "source_documents": [[HANDBOOK[row["key"][0], fact] for fact in FACTS] for row in asked],
        "generated_answer": [answered(at, row["key"]) for at, row in enumerate(asked)],
    }
)
frame.head()

# %% [markdown]
# The judge is any LangChain chat model, here `ChatOpenAI` over real HTTP. What answers on the other side is
# a script, so that you can foretell every verdict: it reads the texts between the borders that
# `ChatModelJudge` draws, and supports a claim when its numbers and most of its words stand in a context.

# %%
BORDERED = re.compile(r"<([\w-]+) (\w{20})>\n(.*?)\n</\1 \2>", re.DOTALL)
journal: list[str] = []


def words(text: str) -> set[str]:
    """Give the words and numbers of a text."""
    return set(re.findall(r"\w+", text.lower()))


def strict(body: dict[str, Any]) -> dict[str, Any]:
    """Judge as a careful reader would."""
    system = str(body["messages"][0]["content"])
    texts = [(found[1], found[3]) for found in BORDERED.finditer(str(body["messages"][-1]["content"]))]
    answer = next(text for label, text in texts if label == "answer")
    journal.append("faithfulness" if "factual claims" in system else "relevance")
    if "factual claims" in system:
        known = set().union(*(words(text) for label, text in texts if label.startswith("context")))
        supported = (
            len(words(answer) & known) >= 0.8 * len(words(answer))
            and {word for word in words(answer) if word.isdigit()} <= known
        )
        verdict: dict[str, Any] = {"claims": [{"claim": answer, "supported": supported}]}
    else:
        question = next(text for label, text in texts if label == "question")
        shared = words(question) & words(answer) - {"the", "of", "is", "what"}
        verdict = {"rationale": f"shares {len(shared)} words", "score": 5 if len(shared) > 1 else 1}
    if "tools" in body:
        name = body["tools"][0]["function"]["name"]
        return {"tool_calls": [{"name": name, "arguments": verdict}]}
    return {"content": json.dumps(verdict)}


judging = ProviderServer(script=strict).start()
judge = ChatModelJudge(
    ChatOpenAI(model="gpt-4o", temperature=0, base_url=judging.base_url, api_key="none"),
    cache=home / "judge.sqlite",
)

# %%
dataset = EvalDataset.from_pandas(
    frame,
    columns={"input": "question", "contexts": "source_documents", "output": "generated_answer"},
    name="kettle handbook",
)
metrics = [*default_metrics(), faithfulness(judge), relevance(judge)]
report = evaluate(dataset, metrics)
print(report.to_markdown())

# %% [markdown]
# A metric that could not run says why, and a mean comes with the interval that it may as well have been. The
# rows behind a number are one line away:

# %%
worst = [scored for scored in report.rows if scored.scores["faithfulness"].value == 0.0]
for scored in worst[:3]:
    print(scored.id, "-", scored.scores["faithfulness"].rationale)
assert report.summary["faithfulness"].mean == 0.8
assert report.summary["relevance"].mean == 0.9
assert len(worst) == 8

# %% [markdown]
# ## 2. The same answers are judged once
#
# The judge was asked forty times a metric, and again where it failed an answer: `confirm_on_fail` lets the
# majority decide, as one bad mood of a judge should not. Its verdicts are kept, so that evaluating the same
# answers again costs no call, and one changed answer exactly its own.

# %%
print(judge.statistics())
calls = judge.statistics().calls
again = evaluate(dataset, metrics)
assert judge.statistics().calls == calls
assert again.summary["faithfulness"].mean == report.summary["faithfulness"].mean

# %% [markdown]
# ## 3. In MLflow
#
# One run with every mean, one table, the data set as its input, plots, and a trace for each failed row and
# a sample of the others with what the judge said. `langchain-prodkit eval ui` shows it.

# %%
store = home / "mlflow.db"
run_id = report.log_to_mlflow(experiment="kettles", tracking_uri=store, run_name="first answers", plots=True)
stored = read_run(run_id, store)
print({name: round(value, 3) for name, value in stored.metrics.items() if "faithfulness" in name})
assert stored.status == "FINISHED"
assert len(stored.report.rows) == 40

# %% [markdown]
# ## 4. A chain writes its own table
#
# Nobody has to collect questions, documents and answers by hand. `MLflowEvalCallback` takes them from the
# runs of a chain: what retrievers gave at any depth, tokens, times, errors. With `redact=` it takes no
# personal data along.


# %%
class Shelf(BaseRetriever):
    """Gives the four facts about the kettle that the question names."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:  # noqa: ARG002
        name = next((name for name in NAMES if name in query), NAMES[0])
        return [Document(HANDBOOK[name, fact], id=f"{name}-{fact}") for fact in FACTS]


def bot(body: dict[str, Any]) -> str:
    """Answer from the documents in the prompt; told to be creative, make numbers up now and then."""
    prompt = str(body["messages"][-1]["content"])
    sources, _, question = prompt.partition("Question: ")
    best = max(sources.splitlines(), key=lambda line: len(words(line) & words(question)))
    if "creative" in str(body["messages"][0]["content"]) and "price" not in question:
        best = re.sub(r"\d+", "5555", best)
    return best


serving = ProviderServer(script=bot).start()
model = ChatOpenAI(model="gpt-4o-mini", base_url=serving.base_url, api_key="none")


def desk(instruction: str) -> Any:
    """Build the chain with a system message."""
    prompt = ChatPromptTemplate.from_messages(
        [("system", instruction), ("human", "{sources}\nQuestion: {question}")]
    )
    sources = Shelf() | (lambda documents: "\n".join(document.page_content for document in documents))
    return {"sources": sources, "question": RunnablePassthrough()} | prompt | model | StrOutputParser()


record = MLflowEvalCallback(experiment="kettles", tracking_uri=store)
careful = desk("Answer from the sources only.")
print(careful.invoke("What is the power of the Elba?", config={"callbacks": [record]}))
(row,) = record.dataset()
record.feedback(row.id, "helpful", value=True)
print(row.question, "|", row.answer, "|", [context.id for context in row.contexts], "|", row.usage)
assert [context.id for context in row.contexts] == [
    "Elba-capacity",
    "Elba-price",
    "Elba-warranty",
    "Elba-power",
]

# %% [markdown]
# For a fixed set of questions, `answer` runs the chain once over all of them; a file for `resume=` keeps
# what is finished when it is broken off.

# %%
questions = EvalDataset.from_records(
    [{"id": f"q{at:02}", "question": row["question"]} for at, row in enumerate(asked)]
)
before = evaluate(questions.answer(careful, resume=home / "careful.jsonl"), metrics)
after = evaluate(questions.answer(desk("Be creative, and answer from the sources.")), metrics)
print(f"faithfulness {before.summary['faithfulness'].mean} -> {after.summary['faithfulness'].mean}")

# %% [markdown]
# ## 5. A gate that chance does not open or shut
#
# "The mean went down" raises an alarm four times in ten when nothing changed at all. `Gate` compares row by
# row and says FAIL only when chance is an unlikely explanation, INCONCLUSIVE when it cannot tell, and PASS
# with the smallest drop that it would have seen.

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
for place, name in zip(axes, ("faithfulness", "relevance"), strict=True):
    for at, (label, one) in enumerate({"before": before, "after": after}.items()):
        summary = one.summary[name]
        assert summary.mean is not None
        assert summary.ci_low is not None
        assert summary.ci_high is not None
        error = [[summary.mean - summary.ci_low], [summary.ci_high - summary.mean]]
        place.bar([label], [summary.mean], yerr=error, capsize=8, color=f"C{at}")
    place.set_title(f"{name}, mean with 95 % interval")
figure.tight_layout()
plt.show()

# %%
gate = Gate({"faithfulness": Threshold(min=0.8)}, baseline=before, metrics=["faithfulness", "relevance"])
same = gate.check(evaluate(questions.answer(careful), metrics))
worse = gate.check(after)
print(same.to_markdown())
print(worse.to_markdown())
assert same.verdict == "PASS"
assert worse.verdict == "FAIL"
assert worse["relevance"].verdict == "PASS"

# %% [markdown]
# In a pipeline this is `langchain-prodkit eval gate report.json --baseline baseline.json`: exit code 0
# passes, 1 fails, 2 cannot tell. In pytest it is the fixture `prodkit_eval`.
#
# ## 6. Questions that nobody had to write
#
# A model that has read the handbook writes questions about it, each with the chunk that answers it, and
# some that are out of scope: a bot should decline those. With the relevant document known, retrieval can
# be scored too.

# %%
OUTSIDE = ["Who won the last football match?", "How do I bake bread at home?", "What is a good novel?"]


def examiner(body: dict[str, Any]) -> dict[str, Any]:
    """Write one question for each request, about the document between the borders."""
    request = str(body["messages"][-1]["content"])
    texts = {found[1]: found[3] for found in BORDERED.finditer(request)}
    document = texts.get("document")
    if document is None:
        fresh = [one for one in OUTSIDE if one not in texts.get("known-questions", "")]
        made = {"questions": [{"question": one} for one in fresh]}
    else:
        about, number = document.rsplit(" is ", 1) if " is " in document else document.split(" has ")
        made = {"questions": [{"question": f"{about}: what is it?", "answer": number}]}
    if "tools" in body:
        name = body["tools"][0]["function"]["name"]
        return {"tool_calls": [{"name": name, "arguments": made}]}
    return {"content": json.dumps(made)}


writing = ProviderServer(script=examiner).start()
writer = ChatOpenAI(model="gpt-4o", base_url=writing.base_url, api_key="none")
documents = [Document(text, id="-".join(key)) for key, text in HANDBOOK.items()]
generated = generate_questions(documents, writer, n=12, out_of_scope=0.25, seed=7)
for row in generated:
    print(row.metadata["kind"], "|", row.question, "|", row.expected)
kinds = [row.metadata["kind"] for row in generated]
assert (kinds.count("in_scope"), kinds.count("out_of_scope")) == (9, 3)

# %%
tested = evaluate(generated.answer(careful))
found = tested.summary["retrieval_recall_at_5"]
print(f"the document that answers was fetched for {found.mean:.0%} of {found.n} questions")
assert found.mean == 1.0

# %% [markdown]
# ## 7. Before the user sees it
#
# The quick checks need no judge: they run on every answer, within a millisecond, and hold it back. Here:
# every number in the answer must stand in a document.

# %%
guarded: Any = (
    RunnablePassthrough.assign(contexts=lambda row: Shelf().invoke(row["question"]))
    | RunnablePassthrough.assign(
        answer=(lambda row: row["question"]) | desk("Be creative, and answer from the sources.")
    )
    | OutputCheckRunnable(
        [NotEmpty(), MaxWords(max_words=60), GroundedNumbers()],
        on_failure="replace",
        fallback="I am not sure about this one; a colleague will write to you.",
    )
)
for question in ("What is the price of the Gero?", "What is the power of the Gero?"):
    print(question, "->", guarded.invoke({"question": question})["answer"])
assert "45 euros" in guarded.invoke({"question": "What is the price of the Gero?"})["answer"]
assert "colleague" in guarded.invoke({"question": "What is the power of the Gero?"})["answer"]

# %%
record.close()
for server in (judging, serving, writing):
    server.stop()
