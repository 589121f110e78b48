"""Dependency on one material at one stage: who supplies it, how concentrated that is, and how it changed.

State is per reference period and vintage (`supply_tables`); a later vintage supersedes and both stay answerable. HHI is
0..1 inside and 0..10,000 points where it is shown (`methods.concentration`). Unknown is `None` with a reason in
`missing`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from streams.contracts.assessments import Fact
from streams.domain.intervals import Interval
from streams.domain.methods.concentration import HHI_POINTS, weighted_hhi
from streams.domain.supply.shares import Shares, shares_of
from streams.domain.supply.supply_tables import SupplyStream, SupplyTable, known_tables

_TOP_PRECISION = 0.005


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """What one table says of the supply of a material at a stage.

    `shares` are intervals 0..1, largest first ("ZZ" is other countries); `unaccounted_ratio` is supply nobody is named
    for. `hhi` bounds the index (0..1), `hhi_ratio` is it where it is known to five points. `hhi_governance_ratio` is
    `sum S^2 g` and `hhi_governance_trade_ratio` `sum S^2 g t` with `g` political instability 0..1 and `t` the trade
    factor the table states. `outside_share_ratio` is supply outside the top country. `hhi_change_points` compares with
    the same reference period in the edition before, else with the period before in the same edition
    (`changed_from` says which). `published_at` and `known_at` are instants in UTC.
    """

    reference_period: str
    vintage: str
    source: str
    published_at: datetime
    known_at: datetime
    shares: dict[str, Interval]
    unaccounted_ratio: float
    hhi: Interval
    top_country: str | None = None
    top_share_ratio: float | None = None
    outside_share_ratio: float | None = None
    hhi_ratio: float | None = None
    hhi_governance_ratio: float | None = None
    hhi_governance_trade_ratio: float | None = None
    hhi_change_points: float | None = None
    changed_from: str | None = None
    synthetic: bool = False
    missing: tuple[str, ...] = ()

    @property
    def hhi_points(self) -> float | None:
        """The index on 0..10,000."""
        return None if self.hhi_ratio is None else self.hhi_ratio * HHI_POINTS


def dependency_of(
    stream: SupplyStream | None,
    *,
    governance: Mapping[str, float],
    reference_period: str | None = None,
    vintage: str | None = None,
    known_at: datetime | None = None,
) -> Dependency | None:
    """Return the dependency a stream shows, `None` where it holds no such table.

    Of the tables known at `known_at` (`None`: all), of `reference_period` and `vintage` where given, the newest period
    whose index is known counts, and of that the newest edition; where none is known, the newest table, with its gaps.
    `governance` is political instability 0..1 (1 is worst) by country.
    """
    tables = known_tables(stream, known_at=known_at)
    wanted = [each for each in tables if reference_period in (None, each.period) and vintage in (None, each.vintage)]
    if not wanted:
        return None
    read = {id(each): shares_of(each) for each in tables}
    known = [each for each in wanted if read[id(each)].hhi_ratio is not None]
    table = (known or wanted)[-1]
    before = _before(table, tables)
    return _dependency(table, read[id(table)], governance, before, None if before is None else read[id(before)])


def _before(table: SupplyTable, tables: list[SupplyTable]) -> SupplyTable | None:
    """Return the table a change is measured against."""
    restated = [each for each in tables if each.period == table.period and each.edition < table.edition]
    earlier = [each for each in tables if each.vintage == table.vintage and each.period < table.period]
    return next(iter(restated[-1:] or earlier[-1:]), None)


def _dependency(
    table: SupplyTable, shares: Shares, governance: Mapping[str, float], before: SupplyTable | None, then: Shares | None
) -> Dependency:
    top = shares.top if shares.top is None or shares.top[1].width <= _TOP_PRECISION else None
    plain, traded, unscored = _weighted(table, shares, governance)
    hhi, earlier = shares.hhi_ratio, None if then is None else then.hhi_ratio
    change = None if hhi is None or earlier is None else (hhi - earlier) * HHI_POINTS
    return Dependency(
        reference_period=table.period,
        vintage=table.vintage,
        source=table.source,
        synthetic=table.synthetic,
        published_at=datetime.fromtimestamp(table.published, UTC),
        known_at=datetime.fromtimestamp(table.known, UTC),
        shares=shares.by_country,
        unaccounted_ratio=shares.unaccounted_ratio,
        hhi=shares.hhi,
        hhi_ratio=hhi,
        top_country=top[0] if top else None,
        top_share_ratio=top[1].middle if top else None,
        outside_share_ratio=1 - top[1].middle if top else None,
        hhi_governance_ratio=plain,
        hhi_governance_trade_ratio=traded,
        hhi_change_points=change,
        changed_from=None if change is None or before is None else f"{before.period} in {before.vintage}",
        missing=(*shares.missing, *unscored),
    )


def _weighted(
    table: SupplyTable, shares: Shares, governance: Mapping[str, float]
) -> tuple[float | None, float | None, tuple[str, ...]]:
    """Return the two weighted indices; both `None` where the plain one is not known."""
    if shares.hhi_ratio is None:
        return None, None, ()
    points = {country: share.low if share.low == 0 else share.middle for country, share in shares.by_country.items()}
    plain, without = weighted_hhi(points, governance=governance)
    factors = {c: f.trade_factor for c, f in table.figures.items() if f.trade_factor is not None}
    traded = weighted_hhi(points, governance=governance, trade_factors=factors)[0] if factors else None
    return plain, traded, tuple(f"governance of {country}: no score" for country in without)


def dependency_facts(dependency: Dependency) -> dict[str, Fact]:
    """Return the facts that rules may name; `None` is unknown."""
    return {
        "top_share_ratio": dependency.top_share_ratio,
        "top_country": dependency.top_country,
        "outside_share_ratio": dependency.outside_share_ratio,
        "hhi_ratio": dependency.hhi_ratio,
        "hhi_points": dependency.hhi_points,
        "hhi_low_ratio": dependency.hhi.low,
        "hhi_high_ratio": dependency.hhi.high,
        "hhi_governance_ratio": dependency.hhi_governance_ratio,
        "hhi_governance_trade_ratio": dependency.hhi_governance_trade_ratio,
        "hhi_change_points": dependency.hhi_change_points,
        "reference_period": dependency.reference_period,
        "vintage": dependency.vintage,
    }


def facts_with_gaps(facts: dict[str, Fact], missing: tuple[str, ...]) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return facts with what is missing: the names of unknown facts, then the reasons."""
    return facts, (*(name for name, value in facts.items() if value is None), *missing)


def output_ratio(
    numerator: SupplyStream | None,
    denominator: SupplyStream | None,
    *,
    of: str,
    to: str,
    period: str,
    vintage: str | None = None,
    known_at: datetime | None = None,
) -> tuple[float | None, str]:
    """Return output of one country over that of another in a period, and which edition says both (or what is missing).

    The two streams may be different stages (US compounds over China's mines), but both figures are tonnes of one
    edition: the newest that states both, or `vintage`. `None` where no edition does, or the other made nothing.
    """
    above = {each.vintage: each for each in known_tables(numerator, known_at=known_at) if each.period == period}
    below = [
        each
        for each in known_tables(denominator, known_at=known_at)
        if each.period == period and vintage in (None, each.vintage)
    ]
    for table in reversed(below):
        mine, theirs = above.get(table.vintage), table.figures.get(to)
        made = None if mine is None or of not in mine.figures else mine.figures[of].tonnes
        if made is not None and theirs is not None and theirs.tonnes:
            return made / theirs.tonnes, table.vintage
    return None, f"no edition states {of} and {to} for {period}"
