"""Prices: a quote joins the series of its basis, and the series is assessed beside the others of its market.

A quote inside China also changes the premium of the series outside that it is compared with: these are assessed again.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from streams.adapters.subjects.findings import risk
from streams.adapters.subjects.material_page import enter, page_of
from streams.adapters.subjects.subject import Finding, Place, Result, Subject
from streams.contracts.assessments import Fact
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.domain.conversions import Conversions
from streams.domain.observations import digest_of, observation
from streams.domain.price_comparison import NEAR_DAYS, days_apart
from streams.domain.price_market import assessor_facts, premium_facts, thin_of
from streams.domain.price_places import Place as Side
from streams.domain.prices import (
    PriceSeries,
    market_prefix,
    next_series,
    price_facts,
    series_key,
    series_labels,
)
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
        key = series_key(quote)
        held: PriceSeries | None = place.store.get(key)
        seen = observation(
            period=quote.reference_period, value=quote.amount, recorded_at=event.recorded_at,
            digest=digest_of(source=event.source, event=event.id),
        )  # fmt: skip
        series = next_series(held, quote, seen)
        if series is None:
            return
        place.store.put(key, series)
        if held is None:
            enter(place.store, quote.material, "prices", key)
        keys = page_of(place.store, quote.material).prices
        side = series.identity.place
        yield self._finding(place, event, key, series, keys, side)
        if side is Side.CHINA and len(keys) > 1:
            for number, (other_key, other) in enumerate(_market(place, keys, series, Side.OUTSIDE)):
                if days_apart(other.ring[-1].period, series.ring[-1].period) <= NEAR_DAYS:
                    name = f"price/premium/{number}"
                    yield self._finding(place, event, other_key, other, keys, Side.OUTSIDE, name=name)

    def _finding(
        self, place: Place, event: Event, key: bytes, series: PriceSeries, keys: tuple[bytes, ...], side: Side,
        *, name: str = "price",
    ) -> Finding:  # fmt: skip
        """Assess a series beside the others of its market; what is made up in any of them makes the finding so."""
        quote: Any = event.data
        synthetic = series.synthetic or quote.provenance.synthetic
        market: dict[str, Fact] = {}
        premium: Fact = None
        if side is Side.OUTSIDE:
            chinese = [other for _, other in _market(place, keys, series, Side.CHINA)]
            outside = (other for _, other in _market(place, keys, series, Side.OUTSIDE))
            market = premium_facts(series, chinese=chinese, outside=outside, table=self._conversions())
            premium = market["premium_ratio"]
            synthetic = synthetic or any(other.synthetic for other in chinese)
        twins = []
        if len(keys) > 1:
            own = len(series.identity.assessor)  # an assessor is an identifier, so one byte a character
            twins = [other for _, other in _range(place, keys, key[:-own])]
            synthetic = synthetic or any(twin.synthetic for twin in twins)
        market.update(assessor_facts(series, twins))
        market["thin"] = thin_of(series, premium_ratio=premium)
        return risk(
            event, provenance=quote.provenance, aspect="price", labels=series_labels(series.identity),
            facts=price_facts(series, market), name=name, synthetic=synthetic,
        )  # fmt: skip


def _range(place: Place, keys: tuple[bytes, ...], prefix: bytes) -> Iterator[tuple[bytes, PriceSeries]]:
    """Read the series whose keys start with a prefix; `keys` are sorted, so they are neighbours."""
    get = place.store.get
    for at in range(bisect_left(keys, prefix), len(keys)):
        key = keys[at]
        if not key.startswith(prefix):
            return
        yield key, get(key)


def _market(
    place: Place, keys: tuple[bytes, ...], series: PriceSeries, side: Side
) -> Iterator[tuple[bytes, PriceSeries]]:
    """Read the series of the same form, content and length of period on one side of China's border."""
    own = series.identity
    prefix = market_prefix(own.material, own.form, own.content, own.period, side)
    return _range(place, keys, prefix.encode())
