"""The assess core: policy, price, capacity and trade events of one partition in, assessments out.

Time is cadence-invariant: when `now` moves to X, every legal transition due at d <= X is assessed first, in order of
(d, measure), and what it sends carries d. One tick a day and one tick a second give the same assessments.

The same event (source, id) again changes nothing and sends nothing, however it arrives: the measure book keeps every
identity for ever; series of prices and trade keep one figure per reference period (31 and 13 periods), plants the
newest of each field, directives the last 64 digests per target. What lies before those bounds is older than anything
that counts, except for directives, where the 65th newest would be taken for new.
"""

import heapq
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from streams.adapters.assess_state import STATE_TYPES, Clock, LastAssessed, SeenDirectives, decode_state, encode_state
from streams.contracts.assessments import Fact, MeasureAssessed, RiskAssessed
from streams.contracts.capacity import (
    CapacityReported,
    LicenceDecided,
    StockReported,
    SupplyObserved,
    TradeObserved,
)
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Payload, Tick
from streams.contracts.policy import ClaimMade, MeasureChanged, StandardPublished
from streams.contracts.price import PriceQuoted
from streams.contracts.reasons import DecodeError, RejectReason
from streams.contracts.topics import home_partition
from streams.domain.capacity import next_plant, plant_facts, plant_key, plant_labels
from streams.domain.measures import MEASURE_PREFIX, MeasureBook
from streams.domain.observations import digest_of, observation
from streams.domain.prices import next_series, price_facts, series_key, series_labels
from streams.domain.trade import next_flow, trade_facts, trade_key, trade_labels
from streams.runtime.ports import Admitted, DeadLetter, Outcome, StateStore

__all__ = ["STATE_TYPES", "AssessCore", "decode_state", "encode_state"]

SOURCE = "monazite/assess"
CLOCK_KEY = b"clock"
DIRECTIVES_KEPT = 64
_LONGEST_CAUSE = 120
"""Ids are at most 200 characters; what is added to a cause (a measure id, an aspect) takes up to 80."""


def cause_of(event: Event) -> str:
    """Return what ids of outputs start with: source and id of the causing event, hashed where they are long."""
    cause = f"{event.source}/{event.id}"
    if len(cause) > _LONGEST_CAUSE:
        return blake2b(f"{event.source}\0{event.id}".encode(), digest_size=16).hexdigest()
    return cause


def _same_content(a: MeasureAssessed, b: MeasureAssessed) -> bool:
    """Compare what is assessed: not the instant, the state before, or which events say it."""
    return msgspec.structs.replace(a, at=b.at, previous_state=b.previous_state, causes=b.causes) == b


class AssessCore:
    """Assess one partition. State lives in `store`; the heap of due transitions is rebuilt from it here."""

    def __init__(self, *, partition: int, partitions: int, store: StateStore) -> None:
        self._partition = partition
        self._partitions = partitions
        self._store = store
        self._book = MeasureBook(store)
        self._outputs: list[bytes] = []
        self._due: list[tuple[datetime, str]] = []
        clock: Clock | None = store.get(CLOCK_KEY)
        self._now = clock.now if clock else None
        self._last_tick = clock.last_tick if clock else None
        if self._now is not None:
            for key, _ in store.items():
                if key.startswith(MEASURE_PREFIX):
                    self._schedule(key.removeprefix(MEASURE_PREFIX).decode(), after=self._now)
        self._takers: dict[type[Payload], Callable[[Event, Any], None]] = {
            PriceQuoted: self._take_price,
            MeasureChanged: self._take_policy,
            ClaimMade: self._take_policy,
            CapacityReported: self._take_capacity,
            TradeObserved: self._take_trade,
            DirectiveGiven: self._take_directive,
            Tick: self._take_tick,
            StandardPublished: self._let_pass,
            SupplyObserved: self._let_pass,
            StockReported: self._let_pass,
            LicenceDecided: self._let_pass,
        }

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record of `signals`; deterministic in the state and the record."""
        self._outputs = []
        dead: list[DeadLetter] = []
        before = (self._now, self._last_tick)
        for segment in admitted.segments:
            for index, raw in zip(segment.indexes, segment.events, strict=True):
                try:
                    event = decode_event(raw)
                    self._take(event)
                except DecodeError as error:
                    dead.append(
                        DeadLetter(
                            value=bytes(raw), reason=error.reason.value, field=error.field, detail=error.detail,
                            index=index,
                        )
                    )  # fmt: skip
        for at in admitted.ticks:
            self._tick(at)
        if (self._now, self._last_tick) != before and self._now is not None:
            self._store.put(CLOCK_KEY, Clock(now=self._now, last_tick=self._last_tick))
        return Outcome(outputs=self._outputs, dead_letters=dead)

    def _take(self, event: Event) -> None:
        taker = self._takers.get(type(event.data))
        if taker is None:
            raise DecodeError(
                reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} does not belong on signals"
            )
        if self._now is None or event.recorded_at > self._now:
            self._advance(event.recorded_at)
        taker(event, event.data)

    def _tick(self, at: datetime) -> None:
        if self._now is None or at > self._now:
            self._advance(at)
        if self._last_tick is None or at > self._last_tick:
            self._last_tick = at
            self._send(f"tick/{at.isoformat()}", Tick(), subject="tick", at=at)

    def _advance(self, to: datetime) -> None:
        while self._due and self._due[0][0] <= to:
            at, measure = heapq.heappop(self._due)
            self._reassess(measure, at=at, cause=None)
            self._schedule(measure, after=at)
        self._now = to

    def _schedule(self, measure: str, *, after: datetime) -> None:
        if not self._is_home(measure):
            return
        at = self._book.next_change_after(measure, after)
        if at is not None and (at, measure) not in self._due:
            heapq.heappush(self._due, (at, measure))

    def _is_home(self, measure: str) -> bool:
        return home_partition(measure, partitions=self._partitions) == self._partition

    def _send(self, event_id: str, data: Payload, *, subject: str, at: datetime) -> None:
        event = Event(id=event_id, source=SOURCE, subject=subject, occurred_at=at, recorded_at=at, data=data)
        self._outputs.append(encode_event(event))

    def _reassess(self, measure: str, *, at: datetime, cause: str | None) -> None:
        """Send the state of a measure where it differs from what was last sent."""
        assessed = self._book.assess(measure, at=at)
        if assessed is None:
            return
        key = b"assessed/" + measure.encode()
        last: LastAssessed | None = self._store.get(key)
        if last is not None:
            if _same_content(last.assessed, assessed):
                return
            assessed = msgspec.structs.replace(assessed, previous_state=last.assessed.state)
        self._store.put(key, LastAssessed(assessed=assessed))
        name = f"{cause}/{measure}" if cause else f"{measure}/{assessed.state.value}/{at.isoformat()}"
        self._send(name, assessed, subject=measure, at=at)

    def _take_policy(self, event: Event, _: Any) -> None:
        assert self._now is not None
        for measure in sorted(self._book.record(event)):
            if self._is_home(measure):
                self._reassess(measure, at=self._now, cause=cause_of(event))
                self._schedule(measure, after=self._now)

    def _risk(
        self,
        event: Event,
        *,
        aspect: Any,
        labels: dict[str, str],
        facts: tuple[dict[str, Fact], tuple[str, ...]],
        synthetic: bool,
    ) -> None:
        material = event.subject
        data = RiskAssessed(
            material=material, aspect=aspect, at=event.recorded_at, labels=labels, facts=facts[0], missing=facts[1],
            synthetic=synthetic, causes=(event.id,),
        )  # fmt: skip
        self._send(f"{cause_of(event)}/{aspect}", data, subject=material, at=event.recorded_at)

    def _take_price(self, event: Event, quote: PriceQuoted) -> None:
        key = series_key(quote)
        seen = observation(
            period=quote.reference_period, value=quote.amount, recorded_at=event.recorded_at,
            digest=digest_of(source=event.source, event=event.id),
        )  # fmt: skip
        series = next_series(self._store.get(key), quote, seen)
        if series is not None:
            self._store.put(key, series)
            self._risk(
                event,
                aspect="price",
                labels=series_labels(quote),
                facts=price_facts(series),
                synthetic=quote.provenance.synthetic,
            )

    def _take_capacity(self, event: Event, report: CapacityReported) -> None:
        key = plant_key(report)
        digest = digest_of(source=event.source, event=event.id)
        plant = next_plant(self._store.get(key), report, recorded=event.recorded_at.timestamp(), digest=digest)
        if plant is not None:
            self._store.put(key, plant)
            self._risk(
                event,
                aspect="capacity",
                labels=plant_labels(report),
                facts=plant_facts(plant),
                synthetic=report.provenance.synthetic,
            )

    def _take_trade(self, event: Event, trade: TradeObserved) -> None:
        key = trade_key(trade)
        seen = observation(
            period=trade.reference_period, value=trade.tonnes, recorded_at=event.recorded_at,
            digest=digest_of(source=event.source, event=event.id),
        )  # fmt: skip
        flow = next_flow(self._store.get(key), seen)
        if flow is not None:
            self._store.put(key, flow)
            self._risk(
                event,
                aspect="trade",
                labels=trade_labels(trade),
                facts=trade_facts(flow),
                synthetic=trade.provenance.synthetic,
            )

    def _take_directive(self, event: Event, _: DirectiveGiven) -> None:
        """Send a directive on as it came: every partition sends its own copy, so each stage sees it in its place."""
        key = b"directive/" + event.subject.encode()
        seen: SeenDirectives = self._store.get(key) or SeenDirectives()
        digest = digest_of(source=event.source, event=event.id)
        if digest not in seen.digests:
            self._store.put(key, SeenDirectives(digests=(*seen.digests, digest)[-DIRECTIVES_KEPT:]))
            self._outputs.append(encode_event(event))

    def _take_tick(self, event: Event, _: Tick) -> None:
        self._tick(event.occurred_at)

    def _let_pass(self, event: Event, _: Any) -> None:
        """Time moves on; no assessment is made of these types yet."""
