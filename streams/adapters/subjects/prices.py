"""Prices: a quote joins the series of its basis, and the series is assessed beside the others of its market.

A quote inside China also changes the premium of the series outside that it is compared with: these are assessed again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from streams.adapters.subjects.findings import risk
from streams.adapters.subjects.material_page import enter
from streams.adapters.subjects.price_desk import Row, desk_of, reread_desk
from streams.adapters.subjects.subject import Finding, Place, Result, Subject
from streams.contracts.assessments import Fact
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.domain.conversions import Conversions
from streams.domain.observations import digest_of, observation
from streams.domain.price_comparison import NEAR_DAYS, days_apart
from streams.domain.price_market import thin_of
from streams.domain.price_places import Place as Side
from streams.domain.prices import PriceSeries, next_series, price_facts, series_key
from streams.reference.loaders import load_conversions


class Prices(Subject):
    """Take quotes; send the facts of the series that a quote changed, and of those whose premium it changed."""

    name = "prices"
    takes = (PriceQuoted,)
    keeps = (PriceSeries,)

    def __init__(self, conversions: Callable[[], Conversions] = load_conversions) -> None:
        self._conversions = conversions

    def take(self, place: Place, event: Event, now: datetime) -> Result:
        """Enter a quote into its series; a repeat or a superseded figure says nothing."""
        quote = event.data
        assert isinstance(quote, PriceQuoted)
        seen = observation(
            period=quote.reference_period, value=quote.amount, recorded_at=event.recorded_at,
            digest=digest_of(source=event.source, event=event.id),
        )  # fmt: skip
        desk = desk_of(place, quote.material)
        row = desk.row_of(quote)
        series = next_series(row.series if row is not None else None, quote, seen)
        if series is None:
            return ()
        if row is None:
            key = series_key(quote)
            place.store.put(key, series)
            enter(place.store, quote.material, "prices", key)
            desk = reread_desk(place, quote.material)
            row = desk.row_of(quote)
            assert row is not None
        else:
            place.store.put(row.key, series)
            row.put(series)
        found = [self._finding(event, row)]
        if row.side is Side.CHINA:
            period = series.ring[-1].period
            for number, other in enumerate(desk.outside_of(row)):
                if days_apart(other.series.ring[-1].period, period) <= NEAR_DAYS:
                    found.append(self._finding(event, other, name=f"price/premium/{number}"))
        return found

    def _finding(self, event: Event, row: Row, *, name: str = "price") -> Finding:
        """Assess a series beside the others of its market; what is made up in any of them makes the finding so."""
        quote: Any = event.data
        series: PriceSeries = row.series
        synthetic = series.synthetic or quote.provenance.synthetic or row.panel.is_synthetic
        market: dict[str, Fact] = {}
        premium: Fact = None
        if row.side is Side.OUTSIDE:
            market = row.market.premium_facts(row.place, table=self._conversions())
            premium = market["premium_ratio"]
            synthetic = synthetic or any(other.synthetic for other in row.market.chinese)
        market.update(row.panel.facts(row.slot))
        market["thin"] = thin_of(series, premium_ratio=premium)
        return risk(
            event, provenance=quote.provenance, aspect="price", labels=row.labels, facts=price_facts(series, market),
            name=name, synthetic=synthetic,
        )  # fmt: skip
