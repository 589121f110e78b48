"""Bounded rings of observations: one a reference period, of which the latest recorded counts.

What was recorded at one instant, as the events of one batch are, counts in the order of the log. A ring shows repeats
and late events nothing new, so they need no memory of their own.
"""

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

import msgspec


class Observation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A figure of one reference period; `recorded` (seconds since 1970) and `digest` decide which version counts."""

    period: str
    value: float
    recorded: float
    digest: int


Ring = tuple[Observation, ...]


@lru_cache(maxsize=1024)
def _begun_by(source: str) -> blake2b:
    return blake2b(f"{source}\0".encode(), digest_size=8)


_last_digest: list[tuple[str, str, int]] = [("", "", 0)]
"""The last identity and its digest: the identity window and the subjects ask for that of one event in turn."""


def digest_of(*, source: str, event: str) -> int:
    """Return 63 bits that stand for the identity (source, id) of an event."""
    last_source, last_event, digest = _last_digest[0]
    if last_event is not event or last_source is not source:
        begun = _begun_by(source).copy()  # half the time of beginning anew
        begun.update(event.encode())
        digest = int.from_bytes(begun.digest(), "big") >> 1
        _last_digest[0] = (source, event, digest)
    return digest


def supersedes(new: tuple[float, int], held: tuple[float, int]) -> bool:
    """Tell whether the telling that comes now counts more than the one held, both as (seconds since 1970, digest).

    The later recorded one does; of two of one instant the later in the log, unless it is the same event again.
    """
    return new[0] > held[0] or (new[0] == held[0] and new[1] != held[1])


def observation(*, period: str, value: float, recorded_at: datetime, digest: int) -> Observation:
    """Return an observation of one event."""
    return Observation(period, value, recorded_at.timestamp(), digest)


def ring_with(ring: Ring, new: Observation, *, limit: int) -> Ring:
    """Return the ring with an observation; the very same ring where it changes nothing.

    It changes nothing when it is a repeat, when a later recorded figure of its period is known, or when the ring is
    full of later periods. `limit` is the count of periods kept.
    """
    if not ring or new.period > ring[-1].period:
        return (*ring[-limit + 1 :], new) if len(ring) >= limit else (*ring, new)
    for index in range(len(ring) - 1, -1, -1):
        held = ring[index]
        if held.period == new.period:
            if not supersedes((new.recorded, new.digest), (held.recorded, held.digest)):
                return ring
            return (*ring[:index], new, *ring[index + 1 :])
        if held.period < new.period:
            longer = (*ring[: index + 1], new, *ring[index + 1 :])
            return longer[-limit:]
    return ring if len(ring) >= limit else (new, *ring)


def period_kind(period: str) -> str:
    """Return the length of a reference period: year, half, quarter, month or day."""
    if len(period) == 4:
        return "year"
    if len(period) == 10:
        return "day"
    return {"H": "half", "Q": "quarter"}.get(period[5], "month")
