"""What has ended since the last trip to the server, and goes along with the next one."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, final

from langchain_prodkit.limits.redis_script import BUCKETS, Ask, Note, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_prodkit.limits.bucket import Cost
    from langchain_prodkit.limits.protocol import Reading
    from langchain_prodkit.limits.redis_line import Ticket

__all__ = ["Parcel"]

_FLUSH_S: Final = 0.02
"""How long it may wait for company."""
_MOST_NOTES: Final = 8
_NEWS_S: Final = 0.1
"""How often readings alone are worth a trip: mostly they say what is known."""


@final
class Parcel:
    """Collects what is given back, what was used beyond its booking, refusals and readings."""

    __slots__ = (
        "_given",
        "_noted_s",
        "_notes",
        "_over_tokens",
        "_refusal",
        "_unused_tokens",
        "due_s",
        "epoch",
    )

    def __init__(self) -> None:
        self.epoch = ""
        """Of the state that bookings are made in; what belongs to another one is not carried."""
        self._noted_s = -math.inf
        self._empty()

    def _empty(self) -> None:
        self._given = dict.fromkeys(BUCKETS, 0.0)
        self._over_tokens = self._unused_tokens = 0.0
        self._refusal: Refusal | None = None
        self._notes: deque[Note] = deque(maxlen=_MOST_NOTES)
        self.due_s = math.inf
        """When it has to leave, even if nothing is to be booked."""

    def give(self, ticket: Ticket, now_s: float) -> None:
        """Give back all of a booking."""
        if ticket.stamp is not None and ticket.stamp.epoch == self.epoch:
            for name in BUCKETS:
                self._given[name] += getattr(ticket.cost, name)
            self._leave_by(now_s + _FLUSH_S)

    def correct(self, ticket: Ticket, used_tokens: int, now_s: float) -> None:
        """Put right what a booking took too much or too little."""
        over = used_tokens - ticket.cost.tokens
        if over and ticket.stamp is not None and ticket.stamp.epoch == self.epoch:
            if over > 0:
                self._over_tokens += over
            else:
                self._unused_tokens -= over
            self._leave_by(now_s + _FLUSH_S)

    def note(self, ticket: Ticket, reading: Reading, now_s: float) -> None:
        """Take along what the provider said in an answer to `ticket`; only the latest count."""
        stamp = ticket.stamp
        if stamp is not None:
            self._notes.append(
                Note(
                    reading=reading,
                    epoch=stamp.epoch,
                    at_s=ticket.granted_s + stamp.offset_s,
                    read_s=now_s + stamp.offset_s,
                    taken=stamp.taken,
                    back=stamp.back,
                    unsent=stamp.unsent,
                )
            )
            self._leave_by(max(now_s + _FLUSH_S, self._noted_s + _NEWS_S))

    def refuse(self, ticket: Ticket, until_s: float | None, *, is_bare: bool, now_s: float) -> None:
        """Take along a refusal, at once: until the others know, they run into it too."""
        refusal = self._refusal = self._refusal or Refusal(ticket.cost)
        refusal.count += 1
        if until_s is not None:
            refusal.until_s = max(until_s, refusal.until_s or -math.inf)
        elif is_bare and ticket.stamp is not None:
            at_s = ticket.granted_s + ticket.stamp.offset_s
            refusal.bare_at_s = max(at_s, refusal.bare_at_s or -math.inf)
        self._leave_by(now_s)

    def pack(
        self,
        items: Sequence[tuple[Cost, float | None]],
        *,
        now_s: float,
        horizon_s: float = 0.0,
        is_first: bool = False,
        unsent: Iterable[Ticket] = (),
    ) -> Ask:
        """Make a trip of it that also books `items`; nothing of it is carried twice.

        `unsent` are tickets booked before, whose requests may not have reached the provider.
        """
        tickets = tuple(unsent)
        ask = Ask(
            horizon_s=horizon_s,
            is_first=is_first,
            items=items,
            epoch=self.epoch,
            given_requests=self._given["requests"],
            given_tokens=self._given["tokens"],
            unused_tokens=self._unused_tokens,
            over_tokens=self._over_tokens,
            refusal=self._refusal,
            notes=tuple(self._notes),
            open={name: sum(getattr(ticket.cost, name) for ticket in tickets) for name in BUCKETS},
        )
        if self._notes:
            self._noted_s = now_s
        self._empty()
        return ask

    def _leave_by(self, at_s: float) -> None:
        self.due_s = min(self.due_s, at_s)
