"""What one series says beside others: the premium outside China, thin markets, and assessors that disagree."""

from collections.abc import Iterable, Sequence

import msgspec

from streams.contracts.assessments import Fact
from streams.domain.prices.comparable_series import ComparableSeries, counterpart
from streams.domain.prices.conversions import Conversions
from streams.domain.prices.price_comparison import NEAR_DAYS, Compared, Comparison, Refused, days_apart
from streams.domain.prices.price_places import QuotePlace
from streams.domain.prices.price_series import (
    PRICE_LIMIT,
    Gap,
    PriceIdentity,
    SeriesView,
    identity_in_words,
    relative_change,
)


class MarketParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of docs/domain.md 11: a move or premium on less than `thin_share_ratio` of the volume is a thin notice."""

    premium_ratio: float = 0.50
    change_ratio: float = 0.25
    thin_share_ratio: float = 0.05


DEFAULTS = MarketParameters()
NEAR_TO_WEIGH_DAYS = 31
"""Quotes of another month say nothing about the volume of this one."""


class Market:
    """The series of one material, form, content and length of period on both sides of China's border, in columns.

    Places are in the order of the series given.
    """

    def __init__(self, *, chinese: Sequence[SeriesView], outside: Sequence[SeriesView]) -> None:
        self.outside = list(outside)
        self.counterparts = ComparableSeries(chinese)

    def premium_facts(self, place: int, *, table: Conversions) -> dict[str, Fact]:
        """Return the facts of the premium of a series outside China, see `Premiums.facts`."""
        return Premiums(self, table=table).facts(place)


class Premiums:
    """The premiums of a market as its series stand; each is worked out once. Of no use after the next quote."""

    def __init__(self, market: Market, *, table: Conversions) -> None:
        self._market = market
        self._table = table
        self._found: dict[int, tuple[Comparison | None, SeriesView | None]] = {}
        self._weighing = [n for n, each in enumerate(market.outside) if each.volume_share_ratio is not None]
        self.are_synthetic = any(each.synthetic for each in market.counterparts.series)

    def of(self, place: int) -> tuple[Comparison | None, SeriesView | None]:
        """Return the premium of a series outside China, and the Chinese series it is held against."""
        found = self._found.get(place)
        if found is None:
            series = self._market.outside[place]
            found = self._found[place] = self._market.counterparts.premium_of(series, table=self._table)
        return found

    def facts(self, place: int) -> dict[str, Fact]:
        """Return the facts of the premium of a series outside China.

        `premium_ratio` is its price over the Chinese one, minus 1; `premium_against` names the Chinese series and
        `premium_refused` why none compares. `premium_volume_share_ratio` is the share of the traded volume it stands
        for. `premium_weighted_ratio` is what the premiums outside mean for all trade: the sum of share times premium
        over those outside (this one among them) as far as both are known.
        """
        series = self._market.outside[place]
        compared, other = self.of(place)
        facts: dict[str, Fact] = {
            "premium_ratio": compared.change_ratio if isinstance(compared, Compared) else None,
            "premium_volume_share_ratio": series.volume_share_ratio,
            "premium_weighted_ratio": self._weighted(series),
        }
        if isinstance(compared, Compared) and other is not None:
            facts["premium_against"] = "; ".join((identity_in_words(other.identity), *compared.steps))
        elif isinstance(compared, Refused):
            facts["premium_refused"] = str(compared)
        return facts

    def _weighted(self, series: SeriesView) -> float | None:
        weighted: list[float] = []
        for place in self._weighing:
            each = self._market.outside[place]
            share = each.volume_share_ratio
            if share is None or days_apart(each.ring[-1].period, series.ring[-1].period) > NEAR_TO_WEIGH_DAYS:
                continue
            told, _ = self.of(place)
            if isinstance(told, Compared):
                weighted.append(share * told.change_ratio)
        return sum(sorted(weighted)) if weighted else None


def assessor_gap(series: SeriesView, twins: Iterable[SeriesView]) -> Gap:
    """Return the largest gap to another assessor of the same series otherwise: larger / smaller - 1, and who it is.

    `None` where no other assessor quoted within a fortnight (of a longer period: for the same one).
    """
    last, own = series.ring[-1], series.identity
    near = NEAR_DAYS if own.period == "day" else 0
    widest, who = -1.0, None
    for twin in twins:
        identity = twin.identity
        if identity.assessor == own.assessor or not _are_twins(identity, own):
            continue
        seen = twin.ring[-1]
        if seen.period != last.period:  # by far the most are of the same day
            seen = counterpart(twin, last.period)
            if days_apart(seen.period, last.period) > near:
                continue
        gap = relative_change(max(last.value, seen.value), old=min(last.value, seen.value))
        if gap is not None and gap > widest:
            widest, who = gap, identity.assessor
    return (None, None) if who is None else (widest, who)


def _are_twins(one: PriceIdentity, other: PriceIdentity) -> bool:
    return (
        one.basis == other.basis
        and one.grade == other.grade
        and one.currency == other.currency
        and one.per_unit == other.per_unit
        and one.vat_included == other.vat_included
        and one.form == other.form
    )


def thin_of(series: SeriesView, *, premium_ratio: Fact, parameters: MarketParameters = DEFAULTS) -> bool | None:
    """Tell whether a move or premium over its limit stands on a share of the volume known to be under 5%.

    `None` where the share is unknown, or where a thin share meets a move and a premium that are not both known to be
    small. A price on at least 5% of the volume is not thin.
    """
    share = series.volume_share_ratio
    if share is None:
        return None
    if share >= parameters.thin_share_ratio:
        return False
    full = len(series.ring) == PRICE_LIMIT
    change = relative_change(series.ring[-1].value, old=series.ring[0].value) if full else None
    moved = None if change is None else abs(change) >= parameters.change_ratio
    if series.identity.place is not QuotePlace.OUTSIDE:
        return moved
    dear = premium_ratio >= parameters.premium_ratio if isinstance(premium_ratio, float) else None
    if moved or dear:
        return True
    return None if moved is None or dear is None else False
