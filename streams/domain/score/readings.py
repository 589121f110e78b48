"""Readings: what one factor says, of which inputs, how old they are, and how much of it is unknown."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

HALF_STALE = 0.5


class Input(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure that a factor read, with where it comes from.

    `name` says the figure and its unit, `of` the entity it belongs to (a series, a stage, a measure). `low` and `high`
    are its ends in its own unit, equal where it is exact, both `None` where it is unknown. `stress_ratio` is what
    counts, 0..1: that of the worse end; `low_stress_ratio` and `high_stress_ratio` are the interval it lies in, where
    it is not exact. `published_at` `None`: not known, the figure then never counts as fresh. `event`: id of the
    event that brought it. `sees` false: it can show stress but not its absence (one plant on time says nothing about
    the supply), so the factor stays blind.
    """

    name: str
    of: str
    low: float | None = None
    high: float | None = None
    low_stress_ratio: float | None = None
    stress_ratio: float | None = None
    high_stress_ratio: float | None = None
    said: str | None = None
    source: str | None = None
    reference_period: str | None = None
    vintage: str | None = None
    published_at: datetime | None = None
    rhythm: timedelta | None = None
    event: str | None = None
    synthetic: bool = False
    sees: bool = True


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a factor reads, 0..1.

    `value` is `None` where no input is known; `low`..`high` is the interval it lies in (0..1 where nothing is known).
    `blind_ratio` is how much of it is unknown: 1 without a known input, else the staleness of the freshest one.
    `unseen` names inputs that are missing, with the reason.
    """

    value: float | None
    low: float
    high: float
    blind_ratio: float
    inputs: tuple[Input, ...] = ()
    unseen: tuple[str, ...] = ()


def staleness(published_at: datetime | None, rhythm: timedelta | None, *, at: datetime) -> float:
    """Return how stale a figure is: 0 within its rhythm, one half within twice that, then 1.

    In steps, so that a score changes on the day a publication is missed and not a little every day. Without a rhythm a
    figure does not age; with one but without a day of publication it is stale.
    """
    if rhythm is None:
        return 0.0
    if published_at is None:
        return 1.0
    age = at - published_at
    if age < rhythm:
        return 0.0
    return HALF_STALE if age < 2 * rhythm else 1.0


def next_staling(inputs: Iterable[Input], *, after: datetime) -> datetime | None:
    """Return the first instant after `after` at which an input gets staler; `None` where none will."""
    steps = (
        each.published_at + times * each.rhythm
        for each in inputs
        if each.published_at is not None and each.rhythm is not None and each.stress_ratio is not None
        for times in (1, 2)
    )
    return min((step for step in steps if step > after), default=None)


def _low_end(read: Input) -> float:
    return (read.stress_ratio or 0.0) if read.low_stress_ratio is None else read.low_stress_ratio


def worst_of(inputs: Iterable[Input], *, at: datetime, unseen: tuple[str, ...] = ()) -> Reading:
    """Read a factor off its inputs: the one with the most stress counts, at its worse end.

    An old stress stands until a newer figure of the same series answers it. The freshest known input decides how blind
    the factor is; staleness widens the interval and never changes the value.
    """
    read = tuple(inputs)
    known = [each for each in read if each.stress_ratio is not None]
    unseen = (*unseen, *(f"{each.name} of {each.of}: {each.said or 'unknown'}" for each in read if each not in known))
    if not known:
        return Reading(value=None, low=0.0, high=1.0, blind_ratio=1.0, inputs=read, unseen=unseen)
    value = max([each.stress_ratio or 0.0 for each in known])
    low = max([_low_end(each) for each in known])
    stale = min([staleness(each.published_at, each.rhythm, at=at) if each.sees else 1.0 for each in known])
    ordered = tuple(sorted(read, key=lambda each: (-(each.stress_ratio or 0.0), each.stress_ratio is None, each.of)))
    return Reading(
        value=value,
        low=low * (1 - stale),
        high=value + (1 - value) * stale,
        blind_ratio=stale,
        inputs=ordered,
        unseen=unseen,
    )
