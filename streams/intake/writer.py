"""Writing `signals` and dead letters: numbered records, one in flight a partition; acknowledgements tell the time."""

import asyncio
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaProducer

from streams.contracts.dead_letters import DeadLetterRecord, encode_dead_letter
from streams.contracts.records import WATERMARK_KEY, SignalRecord, encode
from streams.contracts.topics import DEAD_LETTERS, SIGNALS, topic_name
from streams.intake.broker_clock import BrokerClock
from streams.intake.held_records import LOG_APPEND_TIME
from streams.intake.intake_core import InputRecord
from streams.intake.intake_settings import IntakeSettings
from streams.intake.stats import IntakeStats
from streams.runtime.clock import boot_seconds
from streams.runtime.stage_ports import DeadLetter

STAGE = "intake"
_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = struct.Struct(">Q")

Letter = tuple[InputRecord, DeadLetter]


class SignalsWriter:
    """The writes of one life of an intake worker.

    One record per partition is in flight at a time. With more, a first that fails for good and a second that goes
    through would leave a hole that the assess agent, which skips by position, could never see filled. Any write that
    fails ends the worker through `stop_loudly`.

    `wrote_at`: monotonic seconds of the last write by partition. `broker_stamps`: whether the broker gives records of
    `signals` its own time, `None` before the first write.
    """

    def __init__(
        self,
        settings: IntakeSettings,
        *,
        producer: AIOKafkaProducer,
        stats: IntakeStats,
        clock: BrokerClock,
        stop_loudly: Callable[[str], None],
    ) -> None:
        self._producer = producer
        self._stats = stats
        self._clock = clock
        self._stop_loudly = stop_loudly
        self._signals = topic_name(SIGNALS, prefix=settings.prefix)
        self.letters_topic = topic_name(DEAD_LETTERS, prefix=settings.prefix)
        self._max_letter_bytes = settings.max_letter_bytes
        self._life = secrets.token_hex(4)
        self._numbers = dict.fromkeys(range(settings.partitions), 0)
        self.wrote_at = dict.fromkeys(range(settings.partitions), float("-inf"))
        self.broker_stamps: bool | None = None

    async def write(
        self,
        records: Mapping[int, Sequence[SignalRecord]],
        letters: Sequence[Letter] = (),
        *,
        last_offset: int | None = None,
    ) -> None:
        """Write records by partition, in order, and dead letters; return when the broker has all of them."""
        writes = [self._write_partition(partition, each) for partition, each in records.items()]
        writes.extend(self._write_letter(record, letter, last_offset) for record, letter in letters)
        for result in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(result, BaseException):
                self._stop_loudly(
                    f"a write failed: {result!r}; what it held is read again from the inputs at the next start"
                )
                raise result

    async def _write_partition(self, partition: int, records: Sequence[SignalRecord]) -> None:
        for record in records:
            if record.segments:
                self._numbers[partition] += 1
            number = self._numbers[partition]
            value = encode(msgspec.structs.replace(record, i=self._life, q=number))
            life = self._life.encode()
            key = life + _NUMBER.pack(number) if record.segments else WATERMARK_KEY + life
            written = await self._producer.send_and_wait(self._signals, value, key=key, partition=partition)
            self._stats.records_written += 1
            now = self.wrote_at[partition] = boot_seconds()
            if record.w is not None:
                self.broker_stamps = written.timestamp_type == LOG_APPEND_TIME
                if self.broker_stamps:
                    self._clock.observe(written.timestamp, now)

    async def _write_letter(self, record: InputRecord, letter: DeadLetter, last_offset: int | None) -> None:
        value, cut_from = letter.value, None
        if value is not None and len(value) > self._max_letter_bytes:
            # The whole of it still stands at its origin, which the note names.
            value, cut_from = value[: self._max_letter_bytes], len(value)
        written = DeadLetterRecord(
            reason=letter.reason,
            field=letter.field,
            detail=letter.detail,
            stage=STAGE,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            index=letter.index,
            cut_from=cut_from,
            value=value,
            last_offset=last_offset,
            key=letter.key,
            headers=[(name, content or b"") for name, content in letter.headers],
            recorded_at=record.received_at or _UNKNOWN_TIME,
        )
        await self._producer.send_and_wait(self.letters_topic, encode_dead_letter(written), key=written.origin)
