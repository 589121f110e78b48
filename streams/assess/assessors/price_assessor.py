"""Prices: a quote joins the series of its basis, and the series is assessed beside the others of its market.

A quote inside China also changes the premium of the series outside that it is compared with: these are assessed again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result
from streams.assess.assessors.material_index import enter
from streams.assess.assessors.price_series_index import PriceSeriesIndex, SeriesEntry, index_of
from streams.contracts.assessments import RiskAssessed
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.domain.observations import Observation, digest_of
from streams.domain.prices.conversions import Conversions
from streams.domain.prices.market_facts import Premiums, thin_of
from streams.domain.prices.price_comparison import NEAR_DAYS, days_apart
from streams.domain.prices.price_places import QuotePlace as Side
from streams.domain.prices.price_series import PriceSeries, price_facts, series_key
from streams.domain.prices.price_series_builder import first_series
from streams.reference.loaders import load_conversions


class Prices(Assessor):
    """Take quotes; send the facts of the series that a quote changed, and of those whose premium it changed."""

    name = "prices"
    takes = (PriceQuoted,)
    keeps = (PriceSeries,)

    def __init__(self, conversions: Callable[[], Conversions] = load_conversions) -> None:
        self._conversions = conversions

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Enter a quote into its series; a repeat or a superseded figure says nothing."""
        quote = event.data
        assert isinstance(quote, PriceQuoted)
        digest = digest_of(source=event.source, event=event.id)
        seen = Observation(quote.reference_period, quote.amount, event.recorded_at.timestamp(), digest)
        index = index_of(context, quote.material)
        entry = index.entry_of(quote)
        if entry is None:
            entry = self._begun(context, index, quote, seen)
        elif not entry.series.take(quote, seen):
            return ()
        else:
            entry.panel.put(entry.slot, entry.series)
            if not entry.dirty:
                entry.dirty = True
                _waiting(context).append(entry)
        compares = entry.side is Side.OUTSIDE or (entry.side is Side.CHINA and entry.beside)
        premiums = Premiums(entry.market, table=self._conversions()) if compares else None
        found = [self._finding(event, now, entry, premiums)]
        if entry.side is Side.CHINA:
            period = entry.series.ring[-1].period
            for number, other in enumerate(index.outside_of(entry)):
                if days_apart(other.series.ring[-1].period, period) <= NEAR_DAYS:
                    found.append(self._finding(event, now, other, premiums, name=f"price/premium/{number}"))
        return found

    def flush(self, context: PartitionContext) -> None:
        """Put the series that changed into the store."""
        waiting = _waiting(context)
        for entry in waiting:
            entry.flush(context.store)
        waiting.clear()

    def _begun(
        self, context: PartitionContext, index: PriceSeriesIndex, quote: PriceQuoted, seen: Observation
    ) -> SeriesEntry:
        """Begin a series."""
        key, series = series_key(quote), first_series(quote, seen)
        context.store.put(key, series)
        enter(context.store, quote.material, "prices", key)
        return index.begin(key, series)

    def _finding(
        self, event: Event, now: datetime, entry: SeriesEntry, premiums: Premiums | None, *, name: str = "price"
    ) -> Assessment:
        """Assess a series beside the others of its market; what is made up in any of them makes the finding so."""
        quote: Any = event.data
        series = entry.series
        synthetic = series.synthetic or quote.provenance.synthetic or entry.panel.is_synthetic
        premium = None
        if premiums is not None and entry.side is Side.OUTSIDE:
            premium = premiums.facts(entry.place)
            synthetic = synthetic or premiums.are_synthetic
        thin = thin_of(series, premium_ratio=premium["premium_ratio"] if premium is not None else None)
        facts, missing = price_facts(series, gap=entry.panel.gap(entry.slot), thin=thin, premium=premium)
        data = RiskAssessed(
            material=quote.material,
            aspect="price",
            at=now,
            labels=entry.labels,
            facts=facts,
            missing=missing,
            synthetic=synthetic,
            causes=(event.id,),
            sources=(quote.provenance.source,),
        )
        return Assessment(name=name, data=data, entity=entry.entity)


def _waiting(context: PartitionContext) -> list[SeriesEntry]:
    waiting: list[SeriesEntry] = context.at_hand.setdefault(SeriesEntry, [])
    return waiting
