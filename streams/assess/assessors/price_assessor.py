"""Prices: a quote joins the series of its basis, and the series is assessed beside the others of its market.

A quote inside China also changes the premium of the series outside that it is compared with: these are assessed again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from streams.assess.assessors.assessor import Finding, Place, Result, Subject
from streams.assess.assessors.material_index import enter
from streams.assess.assessors.price_series_index import Desk, Row, desk_of
from streams.contracts.assessments import RiskAssessed
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.domain.observations import Observation, digest_of
from streams.domain.prices.conversions import Conversions
from streams.domain.prices.market_facts import Premiums, thin_of
from streams.domain.prices.price_comparison import NEAR_DAYS, days_apart
from streams.domain.prices.price_places import Place as Side
from streams.domain.prices.price_series import PriceSeries, price_facts, series_key
from streams.domain.prices.price_series_builder import first_series
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
        digest = digest_of(source=event.source, event=event.id)
        seen = Observation(quote.reference_period, quote.amount, event.recorded_at.timestamp(), digest)
        desk = desk_of(place, quote.material)
        row = desk.row_of(quote)
        if row is None:
            row = self._begun(place, desk, quote, seen)
        elif not row.series.take(quote, seen):
            return ()
        else:
            row.panel.put(row.slot, row.series)
            if not row.waits:
                row.waits = True
                _waiting(place).append(row)
        compares = row.side is Side.OUTSIDE or (row.side is Side.CHINA and row.beside)
        premiums = Premiums(row.market, table=self._conversions()) if compares else None
        found = [self._finding(event, now, row, premiums)]
        if row.side is Side.CHINA:
            period = row.series.ring[-1].period
            for number, other in enumerate(desk.outside_of(row)):
                if days_apart(other.series.ring[-1].period, period) <= NEAR_DAYS:
                    found.append(self._finding(event, now, other, premiums, name=f"price/premium/{number}"))
        return found

    def keep(self, place: Place) -> None:
        """Put the series that changed into the store."""
        waiting = _waiting(place)
        for row in waiting:
            row.keep(place.store)
        waiting.clear()

    def _begun(self, place: Place, desk: Desk, quote: PriceQuoted, seen: Observation) -> Row:
        """Begin a series."""
        key, series = series_key(quote), first_series(quote, seen)
        place.store.put(key, series)
        enter(place.store, quote.material, "prices", key)
        return desk.begin(key, series)

    def _finding(
        self, event: Event, now: datetime, row: Row, premiums: Premiums | None, *, name: str = "price"
    ) -> Finding:
        """Assess a series beside the others of its market; what is made up in any of them makes the finding so."""
        quote: Any = event.data
        series = row.series
        synthetic = series.synthetic or quote.provenance.synthetic or row.panel.is_synthetic
        premium = None
        if premiums is not None and row.side is Side.OUTSIDE:
            premium = premiums.facts(row.place)
            synthetic = synthetic or premiums.are_synthetic
        thin = thin_of(series, premium_ratio=premium["premium_ratio"] if premium is not None else None)
        facts, missing = price_facts(series, gap=row.panel.gap(row.slot), thin=thin, premium=premium)
        data = RiskAssessed(
            material=quote.material, aspect="price", at=now, labels=row.labels, facts=facts,
            missing=missing, synthetic=synthetic, causes=(event.id,), sources=(quote.provenance.source,),
        )  # fmt: skip
        return Finding(name=name, data=data, entity=row.entity)


def _waiting(place: Place) -> list[Row]:
    waiting: list[Row] = place.at_hand.setdefault(Row, [])
    return waiting
