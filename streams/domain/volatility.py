"""Volatility along a series of observations, one at a time, and against its own median of the year before.

The recursion is the published one (`streams.domain.methods.ewma_volatility`). The step from one observation to the next
is counted in weekdays, so that a gap is a return over several days and never a row of zero returns.
"""

from bisect import bisect_left
from datetime import date
from functools import lru_cache
from struct import pack
from typing import NamedTuple

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
    return max(1, _weekdays_until(later) - _weekdays_until(earlier))


class Trail(NamedTuple):
    """Annualised volatilities of the year before an observation, packed: the days, then by day, then in order of size.

    10 bytes an observation (2 for the day, twice 4 for single precision), so under 4 KB for a quote on every day of the
    year. The third is kept so that a median costs a look and not a sort.
    """

    days: bytes = b""
    volatilities: bytes = b""
    ordered: bytes = b""

    def longer(self, *, day: int, volatility: float, newest: int) -> "Trail":
        """Return the trail with the volatility of a day later than all it has, as a trail before the day `newest`."""
        packed = pack("=f", min(volatility, _HIGHEST))
        ordered = self.ordered
        at = 4 * bisect_left(memoryview(ordered).cast("f"), memoryview(packed).cast("f")[0])
        longer = Trail(
            self.days + pack("=H", _short(day)), self.volatilities + packed, ordered[:at] + packed + ordered[at:]
        )
        return longer.before(newest)

    def before(self, newest: int) -> "Trail":
        """Return the trail without what is more than a year older than a day; itself where nothing is."""
        first = _short(newest - YEAR_DAYS)
        days = memoryview(self.days).cast("H")
        if not days or days[0] >= first:
            return self
        older = 1 if len(days) == 1 or days[1] >= first else bisect_left(days, first)
        ordered = self.ordered
        for gone in memoryview(self.volatilities).cast("f")[:older]:
            at = 4 * bisect_left(memoryview(ordered).cast("f"), gone)
            ordered = ordered[:at] + ordered[at + 4 :]
        return Trail(self.days[2 * older :], self.volatilities[4 * older :], ordered)

    def until(self, day: int) -> "Trail":
        """Return the trail without a day and what is later, to be walked again from there."""
        kept = bisect_left(memoryview(self.days).cast("H"), _short(day))
        volatilities = self.volatilities[: 4 * kept]
        ordered = sorted(memoryview(volatilities).cast("f"))
        return Trail(self.days[: 2 * kept], volatilities, pack(f"={kept}f", *ordered))

    def median(self, *, newest: int) -> float | None:
        """Return the median, seen from the day `newest`; `None` where the trail spans less than half a year."""
        count = len(self.days) // 2
        if count < MEDIAN_MINIMUM_COUNT:
            return None
        if _short(newest) - memoryview(self.days).cast("H")[0] < MEDIAN_MINIMUM_DAYS:
            return None
        ordered = memoryview(self.ordered).cast("f")
        middle, odd = divmod(count, 2)
        high: float = ordered[middle]
        return high if odd else (ordered[middle - 1] + high) / 2


def _short(day: int) -> int:
    short = day - _EPOCH
    return short if 0 <= short <= _LAST_DAY else min(max(short, 0), _LAST_DAY)
