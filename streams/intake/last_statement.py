"""How far the inputs were stated to have come before this life of intake: read off the ends of `signals`."""

import asyncio

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.contracts.records import decode_signal
from streams.contracts.topics import SIGNALS, topic_name
from streams.intake.intake_settings import IntakeSettings

READ_WITHIN_SECONDS = 5.0


async def last_stated(settings: IntakeSettings) -> int:
    """Return the latest instant that the last record of a partition states, in milliseconds; 0 where none does.

    A broker whose clock was set back meanwhile must not make time stand still until it has caught up. What cannot be
    read in time is done without: then only that case is worse.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.brokers, group_id=None, enable_auto_commit=False)
    signals = topic_name(SIGNALS, prefix=settings.prefix)
    places = [TopicPartition(signals, partition) for partition in range(settings.partitions)]
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        waiting = {place for place, end in ends.items() if end > 0}
        for place in waiting:
            consumer.seek(place, ends[place] - 1)
        latest = 0
        async with asyncio.timeout(READ_WITHIN_SECONDS):
            while waiting:
                for place, records in (await consumer.getmany(*waiting, timeout_ms=500)).items():
                    waiting.discard(place)
                    latest = max([latest, *(_stated(record.value) for record in records)])
        return latest
    except TimeoutError:
        return latest
    finally:
        await consumer.stop()


def _stated(value: bytes | None) -> int:
    try:
        said = decode_signal(value or b"").w
    except msgspec.DecodeError:
        return 0
    return said.up_to if said is not None else 0
