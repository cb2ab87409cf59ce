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
# # Answers that keep the contract
#
# A service promises its callers an object of a certain form. A model promises nothing: it forgets a field,
# wraps its JSON in prose, or gets a value wrong. `InstructorParser` stands between the two. What comes out
# of it is an object of your own class that all your validators have seen, or a typed error, and on the way
# there it asks the model again with what was wrong.
#
# You will see it
#
# 1. in the model's place, mending an answer that a validator refused,
# 2. after a model, with many prompts at once,
# 3. streaming: objects that grow, and lists item by item,
# 4. without a model: what it mends by itself, and what it refuses to guess,
# 5. giving up: errors, and a budget of tokens,
# 6. telling what happened: attempts, usage, hooks,
# 7. judging by what only you know: validation context.
#
# Nothing here needs a key or leaves this machine.

# %%
import json
from collections.abc import Iterable
from typing import Any

from instructor.core.hooks import Hooks
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, ValidationInfo, field_validator

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.parse import parse_aligned
from langchain_prodkit.testing import ProviderServer

# %% [markdown]
# ## Somebody to talk to
#
# `ProviderServer` speaks OpenAI's protocol over real HTTP on 127.0.0.1 and keeps a journal of every
# request. A small function answers as a model would that knows four actors: it calls the tool when it is
# given one, else writes JSON into a text, and it writes names as people do until somebody complains.

# %%
FILMS = {
    "Brad Pitt": ["Seven", "Fight Club", "Moneyball"],
    "Cate Blanchett": ["Elizabeth", "Carol", "Tár"],
    "Song Kang-ho": ["Memories of Murder", "The Host", "Parasite"],
    "Toni Collette": ["Muriel's Wedding", "Hereditary"],
}


def filmographer(body: dict[str, Any]) -> str | dict[str, Any]:
    """Answer with the films of the actor that this conversation is about."""
    said = [str(message["content"]) for message in body["messages"]]
    actor = next(name for name in FILMS if any(f"Actor: {name}" in text for text in said))
    was_told = any("upper case" in text for text in said[1:])
    value = {"name": actor.upper() if was_told else actor, "film_names": FILMS[actor]}
    if "tools" in body:
        return {"tool_calls": [{"name": body["tools"][0]["function"]["name"], "arguments": value}]}
    return f"Here is the filmography:\n```json\n{json.dumps(value, ensure_ascii=False)}\n```"


def served_by(server: ProviderServer) -> ChatOpenAI:
    """Give a chat model that this provider answers for."""
    return ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")


server = ProviderServer(script=filmographer).start()
model = served_by(server)

# %% [markdown]
# With a real model only the last line changes: `model = ChatOpenAI(model="gpt-4o-mini")`.
#
# ## 1. In the model's place
#
# A bot lists an actor's films. Its contract: a name, in upper case because the database wants it so, and
# the names of the films. The validator says in words what it wants, and that is what the model will read.


# %%
class ActorFilmography(BaseModel):
    """What the film database takes."""

    name: str
    film_names: list[str]

    @field_validator("name")
    @classmethod
    def _is_upper(cls, name: str) -> str:
        if name != name.upper():
            raise ValueError("write the name in upper case")
        return name


prompt = ChatPromptTemplate.from_messages(
    [("system", "You list the films of an actor."), ("human", "Actor: {actor}")]
)
chain = prompt | InstructorParser(ActorFilmography, llm=model, max_retries=2)

films = chain.invoke({"actor": "Brad Pitt"})
print(repr(films))

# %% [markdown]
# The model's first answer said "Brad Pitt". The journal shows what it was told then: the prompt, its own
# answer as it gave it, and one line for each thing that is wrong. The values are not repeated, they are in
# the answer above that line.

# %%
first, second = server.journal
for message in second.body["messages"]:
    print(f"{message['role']:10}", message["content"] or message["tool_calls"][0]["function"]["arguments"])

# %%
assert films == ActorFilmography(name="BRAD PITT", film_names=["Seven", "Fight Club", "Moneyball"])
assert type(films) is ActorFilmography
assert len(server.journal) == 2
assert second.body["messages"][:2] == first.body["messages"]
assert "write the name in upper case" in second.body["messages"][-1]["content"]

# %% [markdown]
# ## 2. After a model
#
# A chain that you have already ends in a model. Put the parser behind it: it takes the ready answer, and
# as long as that fits there is no further call. When it does not fit, the parser finds the prompt that
# *this* answer came from and asks again, in a batch of many as well. Here the answer is prose with JSON in
# it, as the model was never shown a schema.

# %%
server.reset()
chain = prompt | model | InstructorParser(ActorFilmography, llm=model)
several = chain.batch([{"actor": actor} for actor in FILMS])
for films in several:
    print(repr(films))

# %%
assert [films.name for films in several] == [actor.upper() for actor in FILMS]
assert [films.film_names for films in several] == list(FILMS.values())
assert len(server.journal) == 2 * len(FILMS)

# %% [markdown]
# ## 3. Streaming
#
# `stream` and `astream` give the object while it is written. Each item is of your class; what has not come
# yet is `None` or the part that is there. The last one is whole and validated, and your validators see an
# object once, when it is complete, not at every chunk.


# %%
class Film(BaseModel):
    """One film of a list."""

    title: str
    year: int


class Program(BaseModel):
    """A film festival."""

    motto: str
    films: list[Film]


festival = {
    "motto": "Cinema from Seoul",
    "films": [{"title": "The Host", "year": 2006}, {"title": "Parasite", "year": 2019}],
}
festival_server = ProviderServer(script=[json.dumps(festival)], chunk_interval_s=0.002).start()
festival_model = served_by(festival_server)

states = list(InstructorParser(Program, llm=festival_model, mode="json").stream("A program, please."))
for state in states[::5]:
    print(state)

# %%
assert len(states) > 10
assert all(type(state) is Program for state in states)
assert states[0].films is None
assert states[-1] == Program.model_validate(festival)

# %% [markdown]
# Ask for `Iterable[Film]` and each film arrives when it is complete, as soon as it is.

# %%
listed = json.dumps({"tasks": festival["films"]})
list_server = ProviderServer(script=[listed], chunk_interval_s=0.002).start()
list_model = served_by(list_server)
each_film: InstructorParser[Any] = InstructorParser(Iterable[Film], llm=list_model, mode="json")


async def watch() -> list[Film]:
    seen = []
    async for film in each_film.astream("Two films from Seoul, please."):
        print(film)
        seen.append(film)
    return seen


arrived = await watch()  # type: ignore[top-level-await]

# %%
assert arrived == [Film(title="The Host", year=2006), Film(title="Parasite", year=2019)]
assert each_film.invoke("Two films from Seoul, please.") == arrived

# %% [markdown]
# ## 4. Without a model
#
# Most bad answers need no second call. `parse_aligned` reads what models really write, and names every
# repair that it made. The parser does the same before it asks again; its list of repairs is part of the
# result (section 6).

# %%
written = """<think>They want one film. {"title": "draft", "year": 0}</think>
Sure! Here it is:
```json
{title: 'Memories of Murder', 'year': '2,003',}  // that's all
```"""
repairs: list[str] = []
film = parse_aligned(written, Film, repairs=repairs)
print(film, repairs)

# %% [markdown]
# It never guesses. A value that is not there stays missing, and a text that could mean two things is
# refused; the error names fields and reasons, not what anybody wrote.

# %%
refused: list[str] = []
for doubtful in ('{"title": "The Host"}', '{"title": "The Host", "year": "about 2006"}', "I can't say."):
    try:
        parse_aligned(doubtful, Film)
    except StructuredOutputError as error:
        refused.append(f"{error.reason} {error.fields}")
print(*refused, sep="\n")

# %%
assert film == Film(title="Memories of Murder", year=2003)
assert repairs
assert len(refused) == 3
assert parse_aligned('{"title": "Parasite", "year": 2019}', Film).year == 2019

# %% [markdown]
# ## 5. Giving up
#
# A model that never gets it right costs `max_retries` + 1 calls and not one more. A budget of tokens ends
# it sooner. A refusal and an answer that was cut off at the length limit are errors at once, since asking
# again would not help; `on_truncated="reask"` asks anyway.

# %%
stubborn_server = ProviderServer(script=['{"name": "Brad Pitt", "film_names": []}']).start()
stubborn = served_by(stubborn_server)
question = {"actor": "Brad Pitt, my neighbour Maria Keller asks"}
errors: dict[str, StructuredOutputError] = {}
calls: dict[str, int] = {}
for name, parser in {
    "three calls": InstructorParser(ActorFilmography, llm=stubborn, mode="text"),
    "a budget": InstructorParser(ActorFilmography, llm=stubborn, mode="text", token_budget=10),
    "no re-ask": InstructorParser(ActorFilmography, llm=stubborn, mode="text", max_retries=0),
}.items():
    stubborn_server.reset()
    try:
        (prompt | parser).invoke(question)
    except StructuredOutputError as error:
        errors[name], calls[name] = error, len(stubborn_server.journal)
        print(f"{name}: {calls[name]} calls, reason {error.reason!r}, fields {error.fields}")

# %%
polite_server = ProviderServer(script=[{"refusal": "I would rather not."}]).start()
polite = served_by(polite_server)
try:
    (prompt | InstructorParser(ActorFilmography, llm=polite)).invoke(question)
except StructuredOutputError as error:
    errors["a refusal"], calls["a refusal"] = error, len(polite_server.journal)
    print(f"a refusal: {calls['a refusal']} call, reason {error.reason!r}")

# %%
assert calls == {"three calls": 3, "a budget": 1, "no re-ask": 1, "a refusal": 1}
assert errors["three calls"].attempts == 3
assert [error.reason for error in errors.values()] == ["validation", "budget", "validation", "refused"]
assert not any("Maria" in str(error) or "Pitt" in str(error) for error in errors.values())

# %% [markdown]
# ## 6. What happened
#
# `include_raw=True` gives the object with the message it was read from, the number of answers, the tokens
# of all of them, and the repairs. Instructor's hooks are told about every call that the parser makes; they
# see prompts and answers, so mind what you do with those. In LangSmith or any other tracer all attempts
# stand in one run tree, tagged `retry:attempt:2` and so on.

# %%
server.reset()
seen: list[str] = []
hooks = Hooks()
hooks.on("completion:kwargs", lambda *_, **__: seen.append("asked"))
hooks.on("completion:response", lambda *_, **__: seen.append("answered"))
hooks.on("parse:error", lambda *_, **__: seen.append("did not fit"))

told = InstructorParser(ActorFilmography, llm=model, include_raw=True, hooks=hooks)
result = (prompt | told).invoke({"actor": "Toni Collette"})
print(result["parsed"], result["attempts"], "answers,", result["usage"], result["repairs"])
print(seen)

# %%
assert result["parsed"].name == "TONI COLLETTE"
assert result["attempts"] == 2
assert result["repairs"] == []
assert result["usage"] is not None
assert result["usage"]["total_tokens"] == (
    server.statistics().prompt_tokens + server.statistics().completion_tokens
)
assert seen == ["asked", "answered", "did not fit", "asked", "answered"]

# %% [markdown]
# ## 7. What only you know
#
# Some checks need more than the answer: the films that are in stock, the pages that were retrieved, the
# rights of the user. `validation_context` goes to pydantic's `info.context` and nowhere else, neither into
# the prompt nor into a template.


# %%
class Stocked(BaseModel):
    """A film that can be lent."""

    title: str

    @field_validator("title")
    @classmethod
    def _is_there(cls, title: str, info: ValidationInfo) -> str:
        if title not in (info.context or {}).get("stock", ()):
            raise ValueError("this film is lent out, choose another one")
        return title


shelf_server = ProviderServer(script=['{"title": "Seven"}', '{"title": "Moneyball"}']).start()
shelf_model = served_by(shelf_server)
shelf = InstructorParser(
    Stocked, llm=shelf_model, mode="text", validation_context={"stock": {"Moneyball", "Carol"}}
)
lent = shelf.invoke("Something with Brad Pitt, please. {{ 7 * 7 }}")
print(lent)

# %% [markdown]
# What you have now, as asserts: this notebook is run by the project's tests.

# %%
assert lent.title == "Moneyball"
assert len(shelf_server.journal) == 2
assert "this film is lent out" in shelf_server.journal_text()
assert "Carol" not in shelf_server.journal_text()
assert "{{ 7 * 7 }}" in shelf_server.journal_text()
for one in (server, festival_server, list_server, stubborn_server, polite_server, shelf_server):
    one.stop()
