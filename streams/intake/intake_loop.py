"""The intake worker: read input topics, admit, write `signals` and dead letters, then commit; and state the time.

A plain aiokafka loop instead of a Faust agent: it keeps no state, and `getmany` costs 2 microseconds of client time a
record where the engine costs 64 (docs/engine-traps.md 13).

Intake is the only writer of time. What it reads is held until no other input that is behind can have anything earlier;
with what goes on, and alone when nothing does, it states up to which instant its inputs were read.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from streams.contracts.reasons import RejectReason
from streams.contracts.records import Segment, SignalRecord, Statement
from streams.intake.broker_clock import BrokerClock
from streams.intake.fetch_times import FetchTimes
from streams.intake.held_records import Held, HeldRecords, Reach
from streams.intake.intake_core import InputRecord, IntakeDecision, admission_rules, admit
from streams.intake.intake_settings import IntakeSettings
from streams.intake.limit import DeadLetterLimit
from streams.intake.packing import pack
from streams.intake.statements import Cadence, decide_statement, statement_of, with_statement
from streams.intake.stats import IntakeStats
from streams.intake.unreadable import UnreadableBatches
from streams.intake.writer import Letter, SignalsWriter
from streams.runtime.clock import boot_seconds, monotonic_seconds, utc_now
from streams.runtime.stage_ports import DeadLetter

_log = structlog.get_logger(__name__)
MAX_FAILED_COMMITS = 20
_COUNTS_AGE_SECONDS = 1.0
"""How often the partition counts of the inputs are looked at: a partition that is added must be waited for soon."""

_FEW_RECORDS = 100
"""More than these at once are a backlog, of which the next are fetched while they are worked off."""

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]


def input_record(record: ConsumerRecord, *, at_ms: int = 0) -> InputRecord:
    """Take over a consumer record; a time stamp below zero means that it has none. `at_ms`: its instant, 0 for none."""
    if at_ms:
        return InputRecord(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            value=record.value,
            key=record.key,
            headers=record.headers,
            received_at=datetime.fromtimestamp(at_ms / 1000, UTC),
            at_ms=at_ms,
        )
    has_time = record.timestamp is not None and record.timestamp >= 0
    received_at = datetime.fromtimestamp(record.timestamp / 1000, UTC) if has_time else None
    return InputRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        value=record.value,
        key=record.key,
        headers=record.headers,
        received_at=received_at,
    )


class Rebalances(ConsumerRebalanceListener):
    """Lets the running batch end before partitions go, and marks fetched ones that came too late."""

    def __init__(self, intake: "Intake") -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Let the running batch end."""
        await self._intake.give_up(revoked)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Begin with the partitions of now."""
        self._intake.take_over(assigned)


class Intake:
    """One worker's loop over a started consumer and producer."""

    def __init__(
        self,
        settings: IntakeSettings,
        *,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        stats: IntakeStats,
        stop_loudly: Callable[[str], None],
    ) -> None:
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
        self._inputs = settings.inputs()
        self._working = asyncio.Lock()
        self._is_between_assignments = False
        self._done: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._took_at = float("-inf")
        self._failed_commits = 0
        self._is_live = settings.tick_seconds is not None
        self.clock = BrokerClock()
        self._writer = SignalsWriter(
            settings, producer=producer, stats=stats, clock=self.clock, stop_loudly=stop_loudly
        )
        self._held = HeldRecords()
        self.unreadable = UnreadableBatches()
        self.fetches: FetchTimes | None = None
        self._paused: set[TopicPartition] = set()
        self._counts: dict[str, int] = {}
        self._counted_at = float("-inf")
        self._last_event_at = dict.fromkeys(range(settings.partitions), 0)
        self._stated = dict.fromkeys(range(settings.partitions), 0)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; everything read is then written and committed."""
        poll_ms = int(self._settings.poll_timeout.total_seconds() * 1000)
        self._stats.read_inputs = self.inputs
        while not stop.is_set():
            self._stats.turned_at_seconds = monotonic_seconds()
            await self._gather()
            fetched: Fetched = await self._consumer.getmany(
                timeout_ms=poll_ms, max_records=self._settings.max_poll_records
            )
            # Given up while the call waited: these are the old assignment's, and whoever has the partitions next reads
            # them from the committed offset. Records of the new one cannot come before `take_over` (aiokafka asks for
            # the committed offsets after it) and must never be dropped: their position has moved on.
            if self._is_between_assignments:
                continue
            self._fetch_later(fetched)
            async with self._working:
                if self._is_live:
                    await self._take_live(fetched)
                elif fetched:
                    self._took_at = boot_seconds()
                    await self._take([Held(0, record) for place in sorted(fetched) for record in fetched[place]], None)
                await self._write_unreadable()
                await self._commit_when_due()
        async with self._working:
            await self._commit()

    def inputs(self) -> dict[tuple[str, int], tuple[int, int | None]]:
        """Return the offset to admit next and the known end of each input partition; may be asked from any thread."""
        found: dict[tuple[str, int], tuple[int, int | None]] = {}
        for (topic, partition), position in self._stats.positions.copy().items():
            try:
                found[topic, partition] = position, self._consumer.highwater(TopicPartition(topic, partition))
            except (KafkaError, AssertionError):
                continue  # given away a moment ago
        return found

    async def _gather(self) -> None:
        """Let records gather while they come fast: one `gather_interval` from one batch to the next, none when idle.

        What waits for another input has gathered already: the records that let it go are most often here.
        """
        left_seconds = self._took_at + self._settings.gather_interval.total_seconds() - boot_seconds()
        if left_seconds > 0 and not self._held.holds_any:
            await asyncio.sleep(left_seconds)
        if self._is_live:
            self._consumer.resume(*(self._consumer.paused() - self._paused))  # of those that are still ours

    def _fetch_later(self, fetched: Fetched) -> None:
        """Let the client fetch again after the gathering, not before it.

        What it fetches ahead is what came in the first millisecond, and all that gathers would wait one interval more:
        17 ms from an input to `signals` instead of 8, at 1,000 events a second.
        """
        if self._is_live and 0 < sum(map(len, fetched.values())) <= _FEW_RECORDS:
            self._consumer.pause(*self._consumer.assignment())

    async def give_up(self, revoked: Sequence[TopicPartition]) -> None:
        """Wait for the running batch and commit it; what was fetched and not begun is dropped."""
        self._is_between_assignments = True
        async with self._working:
            self._stats.rebalances += 1
            await self._commit()
            self._done.clear()
            self._held.assign((), now=boot_seconds())
            for tp in revoked:
                self._stats.positions.pop((tp.topic, tp.partition), None)
            self._stats.assigned = frozenset()

    def take_over(self, assigned: Sequence[TopicPartition]) -> None:
        """Note the partitions that are ours now."""
        self._is_between_assignments = False
        self._held.assign(assigned, now=boot_seconds())
        self.unreadable.forget()
        self._paused.clear()
        if self.fetches is not None:
            self.fetches.answered.clear()
        self._stats.assigned = frozenset((tp.topic, tp.partition) for tp in assigned)
        self._stats.ready = True

    async def _take_live(self, fetched: Fetched) -> None:
        """Hold what was read, admit what may go on in order of time, and state how far the inputs have come."""
        now = boot_seconds()
        if self._writer.broker_stamps is not True:
            self.clock.observe(utc_now().timestamp() * 1000, now)  # the best there is, held to the same rules
        for place, records in fetched.items():
            self._held.add(place, records, now=now, broker_ms=self.clock.at(now))
        reach = self._reach(now)
        taken = self._held.take(reach.frontier)
        if taken or reach.frontier is not None:
            reach = self._reach(now)
            self._pause()
        # The first write tells whose clock the broker goes by: until then this is a sign of life.
        up_to = reach.up_to if self._writer.broker_stamps is not None else 0
        statement = statement_of(up_to, reach.inputs, topics=self._inputs, counts=self._partition_counts(now))
        self._held.stated(up_to, reach.inputs)
        if taken:
            self._took_at = now
            await self._take(taken, statement)
        if reach.inputs:
            await self._state_alone(statement, now)

    def _reach(self, now: float) -> Reach:
        assert self.fetches is not None
        return self._held.reach(
            position=self.fetches.position, answered=self.fetches.answered, broker_at=self.clock.at, now=now
        )

    def _partition_counts(self, now: float) -> Mapping[str, int]:
        if now - self._counted_at > _COUNTS_AGE_SECONDS:
            self._counts = {topic: len(self._consumer.partitions_for_topic(topic) or ()) for topic in self._inputs}
            self._counted_at = now
        return self._counts

    async def _state_alone(self, statement: Statement, now: float) -> None:
        """Write the statement to the partitions of `signals` that need it without events."""
        settings = self._settings
        assert settings.tick_seconds is not None
        every_seconds = settings.tick_seconds if self._writer.broker_stamps is not None else 0.0
        due = [
            partition
            for partition, wrote_at in self._writer.wrote_at.items()
            if decide_statement(
                since_written_seconds=now - wrote_at,
                since_event_seconds=now - self._took_at,
                last_event_at=self._last_event_at[partition],
                stated_up_to=self._stated[partition],
                up_to=statement.up_to,
                every_seconds=every_seconds,
                idle_every_seconds=max(settings.idle_tick_seconds, every_seconds),
                idle_after_seconds=settings.idle_after_seconds,
            )
            is not Cadence.WAIT
        ]
        if due:
            await self._write_stated({partition: [SignalRecord()] for partition in due}, statement)
            self._stats.statements += len(due)

    async def _write_stated(
        self, records: Mapping[int, Sequence[SignalRecord]], statement: Statement | None, letters: Sequence[Letter] = ()
    ) -> None:
        if statement is not None:
            said_at = self.clock.at(boot_seconds()) or 0
            records = {p: with_statement(each, statement, said_at=said_at) for p, each in records.items()}
            self._stated.update(dict.fromkeys(records, statement.up_to))
        await self._writer.write(records, letters)

    def _pause(self) -> None:
        """Read no more of a partition of which much is held."""
        most = 4 * self._settings.max_poll_records
        for place in self._held.places:
            count = self._held.count(place)
            if count > most and place not in self._paused:
                self._consumer.pause(place)
                self._paused.add(place)
            elif place in self._paused and count <= most // 2:
                self._consumer.resume(place)
                self._paused.discard(place)

    async def _take(self, taken: Sequence[Held], statement: Statement | None) -> None:
        began = time.thread_time()
        shares: dict[int, list[Segment]] = {}
        letters: list[Letter] = []
        reached = None
        for held in taken:
            record = input_record(held.record, at_ms=held.at)
            admission = admit(record, rules=self._rules)
            for partition, segment in admission.segments.items():
                shares.setdefault(partition, []).append(segment)
            letters.extend((record, letter) for letter in admission.dead_letters)
            self._stats.count(record.topic, admission)
            reached = (
                self._limit.observe(admitted_count=admission.admitted_count, refused_count=len(admission.dead_letters))
                or reached
            )
        self._last_event_at.update({partition: segments[-1].at for partition, segments in shares.items()})
        self._stats.busy_seconds += time.thread_time() - began
        await self._write_stated({p: pack(segments) for p, segments in shares.items()}, statement, letters)
        for held in taken:
            place = TopicPartition(held.record.topic, held.record.partition)
            self._done[place] = held.record.offset + 1
            self._stats.positions[place.topic, place.partition] = held.record.offset + 1
        if reached is not None:
            await self._commit()
            self._stop_loudly(
                f"too many dead letters ({reached.value}): look at them with `monazite dead-letters list`, mend what "
                f"sends them; they are kept on {self._writer.letters_topic}"
            )

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
            self._stats.count(topic, IntakeDecision(dead_letters=(letter,)))
            await self._writer.write({}, [(record, letter)], last_offset=batch.last_offset)
            if not self._held.count(batch.place):  # else what is held before it is committed first
                self._done[batch.place] = batch.last_offset + 1

    async def _commit_when_due(self) -> None:
        if self._done and boot_seconds() - self._committed_at >= self._settings.commit_interval.total_seconds():
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
        self._committed_at = boot_seconds()
        self._done.clear()
