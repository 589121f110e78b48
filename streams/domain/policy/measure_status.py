"""Status of measures as of any date, as known on any date: the answer of `measures status`."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import msgspec

from streams.contracts.assessments import MeasureAssessed
from streams.contracts.dates import days_left, local_day, noon_of
from streams.contracts.events import Event
from streams.domain.policy.acts import Act, Claim
from streams.domain.policy.measure_book import MEASURE_PREFIX, InMemoryStore, MeasureRepository

When = date | datetime
"""A date means the whole local day for "known at", and local noon for "as of"; an instant means itself."""


def _known(fact: Act | Claim, known_at: When | None) -> bool:
    if known_at is None:
        return True
    if isinstance(known_at, datetime):
        return fact.recorded_at <= known_at
    return local_day(fact.recorded_at, zone=fact.zone) <= known_at


def _instant(as_of: When, zone: str) -> datetime:
    return as_of if isinstance(as_of, datetime) else noon_of(as_of, zone=zone)


class StatusQuestions:
    """A set of events, read once, that can be asked as of and as known at any date."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._shelf = InMemoryStore()
        book = MeasureRepository(self._shelf)
        for event in events:
            book.record(event)

    @property
    def measures(self) -> list[str]:
        """Ids of everything that has a page, instruments included, sorted."""
        return sorted(key.removeprefix(MEASURE_PREFIX).decode() for key in self._shelf.pages if b"measure/" in key[:8])

    def told_at(self, measure: str, *, known_at: When | None = None) -> datetime | None:
        """Return when the newest act that bears on a measure was recorded; `None` where none was known."""
        book = MeasureRepository(self._shelf, admits=lambda fact: _known(fact, known_at))
        return max((bearing.act.recorded_at for bearing in book.bearings(measure)), default=None)

    def assess(self, measure: str, *, as_of: When, known_at: When | None = None) -> MeasureAssessed | None:
        """Return the state of a measure; `None` where nothing of it was known or had begun."""
        book = MeasureRepository(self._shelf, admits=lambda fact: _known(fact, known_at))
        bearings = book.bearings(measure)
        if not bearings:
            return None
        own = next((b.act for b in bearings if b.act.measure == measure), bearings[0].act)
        return book.assess(measure, at=_instant(as_of, own.zone))

    def assess_all(self, *, as_of: When, known_at: When | None = None) -> list[MeasureAssessed]:
        """Return every measure with a life of its own that had begun, sorted by id."""
        found = (self.assess(measure, as_of=as_of, known_at=known_at) for measure in self.measures)
        return [status for status in found if status is not None]


def status_json(assessed: MeasureAssessed) -> dict[str, Any]:
    """Return an assessment in the JSON shape of `measures status` (dates as text, lists in order).

    `days_left` is whole local days from the assessed day to the legal end, negative after it, `None` without an end.
    """
    end = assessed.legal_end
    left = None if end is None else days_left(end, at=assessed.at, zone=assessed.zone)
    plain: dict[str, Any] = msgspec.to_builtins(assessed)
    return {
        "measure": assessed.measure,
        "instrument": assessed.instrument,
        "state": assessed.state.value,
        "legal_end": plain.get("legal_end"),
        "claimed_ends": sorted({claimed["day"] for claimed in plain.get("claimed_ends", [])}),
        "days_left": left,
        "operated": assessed.operated,
        "materials": list(assessed.materials),
        "targets": plain.get("targets"),
        "limb": assessed.limb,
        "issuer": assessed.issuer,
        "kind": assessed.kind,
        "zone": assessed.zone,
        "effective_on": plain.get("effective_on"),
        "ends_inclusive": assessed.ends_inclusive,
        "ended_by": assessed.ended_by,
        "due_on": plain.get("due_on"),
        "claims": plain.get("claimed_ends", []),
        "causes": list(assessed.causes),
    }


def measure_status(
    events: Iterable[Event], measure: str, *, as_of: When, known_at: When | None = None
) -> dict[str, Any] | None:
    """Return the status of one measure; `None` where nothing of it was known or had begun."""
    assessed = StatusQuestions(events).assess(measure, as_of=as_of, known_at=known_at)
    return None if assessed is None else status_json(assessed)


def measures_status(events: Iterable[Event], *, as_of: When, known_at: When | None = None) -> list[dict[str, Any]]:
    """Return the status of every measure with a life of its own, sorted by id. `known_at` `None`: all that is known."""
    return [status_json(each) for each in StatusQuestions(events).assess_all(as_of=as_of, known_at=known_at)]
