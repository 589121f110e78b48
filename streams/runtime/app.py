"""The Faust app of a worker: settings that were proved, one table and one agent per stage, timers and signals."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import faust
import structlog

from streams.contracts.records import SignalRecord
from streams.contracts.records import encode as encode_record
from streams.runtime.checkpoint import CheckpointReason
from streams.runtime.clock import monotonic_seconds, utc_now
from streams.runtime.consumer import SafeConsumer
from streams.runtime.durable import cluster_id_of, copy_directory
from streams.runtime.exits import fatal
from streams.runtime.loop import StageLoop
from streams.runtime.recovery import SafeTableManager
from streams.runtime.settings import RuntimeSettings
from streams.runtime.stage import CheckpointObserver, RecordObserver, SourceKind, StageSpec
from streams.runtime.store import PartitionStore, StateTable
from streams.runtime.ticks import (
    ClockReading,
    ClosingDecision,
    ClosingReason,
    TickDecision,
    decide_closing,
    decide_tick,
)
from streams.runtime.watchdog import LoopWatchdog

_log = structlog.get_logger(__name__)
_SHORTEST_WAIT_SECONDS = 0.005
"""A timer that fires a little early must not turn; closing ticks are up to this much later."""


class WorkerService(Protocol):
    """Something that runs beside the stages in the same loop: a metrics server, a sender."""

    async def run(self, app: "SafeApp") -> None:
        """Run until cancelled; what it raises ends the worker."""


class SafeApp(faust.App):
    """Faust's app with our consumer; `_new_consumer` is one of the two private names the runtime overrides."""

    settings: RuntimeSettings
    services: Sequence[WorkerService] = ()
    record_observer: RecordObserver | None = None

    def _new_consumer(self) -> SafeConsumer:
        return SafeConsumer(
            self.transport,
            callback=self.topics.on_message,
            on_partitions_revoked=self._on_partitions_revoked,
            on_partitions_assigned=self._on_partitions_assigned,
            loop=self.transport.loop,
            beacon=self.beacon,
        )

    @property
    def assigned(self) -> bool:
        """Whether the group gave this worker an assignment at least once (it may be empty)."""
        return self._assignment is not None

    @property
    def stores(self) -> dict[str, PartitionStore]:
        """The stores by stage name."""
        return {table.name: table.data for table in self.tables.values()}


def build_worker(
    settings: RuntimeSettings,
    stages: Sequence[StageSpec],
    observers: Iterable[CheckpointObserver] = (),
    services: Sequence[WorkerService] = (),
    *,
    record_observer: RecordObserver | None = None,
    make_loop: Callable[[Any, PartitionStore, RuntimeSettings], StageLoop] = StageLoop,
) -> SafeApp:
    """Return the app of one worker process with a table and an agent per stage; nothing is started.

    Topics and changelogs must exist with `settings.partition_count` partitions. With a data directory the broker is
    asked for its cluster id (blocking). `make_loop` is there for tests that slow a stage down.
    """
    app = SafeApp(settings.app_id, **engine_options(settings))
    app.settings = settings
    app.services = services
    app.record_observer = record_observer
    directory = None
    if settings.data_directory is not None:
        cluster_id = cluster_id_of(settings.bootstrap)
        directory = copy_directory(settings.data_directory, cluster_id=cluster_id, app_id=settings.app_id)
    told = tuple(observers)
    for spec in stages:
        _add_stage(app, spec, told, directory, make_loop)
    _add_timers(app, stages)
    return app


def engine_options(settings: RuntimeSettings) -> dict[str, Any]:
    """Return the Faust settings of RUNTIME.md 3; the comments there say what each was measured against."""
    session = settings.session
    return {
        "broker": f"kafka://{settings.bootstrap}",
        "store": "memory://",  # ours is put in by the table
        "datadir": Path(tempfile.gettempdir()) / "monazite-faust",  # Faust wants one; nothing is kept there
        "TableManager": SafeTableManager,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "table_standby_replicas": 0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "topic_partitions": settings.partition_count,
        "broker_session_timeout": session.session_seconds,
        "broker_heartbeat_interval": session.heartbeat_seconds,
        "broker_rebalance_timeout": session.rebalance_seconds,
        "broker_request_timeout": settings.request_timeout_seconds,
        "broker_commit_interval": 1.0,
        "producer_linger": 0,  # each hop would wait for it twice; batching is in the record
        "producer_acks": -1,
        "producer_max_batch_size": 262_144,
        "producer_max_request_size": settings.maximum_record_bytes,
        "producer_request_timeout": settings.request_timeout_seconds,
        "consumer_max_fetch_size": settings.maximum_record_bytes,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.static_member,
        "stream_wait_empty": True,
        "stream_recovery_delay": 0.0,
        "recovery_consistency_check": False,  # with it a durable copy crashed at every start on the embedded broker
        "worker_redirect_stdouts": False,
        "web_enabled": False,
    }


def _add_stage(
    app: SafeApp,
    spec: StageSpec,
    observers: Sequence[CheckpointObserver],
    directory: Path | None,
    make_loop: Callable[[Any, PartitionStore, RuntimeSettings], StageLoop],
) -> None:
    source = app.topic(
        spec.source_topic,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=app.settings.partition_count,
    )
    table = StateTable(
        app,
        make_store=lambda table: PartitionStore(app, table, spec, observers, directory),
        source_topic=spec.source_topic,
        name=spec.name,
        partitions=app.settings.partition_count,
        key_type=bytes,
        value_type=bytes,
        beacon=app.tables.beacon,
    )
    app.tables.add(table)
    stage_loop = make_loop(app, table.data, app.settings)

    async def consume(stream: Any) -> None:
        async for event in stream.events():
            await stage_loop.handle(event.message)

    # One ordered actor per partition: round trips of partitions overlap, and no partition's backlog starves another.
    app.agent(source, name=spec.name, isolated_partitions=True)(consume)


def _add_timers(app: SafeApp, stages: Sequence[StageSpec]) -> None:
    async def close_idle_groups() -> None:
        for store in app.stores.values():
            await _close_old_groups(app, store)

    app.timer(interval=app.settings.checkpoint.idle_seconds)(_or_fatal(close_idle_groups))
    ticked = [spec for spec in stages if spec.source_kind is SourceKind.SIGNALS]
    if app.settings.tick_seconds is not None and ticked:
        ticker = _Ticker(app, ticked[0])
        app.timer(interval=app.settings.tick_seconds)(_or_fatal(ticker.tick))
        if app.settings.closing_quiet_seconds is not None:
            app.task(_or_fatal(ticker.close_instants))

    async def on_revoked(_sender: Any, *_: Any, **__: Any) -> None:
        # A courtesy: less is done again after the rebalance. Nothing rests on it.
        for store in app.stores.values():
            await store.close_all(CheckpointReason.REVOKED)

    app.on_partitions_revoked.connect(on_revoked, weak=False)

    async def on_assigned(_sender: Any, *_: Any, **__: Any) -> None:
        if app.record_observer is not None:
            app.record_observer.on_assigned()

    app.on_partitions_assigned.connect(on_assigned, weak=False)
    if app.settings.stall_limit_seconds is not None:
        watchdog = LoopWatchdog(app.settings.stall_limit_seconds)

        async def watch() -> None:
            watchdog.start()

        app.task(watch)


async def _close_old_groups(app: SafeApp, store: PartitionStore) -> None:
    for state in list(store.states.values()):
        opened = state.opened_at_seconds
        if app.rebalancing or state.lock.locked() or opened is None:
            continue
        if monotonic_seconds() - opened >= app.settings.checkpoint.minimum_age_seconds:
            async with state.lock:
                await store.close_group(state, CheckpointReason.IDLE)


class _Ticker:
    """Sends the ticks of one signals stage: regular ones, and closing ones to partitions that went quiet."""

    def __init__(self, app: SafeApp, spec: StageSpec) -> None:
        self._app = app
        self._spec = spec
        self._anchor: ClockReading | None = None
        self._ticked_at_seconds: dict[int, float] = {}

    async def tick(self) -> None:
        store = self._app.stores[self._spec.name]
        if self._app.rebalancing:
            return
        now = self._reading()
        if now is None:
            store.counters.ticks_refused_total += 1
            _log.error("wall clock jumped ahead, tick refused", stage=self._spec.name)
            return
        await self._send(now, [partition for partition, state in store.states.items() if state.ready])

    async def close_instants(self) -> None:
        """Send closing ticks until the worker stops; a refused one is left to the regular tick, which says so."""
        quiet_seconds = self._app.settings.closing_quiet_seconds
        assert quiet_seconds is not None
        wait_seconds = quiet_seconds
        while True:
            await asyncio.sleep(max(wait_seconds, _SHORTEST_WAIT_SECONDS))
            if self._app.should_stop:
                return
            decided = self._decide_closings(quiet_seconds)
            wait_seconds = min((d.ask_again_seconds for d in decided.values()), default=quiet_seconds)
            quiet = [partition for partition, d in decided.items() if d.reason is ClosingReason.QUIET]
            now = self._reading() if quiet and not self._app.rebalancing else None
            if now is not None:
                self._app.stores[self._spec.name].counters.closing_ticks_total += len(quiet)
                await self._send(now, quiet)

    def _decide_closings(self, quiet_seconds: float) -> dict[int, ClosingDecision]:
        now_seconds = monotonic_seconds()
        return {
            partition: decide_closing(
                taken_at_seconds=state.taken_at_seconds, ticked_at_seconds=self._ticked_at_seconds.get(partition),
                now_seconds=now_seconds, quiet_seconds=quiet_seconds,
            )
            for partition, state in self._app.stores[self._spec.name].states.items()
            if state.ready
        }  # fmt: skip

    def _reading(self) -> ClockReading | None:
        """Read both clocks; `None` where the wall clock jumped ahead."""
        now = ClockReading(utc_now(), monotonic_seconds())
        jump = self._app.settings.maximum_tick_jump_seconds
        if decide_tick(self._anchor, now, maximum_jump_seconds=jump) is TickDecision.CLOCK_JUMPED:
            return None
        self._anchor = now
        return now

    async def _send(self, now: ClockReading, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._ticked_at_seconds[partition] = now.monotonic_seconds
        value = encode_tick(now.wall)
        send = self._app.producer.send
        sent = [await send(self._spec.source_topic, None, value, p, None, None) for p in partitions]
        await asyncio.gather(*sent)
        self._app.stores[self._spec.name].counters.ticks_total += len(sent)


def encode_tick(at: datetime) -> bytes:
    """Return the `signals` record of one tick."""
    return encode_record(SignalRecord(ticks=[at]))


def _or_fatal(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def guarded() -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the worker must stop
            fatal("a timer failed", error=error)

    return guarded
