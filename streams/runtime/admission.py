"""From a raw source record to what the core sees: frames decoded, repeats dropped, holes found. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from streams.contracts.records import LinkedRecord, decode_linked, decode_signal
from streams.runtime.links import LinkDecision, decide_admission
from streams.runtime.marks import ProgressMetadata
from streams.runtime.origins import admit_segments
from streams.runtime.stage import SourceKind
from streams.runtime.stage_ports import Admitted
from streams.runtime.watermark import InputClock, after_statement
from streams.runtime.writers import SequenceDecision, decide_sequence, writers_after


class Admission(StrEnum):
    """What the runtime does with one source record."""

    PROCESS = "process"
    REPEAT = "repeat"
    HOLE = "hole"
    UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """The decision, what the core is handed (`None` unless `PROCESS`), the marks after the record, and the detail."""

    decision: Admission
    admitted: Admitted | None
    marks: ProgressMetadata
    detail: str = ""


def admit(
    kind: SourceKind, value: bytes | None, *, offset: int, recorded_at: datetime, marks: ProgressMetadata
) -> AdmissionResult:
    """Decide what becomes of one source record, given the marks before it.

    A record without a value or with a broken frame is undecodable; `detail` says why.
    """
    try:
        if value is None:
            return AdmissionResult(Admission.UNDECODABLE, None, marks, "the record has no value")
        if kind is SourceKind.SIGNALS:
            return _admit_signal(value, offset=offset, recorded_at=recorded_at, marks=marks)
        if kind is SourceKind.LINKED:
            return _admit_linked(value, recorded_at=recorded_at, marks=marks)
    except msgspec.DecodeError as error:
        return AdmissionResult(Admission.UNDECODABLE, None, marks, str(error))
    admitted = Admitted(position=offset, recorded_at=recorded_at, items=(msgspec.Raw(value),))
    return AdmissionResult(Admission.PROCESS, admitted, marks)


def _admit_signal(value: bytes, *, offset: int, recorded_at: datetime, marks: ProgressMetadata) -> AdmissionResult:
    record = decode_signal(value)
    if decide_sequence(marks.writers, record) is SequenceDecision.HOLE:
        detail = f"last record of writer {record.i} was {marks.writers[record.i]}, this one is {record.q}"
        return AdmissionResult(Admission.HOLE, None, marks, detail)
    segments, origins = admit_segments(marks.origins, record.segments)
    if not segments and not record.ticks and record.w is None:
        return AdmissionResult(Admission.REPEAT, None, marks)
    clock = marks.clock
    if record.w is not None:
        clock = after_statement(clock, record.w, said_at=record.s)
    marks = msgspec.structs.replace(marks, origins=origins, clock=clock, writers=writers_after(marks.writers, record))
    admitted = Admitted(
        position=offset,
        recorded_at=recorded_at,
        segments=segments,
        ticks=record.ticks,
        now=_instant(clock.now),
        stalled=clock.stalled,
    )
    return AdmissionResult(Admission.PROCESS, admitted, marks)


def _admit_linked(value: bytes, *, recorded_at: datetime, marks: ProgressMetadata) -> AdmissionResult:
    record = decode_linked(value)
    if not record.x:
        return _admit_watermark(record, recorded_at=recorded_at, marks=marks)
    previous = None if record.prev is None else (record.prev, record.prev_n)
    decision = decide_admission(marks.seen_place, place=record.place, previous=previous)
    if decision is LinkDecision.REPEAT:
        return AdmissionResult(Admission.REPEAT, None, marks)
    if decision is LinkDecision.HOLE:
        detail = f"last (origin, part) seen {marks.seen_place}, the record is {record.place} after {previous}"
        return AdmissionResult(Admission.HOLE, None, marks, detail)
    marks = msgspec.structs.replace(marks, seen=record.o, seen_part=record.n, clock=_clock_at(marks, record.w))
    admitted = Admitted(
        position=record.o,
        recorded_at=recorded_at,
        items=record.x,
        item_counts=record.e,
        now=_instant(marks.clock.now),
        stalled=record.stalled,
        part=record.n,
        more=record.more,
    )
    return AdmissionResult(Admission.PROCESS, admitted, marks)


def _admit_watermark(record: LinkedRecord, *, recorded_at: datetime, marks: ProgressMetadata) -> AdmissionResult:
    """Take a record that states the watermark alone; one that states nothing later is a repeat."""
    if record.w <= marks.clock.now:
        return AdmissionResult(Admission.REPEAT, None, marks)
    marks = msgspec.structs.replace(marks, clock=_clock_at(marks, record.w))
    admitted = Admitted(position=record.o, recorded_at=recorded_at, now=_instant(record.w), stalled=record.stalled)
    return AdmissionResult(Admission.PROCESS, admitted, marks)


def _clock_at(marks: ProgressMetadata, watermark: int) -> InputClock:
    clock = marks.clock
    return clock if watermark <= clock.now else msgspec.structs.replace(clock, now=watermark)


def _instant(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
