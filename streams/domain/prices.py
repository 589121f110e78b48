"""Price series: identity by full basis (DOMAIN section 4), change, volatility and drawdown. Unknown stays `None`."""

from functools import lru_cache
from math import isfinite, log

import msgspec

from streams.contracts.assessments import Fact
from streams.contracts.price import Currency, PriceQuoted, PriceUnit
from streams.domain.methods.ewma_volatility import annualised, next_variance
from streams.domain.observations import Observation, Ring, period_kind, ring_with
from streams.domain.price_places import Place, place_of
from streams.domain.volatility import MINIMUM_RETURNS, Trail, ordinal_of, trading_days_between

CHANGE_OBSERVATIONS = 30
"""The default price rules look at 30 observations (DOMAIN section 5): six weeks of working days."""

PRICE_LIMIT = CHANGE_OBSERVATIONS + 1


class PriceIdentity(msgspec.Struct, frozen=True, array_like=True):
    """What makes two quotes one series; `period` is the length of the reference period."""

    material: str
    form: str
    grade: str | None
    basis: str
    currency: Currency
    per_unit: PriceUnit
    content: str
    vat_included: bool | None
    assessor: str
    period: str

    @property
    def place(self) -> Place:
        """Where the price is quoted."""
        return place_of(self.basis)

    def __str__(self) -> str:
        """Spell the identity out, for a reader who must see why two quotes do not compare."""
        vat = {True: "VAT included", False: "VAT excluded", None: "VAT unknown"}[self.vat_included]
        grade = self.grade or "grade unknown"
        return (
            f"{self.material} {self.form} ({grade}), {self.basis}, {self.currency} per {self.per_unit} {self.content}, "
            f"{vat}, by {self.assessor}, a {self.period}"
        )


identity_in_words = lru_cache(maxsize=4096)(str)
"""An identity spelt out, as the last few thousand asked for are remembered."""


class Earlier(msgspec.Struct, frozen=True, array_like=True):
    """The observation just before the ring: its period, value and daily variance, the returns and the peak up to it.

    A return is that from one observation to the next; the first of all has none.
    """

    period: str
    value: float
    variance: float
    returns_count: int
    peak: float


class PriceSeries(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One series: the last 31 observations by reference period, and what is kept of those before them.

    `variances` are the daily variances at the observations of the ring (0 at the first of all, which has no return).
    Of older observations the last (`earlier`) is kept; of all before the newest the volatilities of a year (`trail`,
    under 2.2 KB), so a series is under 4 KB however long it runs. Volatility needs days: other periods have variances
    of 0 that nobody reads. `peak` is the highest value ever; `volume_share_ratio` and `synthetic` are those of the
    latest quote.
    """

    identity: PriceIdentity
    ring: Ring
    variances: tuple[float, ...]
    peak: float
    earlier: Earlier | None = None
    trail: Trail = Trail()
    volume_share_ratio: float | None = None
    synthetic: bool = False


def identity_of(quote: PriceQuoted) -> PriceIdentity:
    """Return the identity of the series a quote belongs to."""
    return PriceIdentity(
        quote.material, quote.form, quote.grade, quote.basis, quote.currency, quote.per_unit, quote.content,
        quote.vat_included, quote.assessor, period_kind(quote.reference_period),
    )  # fmt: skip


def market_prefix(material: str, form: str, content: str, period: str, place: Place) -> str:
    """Return what the keys of all series of one form, content, length of period and side of the border start with."""
    return f"price/{material}/{form}/{content}/{period}/{place.value}/"


def series_key(quote: PriceQuoted) -> bytes:
    """Return the key of the series of a quote: every part of the basis, and the length of its reference period.

    The assessor stands last: series that differ in nothing else are neighbours in the order of keys.
    """
    prefix = market_prefix(
        quote.material, quote.form, quote.content, period_kind(quote.reference_period), place_of(quote.basis)
    )
    return (
        f"{prefix}{quote.grade}/{quote.basis}/{quote.currency}/{quote.per_unit}/{quote.vat_included}/{quote.assessor}"
    ).encode()


_VAT = {True: "included", False: "excluded", None: "unknown"}


def series_labels(series: PriceIdentity) -> dict[str, str]:
    """Return the labels that identify a series; a grade the source does not give is `unknown`."""
    return {
        "form": series.form,
        "grade": series.grade or "unknown",
        "basis": series.basis,
        "currency": series.currency,
        "per_unit": series.per_unit,
        "content": series.content,
        "vat": _VAT[series.vat_included],
        "assessor": series.assessor,
        "period": series.period,
    }


def next_series(prior: PriceSeries | None, quote: PriceQuoted, seen: Observation) -> PriceSeries | None:
    """Return the series with a quote, `None` where the quote changes nothing (a repeat, or superseded)."""
    if prior is None:
        return PriceSeries(
            identity=identity_of(quote), ring=(seen,), variances=(0.0,), peak=seen.value,
            volume_share_ratio=quote.volume_share_ratio, synthetic=quote.provenance.synthetic,
        )  # fmt: skip
    if seen.period > prior.ring[-1].period:
        return _longer(prior, quote, seen)  # by far the most
    ring = ring_with(prior.ring, seen, limit=PRICE_LIMIT)
    if ring is prior.ring:
        return None
    full = len(prior.ring) == PRICE_LIMIT and ring[0].period != prior.ring[0].period
    earlier = _left(prior) if full else prior.earlier
    is_newest = ring[-1] is seen
    variances, trail = _walked(earlier, ring, prior.trail, daily=prior.identity.period == "day")
    peak = max(each.value for each in ring)
    return PriceSeries(
        identity=prior.identity, ring=ring, variances=variances, earlier=earlier, trail=trail,
        peak=peak if earlier is None else max(earlier.peak, peak),
        volume_share_ratio=quote.volume_share_ratio if is_newest else prior.volume_share_ratio,
        synthetic=quote.provenance.synthetic if is_newest else prior.synthetic,
    )  # fmt: skip


def _longer(prior: PriceSeries, quote: PriceQuoted, seen: Observation) -> PriceSeries:
    """Return the series with a quote of a period later than all it has."""
    ring, variances, trail, earlier = prior.ring, prior.variances, prior.trail, prior.earlier
    variance = 0.0
    if prior.identity.period == "day":
        last = ring[-1]
        last_day, day = ordinal_of(last.period), ordinal_of(seen.period)
        returns = _returns_count(prior, len(ring) - 1)
        if returns >= MINIMUM_RETURNS:
            trail = trail.longer(day=last_day, volatility=annualised(variances[-1]), newest=day)
        variance = _variance(last, last_day, variances[-1], returns, seen, day)
    if len(ring) == PRICE_LIMIT:
        ring, variances, earlier = ring[1:], variances[1:], _left(prior)
    return PriceSeries(
        identity=prior.identity, ring=(*ring, seen), variances=(*variances, variance), trail=trail, earlier=earlier,
        peak=max(prior.peak, seen.value), volume_share_ratio=quote.volume_share_ratio,
        synthetic=quote.provenance.synthetic,
    )  # fmt: skip


def _returns_count(series: PriceSeries, index: int) -> int:
    """Count the returns up to the observation at an index of the ring."""
    return index if series.earlier is None else series.earlier.returns_count + 1 + index


def _left(series: PriceSeries) -> Earlier:
    """Return what is kept of the observation that leaves a full ring."""
    first = series.ring[0]
    peak = first.value if series.earlier is None else max(series.earlier.peak, first.value)
    return Earlier(first.period, first.value, series.variances[0], _returns_count(series, 0), peak)


def _walked(earlier: Earlier | None, ring: Ring, trail: Trail, *, daily: bool) -> tuple[tuple[float, ...], Trail]:
    """Walk the recursion along a ring that a late or corrected figure changed in the middle."""
    if not daily:
        return (0.0,) * len(ring), trail
    days = [ordinal_of(seen.period) for seen in ring]
    trail = trail.until(days[0])
    last: Observation | Earlier = earlier if earlier is not None else ring[0]
    last_day = ordinal_of(last.period)
    variance, returns = (0.0, 0) if earlier is None else (earlier.variance, earlier.returns_count)
    walked = [variance] if earlier is None else []
    for seen, day in list(zip(ring, days, strict=True))[len(walked) :]:
        if walked and returns >= MINIMUM_RETURNS:
            trail = trail.longer(day=last_day, volatility=annualised(variance), newest=days[-1])
        variance = _variance(last, last_day, variance, returns, seen, day)
        walked.append(variance)
        last, last_day, returns = seen, day, returns + 1
    return tuple(walked), trail


def _variance(
    last: Observation | Earlier, last_day: int, variance: float, returns_count: int, seen: Observation, day: int
) -> float:
    """Step the published recursion over a gap of weekdays. The difference of logarithms cannot overflow."""
    step = 0.0 if seen.value == last.value else log(seen.value) - log(last.value)
    days = trading_days_between(last_day, later=day)
    return next_variance(variance if returns_count else None, log_return=step, periods_count=days)


def relative_change(new: float, *, old: float) -> float | None:
    """Return new / old - 1; `None` where no floating-point number holds it."""
    change = new / old - 1
    return change if isfinite(change) else None


def volatility_of(series: PriceSeries) -> tuple[float | None, float | None]:
    """Return the annualised volatility and its ratio to its own one-year median; `None` where too little is known.

    A median of zero (a price that nobody moved for half a year) gives no ratio.
    """
    if series.identity.period != "day" or _returns_count(series, len(series.ring) - 1) < MINIMUM_RETURNS:
        return None, None
    volatility = annualised(series.variances[-1])
    median = series.trail.median(newest=ordinal_of(series.ring[-1].period))
    return volatility, volatility / median if median else None


def price_facts(series: PriceSeries, market: dict[str, Fact] | None = None) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a series and the names of those that are unknown.

    `last_amount` in the labelled currency and unit; `change_previous_ratio` and `change_30_observations_ratio` are
    last / earlier - 1, `None` with too few observations; `observations_count` is 1 to 31; `volatility_ratio` is
    annualised, `volatility_to_median_ratio` against its one-year median; `drawdown_ratio` 0..1 from the
    highest value since the series began. `market` are the facts that need other series (`streams.domain.price_market`).
    """
    ring = series.ring
    last, count = ring[-1].value, len(ring)
    volatility, to_median = volatility_of(series)
    facts: dict[str, Fact] = {
        "last_amount": last,
        "change_previous_ratio": relative_change(last, old=ring[-2].value) if count > 1 else None,
        "change_30_observations_ratio": relative_change(last, old=ring[0].value) if count == PRICE_LIMIT else None,
        "observations_count": float(count),
        "volume_share_ratio": series.volume_share_ratio,
        "reference_period": ring[-1].period,
        "volatility_ratio": volatility,
        "volatility_to_median_ratio": to_median,
        "drawdown_ratio": 1 - last / series.peak,
        **(market or {}),
    }
    return facts, tuple([name for name, value in facts.items() if value is None])
