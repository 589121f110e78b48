"""`produce synthetic`: made-up price quotes, the same for the same seed, labelled as made up on every event.

Annual means are those of USGS Mineral Commodity Summaries 2026 (doi 10.5066/P1WKQ63T), salient statistics, year 2025,
in US dollars per kilogram of oxide or metal. Around a mean the logarithm of a price follows a mean-reverting walk;
volatilities are a choice (1 to 3 percent a step), not a measurement.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice

from producers.publisher_port import EventPublisher
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance

SOURCE = "synthetic"


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticSeries:
    """One made-up series: `mean_usd_per_kg` is an annual mean, `step_volatility_ratio` the size of a usual step."""

    material: str
    form: str
    mean_usd_per_kg: float
    step_volatility_ratio: float = 0.01


SERIES = (
    SyntheticSeries(material="dysprosium", form="oxide", mean_usd_per_kg=239.0, step_volatility_ratio=0.02),
    SyntheticSeries(material="terbium", form="oxide", mean_usd_per_kg=1010.0, step_volatility_ratio=0.02),
    SyntheticSeries(material="neodymium", form="oxide", mean_usd_per_kg=73.0),
    SyntheticSeries(material="praseodymium", form="oxide", mean_usd_per_kg=74.0),
    SyntheticSeries(material="neodymium-praseodymium", form="oxide", mean_usd_per_kg=69.0),
    SyntheticSeries(material="samarium", form="oxide", mean_usd_per_kg=2.82),
    SyntheticSeries(material="europium", form="oxide", mean_usd_per_kg=27.0),
    SyntheticSeries(material="gadolinium", form="oxide", mean_usd_per_kg=30.0),
    SyntheticSeries(material="holmium", form="oxide", mean_usd_per_kg=70.0),
    SyntheticSeries(material="erbium", form="oxide", mean_usd_per_kg=46.0),
    SyntheticSeries(material="ytterbium", form="oxide", mean_usd_per_kg=15.0),
    SyntheticSeries(material="lutetium", form="oxide", mean_usd_per_kg=888.0),
    SyntheticSeries(material="yttrium", form="oxide", mean_usd_per_kg=9.0, step_volatility_ratio=0.03),
    SyntheticSeries(material="lanthanum", form="oxide", mean_usd_per_kg=1.0),
    SyntheticSeries(material="cerium", form="oxide", mean_usd_per_kg=1.71),
    SyntheticSeries(material="gallium", form="metal", mean_usd_per_kg=580.0, step_volatility_ratio=0.02),
    SyntheticSeries(material="germanium", form="metal", mean_usd_per_kg=4100.0, step_volatility_ratio=0.02),
    SyntheticSeries(material="indium", form="metal", mean_usd_per_kg=370.0),
    SyntheticSeries(material="tellurium", form="metal", mean_usd_per_kg=120.0),
)
"""Means: 2025 column of the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticSettings:
    """What to make. `rate_per_second` events a second; `count` and `duration` `None` are without end.

    Event `n` lies `n / rate_per_second` after `starts_at`, whatever the machine does, so that the events are a function
    of these settings alone. `batch_size` events go together at most.
    """

    starts_at: datetime
    rate_per_second: float
    seed: int
    count: int | None = None
    duration: timedelta | None = None
    batch_size: int = 500
    series: Sequence[SyntheticSeries] = SERIES

    def limit(self) -> int | None:
        """Return how many events there are; `None` without end."""
        by_time = None if self.duration is None else math.ceil(self.duration.total_seconds() * self.rate_per_second)
        limits = [limit for limit in (self.count, by_time) if limit is not None]
        return min(limits) if limits else None


SHORTEST_PAUSE_SECONDS = 0.001
"""A rounding error of a pause would never let the clock move on."""
REVERSION_RATIO = 0.02
"""Share of the distance to the mean that a step goes back."""


def synthetic_events(settings: SyntheticSettings) -> Iterator[Event]:
    """Yield the events of the settings, numbered from 0 in their ids: `<seed>-<number>`."""
    dice = random.Random(settings.seed)
    levels = [0.0] * len(settings.series)
    limit = settings.limit()
    for number in count() if limit is None else range(limit):
        place = number % len(settings.series)
        series = settings.series[place]
        levels[place] += dice.gauss(0.0, series.step_volatility_ratio) - REVERSION_RATIO * levels[place]
        at = settings.starts_at.astimezone(UTC) + timedelta(seconds=number / settings.rate_per_second)
        yield Event(
            id=f"{settings.seed}-{number}",
            source=SOURCE,
            subject=series.material,
            occurred_at=at,
            recorded_at=at,
            data=PriceQuoted(
                material=series.material,
                form=series.form,
                basis="made up",
                assessor=SOURCE,
                amount=round(series.mean_usd_per_kg * math.exp(levels[place]), 6),
                currency="USD",
                per_unit="kg",
                reference_period=at.date().isoformat(),
                provenance=Provenance(source=SOURCE, synthetic=True),
            ),
        )


def produce_synthetic(
    settings: SyntheticSettings,
    *,
    publisher: EventPublisher,
    clock: Callable[[], float],
    pause: Callable[[float], None] = time.sleep,
    progress: Callable[[int], None] = lambda _: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Publish the events at their rate and return how many; behind schedule, larger batches catch up.

    `clock` gives monotonic seconds. `is_stopped` is asked between batches.
    """
    events = synthetic_events(settings)
    began, sent = clock(), 0
    while not is_stopped():
        due = int((clock() - began) * settings.rate_per_second) + 1 - sent
        if due <= 0:
            pause(max(sent / settings.rate_per_second - (clock() - began), SHORTEST_PAUSE_SECONDS))
            continue
        batch = list(islice(events, min(due, settings.batch_size)))
        if not batch:
            break
        publisher.publish_batch(batch)
        sent += len(batch)
        progress(sent)
    return sent
