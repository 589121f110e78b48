"""Backtest over the signals log of a running road: each partition in its own order, with its watermark, as read live.

Late events stay where they came, and what the road refused is refused, so the alert log is the one the road itself
wrote for these rules.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from alerts.backtest.pipeline import PipelineError, PurePipeline, Watcher
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.codec import decode_event
from streams.contracts.events import Event
from streams.contracts.instants import instant_of
from streams.contracts.records import Segment, SignalRecord, decode_signal
from streams.runtime.admission import Admission, admit
from streams.runtime.marks import ProgressMetadata
from streams.runtime.stage import SourceKind
from streams.runtime.stage_ports import Admitted

SignalLog = Mapping[int, Sequence[tuple[int, bytes]]]
"""Partition to its records, oldest first: offset and value. All partitions of the topic are there."""
Keep = Callable[[Event], bool]
"""Which events of a log count."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _admitted(records: Iterable[tuple[int, bytes]]) -> Iterator[Admitted]:
    """Give what the runtime hands to the core: segments that were written twice come once."""
    marks = ProgressMetadata()
    for offset, value in records:
        result = admit(SourceKind.SIGNALS, value, offset=offset, recorded_at=_EPOCH, marks=marks)
        marks = result.marks
        if result.decision is Admission.UNDECODABLE:
            raise PipelineError(f"record {offset} of the signals log cannot be read: {result.detail}")
        if result.decision is Admission.HOLE:
            raise PipelineError(f"a record before offset {offset} of the signals log is missing: {result.detail}")
        if result.admitted is not None:
            yield result.admitted


def _until(records: Iterable[tuple[int, bytes]], until: datetime, keep: Keep) -> Iterator[Admitted]:
    """Cut a partition off where its time passes `until`; leave out what came in later, and what is not kept."""
    for admitted in _admitted(records):
        ticks = [at for at in admitted.ticks if at <= until]
        is_last = len(ticks) < len(admitted.ticks) or (admitted.now is not None and admitted.now > until)
        segments = [kept for segment in admitted.segments if (kept := _cut(segment, until, keep)) is not None]
        now = admitted.now if admitted.now is None else min(admitted.now, until)
        if segments or ticks or now is not None:
            yield replace(admitted, segments=segments, ticks=ticks, now=now)
        if is_last:
            return


def _cut(segment: Segment, until: datetime, keep: Keep) -> Segment | None:
    if segment.at and segment.at > until.timestamp() * 1000:
        return None
    events = [decode_event(raw) for raw in segment.events]
    kept = [n for n, event in enumerate(events) if (segment.at or event.recorded_at <= until) and keep(event)]
    if len(kept) == len(segment.events):
        return segment
    if not kept:
        return None
    return msgspec.structs.replace(
        segment, indexes=[segment.indexes[n] for n in kept], events=[segment.events[n] for n in kept]
    )


def backtest_signals(
    log: SignalLog, *, until: datetime, rules: Rules, watch: Watcher | None = None, keep: Keep = lambda _: True
) -> list[AlertChanged]:
    """Return the alert log of a signals log up to `until`, in order of (at, rule, fingerprint).

    `keep` chooses the events that count (default: all). Raise `PipelineError`.
    """
    changes: list[AlertChanged] = []
    for partition, records in sorted(log.items()):
        road = PurePipeline(rules, partition=partition, partitions=len(log), watch=watch)
        for admitted in _until(records, until, keep):
            changes += road.process(admitted)
        changes += road.tick(until)
    return sorted(changes, key=lambda c: (c.at, c.rule, c.fingerprint))


def without_idling(records: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the records of a partition with the first and the last of each run of bare statements that say the same.

    They say the same where one life of a worker speaks for every input and goes on from one to the next: no input can
    be silent between them, and timers run at their own instants. So every alert stays as it is, and a day of idling is
    two records instead of 17,280.
    """
    kept: list[tuple[int, bytes]] = []
    before: SignalRecord | None = None
    run_count = 0
    for offset, value in records:
        record = _bare(value)
        goes_on = record is not None and before is not None and _goes_on(before, record)
        run_count = run_count + 1 if goes_on else 1
        if run_count > 2:
            kept[-1] = (offset, value)
        else:
            kept.append((offset, value))
        before = record
    return kept


def _bare(value: bytes) -> SignalRecord | None:
    """Return a record that states time alone, for every input; `None` for any other, and for what cannot be read."""
    try:
        record = decode_signal(value)
    except msgspec.DecodeError:
        return None
    if record.w is None or record.segments or record.ticks:
        return None
    owned = zip(record.w.owned, record.w.counts, strict=True)
    return record if all(int(mask, 16) == (1 << count) - 1 for mask, count in owned) else None


def _goes_on(before: SignalRecord, record: SignalRecord) -> bool:
    assert before.w is not None and record.w is not None
    return before.i == record.i and before.w.counts == record.w.counts and before.w.up_to <= record.w.up_to


def end_of(log: SignalLog) -> datetime | None:
    """Return the instant that every partition has reached by ticks or watermark; `None` where one has neither."""
    last: list[datetime] = []
    for records in log.values():
        reached = [at for a in _admitted(records) for at in (*a.ticks, *([a.now] if a.now is not None else []))]
        if not reached:
            return None
        last.append(max(reached))
    return min(last, default=None)


def events_of(log: SignalLog) -> list[Event]:
    """Return the events of a signals log, each once, in order of recording: what a person looks up."""
    found: dict[tuple[str, str], Event] = {}
    for _, records in sorted(log.items()):
        for admitted in _admitted(records):
            for segment in admitted.segments:
                for raw in segment.events:
                    event = decode_event(raw, appended_at=instant_of(segment.at))
                    found.setdefault((event.source, event.id), event)
    return sorted(found.values(), key=lambda e: e.recorded_at)
