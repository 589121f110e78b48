"""What one series says beside others: the premium outside China, thin markets, and assessors that disagree."""

from collections.abc import Iterable, Sequence

import msgspec

from streams.contracts.assessments import Fact
from streams.domain.conversions import Conversions
from streams.domain.observations import Observation
from streams.domain.price_comparison import NEAR_DAYS, Compared, Comparison, Refused, compare, days_apart
from streams.domain.price_places import Place
from streams.domain.prices import PRICE_LIMIT, PriceIdentity, PriceSeries, relative_change


class MarketParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of DOMAIN section 5: a move or premium on less than `thin_share_ratio` of the volume is a thin notice."""

    premium_ratio: float = 0.50
    change_ratio: float = 0.25
    thin_share_ratio: float = 0.05


DEFAULTS = MarketParameters()
_ACROSS = frozenset({"basis", "grade", "assessor"})
NEAR_TO_WEIGH_DAYS = 31
"""Quotes of another month say nothing about the volume of this one."""


def counterpart(series: PriceSeries, period: str) -> Observation:
    """Return the observation that one of a period is held against: of days the latest, of longer periods the same one.

    The spread of today is that of the two prices that stand today, although one may be a week older. Where the same
    month or year is not known it is the latest too, which is then refused as far apart.
    """
    if series.identity.period != "day":
        for seen in reversed(series.ring):
            if seen.period == period:
                return seen
    return series.ring[-1]


def premium_over_china(
    series: PriceSeries, chinese: Iterable[PriceSeries], *, table: Conversions
) -> tuple[Comparison | None, PriceSeries | None]:
    """Compare the last quote of a series with the Chinese one it is most like, and name that one.

    Of several that compare, the same grade goes before another, then the same assessor, the nearest day, the same
    currency, the same unit, the order given. A refusal is that of the first that does not compare; `None`: there is no
    Chinese quote.
    """
    last, found = series.ring[-1], []
    own = series.identity
    for place, other in enumerate(chinese):
        like = other.identity
        seen = counterpart(other, last.period)
        compared = compare(own, last, like, seen, table=table, across=_ACROSS)
        rank = (
            isinstance(compared, Refused),
            like.grade != own.grade,
            like.assessor != own.assessor,
            days_apart(seen.period, last.period),
            like.currency != own.currency,
            like.per_unit != own.per_unit,
            place,
        )
        found.append((rank, compared, other))
    if not found:
        return None, None
    _, compared, other = min(found, key=lambda each: each[0])
    return compared, other


def premium_facts(
    series: PriceSeries, *, chinese: Sequence[PriceSeries], outside: Iterable[PriceSeries], table: Conversions
) -> dict[str, Fact]:
    """Return the facts of the premium of a series outside China.

    `premium_ratio` is its price over the Chinese one, minus 1; `premium_against` names the Chinese series and
    `premium_refused` why none compares. `premium_volume_share_ratio` is the share of the traded volume it stands for.
    `premium_weighted_ratio` is what the premiums outside mean for all trade: the sum of share times premium over
    `outside` (this series among them) as far as both are known.
    """
    compared, other = premium_over_china(series, chinese, table=table)
    facts: dict[str, Fact] = {
        "premium_ratio": compared.change_ratio if isinstance(compared, Compared) else None,
        "premium_volume_share_ratio": series.volume_share_ratio,
    }
    weighted: list[float] = []
    for each in outside:
        share = each.volume_share_ratio
        if share is None or days_apart(each.ring[-1].period, series.ring[-1].period) > NEAR_TO_WEIGH_DAYS:
            continue
        told = compared if each is series else premium_over_china(each, chinese, table=table)[0]
        if isinstance(told, Compared):
            weighted.append(share * told.change_ratio)
    facts["premium_weighted_ratio"] = sum(sorted(weighted)) if weighted else None
    if isinstance(compared, Compared) and other is not None:
        facts["premium_against"] = "; ".join((str(other.identity), *compared.steps))
    elif isinstance(compared, Refused):
        facts["premium_refused"] = str(compared)
    return facts


def assessor_facts(series: PriceSeries, twins: Iterable[PriceSeries]) -> dict[str, Fact]:
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
    if who is None:
        return {"assessor_gap_ratio": None}
    return {"assessor_gap_ratio": widest, "assessor_gap_with": who}


def _are_twins(one: PriceIdentity, other: PriceIdentity) -> bool:
    return (
        one.basis == other.basis
        and one.grade == other.grade
        and one.currency == other.currency
        and one.per_unit == other.per_unit
        and one.vat_included == other.vat_included
        and one.form == other.form
    )


def thin_of(series: PriceSeries, *, premium_ratio: Fact, parameters: MarketParameters = DEFAULTS) -> bool | None:
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
    if series.identity.place is not Place.OUTSIDE:
        return moved
    dear = premium_ratio >= parameters.premium_ratio if isinstance(premium_ratio, float) else None
    if moved or dear:
        return True
    return None if moved is None or dear is None else False
