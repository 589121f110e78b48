"""Concentration of supply: the Herfindahl-Hirschman index, plain, weighted and with bounds.

`HHI = sum_c S_c^2` over the shares `S_c` of supply, 0..1 here and 0..10,000 points (percent squared) where it is shown.
Hirschman 1945, Herfindahl 1950; bands: US Merger Guidelines 2023, section 2.1 (over 1,800 highly concentrated, a
change of more than 100 points significant).
"""

from collections.abc import Mapping

import msgspec

from streams.domain.intervals import Interval, clamped
from streams.domain.methods.inputs import checked

HHI_POINTS = 10_000
"""Points of an HHI of 1: shares in percent, squared."""
OTHER_COUNTRIES = "ZZ"
"""Key of "other countries": an unknown number of producers, never the top country."""

_UNSCORED_OTHERS = 0.1


class Concentration(msgspec.Struct, frozen=True, kw_only=True):
    """Concentration of one market: `hhi_ratio` 0..1, `hhi_points` 0..10,000, largest share 0..1 and whose it is.

    "Other countries" counts as one producer in the index (an upper bound; it changes USGS's 2024 figure by 0.1
    points) and is never the top country. All `None` with `missing` where nothing is produced.
    """

    hhi_ratio: float | None
    hhi_points: float | None
    top_share_ratio: float | None
    top_country: str | None
    missing: tuple[str, ...] = ()


def concentration(tonnes: Mapping[str, float | None]) -> Concentration:
    """Return the concentration of production given in tonnes (or any one unit) by country.

    A country whose figure is `None` (withheld) makes the shares unknown: its name is in `missing`. Raises `FieldError`
    for a negative amount, with the country as field.
    """
    known = {country: checked(value, field=country) for country, value in tonnes.items() if value is not None}
    missing = tuple(country for country, value in tonnes.items() if value is None)
    total = sum(known.values())
    if missing or total <= 0:
        return Concentration(
            hhi_ratio=None, hhi_points=None, top_share_ratio=None, top_country=None, missing=missing or ("tonnes",)
        )
    shares = {country: value / total for country, value in known.items()}
    hhi = sum(share * share for share in shares.values())
    named = {country: share for country, share in shares.items() if country != OTHER_COUNTRIES}
    top = max(named, key=lambda country: (named[country], country), default=None)
    return Concentration(
        hhi_ratio=hhi,
        hhi_points=hhi * HHI_POINTS,
        top_country=top,
        top_share_ratio=None if top is None else named[top],
        missing=() if named else ("top_country",),
    )


def hhi_interval(shares: Mapping[str, Interval], *, unaccounted_ratio: float = 0.0) -> Interval:
    """Return the least and largest HHI (0..1) that shares known within bounds allow.

    `unaccounted_ratio` is supply of which not even the country is known: spread thin it adds nothing, with one
    producer its square. "Other countries" likewise. The bounds of single shares are not tied to a sum of 1, so the
    interval is never too narrow.
    """
    low = sum(each.low * each.low for country, each in shares.items() if country != OTHER_COUNTRIES)
    high = sum(each.high * each.high for each in shares.values())
    return clamped(Interval(low, high + unaccounted_ratio * unaccounted_ratio))


def weighted_hhi(
    shares: Mapping[str, float],
    *,
    governance: Mapping[str, float],
    trade_factors: Mapping[str, float] | None = None,
) -> tuple[float | None, tuple[str, ...]]:
    """Return `HHI_WGI,t = sum_c S_c^2 * WGI_c * t_c` and the countries without a governance score.

    `S_c` are shares 0..1, `WGI_c` the governance score on the scale of the caller (0..1 normalised as in GeoPolRisk,
    or 0..10 as in the EU study; the result has the same scale), higher is worse; `t_c` the trade factor, 1.0 where
    none is given (EC, Methodology for establishing the EU list of critical raw materials, 2017).
    "Other countries" has no score: it is left out when it stands for at most 10% (it adds at most 0.01 of the scale),
    else the index is `None`.
    """
    factors = trade_factors or {}
    without = tuple(
        country
        for country, share in shares.items()
        if country not in governance and share > (_UNSCORED_OTHERS if country == OTHER_COUNTRIES else 0.0)
    )
    if without or not shares:
        return None, without
    return (
        sum(
            share * share * governance[country] * factors.get(country, 1.0)
            for country, share in shares.items()
            if country in governance
        ),
        (),
    )
