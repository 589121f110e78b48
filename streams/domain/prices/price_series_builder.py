"""A price series as a mutable accumulator: updated quote by quote, built as an immutable value when it is stored.

Most quotes are of a later period: they cost one step of the published recursion and no copy. A late or corrected figure
rebuilds the series from the observations in the ring. A series is a function of the set of its quotes, as far back as
the ring reaches (`tests/property/test_price_series.py`).
"""

from collections import deque
from itertools import islice
from math import log

from streams.contracts.price import PriceQuoted
from streams.domain.methods.ewma_volatility import annualised, next_variance
from streams.domain.observations import Observation, Ring, ring_with
from streams.domain.prices.price_series import PRICE_LIMIT, Earlier, PriceSeries, identity_of
from streams.domain.prices.volatility import MINIMUM_RETURNS, RollingMedian, ordinal_of, trading_days_between


def first_series(quote: PriceQuoted, seen: Observation) -> PriceSeries:
    """Return the series that a first quote begins."""
    return PriceSeries(
        identity=identity_of(quote),
        ring=(seen,),
        variances=(0.0,),
        peak=seen.value,
        volume_share_ratio=quote.volume_share_ratio,
        synthetic=quote.provenance.synthetic,
    )


class PriceSeriesBuilder:
    """One series. The observation that left the ring last is kept, with its variance and the highest value up to it.

    For `volatility_ratio` and `volatility_median_ratio` see `streams.domain.prices.price_series.Quoted`.
    """

    __slots__ = (
        "_day",
        "_is_daily",
        "_left",
        "_left_peak",
        "_left_variance",
        "_returns_count",
        "_series",
        "_trail",
        "_variances",
        "identity",
        "peak",
        "ring",
        "synthetic",
        "volatility_ratio",
        "volume_share_ratio",
    )

    def __init__(self, series: PriceSeries) -> None:
        self.identity = series.identity
        self._is_daily = series.identity.period == "day"
        self._open(series)

    def _open(self, series: PriceSeries) -> None:
        self._series: PriceSeries | None = series
        self.ring: deque[Observation] = deque(series.ring, PRICE_LIMIT)
        self.peak, self.synthetic = series.peak, series.synthetic
        self.volume_share_ratio = series.volume_share_ratio
        self._variances = deque(series.variances, PRICE_LIMIT)
        self._trail = RollingMedian(series.trail)
        earlier = series.earlier
        self._left: Observation | Earlier | None = earlier
        self._left_variance, self._left_peak = (earlier.variance, earlier.peak) if earlier else (0.0, 0.0)
        self._returns_count = len(series.ring) + (earlier.returns_count if earlier else -1)
        self._day = ordinal_of(self.ring[-1].period) if self._is_daily else 0
        self.volatility_ratio: float | None = self._volatility()

    def _volatility(self) -> float | None:
        if self._returns_count < MINIMUM_RETURNS or not self._is_daily:
            return None
        return annualised(self._variances[-1])

    @property
    def volatility_median_ratio(self) -> float | None:
        """The median of the volatilities of the year before."""
        return self._trail.median(newest=self._day) if self.volatility_ratio is not None else None

    @property
    def series(self) -> PriceSeries:
        """The series as an immutable value for the store."""
        if self._series is None:
            self._series = PriceSeries(
                identity=self.identity,
                ring=tuple(self.ring),
                variances=tuple(self._variances),
                peak=self.peak,
                earlier=self._earlier(),
                trail=self._trail.packed,
                volume_share_ratio=self.volume_share_ratio,
                synthetic=self.synthetic,
            )
        return self._series

    def _earlier(self) -> Earlier | None:
        left = self._left
        if left is None:
            return None
        count = self._returns_count - len(self.ring)
        return Earlier(left.period, left.value, self._left_variance, count, self._left_peak)

    def take(self, quote: PriceQuoted, seen: Observation) -> bool:
        """Add a quote; return whether it changes the series: a repeat and a superseded figure do not."""
        last = self.ring[-1]
        if seen.period > last.period:
            self._add(seen, last)
            self.volume_share_ratio, self.synthetic = quote.volume_share_ratio, quote.provenance.synthetic
            self._series = None
            return True
        corrected = _corrected(self.series, quote, seen)
        if corrected is not None:
            self._open(corrected)
        return corrected is not None

    def _add(self, seen: Observation, last: Observation) -> None:
        """Add an observation of a period later than all there are."""
        ring, variances = self.ring, self._variances
        if len(ring) == PRICE_LIMIT:
            self._left = first = ring[0]
            self._left_variance = variances[0]
            self._left_peak = max(self._left_peak, first.value)
        variance = 0.0
        if self._is_daily:
            last_day, day = self._day, ordinal_of(seen.period)
            if self.volatility_ratio is not None:
                self._trail.add(day=last_day, volatility=self.volatility_ratio, newest=day)
            variance = _variance(last, last_day, variances[-1], self._returns_count, seen, day)
            self._day = day
        ring.append(seen)
        variances.append(variance)
        self._returns_count += 1
        self.volatility_ratio = self._volatility()
        self.peak = max(self.peak, seen.value)


def _corrected(prior: PriceSeries, quote: PriceQuoted, seen: Observation) -> PriceSeries | None:
    """Return a series with a quote of a period that is not later than all it has; `None` where it changes nothing."""
    ring = ring_with(prior.ring, seen, limit=PRICE_LIMIT)
    if ring is prior.ring:
        return None
    earlier = prior.earlier
    if len(prior.ring) == PRICE_LIMIT and ring[0].period != prior.ring[0].period:
        first = prior.ring[0]
        count = earlier.returns_count + 1 if earlier else 0
        peak = max(earlier.peak, first.value) if earlier else first.value
        earlier = Earlier(first.period, first.value, prior.variances[0], count, peak)
    is_newest = ring[-1] is seen
    trail = RollingMedian(prior.trail)
    variances = _walked(earlier, ring, trail) if prior.identity.period == "day" else (0.0,) * len(ring)
    peak = max(each.value for each in ring)
    return PriceSeries(
        identity=prior.identity,
        ring=ring,
        variances=variances,
        earlier=earlier,
        trail=trail.packed,
        peak=peak if earlier is None else max(earlier.peak, peak),
        volume_share_ratio=quote.volume_share_ratio if is_newest else prior.volume_share_ratio,
        synthetic=quote.provenance.synthetic if is_newest else prior.synthetic,
    )


def _walked(earlier: Earlier | None, ring: Ring, trail: RollingMedian) -> tuple[float, ...]:
    """Walk the recursion along a ring that a late or corrected figure changed in the middle."""
    days = [ordinal_of(seen.period) for seen in ring]
    trail.cut(days[0])
    last: Observation | Earlier = earlier if earlier is not None else ring[0]
    last_day = ordinal_of(last.period)
    variance, returns = (0.0, 0) if earlier is None else (earlier.variance, earlier.returns_count)
    walked = [variance] if earlier is None else []
    for seen, day in islice(zip(ring, days, strict=True), len(walked), None):
        if walked and returns >= MINIMUM_RETURNS:
            trail.add(day=last_day, volatility=annualised(variance), newest=days[-1])
        variance = _variance(last, last_day, variance, returns, seen, day)
        walked.append(variance)
        last, last_day, returns = seen, day, returns + 1
    return tuple(walked)


def _variance(
    last: Observation | Earlier, last_day: int, variance: float, returns_count: int, seen: Observation, day: int
) -> float:
    """Step the published recursion over a gap of weekdays. The difference of logarithms cannot overflow."""
    step = 0.0 if seen.value == last.value else log(seen.value) - log(last.value)
    days = trading_days_between(last_day, later=day)
    return next_variance(variance if returns_count else None, log_return=step, periods_count=days)
