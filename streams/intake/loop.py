"""The intake worker: read input topics, admit, write `signals` and dead letters, then commit.

A plain aiokafka loop instead of a Faust agent: it keeps no state, and `getmany` costs 2 microseconds of client time a
record where the engine costs 64 (FAUST section 7.3).

One record per target partition is in flight at a time. With more, a first that fails for good and a second that goes
through would leave a hole that the assess agent, which skips by position, could never see filled.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from streams.contracts.dead_letters import DeadLetterRecord, encode_dead_letter
from streams.contracts.reasons import RejectReason
from streams.contracts.records import Segment, SignalRecord, Statement, encode
from streams.contracts.topics import DEAD_LETTERS, SIGNALS, topic_name
from streams.intake.core import Admission, InputRecord, admission_rules, admit
from streams.intake.input_time import BrokerClock, FetchTimes, HeldRecords
from streams.intake.limit import DeadLetterLimit
from streams.intake.packing import pack
from streams.intake.settings import IntakeSettings
from streams.intake.stats import IntakeStats
from streams.intake.unreadable import UnreadableBatches
from streams.runtime.clock import monotonic_seconds
from streams.runtime.ports import DeadLetter

_log = structlog.get_logger(__name__)
EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: the supervisor restarts the worker, which reads again from what was committed."""
STAGE = "intake"
MAX_FAILED_COMMITS = 20
_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]


def exit_loudly(message: str) -> None:
    """End the process at once: no handler may commit or send after a failed write."""
    os.write(2, f"intake stops: {message}\n".encode())
    os._exit(EXIT_CODE)


def input_record(record: ConsumerRecord, *, at_ms: int = 0) -> InputRecord:
    """Take over a consumer record; a time stamp below zero means that it has none. `at_ms`: its instant, 0 for none."""
    if at_ms:
        return InputRecord(
            topic=record.topic, partition=record.partition, offset=record.offset, value=record.value, key=record.key,
            headers=record.headers, received_at=datetime.fromtimestamp(at_ms / 1000, UTC), at_ms=at_ms,
        )  # fmt: skip
    has_time = record.timestamp is not None and record.timestamp >= 0
    received_at = datetime.fromtimestamp(record.timestamp / 1000, UTC) if has_time else None
    return InputRecord(
        topic=record.topic, partition=record.partition, offset=record.offset, value=record.value, key=record.key,
        headers=record.headers, received_at=received_at,
    )  # fmt: skip


class _Rebalances(ConsumerRebalanceListener):
    """Lets the running batch end before partitions go, and marks fetched ones that came too late."""

    def __init__(self, intake: "Intake") -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        await self._intake.give_up(revoked)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._intake.take_over(assigned)


class Intake:
    """One worker's loop over a started consumer and producer."""

    def __init__(
        self, settings: IntakeSettings, *, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, stats: IntakeStats,
        stop_loudly: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._consumer = consumer
        self._producer = producer
        self._stats = stats
        self._stop_loudly = stop_loudly
        self._rules = admission_rules(
            prefix=settings.input_prefix or settings.prefix,
            partitions=settings.partitions,
            max_ahead=settings.max_ahead,
        )
        self._limit = DeadLetterLimit(settings.dead_letter_policy)
        self._signals = topic_name(SIGNALS, prefix=settings.prefix)
        self._letters = topic_name(DEAD_LETTERS, prefix=settings.prefix)
        self._working = asyncio.Lock()
        self._is_between_assignments = False
        self._done: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._took_at = float("-inf")
        self._failed_commits = 0
        self._live = settings.tick_seconds is not None
        self.clock = BrokerClock()
        self._held = HeldRecords()
        self.unreadable = UnreadableBatches()
        self._fetches: FetchTimes | None = None
        self._broker_stamps: bool | None = None
        self._wrote_at = dict.fromkeys(range(settings.partitions), float("-inf"))
        self._paused: set[TopicPartition] = set()
        self._counts: dict[str, int] = {}
        self._counted_at = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; everything read is then written and committed."""
        poll_ms = int(self._settings.poll_timeout.total_seconds() * 1000)
        if self._live:
            self._fetches = FetchTimes(self._consumer)
        while not stop.is_set():
            await self._gather()
            fetched: Fetched = await self._consumer.getmany(
                timeout_ms=poll_ms, max_records=self._settings.max_poll_records
            )
            # Given up while the call waited: these are the old assignment's, and whoever has the partitions next reads
            # them from the committed offset. Records of the new one cannot come before `take_over` (aiokafka asks for
            # the committed offsets after it) and must never be dropped: their position has moved on.
            if self._is_between_assignments:
                continue
            async with self._working:
                if self._live:
                    await self._take_live(fetched)
                elif fetched:
                    self._took_at = monotonic_seconds()
                    ordered = [(0, record) for tp in sorted(fetched) for record in fetched[tp]]
                    await self._take(ordered, None)
                await self._write_unreadable()
                await self._commit_when_due()
        async with self._working:
            await self._commit()

    async def _gather(self) -> None:
        """Let records gather while they come fast: one `gather_interval` from one batch to the next, none when idle."""
        left_seconds = self._took_at + self._settings.gather_interval.total_seconds() - monotonic_seconds()
        if left_seconds > 0:
            await asyncio.sleep(left_seconds)

    async def give_up(self, revoked: Sequence[TopicPartition]) -> None:
        """Wait for the running batch and commit it; what was fetched and not begun is dropped."""
        self._is_between_assignments = True
        async with self._working:
            self._stats.rebalances += 1
            await self._commit()
            self._done.clear()
            self._held.assign(())
            for tp in revoked:
                self._stats.positions.pop((tp.topic, tp.partition), None)
            self._stats.assigned = frozenset()

    def take_over(self, assigned: Sequence[TopicPartition]) -> None:
        """Note the partitions that are ours now."""
        self._is_between_assignments = False
        self._held.assign(assigned)
        self.unreadable.forget()
        self._paused.clear()
        if self._fetches is not None:
            self._fetches.answered.clear()
        self._stats.assigned = frozenset((tp.topic, tp.partition) for tp in assigned)
        self._stats.ready = True

    async def _take_live(self, fetched: Fetched) -> None:
        """Hold what was read, admit what may be admitted in order of time, and state how far the inputs have come."""
        assert self._fetches is not None
        now = monotonic_seconds()
        if self._broker_stamps is not True:
            self.clock.observe(time.time() * 1000, now)
        now_ms = self.clock.at(now)
        for tp, records in fetched.items():
            self._held.add(tp, records, now_ms=now_ms)
        positions: dict[TopicPartition, int | None] = {}
        for tp in self._held.held:
            state = self._consumer._subscription.subscription.assignment.state_value(tp)
            positions[tp] = state.position if state is not None and state.has_valid_position else None
        frontier, up_to, of = self._held.state(positions, self._fetches.answered, self.clock)
        taken = self._held.take(frontier)
        if taken or frontier is not None:
            _, up_to, of = self._held.state(positions, self._fetches.answered, self.clock)
            self._pause()
        if self._broker_stamps is None:
            up_to = 0  # the first write tells whose clock the broker goes by
        if now - self._counted_at > 1.0:
            self._counts = {t: len(self._consumer.partitions_for_topic(t) or ()) for t in self._settings.inputs()}
            self._counted_at = now
        counts = self._counts
        statement = Statement(up_to, of, counts)
        if taken:
            self._took_at = now
            await self._take(taken, statement)
        idle = now - self._took_at > self._settings.idle_after_seconds
        due = self._settings.idle_tick_seconds if idle else self._settings.tick_seconds
        assert due is not None
        if self._broker_stamps is None:
            due = 0.0
        quiet = [p for p, wrote in self._wrote_at.items() if now - wrote >= due]
        if quiet and of:
            bare = encode(SignalRecord(w=statement, s=now_ms or 0))
            await self._write({partition: [bare] for partition in quiet}, ())
            self._stats.statements += len(quiet)

    def _pause(self) -> None:
        """Read no more of a partition of which much is held."""
        most = 4 * self._settings.max_poll_records
        for tp, held in self._held.held.items():
            if len(held) > most and tp not in self._paused:
                self._consumer.pause(tp)
                self._paused.add(tp)
            elif tp in self._paused and len(held) <= most // 2:
                self._consumer.resume(tp)
                self._paused.discard(tp)

    async def _take(self, taken: Sequence[tuple[int, ConsumerRecord]], statement: Statement | None) -> None:
        began = time.thread_time()
        shares: dict[int, list[Segment]] = {}
        letters: list[tuple[InputRecord, DeadLetter]] = []
        reached = None
        for at_ms, fetched_record in taken:
            record = input_record(fetched_record, at_ms=at_ms)
            admission = admit(record, rules=self._rules)
            for partition, segment in admission.segments.items():
                shares.setdefault(partition, []).append(segment)
            letters.extend((record, letter) for letter in admission.dead_letters)
            self._stats.count(record.topic, admission)
            reached = self._limit.observe(
                admitted_count=admission.admitted_count, refused_count=len(admission.dead_letters)
            ) or reached  # fmt: skip
        packed = {p: [encode(r) for r in self._stated(pack(segments), statement)] for p, segments in shares.items()}
        self._stats.busy_seconds += time.thread_time() - began
        await self._write(packed, letters)
        for _, fetched_record in taken:
            tp = TopicPartition(fetched_record.topic, fetched_record.partition)
            self._done[tp] = fetched_record.offset + 1
            self._stats.positions[tp.topic, tp.partition] = fetched_record.offset + 1
        if reached is not None:
            await self._commit()
            self._stop_loudly(f"too many dead letters ({reached.value}); see topic {self._letters}")

    def _stated(self, records: Sequence[SignalRecord], statement: Statement | None) -> Sequence[SignalRecord]:
        """Put a statement on every record: the whole on the last, as far as their segments go on those before."""
        if statement is None:
            return records
        s = self.clock.at(monotonic_seconds()) or 0
        stated = []
        for number, record in enumerate(records, 1):
            up_to = statement.up_to if number == len(records) else min(statement.up_to, record.segments[-1].at - 1)
            stated.append(msgspec.structs.replace(record, w=Statement(up_to, statement.of, statement.counts), s=s))
        return stated

    async def _write(
        self, packed: Mapping[int, Sequence[bytes]], letters: Sequence[tuple[InputRecord, DeadLetter]], *,
        last_offset: int | None = None,
    ) -> None:  # fmt: skip
        writes = [self._write_partition(partition, records) for partition, records in packed.items()]
        writes.extend(self._write_letter(record, letter, last_offset) for record, letter in letters)
        for result in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(result, BaseException):
                self._stop_loudly(f"a write failed: {result!r}")
                raise result

    async def _write_partition(self, partition: int, records: Sequence[bytes]) -> None:
        for value in records:
            written = await self._producer.send_and_wait(self._signals, value, partition=partition)
            self._stats.records_written += 1
            now = self._wrote_at[partition] = monotonic_seconds()
            if self._live:
                self._broker_stamps = written.timestamp_type == 1
                if self._broker_stamps:
                    self.clock.observe(written.timestamp, now)

    async def _write_letter(self, record: InputRecord, letter: DeadLetter, last_offset: int | None) -> None:
        value, cut_from = letter.value, None
        if value is not None and len(value) > self._settings.max_letter_bytes:
            # The whole of it still stands at its origin, which the note names.
            value, cut_from = value[: self._settings.max_letter_bytes], len(value)
        written = DeadLetterRecord(
            reason=letter.reason, field=letter.field, detail=letter.detail, stage=STAGE, topic=record.topic,
            partition=record.partition, offset=record.offset, index=letter.index, cut_from=cut_from, value=value,
            last_offset=last_offset, key=letter.key,
            headers=[(name, content or b"") for name, content in letter.headers],
            recorded_at=record.received_at or _UNKNOWN_TIME,
        )  # fmt: skip
        await self._producer.send_and_wait(self._letters, encode_dead_letter(written), key=written.origin)

    async def _write_unreadable(self) -> None:
        """Put the offsets of batches that could not be decoded into the dead letters; the bytes stay on the topic."""
        for batch in self.unreadable.take():
            topic, partition = batch.place
            detail = (
                f"the offsets {batch.first_offset} to {batch.last_offset} cannot be decoded and were skipped "
                f"({batch.detail}); look at them with kafka-dump-log, and have the sender send them again"
            )
            record = InputRecord(topic=topic, partition=partition, offset=batch.first_offset, value=None)
            letter = DeadLetter(value=None, reason=RejectReason.UNREADABLE_BATCH, field="", detail=detail)
            _log.warning("intake_skipped_unreadable_batch", topic=topic, partition=partition, detail=detail)
            self._stats.count(topic, Admission(dead_letters=(letter,)))
            await self._write({}, [(record, letter)], last_offset=batch.last_offset)
            if not self._held.held.get(batch.place):  # else what is held before it is committed first
                self._done[batch.place] = batch.last_offset + 1

    async def _commit_when_due(self) -> None:
        if self._done and monotonic_seconds() - self._committed_at >= self._settings.commit_interval.total_seconds():
            await self._commit()

    async def _commit(self) -> None:
        if not self._done:
            return
        try:
            await self._consumer.commit(dict(self._done))
        except KafkaError as error:
            # The writes stand; whoever reads the records again repeats them, and the assess agent skips the repeats.
            self._failed_commits += 1
            self._stats.failed_commits += 1
            structlog.get_logger().warning("intake_commit_failed", error=repr(error), in_a_row=self._failed_commits)
            if self._failed_commits >= MAX_FAILED_COMMITS:
                self._stop_loudly(f"{self._failed_commits} commits failed in a row, the last with {error!r}")
            return
        self._failed_commits = 0
        self._stats.commits += 1
        self._committed_at = monotonic_seconds()
        self._done.clear()


async def run_intake(
    settings: IntakeSettings, *, stats: IntakeStats, stop: asyncio.Event,
    stop_loudly: Callable[[str], None] = exit_loudly,
) -> None:  # fmt: skip
    """Run an intake worker until `stop` is set. Raises `RuntimeError` where the topics are not as declared."""
    request_ms = int(settings.request_timeout.total_seconds() * 1000)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.brokers, acks="all", linger_ms=0, max_batch_size=2 * 1024 * 1024,
        max_request_size=4 * 1024 * 1024, request_timeout_ms=request_ms,
    )  # fmt: skip
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.brokers, group_id=settings.group, enable_auto_commit=False,
        auto_offset_reset="earliest", isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024, request_timeout_ms=request_ms,
        session_timeout_ms=int(settings.session_timeout.total_seconds() * 1000),
        heartbeat_interval_ms=int(settings.heartbeat_interval.total_seconds() * 1000),
        rebalance_timeout_ms=int(settings.rebalance_timeout.total_seconds() * 1000),
    )  # fmt: skip
    intake = Intake(settings, consumer=consumer, producer=producer, stats=stats, stop_loudly=stop_loudly)
    try:
        await _start(producer.start, settings=settings)
        await _check_signals(producer, settings=settings)
        consumer.subscribe(settings.inputs(), listener=_Rebalances(intake))
        await _start(consumer.start, settings=settings)
        intake.unreadable.guard(consumer)
        await intake.run(stop)
    finally:
        stats.ready = False
        await consumer.stop()
        await producer.stop()


async def _start(start: Callable[[], "asyncio.Future[None]"], *, settings: IntakeSettings) -> None:
    """Start a client; a fresh broker answers NOT_COORDINATOR for about a second (FAUST section 7.4)."""
    async with asyncio.timeout(settings.start_timeout.total_seconds()):
        while True:
            try:
                await start()
                return
            except KafkaError as error:
                structlog.get_logger().info("broker_not_ready", error=repr(error))
                await asyncio.sleep(0.3)


async def _check_signals(producer: AIOKafkaProducer, *, settings: IntakeSettings) -> None:
    signals = topic_name(SIGNALS, prefix=settings.prefix)
    found = await producer.partitions_for(signals)
    if len(found) != settings.partitions:
        raise RuntimeError(
            f"topic {signals} has {len(found)} partitions, {settings.partitions} are configured; "
            "run `monazite topics check`"
        )
