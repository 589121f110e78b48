"""Synthetic price events for the benchmarks: square waves, so that the price rule fires and clears all the time.

Each series has a phase of its own: alerts come evenly, not all in one burst every two half waves.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance

MATERIALS = ("dysprosium", "terbium", "neodymium", "praseodymium", "yttrium", "gallium", "germanium", "antimony")
ASSESSORS = tuple(f"bench-{n}" for n in range(12))
SERIES = tuple((m, a) for m in MATERIALS for a in ASSESSORS)
T0 = datetime(2026, 1, 1, tzinfo=UTC)
FIRST_DAY = date(1990, 1, 1)
WAVE = 31
"""Observations of one half of the wave: one more than the rule looks back, so every rise is seen once."""


def price_events(
    count: int, *, start: int = 0, begins_at: datetime = T0, step: timedelta = timedelta(milliseconds=1)
) -> Iterator[tuple[str, str, bytes]]:
    """Yield `(key, id, structured CloudEvent)` of `count` events over 96 series, in the order of their time.

    The first is recorded at `begins_at`, each `step` after the one before.
    """
    for number in range(start, start + count):
        material, assessor = SERIES[number % len(SERIES)]
        observation = number // len(SERIES)
        high = ((observation + number % len(SERIES)) // WAVE) % 2
        day = FIRST_DAY + timedelta(days=observation)
        at = begins_at + number * step
        event = Event(
            id=f"bench-{number}", source="bench", subject=material, occurred_at=at, recorded_at=at,
            data=PriceQuoted(
                material=material, form="oxide", basis="FOB China", assessor=assessor, amount=140.0 if high else 100.0,
                currency="USD", per_unit="kg", reference_period=day.isoformat(),
                provenance=Provenance(source="benchmark", synthetic=True),
            ),
        )  # fmt: skip
        yield material, event.id, encode_event(event)
