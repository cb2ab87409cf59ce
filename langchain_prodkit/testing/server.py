"""`ProviderServer`: an OpenAI-compatible provider on this machine, for tests and demos."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Self, get_args

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, ProviderServerError
from langchain_prodkit.testing.app import App
from langchain_prodkit.testing.buckets import HeaderStyle
from langchain_prodkit.testing.faults import Faults
from langchain_prodkit.testing.journal import texts
from langchain_prodkit.testing.run import Run, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from langchain_prodkit.testing.answers import Script
    from langchain_prodkit.testing.journal import Entry, Statistics
    from langchain_prodkit.testing.latency import Latency
    from langchain_prodkit.testing.transport import Listener


class ProviderServer:
    """An OpenAI-compatible provider over real HTTP, scripted or not, with limits and faults.

    A sync and async context manager; it serves on a thread of its own with its own event loop, so
    both kinds of code can talk to it. Without a script it answers by itself: it repeats what the
    user said, calls tools with arguments made from their schemas, fills JSON schemas (those it
    finds written in a prompt, too), and answers in prose after a tool's result; the same request
    always gets the same answer.

    A token is four characters here, in limits, `usage`, `max_tokens` and log probabilities alike.
    """

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        burst_s: float = 60.0,
        initial_fill: float = 1.0,
        refund: bool = False,
        charge_refusals: bool = False,
        limit_headers: bool = True,
        header_style: HeaderStyle = "openai",
        latency_s: float | Latency | Callable[[], float] = 0.0,
        chunk_interval_s: float = 0.0,
        chunk_chars: int = 4,
        faults: Faults | None = None,
        script: Script | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        models: Sequence[str] | None = None,
        journal_limit: int | None = None,
    ) -> None:
        """Describe the provider; nothing listens until it is entered or `start` is called.

        Args:
            requests_per_minute: Limit on requests, refilling all the time; None for no limit.
            tokens_per_minute: Limit on tokens, charged on arrival: the prompt and `max_tokens`
                (nothing when not given) times `n`.
            burst_s: How many seconds' worth of a limit a full bucket holds: 60.0, a whole minute,
                unless you say less (some providers enforce 500 a minute as about 8 a second).
            initial_fill: How full the buckets are at the start, 0.0 to 1.0.
            refund: Give tokens back that were charged and not used, when the answer is complete.
            charge_refusals: Take a request off the limit for a refused one, too.
            limit_headers: Send the limits with every answer and `retry-after` with refusals.
            header_style: Whose headers: "openai" says limit, remaining and reset as `x-ratelimit-*`
                and `retry-after-ms`; "azure" the same without resets; "anthropic" names them
                `anthropic-ratelimit-*` and resets by a time. The latter two say `retry-after` in
                whole seconds only.
            latency_s: Seconds before the first byte: a number, a `Latency`, or a function.
            chunk_interval_s: Seconds between two events of a stream.
            chunk_chars: Characters in one event of a stream.
            faults: What goes wrong; nothing by default.
            script: What to answer; see `Script`.
            host: Address to listen on; leave it unless the server runs in a container.
            port: 0 for any free one.
            api_key: When given, other keys get a 401.
            models: When given, other models get a 404; by default any name is known.
            journal_limit: How many requests to keep in `journal`; None for all.

        Raises:
            ConfigurationError: A number makes no sense.
        """
        for name, value in {
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "burst_s": burst_s,
            "chunk_chars": chunk_chars,
        }.items():
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ConfigurationError(f"{name} is a positive number")
        if header_style not in get_args(HeaderStyle):
            raise ConfigurationError(f"header_style is one of {', '.join(get_args(HeaderStyle))}")
        if not 0.0 <= initial_fill <= 1.0:
            raise ConfigurationError("initial_fill is a share from 0.0 (empty) to 1.0 (full)")
        if chunk_interval_s < 0 or (isinstance(latency_s, int | float) and latency_s < 0):
            raise ConfigurationError("latency_s and chunk_interval_s are seconds, zero or more")
        self._settings = Settings(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            burst_s=burst_s,
            initial_fill=initial_fill,
            refund=refund,
            charge_refusals=charge_refusals,
            limit_headers=limit_headers,
            header_style=header_style,
            latency_s=latency_s,
            chunk_interval_s=chunk_interval_s,
            chunk_chars=chunk_chars,
            faults=faults or Faults(),
            script=script,
            api_key=api_key,
            models=None if models is None else tuple(models),
            journal_limit=journal_limit,
        )
        self._host = host
        self._port = port
        self._app = App(Run(self._settings))
        self._listener: Listener | None = None

    def start(self) -> Self:
        """Listen and answer; returns when the server is ready, in milliseconds.

        Raises:
            ProviderServerError: It runs already, or the port is taken.
            MissingExtraError: The extra `testing` is not installed.
        """
        if self._listener is not None:
            raise ProviderServerError("this server runs already; stop it first, or make a second one")
        for module in ("uvicorn", "httptools"):
            require(module, extra="testing")
        from langchain_prodkit.testing.transport import Listener  # noqa: PLC0415 - needs the extra

        listener = Listener(self._app, host=self._host, port=self._port)
        self.reset()
        listener.start()
        self._listener = listener
        return self

    def stop(self) -> None:
        """Close every connection, open streams too, and free the port; does nothing when stopped."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            ProviderServerError: It does not run.
        """
        if self._listener is None:
            raise ProviderServerError("this server does not run; enter it with `with`, or call start()")
        return self._listener.port

    @property
    def url(self) -> str:
        """Root of the server, where `/stats` and `/healthz` are."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What clients take as `base_url`; ends in `/v1`."""
        return f"{self.url}/v1"

    @property
    def journal(self) -> list[Entry]:
        """The requests so far, in order of arrival."""
        return self._app.run.journal.entries()

    def journal_text(self) -> str:
        """Everything that ever reached the server, one string a line, to search what it was told.

        Paths, headers (without credentials) and every string of every body; JSON inside strings
        (tool arguments) is there as sent and decoded. Text in the base64 of files is not decoded.
        """
        lines: list[str] = []
        for entry in self.journal:
            lines.append(entry.path)
            lines += entry.headers.values()
            lines += texts(entry.body)
        return "\n".join(lines)

    def statistics(self) -> Statistics:
        """Count what happened so far."""
        run = self._app.run
        return run.journal.statistics(time.monotonic() - run.started_s)

    def reset(self) -> None:
        """Forget journal and counts, fill the buckets, and start script and faults again.

        Requests being answered end under the old terms and appear nowhere.
        """
        self._app.run = Run(self._settings)
