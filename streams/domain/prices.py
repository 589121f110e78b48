"""Price series: identity by full basis (DOMAIN section 4) and change over observations. Unknown stays `None`."""

import msgspec

from streams.contracts.assessments import Fact
from streams.contracts.price import PriceQuoted
from streams.domain.observations import Observation, Ring, period_kind, ring_with

CHANGE_OBSERVATIONS = 30
"""The default price rules look at 30 observations (DOMAIN section 5): six weeks of working days."""

PRICE_LIMIT = CHANGE_OBSERVATIONS + 1


class PriceSeries(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last 31 observations of one series by reference period, and the volume share of the latest quote."""

    ring: Ring = ()
    volume_share_ratio: float | None = None


def series_key(quote: PriceQuoted) -> bytes:
    """Return the key of the series of a quote: every part of the basis, and the length of its reference period."""
    return (
        f"price/{quote.material}/{quote.form}/{quote.grade}/{quote.basis}/{quote.currency}/{quote.per_unit}"
        f"/{quote.content}/{quote.vat_included}/{quote.assessor}/{period_kind(quote.reference_period)}"
    ).encode()


_VAT = {True: "included", False: "excluded", None: "unknown"}


def series_labels(quote: PriceQuoted) -> dict[str, str]:
    """Return the labels that identify the series of a quote; a grade the source does not give is `unknown`."""
    return {
        "form": quote.form,
        "grade": quote.grade or "unknown",
        "basis": quote.basis,
        "currency": quote.currency,
        "per_unit": quote.per_unit,
        "content": quote.content,
        "vat": _VAT[quote.vat_included],
        "assessor": quote.assessor,
        "period": period_kind(quote.reference_period),
    }


def next_series(prior: PriceSeries | None, quote: PriceQuoted, seen: Observation) -> PriceSeries | None:
    """Return the series with a quote, `None` where the quote changes nothing (a repeat, or superseded)."""
    ring = prior.ring if prior is not None else ()
    longer = ring_with(ring, seen, limit=PRICE_LIMIT)
    if longer is ring:
        return None
    newest = longer[-1] is seen
    share = quote.volume_share_ratio if newest or prior is None else prior.volume_share_ratio
    return PriceSeries(ring=longer, volume_share_ratio=share)


def price_facts(series: PriceSeries) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a series and the names of those that are unknown.

    `last_amount` in the labelled currency and unit; `change_previous_ratio` and `change_30_observations_ratio` are
    last / earlier - 1, `None` with too few observations; `observations_count` is 1 to 31.
    """
    ring = series.ring
    last = ring[-1].value
    previous = last / ring[-2].value - 1 if len(ring) > 1 else None
    change = last / ring[0].value - 1 if len(ring) == PRICE_LIMIT else None
    facts: dict[str, Fact] = {
        "last_amount": last,
        "change_previous_ratio": previous,
        "change_30_observations_ratio": change,
        "observations_count": float(len(ring)),
        "volume_share_ratio": series.volume_share_ratio,
        "reference_period": ring[-1].period,
    }
    return facts, tuple(name for name, value in facts.items() if value is None)
