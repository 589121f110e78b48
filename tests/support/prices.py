"""Builders of price quotes and series for tests: short, with sensible rest."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from streams.contracts.assessments import Fact
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.domain.observations import Observation, observation
from streams.domain.prices.price_series import PriceSeries, price_facts
from streams.domain.prices.price_series_builder import PriceSeriesBuilder, first_series
from streams.runtime.clock import utc_now

T0 = datetime(2025, 1, 1, tzinfo=UTC)
BY_TEST = Provenance(source="test")


def day(number: int) -> str:
    """Return the day `number` days after 2025-01-01."""
    return (T0 + timedelta(days=number)).date().isoformat()


def quote(number: int = 0, amount: float = 100.0, **fields: Any) -> PriceQuoted:
    """Build a quote of dysprosium oxide, FOB China, in dollars per kilogram; `number` is the day."""
    given = {
        "material": "dysprosium", "form": "oxide", "basis": "FOB China", "assessor": "a", "currency": "USD",
        "per_unit": "kg", "reference_period": day(number), "provenance": BY_TEST, **fields,
    }  # fmt: skip
    return PriceQuoted(amount=amount, **given)


def seen(q: PriceQuoted, *, recorded: int = 0, digest: int = 1) -> Observation:
    """Return the observation of a quote, recorded `recorded` days after T0."""
    return observation(
        period=q.reference_period, value=q.amount, recorded_at=T0 + timedelta(days=recorded), digest=digest
    )


def next_series(held: PriceSeries | None, q: PriceQuoted, new: Observation) -> PriceSeries | None:
    """Return the series with a quote, `None` where it changes nothing."""
    if held is None:
        return first_series(q, new)
    at_hand = PriceSeriesBuilder(held)
    return at_hand.series if at_hand.take(q, new) else None


def facts_of(held: PriceSeries, market: dict[str, Fact] | None = None) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a series, and which are unknown."""
    return price_facts(PriceSeriesBuilder(held), premium=market)


def series(*quotes: PriceQuoted) -> PriceSeries:
    """Fold quotes in the order given; each one is recorded a day later than the one before."""
    held: PriceSeries | None = None
    for index, each in enumerate(quotes):
        held = next_series(held, each, seen(each, recorded=index, digest=index)) or held
    assert held is not None
    return held


def walk(amounts: Iterable[float], **fields: Any) -> PriceSeries:
    """Fold amounts of consecutive weekdays."""
    numbers = (n for n in range(10_000) if (T0 + timedelta(days=n)).weekday() < 5)
    return series(*(quote(number, amount, **fields) for number, amount in zip(numbers, amounts, strict=False)))


def quoted(q: PriceQuoted, *, name: str, number: int) -> Event:
    """Put a quote into an event recorded `number` days after T0."""
    at = T0 + timedelta(days=number)
    return Event(id=name, source="test", subject=q.material, occurred_at=at, recorded_at=at, data=q)


def rise(material: str, *, prefix: str) -> list[bytes]:
    """Return thirty observations and one that is higher by two fifths: the shipped rule about a change fires.

    Ids are `<prefix>-0` to `<prefix>-30`, in the order to send.
    """
    made = []
    for n in range(31):
        at = utc_now()
        period = (date(2026, 1, 1) + timedelta(days=n)).isoformat()
        data = quote(amount=140.0 if n == 30 else 100.0, material=material, assessor="test", reference_period=period,
                     provenance=Provenance(source="test", synthetic=True))  # fmt: skip
        event = Event(id=f"{prefix}-{n}", source="test", subject=material, occurred_at=at, recorded_at=at, data=data)
        made.append(encode_event(event))
    return made
