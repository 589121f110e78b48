"""Prices: a quote joins the series of its basis, and the series is assessed."""

from datetime import datetime

from streams.adapters.subjects.findings import risk
from streams.adapters.subjects.material_page import enter
from streams.adapters.subjects.subject import Place, Result, Subject
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.domain.observations import digest_of, observation
from streams.domain.prices import PriceSeries, next_series, price_facts, series_key, series_labels


class Prices(Subject):
    """Take quotes; send the facts of the series that a quote changed."""

    name = "prices"
    takes = (PriceQuoted,)
    keeps = (PriceSeries,)

    def take(self, place: Place, event: Event, now: datetime) -> Result:
        """Enter a quote into its series; a repeat or a superseded figure says nothing."""
        quote = event.data
        assert isinstance(quote, PriceQuoted)
        key = series_key(quote)
        held: PriceSeries | None = place.store.get(key)
        seen = observation(
            period=quote.reference_period, value=quote.amount, recorded_at=event.recorded_at,
            digest=digest_of(source=event.source, event=event.id),
        )  # fmt: skip
        series = next_series(held, quote, seen)
        if series is None:
            return ()
        place.store.put(key, series)
        if held is None:
            enter(place.store, quote.material, "prices", key)
        labels, facts = series_labels(quote), price_facts(series)
        return (risk(event, provenance=quote.provenance, aspect="price", labels=labels, facts=facts),)
