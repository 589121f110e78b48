"""The Faust app of a worker: settings that were proved, one table and one agent per stage, timers and signals."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import faust
import structlog

from streams.runtime.checkpoint import CheckpointReason
from streams.runtime.clock import monotonic_seconds
from streams.runtime.cluster import ClusterFacts, NeededTopic, ask_cluster, decide_topics
from streams.runtime.consumer import SafeConsumer
from streams.runtime.durable import copy_directory
from streams.runtime.exits import fatal
from streams.runtime.recovery import SafeTableManager
from streams.runtime.runtime_settings import RuntimeSettings
from streams.runtime.stage import CheckpointObserver, RecordObserver, StageSpec
from streams.runtime.stage_loop import StageLoop
from streams.runtime.store import PartitionStore, StateTable
from streams.runtime.watchdog import LoopWatchdog

_log = structlog.get_logger(__name__)


class WorkerService(Protocol):
    """Something that runs beside the stages in the same loop: a metrics server, a sender."""

    async def run(self, app: "SafeApp") -> None:
        """Run until cancelled; what it raises ends the worker."""


class SafeApp(faust.App):
    """Faust's app with our consumer; `_new_consumer` is one of the two private names the runtime overrides."""

    settings: RuntimeSettings
    services: Sequence[WorkerService] = ()
    record_observer: RecordObserver | None = None
    cluster: ClusterFacts | None = None

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
        app.cluster = ask_cluster(settings.bootstrap)
        cluster_id = app.cluster.cluster_id
        directory = copy_directory(settings.data_directory, cluster_id=cluster_id, app_id=settings.app_id)
    told = tuple(observers)
    for spec in stages:
        _add_stage(app, spec, told, directory, make_loop)
    _add_timers(app)
    return app


def require_topics(app: SafeApp) -> None:
    """End the process where a topic that the app needs is missing or not as it must be (blocking, before the start)."""
    count = app.settings.partition_count
    needed = []
    for store in app.stores.values():
        spec = store.spec
        needed.append(NeededTopic(name=spec.source_topic, role=f"source of {spec.name}", partition_count=count))
        changelog = app.settings.changelog_topic(spec.name)
        needed.append(NeededTopic(name=changelog, role=f"changelog of {spec.name}", partition_count=count))
        if spec.output_topic is not None:
            needed.append(NeededTopic(name=spec.output_topic, role=f"output of {spec.name}", partition_count=count))
    if app.settings.dead_letter_topic is not None:
        needed.append(NeededTopic(name=app.settings.dead_letter_topic, role="dead letters", partition_count=None))
    fault = decide_topics(app.cluster or ask_cluster(app.settings.bootstrap), needed)
    if fault is not None:
        fatal(fault, bootstrap=app.settings.bootstrap)


def engine_options(settings: RuntimeSettings) -> dict[str, Any]:
    """Return the Faust settings of docs/runtime.md 13; the comments there say what each was measured against."""
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
        "broker_commit_interval": settings.commit_seconds,
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


def _add_timers(app: SafeApp) -> None:
    async def close_idle_groups() -> None:
        for store in app.stores.values():
            await _close_old_groups(app, store)

    app.timer(interval=app.settings.checkpoint.idle_seconds)(_or_fatal(close_idle_groups))

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
        policy = app.settings.checkpoint
        age_seconds = policy.time_only_age_seconds if state.time_only else policy.minimum_age_seconds
        if monotonic_seconds() - opened >= age_seconds:
            async with state.lock:
                await store.close_group(state, CheckpointReason.IDLE)


def _or_fatal(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def guarded() -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the worker must stop
            fatal("a timer failed", error=error)

    return guarded
