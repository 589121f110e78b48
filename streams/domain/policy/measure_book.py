"""The measure book: what is known of each measure, and what follows from it at an instant.

A page of the book is the set of acts and claims about one measure id. Pages live in a shelf (a state store, or a
dictionary) as immutable values; the book itself keeps nothing.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from streams.contracts.assessments import ClaimedEnd, MeasureAssessed
from streams.contracts.dates import legal_day
from streams.contracts.events import Event
from streams.contracts.materials import expand
from streams.contracts.policy import ClaimMade, MeasureChanged
from streams.domain.policy.acts import Act, Claim, act_of, claim_of, claimed_day
from streams.domain.policy.timeline import Bearing, Point, timeline

_LIFE_GIVING = frozenset({"announce", "impose", "licence", "suspend"})


class MeasurePage(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What is known of one measure id.

    `own`: acts of the measure about itself; `acting`: acts of other instruments upon it; `acts_on`: measures that it,
    as an instrument, acts upon; `claims`: ids of claims about it.
    """

    own: tuple[Act, ...] = ()
    acting: tuple[Act, ...] = ()
    acts_on: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()


class ClaimPage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All events about one claim: made, corrected, withdrawn."""

    events: tuple[Claim, ...] = ()


class KeyValueStore(Protocol):
    """Where pages are kept."""

    def get(self, key: bytes) -> Any:
        """Return the page of a key, `None` where there is none."""

    def put(self, key: bytes, value: Any) -> None:
        """Set the page of a key."""


class InMemoryStore:
    """A dictionary as a shelf, for questions about a list of events."""

    def __init__(self) -> None:
        self.pages: dict[bytes, Any] = {}

    def get(self, key: bytes) -> Any:
        """Return the page of a key, `None` where there is none."""
        return self.pages.get(key)

    def put(self, key: bytes, value: Any) -> None:
        """Set the page of a key."""
        self.pages[key] = value


MEASURE_PREFIX = b"measure/"
CLAIM_PREFIX = b"claim/"


def measure_key(measure: str) -> bytes:
    """Return the key of a measure's page."""
    return MEASURE_PREFIX + measure.encode()


def _claim_key(claim: str) -> bytes:
    return CLAIM_PREFIX + claim.encode()


@lru_cache(maxsize=1024)
def _expanded(names: tuple[str, ...]) -> tuple[str, ...]:
    return expand(names)


class MeasureRepository:
    """Reads and writes the pages of one shelf. `admits` tells which acts and claims count (for "as known at")."""

    def __init__(self, shelf: KeyValueStore, *, admits: Callable[[Act | Claim], bool] = lambda _: True) -> None:
        self._shelf = shelf
        self._admits = admits

    def page(self, measure: str) -> MeasurePage:
        """Return what is known of a measure id; an empty page where nothing is."""
        return self._shelf.get(measure_key(measure)) or MeasurePage()

    def record(self, event: Event) -> frozenset[str]:
        """Enter an event; return the ids of measures it may change, none where it is a repeat or no policy event."""
        if isinstance(event.data, MeasureChanged):
            return self._record_act(act_of(event, event.data), event.data.amends)
        if isinstance(event.data, ClaimMade):
            return self._record_claim(claim_of(event, event.data))
        return frozenset()

    def _record_act(self, act: Act, amends: tuple[str, ...]) -> frozenset[str]:
        page = self.page(act.measure)
        if not amends:
            if _has(page.own, act):
                return frozenset()
            self._put(act.measure, msgspec.structs.replace(page, own=_with(page.own, act)))
            return self._reach((act.measure,))
        touched = [m for m in dict.fromkeys(amends) if not _has(self.page(m).acting, act)]
        for measure in touched:
            target = self.page(measure)
            self._put(measure, msgspec.structs.replace(target, acting=_with(target.acting, act)))
        page = self.page(act.measure)
        acts_on = tuple(sorted({*page.acts_on, *amends}))
        if acts_on != page.acts_on:
            self._put(act.measure, msgspec.structs.replace(page, acts_on=acts_on))
        return self._reach(touched)

    def _record_claim(self, claim: Claim) -> frozenset[str]:
        key = _claim_key(claim.claim)
        page: ClaimPage = self._shelf.get(key) or ClaimPage()
        if _has(page.events, claim):
            return frozenset()
        page = ClaimPage(events=_with(page.events, claim))
        self._shelf.put(key, page)
        about = {measure for each in page.events for measure in each.about}
        for measure in claim.about:
            target = self.page(measure)
            if claim.claim not in target.claims:
                claims = tuple(sorted((*target.claims, claim.claim)))
                self._put(measure, msgspec.structs.replace(target, claims=claims))
        return frozenset(about)

    def _put(self, measure: str, page: MeasurePage) -> None:
        self._shelf.put(measure_key(measure), page)

    def _reach(self, measures: Iterable[str]) -> frozenset[str]:
        """Follow instruments to what they act upon: a change of an instrument changes the measures it suspended."""
        reached: set[str] = set()
        waiting = list(measures)
        while waiting:
            measure = waiting.pop()
            if measure not in reached:
                reached.add(measure)
                waiting.extend(self.page(measure).acts_on)
        return frozenset(reached)

    def bearings(self, measure: str) -> list[Bearing]:
        """Return all acts that bear on a measure: its own, those upon it, those upon the instruments that did."""
        page = self.page(measure)
        found = [Bearing(act=act) for act in (*page.own, *page.acting) if self._admits(act)]
        walked = {measure}
        waiting = [b.act.measure for b in found if b.act.measure != measure]
        while waiting:
            instrument = waiting.pop()
            if instrument in walked:
                continue
            walked.add(instrument)
            upon = self.page(instrument)
            further = [act for act in (*upon.own, *upon.acting) if self._admits(act)]
            found += [Bearing(act=act, through=instrument) for act in further]
            waiting += [act.measure for act in further]
        return found

    def claims_about(self, measure: str, *, at: datetime) -> tuple[tuple[Claim, ...], tuple[ClaimedEnd, ...]]:
        """Return the claims that stand at an instant, and the ends they name, in order of day and claim id."""
        standing, ends = [], []
        for name in self.page(measure).claims:
            told = [c for c in self._shelf.get(_claim_key(name)).events if self._admits(c) and c.occurred_at <= at]
            newest = max(told, key=_age, default=None)
            if newest is None or newest.withdrawn or measure not in newest.about:
                continue
            standing.append(newest)
            day = claimed_day(newest)
            if day is not None:
                ends.append(
                    ClaimedEnd(day=day, speaker=newest.speaker, claim=newest.claim, legal_force=newest.legal_force)
                )
        return tuple(standing), tuple(sorted(ends, key=lambda end: (end.day, end.claim)))

    def has_own_life(self, measure: str) -> bool:
        """Tell whether an id is a measure, rather than only an instrument that acts on others or a claimed name."""
        page = self.page(measure)
        own = [act for act in page.own if self._admits(act)]
        if any(act.action in _LIFE_GIVING for act in own):
            return True
        if any(act.measure == measure and self._admits(act) for m in page.acts_on for act in self.page(m).acting):
            return False
        return bool(own) or any(self._admits(act) for act in page.acting)

    def next_change_after(self, measure: str, at: datetime) -> datetime | None:
        """Return the next instant at which the assessment changes by itself, `None` where none is known."""
        bearings = self.bearings(measure)
        instants = [point.at for point in timeline(bearings)]
        instants += [
            instant for b in bearings for instant in (b.act.published_instant, b.act.effective_instant) if instant
        ]
        for name in self.page(measure).claims:
            instants += [c.occurred_at for c in self._shelf.get(_claim_key(name)).events]
        return min((instant for instant in instants if instant > at), default=None)

    def assess(self, measure: str, *, at: datetime) -> MeasureAssessed | None:
        """Return the state of a measure at an instant; `None` where it has no life of its own or none yet."""
        if not self.has_own_life(measure):
            return None
        bearings = self.bearings(measure)
        points = [point for point in timeline(bearings) if point.at <= at]
        if not points or not any(b.through is None and _begun(b.act, at) for b in bearings):
            return None
        claims, ends = self.claims_about(measure, at=at)
        acts = [p.act for p in points if p.act is not None]
        assessed = _assessment(measure, point=points[-1], at=at, bearings=bearings, ends=ends)
        causes = (*dict.fromkeys(act.id for act in acts), *(claim.id for claim in claims))
        told_by = (*(act.told_by for act in acts), *(claim.told_by for claim in claims))
        sources = tuple(dict.fromkeys(source for source in told_by if source))
        return msgspec.structs.replace(assessed, causes=causes, sources=sources)


def _assessment(
    measure: str,
    *,
    point: Point,
    at: datetime,
    bearings: list[Bearing],
    ends: tuple[ClaimedEnd, ...],
) -> MeasureAssessed:
    direct = sorted((b.act for b in bearings if b.through is None and _begun(b.act, at)), key=lambda act: act.order)
    own = [act for act in direct if act.measure == measure] or direct
    told = own[-1]
    telling = [act for act in own if act.materials or act.targets]
    shown = telling[-1] if telling else told
    effective = next((a.effective_at for a in reversed(own) if a.effective_at and a.action != "extend"), None)
    due = next((act.due_at for act in reversed(own) if act.due_at), None)
    end = point.end
    return MeasureAssessed(
        measure=measure,
        at=at,
        state=point.state,
        previous_state=None,
        kind=told.kind,
        instrument=told.instrument,
        issuer=told.issuer,
        zone=told.zone,
        limb=told.limb,
        materials=_expanded(shown.materials),
        targets=shown.targets,
        effective_on=legal_day(effective) if effective else None,
        legal_end=end.last_day if end else None,
        ends_inclusive=end.inclusive if end else None,
        lapse_at=end.lapse_at if end else None,
        due_on=legal_day(due) if due else None,
        claimed_ends=ends,
        operated=point.operated,
        ended_by=end.named_by if end else None,
    )


def _begun(act: Act, at: datetime) -> bool:
    effective = act.effective_instant
    return act.published_instant <= at or (effective is not None and effective <= at)


def _age(claim: Claim) -> tuple[datetime, datetime, str, str]:
    return claim.occurred_at, claim.recorded_at, claim.id, claim.source


def _has(known: tuple[Any, ...], new: Act | Claim) -> bool:
    return any(each.id == new.id and each.source == new.source for each in known)


def _with(known: tuple[Any, ...], new: Act | Claim) -> tuple[Any, ...]:
    return tuple(sorted((*known, new), key=lambda each: (each.recorded_at, each.id, each.source)))
