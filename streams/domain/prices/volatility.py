"""Volatility along a series of observations, one at a time, and against its own median of the year before.

The recursion is the published one (`streams.domain.methods.ewma_volatility`). The step from one observation to the next
is counted in weekdays, so that a gap is a return over several days and never a row of zero returns.
"""

from array import array
from bisect import bisect_left
from datetime import date
from functools import lru_cache

import msgspec

MINIMUM_RETURNS = 30
"""Before 30 returns the first one still weighs over 15% (0.94^30 = 0.16): volatility is unknown."""

YEAR_DAYS = 365
MEDIAN_MINIMUM_DAYS = 182
MEDIAN_MINIMUM_COUNT = 26
"""A median of less than half a year, or of less than one figure a week of it, says nothing: it stays unknown."""

_HIGHEST = 3e38
"""Largest volatility that single precision holds; no real price comes near it."""

_EPOCH = date(1900, 1, 1).toordinal()
_LAST_DAY = 65_535
"""Days are kept in two bytes: 1900-01-01 to 2079-06-06; what lies outside counts as the first or last of them."""


@lru_cache(maxsize=8192)
def ordinal_of(day: str) -> int:
    """Return the number of a day `YYYY-MM-DD` (1 is 0001-01-01, a Monday)."""
    return date.fromisoformat(day).toordinal()


def _weekdays_until(ordinal: int) -> int:
    weeks, rest = divmod(ordinal, 7)
    return 5 * weeks + min(rest, 5)


def trading_days_between(earlier: int, *, later: int) -> int:
    """Count the weekdays after one day up to and including another, at least 1: a quote of a Saturday is a step too."""
    if later - earlier <= 1:
        return 1
    return max(1, _weekdays_until(later) - _weekdays_until(earlier))


class Trail(msgspec.Struct, frozen=True, array_like=True):
    """Annualised volatilities of the year before an observation, packed: the days, and the volatilities day by day.

    6 bytes an observation (2 for the day, 4 for single precision), so under 2.2 KB for a quote on every day of the
    year.
    """

    days: bytes = b""
    volatilities: bytes = b""


class RollingMedian:
    """A trail that grows: beside the figures day by day the same in order of size, so that a median costs a look."""

    __slots__ = ("_days", "_ordered", "_volatilities")

    def __init__(self, trail: Trail) -> None:
        self._days = array("H", trail.days)
        self._volatilities = array("f", trail.volatilities)
        # An array, since a list of numbers lies all over the memory.
        self._ordered = array("f", sorted(self._volatilities))

    @property
    def packed(self) -> Trail:
        """The trail as it is kept."""
        return Trail(self._days.tobytes(), self._volatilities.tobytes())

    def add(self, *, day: int, volatility: float, newest: int) -> None:
        """Add the volatility of a day later than all there are, and forget what is a year before the day `newest`."""
        days, volatilities, ordered = self._days, self._volatilities, self._ordered
        first = _short(newest - YEAR_DAYS)
        while days and days[0] < first:
            del ordered[bisect_left(ordered, volatilities.pop(0))]
            days.pop(0)
        short = _short(day)
        if short >= first:
            days.append(short)
            volatilities.append(min(_HIGHEST, volatility))
            single = volatilities[-1]
            ordered.insert(bisect_left(ordered, single), single)

    def cut(self, day: int) -> None:
        """Forget a day and what is later, to be walked again from there."""
        kept = bisect_left(self._days, _short(day))
        del self._days[kept:], self._volatilities[kept:]
        self._ordered = array("f", sorted(self._volatilities))

    def median(self, *, newest: int) -> float | None:
        """Return the median, seen from the day `newest`; `None` where the trail spans less than half a year."""
        days, ordered = self._days, self._ordered
        count = len(days)
        if count < MEDIAN_MINIMUM_COUNT or _short(newest) - days[0] < MEDIAN_MINIMUM_DAYS:
            return None
        middle = count // 2
        return ordered[middle] if count % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _short(day: int) -> int:
    short = day - _EPOCH
    if 0 <= short <= _LAST_DAY:
        return short
    return 0 if short < 0 else _LAST_DAY
