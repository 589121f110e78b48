"""What happens to one source record: guard, admit, process, send, account, perhaps close the group.

No exception leaves it (an exception in an agent commits the failing event, docs/engine-traps.md 1). A record the core
cannot take is undone and goes to the dead letters; everything else that fails ends the process.
"""

import asyncio
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from streams.contracts.dead_letters import DeadLetterRecord, encode_dead_letter
from streams.contracts.reasons import RejectReason
from streams.contracts.records import WATERMARK_KEY, LinkedRecord
from streams.contracts.records import encode as encode_record
from streams.runtime.admission import Admission, AdmissionResult, admit
from streams.runtime.checkpoint import CheckpointReason, decide_checkpoint
from streams.runtime.clock import monotonic_seconds
from streams.runtime.dead_letter_gauge import DeadLetterGauge, DeadLetterVerdict
from streams.runtime.exits import fatal
from streams.runtime.marks import ProgressMetadata
from streams.runtime.partition_state import PartitionState
from streams.runtime.runtime_settings import RuntimeSettings
from streams.runtime.splitting import MAXIMUM_LETTER_BYTES, bounded, split
from streams.runtime.stage import RecordObserver, RecordTaken, SourceKind
from streams.runtime.stage_ports import Admitted, DeadLetter, Outcome, SteppingCore, Steps
from streams.runtime.store import PartitionStore

_log = structlog.get_logger(__name__)
_FORWARD_EVERY_MS = 1_000
_PLACE = struct.Struct(">QI")  # as the key, so that compaction of the time alone leaves every output
_SLICE_SECONDS = 0.05  # the longest that a record holds the loop, but for one event of it
_MAXIMUM_PENDING_OUTPUTS = 512  # bounds memory when the broker stalls; a group waits for all of them anyway


class StageLoop:
    """Handles the records of one stage; one instance per stage, called by one actor per partition."""

    def __init__(self, app: Any, store: PartitionStore, settings: RuntimeSettings) -> None:
        self._app = app
        self._store = store
        self._observer: RecordObserver | None = app.record_observer
        self._spec = store.spec
        self._settings = settings
        self._gauge = DeadLetterGauge(settings.dead_letter_limits)

    async def handle(self, message: Any) -> None:
        """Process one record of the source topic; ends the process instead of raising."""
        state: PartitionState | None = None
        try:
            if self._app.should_stop:
                return  # the state is closed or closing; the record is read again at the next start
            state = self._store.states.get(message.partition)
            if state is None or not state.ready:
                fatal("a record of a partition that is not ready", **self._facts(message))
            began_seconds = monotonic_seconds()
            async with state.lock:
                if state.ready and self._is_next(state, message):
                    taken = await self._take(state, message)
                    if self._observer is not None:
                        seconds = monotonic_seconds() - began_seconds
                        self._observer.on_record(self._record_taken(message, seconds, *taken))
        except asyncio.CancelledError:
            if state is not None and state.before_record:  # half a record must not enter the group that a stop closes
                state.undo_record()
                self._store.rebuild_core(message.partition)
            raise
        except BaseException as error:  # noqa: BLE001 - an exception in an agent would commit the event
            _log.exception("stage failed", **self._facts(message))
            fatal("a stage failed", error=error, **self._facts(message))

    def _is_next(self, state: PartitionState, message: Any) -> bool:
        # The guard against every way an engine may lose or reorder records: offsets of the source are contiguous. Gaps
        # are allowed where compaction makes them, in logs whose records carry numbers that tell what is missing.
        offset = message.offset
        if offset == state.position + 1:
            return True
        if offset < state.resume_offset:
            fatal(
                "the source log is shorter than the state; was it recreated?",
                position=state.position,
                **self._facts(message),
            )
        if offset > state.position + 1:
            if self._spec.source_kind is SourceKind.PLAIN:
                fatal("a gap in the source log", position=state.position, **self._facts(message))
            return True
        self._store.counters.repeats_total += 1
        return False

    async def _take(self, state: PartitionState, message: Any) -> tuple[AdmissionResult, Outcome]:
        result = self._admit(state, message)
        admitted = result.admitted
        marks = result.marks
        outcome = Outcome()
        if result.decision is Admission.UNDECODABLE:
            outcome = Outcome(dead_letters=[_undecodable(message, result)])
        if admitted is not None:
            outcome = await self._process(state, message, admitted)
            if self._spec.output_topic is not None:
                outcome = bounded(outcome, limit_bytes=self._settings.maximum_output_bytes)
            marks = await self._send_outputs(state, admitted, outcome, marks)
        await self._send_dead_letters(state, message, outcome.dead_letters)
        verdict = self._gauge.record(refused=len(outcome.dead_letters) > outcome.conflict_count)
        state.marks = marks
        state.position = message.offset
        self._store.counters.duplicate_events_total += outcome.duplicate_count
        self._store.counters.conflicting_events_total += outcome.conflict_count
        if admitted is None or admitted.segments or admitted.items or outcome.outputs or outcome.dead_letters:
            state.time_only = False
        await self._account(state, ticked=admitted is not None and bool(admitted.ticks))
        if verdict is not DeadLetterVerdict.WITHIN_LIMITS:
            await self._stop_refusing(state, message, verdict, outcome.dead_letters[-1:])
        return result, outcome

    async def _stop_refusing(
        self, state: PartitionState, message: Any, verdict: DeadLetterVerdict, last: Sequence[DeadLetter]
    ) -> None:
        """End the worker with what was refused made durable: the next start goes on behind it, as far as a mended rule
        set or the next program, instead of meeting the same records for ever."""
        await self._store.close_group(state, CheckpointReason.STOPPING)
        facts = {"reason": last[0].reason, "detail": last[0].detail} if last else {}
        remedy = (
            f"they are kept in {self._settings.dead_letter_topic}: `monazite dead-letters list`; {self._spec.remedy}"
        )
        fatal(f"too many dead letters ({verdict.value})", **facts, **self._facts(message), remedy=remedy)

    def _admit(self, state: PartitionState, message: Any) -> AdmissionResult:
        recorded_at = datetime.fromtimestamp(message.timestamp or 0.0, UTC)
        result = admit(
            self._spec.source_kind,
            message.value,
            offset=message.offset,
            recorded_at=recorded_at,
            marks=state.marks,
        )
        self._store.counters.records_total += 1
        if result.decision is Admission.HOLE:
            fatal("a hole in the source log: a record is missing", detail=result.detail, **self._facts(message))
        if result.decision is Admission.REPEAT:
            self._store.counters.repeats_total += 1
        return result

    async def _process(self, state: PartitionState, message: Any, admitted: Admitted) -> Outcome:
        core = self._store.cores[message.partition]
        try:
            if isinstance(core, SteppingCore):
                return await _in_slices(core.steps(admitted))
            return core.process(admitted)
        except Exception as error:  # noqa: BLE001 - any defect of a core is a dead letter, not a dead worker
            # The writes of the record are taken back and the core is built anew, so the refusal is deterministic.
            _log.exception("core refused a record", **self._facts(message))
            state.undo_record()
            self._store.rebuild_core(message.partition)
            return Outcome(dead_letters=[_internal(message, error)])

    async def _send_outputs(
        self, state: PartitionState, admitted: Admitted, outcome: Outcome, marks: ProgressMetadata
    ) -> ProgressMetadata:
        topic, clock = self._spec.output_topic, marks.clock
        if topic is None:
            return marks
        watermark = clock.now if self._spec.forwards_time else 0
        if not outcome.outputs:
            # The watermark rides on what is said; alone it goes on only so often, for the timers of the next stage.
            if admitted.more or watermark - marks.forwarded < _FORWARD_EVERY_MS:
                return marks
            alone = LinkedRecord(o=admitted.position, prev=marks.sent, x=(), w=watermark, stalled=clock.stalled)
            await self._send(topic, WATERMARK_KEY, encode_record(alone), state.partition)
            return msgspec.structs.replace(marks, forwarded=watermark)
        parts = list(split(outcome, limit_bytes=self._settings.maximum_output_bytes))
        for number, (outputs, counts) in enumerate(parts, 1):
            record = LinkedRecord(
                o=admitted.position,
                prev=marks.sent,
                x=[msgspec.Raw(output) for output in outputs],
                e=counts,
                w=watermark,
                stalled=clock.stalled,
                prev_n=marks.sent_part,
                n=marks.sent_part + 1 if marks.sent == admitted.position else 0,
                more=admitted.more or number < len(parts),
            )
            await self._send(topic, _PLACE.pack(*record.place), encode_record(record), state.partition)
            self._store.counters.outputs_total += 1
            marks = msgspec.structs.replace(marks, sent=record.o, sent_part=record.n)
        return marks if admitted.more else msgspec.structs.replace(marks, forwarded=watermark)

    async def _send_dead_letters(self, state: PartitionState, message: Any, letters: Sequence[DeadLetter]) -> None:
        topic = self._settings.dead_letter_topic
        for letter in letters:
            self._store.counters.dead_letters_total += 1
            if topic is None:
                _log.warning("dead letter without a topic", reason=letter.reason, detail=letter.detail)
                continue
            record = dead_letter_record(letter, stage=self._spec.name, message=message)
            await self._send(topic, record.origin, encode_dead_letter(record), None, state.partition)

    async def _send(
        self, topic: str, key: bytes | None, value: bytes, partition: int | None, group: int | None = None
    ) -> None:
        owner = partition if group is None else group
        future = await self._app.producer.send(topic, key, value, partition, None, None)
        # The callback runs before the client can send the next batch of the partition: outputs have no holes.
        future.add_done_callback(_ended_by_failed_output)
        pending = self._store.outputs[owner if owner is not None else 0]
        pending.append(future)
        if len(pending) >= _MAXIMUM_PENDING_OUTPUTS:
            await asyncio.gather(*pending)
            pending.clear()

    async def _account(self, state: PartitionState, *, ticked: bool) -> None:
        state.end_record()
        now = monotonic_seconds()
        if state.opened_at_seconds is None:
            state.opened_at_seconds = now
        state.record_count += 1
        reason = decide_checkpoint(
            self._settings.checkpoint,
            record_count=state.record_count,
            change_count=len(state.before_group),
            age_seconds=now - state.opened_at_seconds,
            ticked=ticked,
            time_only=state.time_only and not ticked,
        )
        if reason is not None:
            await self._store.close_group(state, reason)

    def _record_taken(self, message: Any, seconds: float, result: AdmissionResult, outcome: Outcome) -> RecordTaken:
        admitted = result.admitted
        count = 0
        if admitted is not None:
            count = len(admitted.items) + len(admitted.ticks) + sum(len(s.events) for s in admitted.segments)
        return RecordTaken(
            stage=self._spec.name,
            topic=message.topic,
            partition=message.partition,
            seconds=seconds,
            event_count=count,
            repeated=result.decision is Admission.REPEAT,
            refused=tuple(letter.reason for letter in outcome.dead_letters),
            outputs=outcome.outputs,
            duplicate_count=outcome.duplicate_count,
            conflict_count=outcome.conflict_count,
        )

    def _facts(self, message: Any) -> dict[str, object]:
        return {"stage": self._spec.name, "p": message.partition, "offset": message.offset}


async def _in_slices(steps: Steps) -> Outcome:
    """Take the steps of a record, letting the loop run between them: heartbeats, fetches and probes do not wait."""
    began = monotonic_seconds()
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            outcome: Outcome = ended.value
            return outcome
        if monotonic_seconds() - began >= _SLICE_SECONDS:
            await asyncio.sleep(0)
            began = monotonic_seconds()


def dead_letter_record(letter: DeadLetter, *, stage: str, message: Any) -> DeadLetterRecord:
    """Return the wire form of a dead letter of `stage`, made while it processed `message`; a long value is cut."""
    value, cut_from = letter.value, None
    if value is not None and len(value) > MAXIMUM_LETTER_BYTES:
        value, cut_from = value[:MAXIMUM_LETTER_BYTES], len(value)
    return DeadLetterRecord(
        reason=letter.reason,
        stage=stage,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        recorded_at=datetime.fromtimestamp(message.timestamp or 0.0, UTC),
        value=value,
        cut_from=cut_from,
        key=letter.key,
        headers=letter.headers,
        index=letter.index,
        field=letter.field,
        detail=letter.detail,
    )


def _undecodable(message: Any, result: AdmissionResult) -> DeadLetter:
    return DeadLetter(value=message.value, reason=RejectReason.INVALID_ENVELOPE, field="", detail=result.detail)


def _internal(message: Any, error: Exception) -> DeadLetter:
    detail = f"{type(error).__name__}: {error}"
    return DeadLetter(value=message.value, reason=RejectReason.INTERNAL, field="", detail=detail)


def _ended_by_failed_output(future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and future.exception() is not None:
        fatal("an output was not delivered", error=future.exception())
