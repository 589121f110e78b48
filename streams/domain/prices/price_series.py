"""Price series: identity by full basis (docs/domain.md 9), change, volatility and drawdown. Unknown stays `None`."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Protocol, TypeAlias

import msgspec

from streams.contracts.assessments import Fact
from streams.contracts.price import Currency, PriceQuoted, PriceUnit
from streams.domain.observations import Observation, Ring, period_kind
from streams.domain.prices.price_places import QuotePlace, place_of
from streams.domain.prices.volatility import Trail

CHANGE_OBSERVATIONS = 30
"""The default price rules look at 30 observations (docs/domain.md 11): six weeks of working days."""

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
    def place(self) -> QuotePlace:
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
        quote.material,
        quote.form,
        quote.grade,
        quote.basis,
        quote.currency,
        quote.per_unit,
        quote.content,
        quote.vat_included,
        quote.assessor,
        period_kind(quote.reference_period),
    )


def market_prefix(material: str, form: str, content: str, period: str, place: QuotePlace) -> str:
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


class SeriesView(Protocol):
    """A series as it is looked at: kept (`PriceSeries`, which does not work out volatility) or at hand."""

    @property
    def identity(self) -> PriceIdentity:
        """What makes it one series."""

    @property
    def ring(self) -> Sequence[Observation]:
        """The last observations, one a reference period, in their order."""

    @property
    def peak(self) -> float:
        """The highest value ever."""

    @property
    def volume_share_ratio(self) -> float | None:
        """Share of the traded volume that the latest quote stands for."""

    @property
    def synthetic(self) -> bool:
        """Whether the latest quote is made up."""


class Quoted(SeriesView, Protocol):
    """A series whose volatility is worked out."""

    @property
    def volatility_ratio(self) -> float | None:
        """Annualised volatility; `None` before 30 returns, and for other periods than days."""

    @property
    def volatility_median_ratio(self) -> float | None:
        """Median of the annualised volatilities of the year before; `None` where it spans less than half of one."""


def relative_change(new: float, *, old: float) -> float | None:
    """Return new / old - 1; `None` where no floating-point number holds it."""
    change = new / old - 1
    return change if isfinite(change) else None


Gap: TypeAlias = tuple[float | None, str | None]
"""The largest gap to another assessor (larger / smaller - 1), and who that is; `None` where nobody near quotes it."""


def price_facts(
    series: Quoted, *, gap: Gap = (None, None), thin: bool | None = None, premium: Mapping[str, Fact] | None = None
) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a series and the names of those that are unknown.

    `last_amount` in the labelled currency and unit; `change_previous_ratio` and `change_30_observations_ratio` are
    last / earlier - 1, `None` with too few observations; `observations_count` is 1 to 31; `volatility_ratio` is
    annualised, `volatility_to_median_ratio` against its one-year median (`None` where that is zero, the price of half a
    year that nobody moved); `drawdown_ratio` 0..1 from the highest value since the series began. `gap`, `thin` and
    `premium` (of a series outside China) need other series (`streams.domain.prices.market_facts`).
    """
    ring, (gap_ratio, gap_with) = series.ring, gap
    newest, count = ring[-1], len(ring)
    last = newest.value
    volatility, median = series.volatility_ratio, series.volatility_median_ratio
    facts: dict[str, Fact] = {
        "last_amount": last,
        "change_previous_ratio": relative_change(last, old=ring[-2].value) if count > 1 else None,
        "change_30_observations_ratio": relative_change(last, old=ring[0].value) if count == PRICE_LIMIT else None,
        "observations_count": float(count),
        "volume_share_ratio": series.volume_share_ratio,
        "reference_period": newest.period,
        "volatility_ratio": volatility,
        "volatility_to_median_ratio": volatility / median if median and volatility is not None else None,
        "drawdown_ratio": 1 - last / series.peak,
        "assessor_gap_ratio": gap_ratio,
        "thin": thin,
    }
    if gap_with is not None:
        facts["assessor_gap_with"] = gap_with
    if premium is not None:
        facts.update(premium)
    return facts, tuple([name for name, value in facts.items() if value is None])
