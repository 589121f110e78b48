"""What one series says beside others: the premium outside China, thin markets, and assessors that disagree."""

from collections.abc import Iterable, Sequence

import msgspec

from streams.contracts.assessments import Fact
from streams.domain.conversions import Conversions
from streams.domain.observations import Observation
from streams.domain.price_comparison import (
    NEAR_DAYS,
    Compared,
    Comparison,
    Refused,
    Terms,
    Unlike,
    compare_on,
    days_apart,
    refused,
    terms_of,
)
from streams.domain.price_places import Place
from streams.domain.prices import PRICE_LIMIT, Gap, PriceIdentity, SeriesView, identity_in_words, relative_change


class MarketParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of DOMAIN section 5: a move or premium on less than `thin_share_ratio` of the volume is a thin notice."""

    premium_ratio: float = 0.50
    change_ratio: float = 0.25
    thin_share_ratio: float = 0.05


DEFAULTS = MarketParameters()
_ACROSS = frozenset({"basis", "grade", "assessor"})
NEAR_TO_WEIGH_DAYS = 31
"""Quotes of another month say nothing about the volume of this one."""


def counterpart(series: SeriesView, period: str) -> Observation:
    """Return the observation that one of a period is held against: of days the latest, of longer periods the same one.

    The spread of today is that of the two prices that stand today, although one may be a week older. Where the same
    month or year is not known it is the latest too, which is then refused as far apart.
    """
    if series.identity.period != "day":
        for seen in reversed(series.ring):
            if seen.period == period:
                return seen
    return series.ring[-1]


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """A Chinese series that one outside is held against: its place among them, and the terms of comparing them."""

    place: int
    terms: Terms


Rivals = tuple[tuple[Rival, ...], ...]


def rivals_of(own: PriceIdentity, chinese: Sequence[PriceIdentity]) -> Rivals:
    """Return the Chinese series that one outside is held against, those it is most like first.

    Of several that compare, the same grade goes before another, then the same assessor, the nearest day, the same
    currency, the same unit, the order given: groups of the same grade and assessor, in which the days decide.
    """
    groups: dict[tuple[bool, bool], list[tuple[tuple[bool, bool, int], Rival]]] = {}
    for place, like in enumerate(chinese):
        rival = Rival(place=place, terms=terms_of(own, like, across=_ACROSS))
        rank = (like.currency != own.currency, like.per_unit != own.per_unit, place)
        groups.setdefault((like.grade != own.grade, like.assessor != own.assessor), []).append((rank, rival))
    return tuple(
        tuple(rival for _, rival in sorted(group, key=lambda each: each[0])) for _, group in sorted(groups.items())
    )


def premium_over_china(
    series: SeriesView, chinese: Sequence[SeriesView], rivals: Rivals, *, table: Conversions
) -> tuple[Comparison | None, SeriesView | None]:
    """Compare the last quote of a series with the Chinese one it is most like (`rivals`), and name that one.

    A refusal is that of the first that does not compare; `None`: there is no Chinese quote.
    """
    last = series.ring[-1]
    first: tuple[Rival, Observation, Unlike] | None = None
    for group in rivals:
        held = [(rival, counterpart(chinese[rival.place], last.period)) for rival in group]
        if len(held) > 1:
            held.sort(key=lambda each: days_apart(each[1].period, last.period))
        for rival, seen in held:
            found = compare_on(rival.terms, last, seen, table=table)
            if isinstance(found, Compared):
                return found, chinese[rival.place]
            first = first or (rival, seen, found)
    if first is None:
        return None, None
    rival, seen, reason = first
    return refused(rival.terms, last, seen, reason), chinese[rival.place]


class Market:
    """The series of one material, form, content and length of period on both sides of China's border, in columns.

    What their identities decide about comparing them is worked out once; places are in the order of the series given.
    """

    def __init__(self, *, chinese: Sequence[SeriesView], outside: Sequence[SeriesView]) -> None:
        self.chinese = list(chinese)
        self.outside = list(outside)
        identities = [series.identity for series in chinese]
        self._rivals = [rivals_of(series.identity, identities) for series in outside]

    def premium_facts(self, place: int, *, table: Conversions) -> dict[str, Fact]:
        """Return the facts of the premium of a series outside China.

        `premium_ratio` is its price over the Chinese one, minus 1; `premium_against` names the Chinese series and
        `premium_refused` why none compares. `premium_volume_share_ratio` is the share of the traded volume it stands
        for. `premium_weighted_ratio` is what the premiums outside mean for all trade: the sum of share times premium
        over those outside (this one among them) as far as both are known.
        """
        series = self.outside[place]
        compared, other = premium_over_china(series, self.chinese, self._rivals[place], table=table)
        facts: dict[str, Fact] = {
            "premium_ratio": compared.change_ratio if isinstance(compared, Compared) else None,
            "premium_volume_share_ratio": series.volume_share_ratio,
            "premium_weighted_ratio": self._weighted(series, compared, table=table),
        }
        if isinstance(compared, Compared) and other is not None:
            facts["premium_against"] = "; ".join((identity_in_words(other.identity), *compared.steps))
        elif isinstance(compared, Refused):
            facts["premium_refused"] = str(compared)
        return facts

    def _weighted(self, series: SeriesView, own: Comparison | None, *, table: Conversions) -> float | None:
        weighted: list[float] = []
        for place, each in enumerate(self.outside):
            share = each.volume_share_ratio
            if share is None or days_apart(each.ring[-1].period, series.ring[-1].period) > NEAR_TO_WEIGH_DAYS:
                continue
            told = own
            if each is not series:
                told, _ = premium_over_china(each, self.chinese, self._rivals[place], table=table)
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
    if series.identity.place is not Place.OUTSIDE:
        return moved
    dear = premium_ratio >= parameters.premium_ratio if isinstance(premium_ratio, float) else None
    if moved or dear:
        return True
    return None if moved is None or dear is None else False
