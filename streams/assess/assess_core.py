"""The assess core: policy, price, capacity and trade events of one partition in, assessments out.

Policy, directives and time are its own; everything else is a subject (`streams.assess.assessors.registry`), which is
shown the events of its types, the measures that changed, and the instants at which it asked to be woken.

An event is assessed at once, in the order of the log, at its own instant: when the broker took it in. What is due by
time follows the watermark: when that moves to X, everything due at d <= X is assessed first, in order of d (measures by
name, then the assessors that follow them, then wake-ups in order of the registry), and what it sends carries d. One
statement a day and one a second give the same assessments. A replay has no watermark: there its events are the time.

The same event (source, id) again changes nothing and sends nothing, however it arrives, as far as the identity window
reaches back (`streams.assess.identity_window`); the same identity with another body is refused. Beyond the window the
measure book still keeps every identity for ever, and series, plants and stocks the newest of each figure.
"""

import heapq
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from streams.assess.assess_state import (
    STATE_TYPES,
    AssessClock,
    Due,
    FollowedMeasure,
    LastAssessed,
    decode_state,
    encode_state,
)
from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result
from streams.assess.assessors.registry import ASSESSORS
from streams.assess.identity_window import EVENTS_KNOWN, Identity, IdentityWindow
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.contracts.capacity import CapacityReported, LicenceDecided, StockReported, SupplyObserved, TradeObserved
from streams.contracts.codec import decode_event, encode_event, encode_payload
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Payload, Tick
from streams.contracts.instants import instant_of
from streams.contracts.policy import ClaimMade, MeasureChanged, StandardPublished
from streams.contracts.price import PriceQuoted
from streams.contracts.reasons import DecodeError, RejectReason
from streams.domain.article_claims import indicators_of
from streams.domain.policy.measure_book import MEASURE_PREFIX, MeasureRepository
from streams.runtime.event_items import refused_item
from streams.runtime.stage_ports import Admitted, DeadLetter, Outcome, StateStore, Steps, outcome_of

__all__ = ["STATE_TYPES", "AssessCore", "decode_state", "encode_state"]

SOURCE = "monazite/assess"
CLOCK_KEY = b"clock"
DUE_PREFIX = b"due/"
_LONGEST_CAUSE = 120
"""Ids are at most 200 characters; what is added to a cause (a measure id, the name of a finding) takes up to 80."""

_ON_SIGNALS: frozenset[type[Payload]] = frozenset(
    {
        MeasureChanged,
        ClaimMade,
        StandardPublished,
        PriceQuoted,
        CapacityReported,
        SupplyObserved,
        TradeObserved,
        StockReported,
        LicenceDecided,
        DirectiveGiven,
        Tick,
    }
)
_MEASURES = -1
"""Rank of measures among what is due at one instant: before all assessors."""


def cause_of(event: Event) -> str:
    """Return what ids of outputs start with: source and id of the causing event, hashed where they are long."""
    cause = f"{event.source}/{event.id}"
    return cause if len(cause) <= _LONGEST_CAUSE else _short(cause, identity=f"{event.source}\0{event.id}")


def _short(cause: str, *, identity: str) -> str:
    return cause if len(cause) <= _LONGEST_CAUSE else blake2b(identity.encode(), digest_size=16).hexdigest()


def _same_content(a: MeasureAssessed, b: MeasureAssessed) -> bool:
    """Compare what is assessed: not the instant, the state before, or which events say it."""
    like = msgspec.structs.replace(a, at=b.at, previous_state=b.previous_state, causes=b.causes, sources=b.sources)
    return like == b


class AssessCore:
    """Assess one partition. State lives in `store`; the heap of what is due is rebuilt from it here."""

    def __init__(
        self,
        *,
        partition: int,
        partitions: int,
        store: StateStore,
        assessors: Sequence[Assessor] = ASSESSORS,
        identity_events: int = EVENTS_KNOWN,
    ) -> None:
        self._store = store
        self._book = MeasureRepository(store)
        self._context = PartitionContext(store=store, book=self._book, partition=partition, partitions=partitions)
        self._assessors = tuple(assessors)
        self._ranks = {assessor.name: rank for rank, assessor in enumerate(self._assessors)}
        # A subject hears those before it, so that hearing ends; most do not listen, and then cost nothing.
        hearing = [s for s in self._assessors if type(s).on_assessment is not Assessor.on_assessment]
        self._listeners = {
            s.name: tuple(h for h in hearing if self._ranks[h.name] > rank) for rank, s in enumerate(self._assessors)
        }
        self._keepers = tuple(s for s in self._assessors if type(s).flush is not Assessor.flush)
        self._takers = {type_: tuple(s for s in self._assessors if type_ in s.takes) for type_ in _ON_SIGNALS}
        self._own: dict[type[Payload], Callable[[Event], None]] = {
            MeasureChanged: self._take_policy,
            ClaimMade: self._take_policy,
            DirectiveGiven: self._take_directive,
            Tick: self._take_tick,
        }
        self._outputs: list[bytes] = []
        self._due: list[tuple[datetime, int, str]] = []
        clock: AssessClock | None = store.get(CLOCK_KEY)
        self._now = self._at = clock.now if clock else None
        self._identities = IdentityWindow(store, events_known=identity_events)
        self._output_counts: list[int] = []
        self._counted = 0
        self._last_tick = clock.last_tick if clock else None
        if self._now is not None:
            self._rebuild_due(self._now)

    def _rebuild_due(self, now: datetime) -> None:
        for key, value in self._store.items():
            if key.startswith(MEASURE_PREFIX):
                self._schedule(key.removeprefix(MEASURE_PREFIX).decode(), after=now)
            elif isinstance(value, Due) and value.subject in self._ranks:
                heapq.heappush(self._due, (value.at, self._ranks[value.subject], value.name))

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record of `signals`; deterministic in the state and the record."""
        return outcome_of(self.steps(admitted))

    def steps(self, admitted: Admitted) -> Steps:
        """Take one record event by event: a material with over a thousand series makes a full record last seconds."""
        self._outputs, self._output_counts, self._counted = [], [], 0
        dead: list[DeadLetter] = []
        before = (self._now, self._last_tick)
        duplicates = conflicts = 0
        for segment in admitted.segments:
            instant = instant_of(segment.at)
            for index, raw in zip(segment.indexes, segment.events, strict=True):
                try:
                    event = decode_event(raw, appended_at=instant)
                    identity = self._identities.take(event)
                    if identity is Identity.NEW:
                        self._take(event, instant=instant, watermark=admitted.now)
                    elif identity is Identity.DUPLICATE:
                        duplicates += 1
                    else:
                        conflicts += 1
                        raise _conflict(event)
                except DecodeError as error:
                    dead.append(refused_item(raw, error, index=index))
                self._end_step()
                yield
        for at in admitted.ticks:
            self._tick(at)
            yield
        if admitted.now is not None and (self._now is None or admitted.now > self._now):
            while self._run_next(admitted.now):
                yield
            self._now = admitted.now
        self._end_step()
        self._flush(clock_before=before)
        return Outcome(
            outputs=self._outputs,
            output_counts=self._output_counts,
            dead_letters=dead,
            duplicate_count=duplicates,
            conflict_count=conflicts,
        )

    def _flush(self, *, clock_before: tuple[datetime | None, datetime | None]) -> None:
        """Write what a record changed in memory to the store."""
        self._identities.keep()
        for assessor in self._keepers:
            assessor.flush(self._context)
        if (self._now, self._last_tick) != clock_before and self._now is not None:
            self._store.put(CLOCK_KEY, AssessClock(now=self._now, last_tick=self._last_tick))

    def _end_step(self) -> None:
        """Note how many outputs an event, or what was due at one instant, gave: the next stage decides after each."""
        count = len(self._outputs)
        if count != self._counted:
            self._output_counts.append(count - self._counted)
            self._counted = count

    def _take(self, event: Event, *, instant: datetime | None, watermark: datetime | None) -> None:
        """Take one event at its own instant; before it time moves as far as the inputs are known to have come.

        `instant` is when the broker took it in, `None` in a replay, where it is when the event was recorded.
        """
        kind = type(event.data)
        takers = self._takers.get(kind)
        if takers is None:
            raise DecodeError(
                reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} does not belong on signals"
            )
        if instant is None:
            if self._now is None or event.recorded_at > self._now:
                self._advance(event.recorded_at)
            now = self._at = self._now
            assert now is not None
        else:
            if watermark is not None:
                reached = min(instant, watermark)
                if self._now is None or reached > self._now:
                    self._advance(reached)
            now = self._at = instant
        own = self._own.get(kind)
        if own is not None:
            own(event)
        if takers:
            cause = cause_of(event)
            for assessor in takers:
                self._tell(assessor, assessor.on_event(self._context, event, now), cause)

    def _tick(self, at: datetime) -> None:
        if self._now is None or at > self._now:
            self._advance(at)
        if self._last_tick is None or at > self._last_tick:
            self._last_tick = at
            self._send(f"tick/{at.isoformat()}", Tick(), at=at)

    def _advance(self, to: datetime) -> None:
        while self._run_next(to):
            pass
        self._end_step()
        self._now = to

    def _run_next(self, to: datetime) -> bool:
        """Do what is due next, if that is by an instant; tell whether there was anything."""
        if not self._due or self._due[0][0] > to:
            return False
        if self._due[0][0] != self._at:
            self._end_step()
        at = self._now = self._at = self._due[0][0]
        measures: list[str] = []
        while self._due and self._due[0][:2] == (at, _MEASURES):
            measures.append(heapq.heappop(self._due)[2])
        if measures:
            self._move(measures, at=at, cause=None)
        else:
            _, rank, name = heapq.heappop(self._due)
            self._wake(self._assessors[rank], name, at=at)
        return True

    def _wake(self, assessor: Assessor, name: str, *, at: datetime) -> None:
        key = _due_key(assessor, name)
        due: Due | None = self._store.get(key)
        if due is not None and due.at == at:
            self._store.delete(key)
            whole = f"{assessor.name}/{name}/{at.isoformat()}"
            self._tell(assessor, assessor.on_timer(self._context, name, at), _short(whole, identity=whole))

    def _tell(self, assessor: Assessor, result: Result, cause: str) -> None:
        """Send what a subject found, and keep when it wants to be woken."""
        now = self._at
        assert now is not None
        for each in result:
            if isinstance(each, Assessment):
                data = each.data
                self._send(f"{cause}/{each.name}", data, at=data.at)
                if isinstance(data, RiskAssessed):
                    for listener in self._listeners[assessor.name]:
                        heard = listener.on_assessment(self._context, each, now)
                        if heard:
                            self._tell(listener, heard, cause)
            elif each.at is None:
                self._store.delete(_due_key(assessor, each.name))
            elif each.at > now:
                self._store.put(_due_key(assessor, each.name), Due(at=each.at, subject=assessor.name, name=each.name))
                heapq.heappush(self._due, (each.at, self._ranks[assessor.name], each.name))

    def _schedule(self, measure: str, *, after: datetime) -> None:
        at = self._book.next_change_after(measure, after)
        if at is not None and (at, _MEASURES, measure) not in self._due:
            heapq.heappush(self._due, (at, _MEASURES, measure))

    def _send(self, event_id: str, data: Payload, *, at: datetime) -> None:
        self._outputs.append(encode_payload(data, event_id=event_id, source=SOURCE, at=at))
        for indicator in indicators_of(data):
            whole = f"{event_id}/{indicator.indicator}"
            self._send(_short(whole, identity=whole), indicator, at=at)

    def _take_policy(self, event: Event) -> None:
        at = self._at
        assert at is not None
        self._catch_up_measures(at)
        self._move(sorted(self._book.record(event)), at=at, cause=cause_of(event))

    def _catch_up_measures(self, to: datetime) -> None:
        """Assess what fell due of measures by an instant, before what an act of that instant makes of them.

        The watermark may not have come so far: an end at noon and an act a moment later are told in that order.
        """
        due = sorted(entry for entry in self._due if entry[0] <= to and entry[1] == _MEASURES)
        if due:
            self._due = [entry for entry in self._due if entry[0] > to or entry[1] != _MEASURES]
            heapq.heapify(self._due)
        for at in sorted({entry[0] for entry in due}):
            self._at = at
            self._move([name for instant, _, name in due if instant == at], at=at, cause=None)
            self._end_step()
        self._at = to

    def _take_tick(self, event: Event) -> None:
        self._tick(event.occurred_at)

    def _move(self, measures: Sequence[str], *, at: datetime, cause: str | None) -> None:
        """Assess measures that an event or an instant may have changed, then tell the assessors which did."""
        changed = [assessed for measure in measures if (assessed := self._reassess(measure, at=at, cause=cause))]
        for measure in measures:
            self._schedule(measure, after=at)
        if changed:
            for assessor in self._assessors:
                self._tell(
                    assessor,
                    assessor.on_measures_changed(self._context, changed, at),
                    cause or f"measures/{at.isoformat()}",
                )

    def _reassess(self, measure: str, *, at: datetime, cause: str | None) -> MeasureAssessed | None:
        """Return the assessment of a measure where it differs from the last; its home partition sends it."""
        assessed = self._book.assess(measure, at=at)
        if assessed is None:
            return None
        key = b"assessed/" + measure.encode()
        last: LastAssessed | FollowedMeasure | None = self._store.get(key)
        if last is not None and last.assessed.at > at:
            assessed = self._book.assess(measure, at=last.assessed.at) or assessed  # known of a later instant already
            at = last.assessed.at
        if last is not None:
            if _same_content(last.assessed, assessed):
                return None
            assessed = msgspec.structs.replace(assessed, previous_state=last.assessed.state)
        if not self._context.is_home_of(measure):
            self._store.put(key, FollowedMeasure(assessed=assessed))
            return assessed
        self._store.put(key, LastAssessed(assessed=assessed))
        name = f"{cause}/{measure}" if cause else f"{measure}/{assessed.state.value}/{at.isoformat()}"
        self._send(name, assessed, at=at)
        return assessed

    def _take_directive(self, event: Event) -> None:
        """Send a directive on as it came: every partition sends its own copy, so each stage sees it in its place."""
        assert self._at is not None
        self._outputs.append(encode_event(msgspec.structs.replace(event, recorded_at=self._at)))


def _conflict(event: Event) -> DecodeError:
    return DecodeError(
        reason=RejectReason.CONFLICT,
        field="/id",
        detail=f"an event {event.id[:100]!r} of {event.source[:100]!r} that says something else was taken before; "
        "send it under an id of its own, with `amends` where it corrects the other",
    )


def _due_key(assessor: Assessor, name: str) -> bytes:
    return DUE_PREFIX + f"{assessor.name}/{name}".encode()
