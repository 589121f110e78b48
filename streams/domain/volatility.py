"""Volatility along a series of observations, one at a time, and against its own median of the year before.

The recursion is the published one (`streams.domain.methods.ewma_volatility`). The step from one observation to the next
is counted in weekdays, so that a gap is a return over several days and never a row of zero returns.
"""

from array import array
from bisect import bisect_left, insort
from datetime import date
from functools import lru_cache
from struct import Struct

import msgspec

MINIMUM_RETURNS = 30
"""Before 30 returns the first one still weighs over 15% (0.94^30 = 0.16): volatility is unknown."""

YEAR_DAYS = 365
MEDIAN_MINIMUM_DAYS = 182
MEDIAN_MINIMUM_COUNT = 26
"""A median of less than half a year, or of less than one figure a week of it, says nothing: it stays unknown."""

_HIGHEST = 3e38
"""Largest volatility that single precision holds; no real price comes near it."""

_single, _double_byte = Struct("=f"), Struct("=H")

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


class Trail(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """Annualised volatilities of the year before an observation, packed: the days, and the volatilities day by day.

    6 bytes an observation (2 for the day, 4 for single precision), so under 2.2 KB for a quote on every day of the
    year. The same figures in order of size are at hand while the newest trail of a series is in memory, so that a
    median costs a look and not a sort; they are not written, and a trail that lost them to its successor sorts again.
    """

    days: bytes = b""
    volatilities: bytes = b""

    def _ordered(self) -> "array[float]":
        """Return the volatilities in order of size; an array, since a list of numbers lies all over the memory."""
        ordered: array[float] | None = self.__dict__.get("ordered")
        if ordered is None:
            ordered = self.__dict__["ordered"] = array("f", sorted(memoryview(self.volatilities).cast("f")))
        return ordered

    def longer(self, *, day: int, volatility: float, newest: int) -> "Trail":
        """Return the trail with the volatility of a day later than all it has, as a trail before the day `newest`."""
        packed = _single.pack(min(_HIGHEST, volatility))
        days, volatilities, ordered = self.days, self.volatilities, self._ordered()
        del self.__dict__["ordered"]
        first = _short(newest - YEAR_DAYS)
        if days and _double_byte.unpack_from(days)[0] < first:
            older = bisect_left(memoryview(days).cast("H"), first)
            for gone in memoryview(volatilities).cast("f")[:older]:
                del ordered[bisect_left(ordered, gone)]
            days, volatilities = days[2 * older :], volatilities[4 * older :]
        short = _short(day)
        if short >= first:
            insort(ordered, _single.unpack(packed)[0])
            days, volatilities = days + _double_byte.pack(short), volatilities + packed
        longer = Trail(days, volatilities)
        longer.__dict__["ordered"] = ordered
        return longer

    def until(self, day: int) -> "Trail":
        """Return the trail without a day and what is later, to be walked again from there."""
        kept = bisect_left(memoryview(self.days).cast("H"), _short(day))
        return Trail(self.days[: 2 * kept], self.volatilities[: 4 * kept])

    def median(self, *, newest: int) -> float | None:
        """Return the median, seen from the day `newest`; `None` where the trail spans less than half a year."""
        count = len(self.days) // 2
        if count < MEDIAN_MINIMUM_COUNT:
            return None
        if _short(newest) - _double_byte.unpack_from(self.days)[0] < MEDIAN_MINIMUM_DAYS:
            return None
        ordered, middle = self._ordered(), count // 2
        return ordered[middle] if count % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _short(day: int) -> int:
    short = day - _EPOCH
    if 0 <= short <= _LAST_DAY:
        return short
    return 0 if short < 0 else _LAST_DAY
