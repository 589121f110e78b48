"""Figures known only within bounds: ">95", "<0.1%", a rounded share, a withheld one. Never a number in disguise."""

import re
from typing import NamedTuple


class Interval(NamedTuple):
    """A closed interval of a figure; `low == high` is an exact figure."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """Distance of the two ends."""
        return self.high - self.low

    @property
    def middle(self) -> float:
        """Middle of the interval, for drawing only: no decision may use it for a wide one."""
        return (self.low + self.high) / 2


NOTHING_KNOWN = Interval(0.0, 1.0)
"""A share or ratio of which nothing is known."""


def exact(value: float) -> Interval:
    """Return the interval that is one number."""
    return Interval(value, value)


def clamped(interval: Interval, *, low: float = 0.0, high: float = 1.0) -> Interval:
    """Cut an interval down to what can be: shares and ratios lie in 0..1."""
    return Interval(min(max(interval.low, low), high), min(max(interval.high, low), high))


_PERCENT = re.compile(r"^(?P<sign>[<>]?)\s*(?P<number>\d+(?:\.\d+)?)\s*%?$")


def published_percent(text: str) -> Interval | None:
    """Read a published percentage as a ratio: `53` is exact, `>95` is 0.95..1, `<25` is 0..0.25.

    `None`: the source gives no number ("W" withheld, "E" net exporter, "—", blank). What USGS prints is kept, so
    inequalities stay inequalities (Mineral Commodity Summaries, net import reliance).
    """
    found = _PERCENT.match(text.strip())
    if found is None:
        return None
    ratio = float(found["number"]) / 100
    if ratio > 1:
        return None
    return {"<": Interval(0.0, ratio), ">": Interval(ratio, 1.0)}.get(found["sign"], exact(ratio))
