"""An intake worker as a process runs it: its clients started, its topics checked, the loop, everything ended."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.contracts.topics import SIGNALS, topic_name
from streams.intake.fetch_times import FetchTimes
from streams.intake.intake_loop import Intake, Rebalances
from streams.intake.intake_settings import IntakeSettings
from streams.intake.last_statement import last_stated
from streams.intake.stats import IntakeStats
from streams.runtime.clock import boot_seconds

EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: the supervisor restarts the worker, which reads again from what was committed."""


def exit_loudly(message: str) -> None:
    """End the process at once: no handler may commit or send after a failed write."""
    with suppress(OSError):  # a log on a full disk must not keep the process from ending
        os.write(2, f"intake stops: {message}\n".encode())
    os._exit(EXIT_CODE)


async def run_intake(
    settings: IntakeSettings,
    *,
    stats: IntakeStats,
    stop: asyncio.Event,
    stop_loudly: Callable[[str], None] = exit_loudly,
) -> None:
    """Run an intake worker until `stop` is set. Raises `RuntimeError` where the topics are not as declared."""
    request_ms = int(settings.request_timeout.total_seconds() * 1000)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.brokers,
        acks="all",
        linger_ms=0,
        max_batch_size=2 * 1024 * 1024,
        max_request_size=4 * 1024 * 1024,
        request_timeout_ms=request_ms,
    )
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.brokers,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        request_timeout_ms=request_ms,
        fetch_max_wait_ms=int(settings.fetch_wait.total_seconds() * 1000),
        session_timeout_ms=int(settings.session_timeout.total_seconds() * 1000),
        heartbeat_interval_ms=int(settings.heartbeat_interval.total_seconds() * 1000),
        rebalance_timeout_ms=int(settings.rebalance_timeout.total_seconds() * 1000),
        group_instance_id=settings.static_member,
    )
    intake = Intake(settings, consumer=consumer, producer=producer, stats=stats, stop_loudly=stop_loudly)
    try:
        await _start(producer.start, settings=settings)
        await _check_signals(producer, settings=settings)
        if settings.tick_seconds is not None:
            intake.clock.begin_at(await last_stated(settings))
        consumer.subscribe(settings.inputs(), listener=Rebalances(intake))
        await _start(consumer.start, settings=settings)
        intake.unreadable.guard(consumer)
        intake.fetches = FetchTimes(consumer, clock=boot_seconds)
        await intake.run(stop)
    finally:
        stats.ready = False
        await consumer.stop()
        await producer.stop()


async def _start(start: Callable[[], "asyncio.Future[None]"], *, settings: IntakeSettings) -> None:
    """Start a client; a fresh broker answers NOT_COORDINATOR for about a second (docs/engine-traps.md 22)."""
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
