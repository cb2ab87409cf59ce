"""Where a trip goes: to the server, or, while it does not answer, to this process's own share."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from langchain_prodkit.limits.bucket import Cost
from langchain_prodkit.limits.redis_script import FORGOTTEN_S, Refusal
from langchain_prodkit.limits.redis_share import Share

if TYPE_CHECKING:
    from langchain_prodkit.limits.redis_link import Link
    from langchain_prodkit.limits.redis_script import Answer, Ask, Limits

__all__ = ["Route"]

_log = logging.getLogger("langchain_prodkit.limits")

_HORIZON_S: Final = 0.1
# Before the server is asked again: at first soon, for it may just have been restarted.
_PROBE_S: Final = (0.1, 5.0)


@final
class Route:
    """Every trip of one process brings an answer, whoever gives it."""

    def __init__(self, link: Link, limits: Limits, part: float | None) -> None:
        """Fall back to `part` (0..1) of the limit; None: an equal one for each process last seen."""
        self._link = link
        self._limits = limits
        self._part = part
        self._last: Answer | None = None
        self._seen_s = -math.inf
        self._probe_s = -math.inf
        self._probe_delay_s = _PROBE_S[0]
        self.share: Share | None = None
        """What is counted here; None while the server answers."""
        self.outages = 0
        """How often the server has stopped answering."""
        self.horizon_s = _HORIZON_S
        """How far ahead to book. Longer saves trips; what a crashed process had booked is lost to all."""

    def trip(self, ask: Ask, now_s: float) -> Answer:
        """Carry `ask` to whoever answers.

        Raises:
            LimitConflictError: The key holds a limit with other numbers.
            ConfigurationError: The server answers, but will never serve us, and never has.
        """
        share = self.share
        if share is not None and now_s < self._probe_s:
            return share.trip(ask, now_s)
        carried = ask
        if share is not None and share.hold_until_s > now_s:
            carried = replace(ask, refusal=_held(ask.refusal, share.hold_until_s))
        is_known = now_s - self._seen_s < FORGOTTEN_S
        try:
            answer = self._link.trip(carried, is_known=is_known, is_back=share is not None)
        except self._link.outages as error:
            failed_s = time.monotonic()
            if share is None:
                if math.isinf(self._seen_s) and (wrong := self._link.explain(error)) is not None:
                    raise wrong from None
                share = self._fall_back(error, failed_s)
            else:
                self._probe_delay_s = min(_PROBE_S[1], 2.0 * self._probe_delay_s)
            self._probe_s = failed_s + self._probe_delay_s
            return share.trip(ask, failed_s)
        self._last, self._seen_s = answer, time.monotonic()
        # A far server is asked for more at a time, or the way there would cost throughput.
        self.horizon_s = max(_HORIZON_S, 2.0 * (self._seen_s - now_s))
        if share is not None:
            self.share = None
            self._probe_delay_s = _PROBE_S[0]
            _log.info("prodkit.limiter_restored: the shared limit is counted by its server again")
        return answer

    def leave(self, ask: Ask) -> None:
        """Make a last trip, if the server answers, and hang up."""
        if self.share is None and not math.isinf(self._seen_s):
            try:
                self._link.trip(ask, is_known=True, is_back=False)
            except self._link.outages:
                _log.debug("prodkit.limiter_closed: the server did not hear it")
        self._link.close()

    def _fall_back(self, error: BaseException, now_s: float) -> Share:
        part = self._part
        if part is None:
            part = 1.0 / max(1, self._last.processes if self._last else 1)
        self.share = Share(self._limits, self._last, part, now_s)
        self.outages += 1
        name = type(error).__name__
        _log.warning(
            "prodkit.limiter_degraded: the server of a shared limit does not answer (%s); this process goes "
            "on with %.3g of the limit until it does",
            name,
            part,
            extra={"prodkit_event": "prodkit.limiter_degraded", "share": part, "error": name},
        )
        return self.share


def _held(refusal: Refusal | None, until_s: float) -> Refusal:
    """Add the hold that the process kept by itself to what it tells the server."""
    if refusal is None:
        return Refusal(Cost(), until_s=until_s)
    return replace(refusal, until_s=max(until_s, refusal.until_s or -math.inf))
