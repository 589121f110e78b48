"""From a raw source record to what the core sees: frames decoded, repeats dropped, holes found. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from streams.contracts.records import decode_linked, decode_signal
from streams.runtime.links import LinkDecision, decide_admission
from streams.runtime.marks import Marks
from streams.runtime.origins import admit_segments
from streams.runtime.ports import Admitted
from streams.runtime.stage import SourceKind
from streams.runtime.watermark import heard


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
    marks: Marks
    detail: str = ""


def admit(
    kind: SourceKind, value: bytes | None, *, offset: int, recorded_at: datetime, marks: Marks
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


def _admit_signal(value: bytes, *, offset: int, recorded_at: datetime, marks: Marks) -> AdmissionResult:
    record = decode_signal(value)
    segments, origins = admit_segments(marks.origins, record.segments)
    if not segments and not record.ticks and record.w is None:
        return AdmissionResult(Admission.REPEAT, None, marks)
    before = clock = marks.clock
    if record.w is not None:
        clock = heard(before, record.w, said_at=record.s)
    if origins is not marks.origins or clock is not before:
        marks = msgspec.structs.replace(marks, origins=origins, clock=clock)
    instants = [s.at for s in segments]
    admitted = Admitted(
        position=offset, recorded_at=recorded_at, segments=segments, ticks=record.ticks, instants=instants,
        now=_instant(clock.now),
    )  # fmt: skip
    return AdmissionResult(Admission.PROCESS, admitted, marks)


def _admit_linked(value: bytes, *, recorded_at: datetime, marks: Marks) -> AdmissionResult:
    record = decode_linked(value)
    previous = None if record.prev is None else (record.prev, record.prev_n)
    decision = decide_admission(marks.seen_place, place=record.place, previous=previous)
    if decision is LinkDecision.REPEAT:
        return AdmissionResult(Admission.REPEAT, None, marks)
    if decision is LinkDecision.HOLE:
        detail = f"last (origin, part) seen {marks.seen_place}, the record is {record.place} after {previous}"
        return AdmissionResult(Admission.HOLE, None, marks, detail)
    marks = msgspec.structs.replace(marks, seen=record.o, seen_part=record.n)
    admitted = Admitted(
        position=record.o, recorded_at=recorded_at, items=record.x, now=_instant(record.w), more=record.more
    )  # fmt: skip
    return AdmissionResult(Admission.PROCESS, admitted, marks)


def _instant(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
