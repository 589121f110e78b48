"""Editions of the shipped statistics: when each was published, and what the tables leave open about that."""

from dataclasses import dataclass
from datetime import date, datetime

from streams.contracts.dates import noon_of
from streams.contracts.events import Event, Payload, subject_of
from streams.contracts.provenance import Provenance

HISTORY_SOURCE = "monazite/history"


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """One edition of a statistic: its vintage name, the instant we take it as known from, and a note on that."""

    vintage: str
    source: str
    published_at: datetime
    note: str | None = None


MCS_2025 = Edition(
    vintage="MCS 2025",
    source="USGS Mineral Commodity Summaries 2025",
    published_at=noon_of(date(2025, 1, 31), zone="America/New_York"),
)
MCS_2026 = Edition(
    vintage="MCS 2026",
    source="USGS Mineral Commodity Summaries 2026 (v1.3) data release, doi 10.5066/P1WKQ63T",
    published_at=noon_of(date(2026, 2, 28), zone="America/New_York"),
    note="Published in February 2026; the day is not known, the last of the month is used.",
)
EU_2023 = Edition(
    vintage="EU CRM study 2023",
    source="EC Study on the critical raw materials for the EU 2023 (Grohol, Veeh), CC BY 4.0",
    published_at=noon_of(date(2023, 3, 31), zone="Europe/Brussels"),
    note="Day of publication unverified. A mean of several years to 2020; the row does not name them.",
)
REGISTER_2026 = Edition(
    vintage="register 2026-09",
    source="Capacity register",
    published_at=noon_of(date(2026, 9, 30), zone="America/New_York"),
    note="Collected in August and September 2026; the day is not known.",
)


def provenance_of(edition: Edition, *, row: str, note: str | None = None, source: str | None = None) -> Provenance:
    """Return the provenance of a row of an edition; its own note goes before that of the edition."""
    notes = " ".join(text for text in (note, edition.note) if text)
    return Provenance(
        source=(source or edition.source)[:400], row=row, vintage=edition.vintage, note=notes[:400] or None
    )


def history_event(event_id: str, data: Payload, *, at: datetime) -> Event:
    """Return a historical event: it happened, and was recorded, when it was published."""
    return Event(
        id=event_id, source=HISTORY_SOURCE, subject=subject_of(data), data=data, occurred_at=at, recorded_at=at
    )
