"""Shares of supply out of one table: exact where the table is whole, an interval where it is not, never a guess.

A table is *whole* when its figures add up to its total within rounding. Tonnes need the world total that the edition
states: rows come one by one, and a lone row must not look like a monopoly. Shares need a sum of 1. What is withheld
("W") or a dash has no share and is named; what nobody is named for is `unaccounted_ratio`.
"""

import msgspec

from streams.domain.intervals import NOTHING_KNOWN, Interval, clamped, exact
from streams.domain.methods.concentration import OTHER_COUNTRIES, hhi_interval
from streams.domain.supply.supply_tables import SupplyTable, half_unit_of

PRECISION = 5e-4
"""Five points of HHI: an interval no wider is given as one number (its middle). Rules look at changes of 100 points."""
_FLOATS = 1e-9


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of a table, largest first; each 0..1 as an interval.

    `unaccounted_ratio` is 0 for a whole table and 1 where no share is known. `whole`: see above. `hhi` holds every
    index the shares allow. `missing` says what is not known and why.
    """

    by_country: dict[str, Interval]
    unaccounted_ratio: float
    whole: bool
    hhi: Interval
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def hhi_ratio(self) -> float | None:
        """The index where it is known to five points; `None` otherwise."""
        return self.hhi.middle if self.hhi.width <= PRECISION else None

    @property
    def top(self) -> tuple[str, Interval] | None:
        """The country with the largest share; `None` where another, or one not named, may be larger."""
        named = [(share, country) for country, share in self.by_country.items() if country != OTHER_COUNTRIES]
        if not named:
            return None
        largest, country = max(named)
        rest = max((share.high for share, other in named if other != country), default=0.0)
        settled = largest.low > self.unaccounted_ratio and largest.low >= rest
        return (country, largest) if settled else None


def shares_of(table: SupplyTable) -> Shares:
    """Return the shares of a table."""
    unknown = tuple(country for country, figure in table.figures.items() if figure.is_unknown)
    if any(figure.tonnes is not None for figure in table.figures.values()):
        shares, unaccounted, whole, missing = _of_tonnes(table)
    else:
        shares, unaccounted, whole, missing = _of_shares(table)
    withheld = tuple(
        f"share of {country}: published as {table.figures[country].mark or 'blank'}" for country in unknown
    )
    ordered = dict(sorted(shares.items(), key=lambda item: (-item[1].low, -item[1].high, item[0])))
    bounds = hhi_interval(ordered, unaccounted_ratio=unaccounted) if ordered else NOTHING_KNOWN
    if whole:
        bounds = _tightened(ordered, bounds)
    return Shares(
        by_country=ordered,
        unaccounted_ratio=unaccounted,
        whole=whole,
        hhi=bounds,
        unknown=unknown,
        missing=(*missing, *withheld),
    )


def _tightened(shares: dict[str, Interval], bounds: Interval) -> Interval:
    """Count "other countries" as one producer in a whole table: what the published index does."""
    other = shares.get(OTHER_COUNTRIES)
    return bounds if other is None else Interval(min(bounds.low + other.low * other.low, bounds.high), bounds.high)


_Parts = tuple[dict[str, Interval], float, bool, tuple[str, ...]]


def _of_tonnes(table: SupplyTable) -> _Parts:
    tonnes = {country: figure.tonnes for country, figure in table.figures.items() if figure.tonnes is not None}
    if table.world_tonnes is None:
        return {}, 1.0, False, ("shares: the edition states no world total",)
    total, counted = table.world_tonnes[0], sum(tonnes.values())
    rounding = half_unit_of(total)
    if abs(counted - total) <= rounding:
        return {country: exact(value / counted) for country, value in tonnes.items()}, 0.0, True, ()
    low, high = sorted((total, counted))
    shares = {
        country: clamped(Interval(value / (max(high, total + rounding)), value / max(value, total - rounding, _FLOATS)))
        for country, value in tonnes.items()
    }
    why = f"shares: countries add up to {counted:g} t of {total:g} t"
    return shares, max(0.0, (total + rounding - counted) / total) if low == counted else 0.0, False, (why,)


def _of_shares(table: SupplyTable) -> _Parts:
    shares = {country: figure.share for country, figure in table.figures.items() if figure.share is not None}
    if not shares:
        return {}, 1.0, False, ("shares: none is published",)
    low, high = sum(each.low for each in shares.values()), sum(each.high for each in shares.values())
    rounding = table.rounding_ratio * len(shares) + _FLOATS
    if low - rounding <= 1 <= high + rounding:
        return shares, 0.0, True, ()
    return shares, max(0.0, 1 - high), False, (f"shares: they add up to {low:.3g}..{high:.3g} of supply",)
