"""The panel of a price: the series that differ in nothing but the assessor, and the gap between those that quote it."""

from collections.abc import Sequence

from streams.domain.prices.market_facts import assessor_gap
from streams.domain.prices.price_comparison import NEAR_DAYS
from streams.domain.prices.price_series import Gap, SeriesView, relative_change
from streams.domain.prices.volatility import ordinal_of


class AssessorPanel:
    """The last quotes of a panel in columns, so that the widest gap is a look at the ends and not at every pair.

    Slots are in the order of the series given. All series are of one material, form, basis, grade, currency, unit,
    content, VAT and length of period. `gap` says the same as `price_market.assessor_gap` of each series beside the
    others; of two others that are as far away the first counts.
    """

    def __init__(self, series: Sequence[SeriesView]) -> None:
        self.series = list(series)
        self._daily = series[0].identity.period == "day"
        self._values = [each.ring[-1].value for each in series]
        self._days = [self._day_of(each) for each in series]
        self._assessors = [each.identity.assessor for each in series]
        self._synthetic = [each.synthetic for each in series]
        self._highest, self._lowest = max(self._values), min(self._values)
        self._newest, self._none_before = max(self._days), min(self._days)

    def _day_of(self, series: SeriesView) -> int:
        return ordinal_of(series.ring[-1].period) if self._daily else 0

    def put(self, slot: int, series: SeriesView) -> None:
        """Put the series that a quote made in place of the one before."""
        self.series[slot] = series
        self._synthetic[slot] = series.synthetic
        day, value, before = self._day_of(series), series.ring[-1].value, self._values[slot]
        self._days[slot], self._values[slot] = day, value
        self._newest, self._none_before = max(self._newest, day), min(self._none_before, day)
        if value != before:  # looking at all of them is needed only where one at an end leaves it
            self._highest = max(self._values) if before == self._highest else max(self._highest, value)
            self._lowest = min(self._values) if before == self._lowest else min(self._lowest, value)

    def _are_near(self) -> bool:
        """Tell whether all quotes lie within a fortnight."""
        if self._newest - self._none_before > NEAR_DAYS:
            self._newest, self._none_before = max(self._days), min(self._days)
        return self._newest - self._none_before <= NEAR_DAYS

    @property
    def is_synthetic(self) -> bool:
        """Tell whether made-up quotes are among the last ones."""
        return True in self._synthetic

    def gap(self, slot: int) -> Gap:
        """Return the largest gap to another assessor, as `assessor_gap` does."""
        values = self._values
        if len(values) == 1:
            return None, None
        if not self._daily or not self._are_near():
            return assessor_gap(self.series[slot], self.series)
        own, highest, lowest = values[slot], self._highest, self._lowest
        if highest == lowest:
            other = 0 if slot else 1
            return 0.0, self._assessors[other]
        above, below = relative_change(highest, old=own), relative_change(own, old=lowest)
        if above is None or below is None:
            return assessor_gap(self.series[slot], self.series)
        if above == below:
            other = min(values.index(highest), values.index(lowest))
        else:
            other = values.index(highest if above > below else lowest)
        return max(above, below), self._assessors[other]
