"""Builders of policy events for tests: short, with sensible rest."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.policy import ClaimMade, MeasureChanged
from streams.contracts.provenance import Provenance
from streams.contracts.records import Segment
from streams.runtime.stage_ports import Admitted

T0 = datetime(2026, 1, 1, tzinfo=UTC)
BY_TEST = Provenance(source="test")


def act(name: str, *, measure: str, action: str, day: int = 0, source: str = "test", **fields: Any) -> Event:
    """Build a MeasureChanged recorded `day` days after T0 (2026-01-01); the zone is UTC unless given."""
    at = T0 + timedelta(days=day)
    given = {"instrument": f"Instrument of {measure}", "issuer": "Office", "zone": "UTC", **fields}
    data = MeasureChanged(measure=measure, action=action, provenance=BY_TEST, **given)  # type: ignore[arg-type]
    return Event(id=name, source=source, subject=measure, occurred_at=at, recorded_at=at, data=data)


def claim(name: str, *, claim_id: str, day: int = 0, about: tuple[str, ...] = (), **fields: Any) -> Event:
    """Build a ClaimMade recorded `day` days after T0."""
    at = T0 + timedelta(days=day)
    data = ClaimMade(
        claim=claim_id, speaker="Somebody", zone="UTC", legal_force="statement", about=about, provenance=BY_TEST,
        **fields,
    )  # fmt: skip
    return Event(id=name, source="test", subject=claim_id, occurred_at=at, recorded_at=at, data=data)


def on(day: int) -> str:
    """Return the legal date `day` days after 2026-01-01."""
    return (T0 + timedelta(days=day)).date().isoformat()


def at(day: float) -> datetime:
    """Return the instant `day` days after T0."""
    return T0 + timedelta(days=day)


def admitted(*events: Event) -> Admitted:
    """Put events into one admitted record."""
    raws = tuple(msgspec.Raw(encode_event(event)) for event in events)
    segment = Segment(topic="policy", partition=0, offset=0, indexes=tuple(range(len(raws))), events=raws)
    return Admitted(position=0, segments=(segment,))
