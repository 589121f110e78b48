"""The Faust store: owns the partition states, follows rebalances, restores from and writes to the changelog.

Faust's table registers the changelog, its co-assignment and the reading at recovery; nothing else of it is used. The
dictionary of states *is* the view of owned partitions: opened and dropped here, so there are no ghosts (4,908
samples, none; plain Faust keeps keys of partitions it lost, docs/engine-traps.md 7).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import structlog
from aiokafka.errors import MessageSizeTooLargeError
from faust.stores.base import Store
from faust.tables.table import Table

from streams.runtime import changelog_groups as groups
from streams.runtime.changelog_groups import Fence
from streams.runtime.checkpoint import CheckpointReason
from streams.runtime.counters import StageCounters
from streams.runtime.durable import LocalCopy
from streams.runtime.exits import fatal
from streams.runtime.local_copies import CopyFault, copy_path, open_local_copy, replace_damaged
from streams.runtime.partition_state import PartitionState
from streams.runtime.stage import CheckpointObserver, StageSpec
from streams.runtime.stage_ports import PartitionCore

_log = structlog.get_logger(__name__)
_BATCH_BYTES = 128  # what Kafka puts around one record


class PartitionStore(Store):
    """The states of one stage's owned partitions behind Faust's store interface."""

    def __init__(
        self, app: Any, table: Any, spec: StageSpec, observers: Iterable[CheckpointObserver], directory: Path | None
    ) -> None:
        super().__init__("memory://", app, table, table_name=table.name)
        self.spec = spec
        self.states: dict[int, PartitionState] = {}
        self.cores: dict[int, PartitionCore] = {}
        self.outputs: dict[int, list[asyncio.Future[Any]]] = {}
        self.counters = StageCounters()
        self._copies: dict[int, LocalCopy] = {}
        self._observers = tuple(observers)
        self._directory = directory
        self._generation: int | None = None

    # ---- ownership

    async def on_rebalance(
        self, assigned: set[Any], revoked: set[Any], newly_assigned: set[Any], generation_id: int = 0
    ) -> None:
        """Drop what is not assigned, roll the rest back to its checkpoint, open what is new. Nothing is ready after it.

        Compares with `assigned` and does not trust `revoked`. A missed generation means somebody else may have
        written meanwhile: states in memory are dropped and read again.
        """
        mine = {tp.partition for tp in assigned if tp.topic == self.table.changelog_topic_name}
        missed = self._generation is not None and generation_id != self._generation + 1
        if missed:
            self.counters.missed_generations_total += 1
        self._generation = generation_id
        for partition, state in list(self.states.items()):
            async with state.lock:
                state.ready = False
                if partition not in mine or state.suspect or state.tail_unread or (missed and self._directory is None):
                    self._drop(partition)
                    continue
                if state.position != state.progress or state.dirty_keys():
                    self.counters.rollbacks_total += 1
                state.roll_back()
                state.fenced = False
        for partition in sorted(mine - self.states.keys()):
            await self._open(partition)

    @property
    def directory(self) -> Path | None:
        """Where the local copies of this app are kept, `None` for nowhere."""
        return self._directory

    def mark_ready(self) -> None:
        """End the recovery of all states and make their cores; called when the changelog was read to its end."""
        for partition, state in self.states.items():
            self._make_ready(partition, state)

    def _make_ready(self, partition: int, state: PartitionState) -> None:
        groups.end_recovery(state)
        self.outputs[partition] = []
        self.cores[partition] = self.spec.make_core(partition, state)
        state.forget_changes()  # a core may normalise its state when built; it will do so again after a crash
        state.ready = True
        self._tell("on_ready", lambda observer: observer.on_ready(self.spec.name, partition, state))

    def rebuild_core(self, partition: int) -> None:
        """Make the core of a partition anew after its state was rolled back."""
        self.cores[partition] = self.spec.make_core(partition, self.states[partition])

    def _drop(self, partition: int) -> None:
        self.states.pop(partition).ready = False
        self.cores.pop(partition, None)
        self.outputs.pop(partition, None)
        self._copies.pop(partition).close()
        self._tell("on_dropped", lambda o: o.on_dropped(self.spec.name, partition))

    async def _open(self, partition: int) -> None:
        copy = await open_local_copy(
            self._directory, stage=self.spec.name, partition=partition, on_fault=self._count_fault
        )
        try:
            state = self._restored(partition, copy)
        except Exception as error:  # noqa: BLE001 - a block without its checksum, or bytes that nobody can decode
            copy.close()
            assert self._directory is not None
            path = copy_path(self._directory, stage=self.spec.name, partition=partition)
            copy = replace_damaged(path, error=error, on_fault=self._count_fault)
            state = self._restored(partition, copy)
        self._copies[partition] = copy
        self.states[partition] = state

    def _restored(self, partition: int, copy: LocalCopy) -> PartitionState:
        state = PartitionState(partition)
        records, log_offset = copy.load()
        if log_offset is not None:
            groups.load(state, records, log_offset=log_offset, decode_value=self.spec.decode_value)
        return state

    def _count_fault(self, fault: CopyFault) -> None:
        self.counters.copy_faults[fault.value] = self.counters.copy_faults.get(fault.value, 0) + 1

    # ---- recovery

    def persisted_offset(self, tp: Any) -> int | None:
        """Return the changelog offset of the last whole group held, for memory too: a rebalance re-reads nothing."""
        state = self.states.get(tp.partition)
        return None if state is None else state.log_offset

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any = None, to_value: Any = None) -> None:
        """Restore from changelog records; leftovers of an earlier recovery never touch a ready state."""
        for event in batch:
            message = event.message
            state = self.states.get(message.partition)
            if state is None or state.ready:
                continue
            try:
                taken = groups.restore(
                    state,
                    key=message.key,
                    value=message.value,
                    offset=message.offset,
                    decode_value=self.spec.decode_value,
                )
            except groups.MadeAnewError:
                self._made_anew(message.partition, read=message.offset)
            if taken:
                self._copies[message.partition].write(taken, log_offset=message.offset)

    def _made_anew(self, partition: int, **facts: object) -> NoReturn:
        fatal(
            "a changelog was deleted and made anew while a worker ran, so it holds a part of the state only. Stop the "
            "workers, delete the topic and the local copy, run `monazite topics ensure`, and start again: the state is "
            "rebuilt from its source",
            topic=self.table.changelog_topic_name,
            p=partition,
            source=self.spec.source_topic,
            local_copy=str(self._directory),
            **facts,
        )

    # ---- writing

    async def close_group(self, state: PartitionState, reason: CheckpointReason) -> None:
        """Write the open group of a partition and make it durable; the caller holds the state's lock.

        Outputs first, then the group, then the local copy: what the changelog says was sent was sent.
        """
        if state.position == state.progress or not state.ready:
            return
        state.suspect = True
        await self._outputs_delivered(state.partition)
        records = groups.encode_group(state, self.spec.encode_value)
        self._refuse_too_large(state, records, limit=self.app.settings.maximum_record_bytes)
        first, last = await self._write_group(state, records)
        if self.states.get(state.partition) is not state or not state.ready:
            fatal("a partition was lost while its checkpoint was written", stage=self.spec.name, p=state.partition)
        fence = groups.decide_fence(state, first_offset=first, last_offset=last, record_count=len(records))
        if fence is Fence.MADE_ANEW:
            self._made_anew(state.partition, held=state.end_offset, wrote=(first, last))
        if fence is Fence.FOREIGN_WRITER:
            facts = {"p": state.partition, "held": state.end_offset, "wrote": (first, last)}
            fatal("somebody else writes this changelog", stage=self.spec.name, **facts)
        changed = {key: state.data.get(key) for key, _ in records[:-1]}
        self.counters.healed_keys_total += len(state.heal)
        self.counters.unread_tails_total += fence is Fence.UNREAD_TAIL
        groups.written(state, records, first_offset=first, last_offset=last)
        if not state.tail_unread:
            self._copies[state.partition].write(records, log_offset=last)
        state.suspect = False
        self._count(reason, len(records))
        self._tell("on_checkpoint", lambda o: o.on_checkpoint(self.spec.name, state.partition, state.progress, changed))

    async def close_all(self, reason: CheckpointReason) -> None:
        """Close the open groups of all ready partitions, one after the other."""
        for state in list(self.states.values()):
            async with state.lock:
                await self.close_group(state, reason)

    async def _outputs_delivered(self, partition: int) -> None:
        pending = [future for future in self.outputs[partition] if not future.done()]
        if pending:
            await asyncio.gather(*pending)
        self.outputs[partition].clear()

    async def _write_group(self, state: PartitionState, records: list[groups.Record]) -> tuple[int, int]:
        send = self.app.producer.send
        topic = self.table.changelog_topic_name
        sent: list[Awaitable[Any]] = [
            await send(topic, key, value, state.partition, None, None) for key, value in records
        ]
        try:
            results = await asyncio.gather(*sent)
        except MessageSizeTooLargeError:
            self._refuse_too_large(state, records, limit=0)
            raise
        return results[0].offset, results[-1].offset

    def _refuse_too_large(self, state: PartitionState, records: list[groups.Record], *, limit: int) -> None:
        """End the worker, with what to do, where the largest value of a group exceeds what a record may hold."""
        key, value = max(records, key=lambda record: len(record[0]) + len(record[1]))
        size = len(key) + len(value) + _BATCH_BYTES
        if size <= limit:
            return
        topic = self.table.changelog_topic_name
        fatal(
            "a value of the state is larger than a record of its changelog may be",
            stage=self.spec.name,
            p=state.partition,
            key=key[:200],
            bytes=size,
            offset=state.position,
            remedy=f"raise max.message.bytes of {topic} (and maximum_record_bytes of the worker, now "
            f"{self.app.settings.maximum_record_bytes}) beyond it; nothing of this checkpoint was taken as durable",
        )

    def _count(self, reason: CheckpointReason, record_count: int) -> None:
        counters = self.counters
        counters.checkpoints_total += 1
        counters.changelog_records_total += record_count
        counters.checkpoint_reasons[reason] = counters.checkpoint_reasons.get(reason, 0) + 1

    def _tell(self, what: str, call: Callable[[CheckpointObserver], None]) -> None:
        for observer in self._observers:
            try:
                call(observer)
            except Exception:  # noqa: BLE001 - a view must not stop the alerts
                _log.exception("observer failed", observer=type(observer).__name__, call=what, stage=self.spec.name)

    # ---- what Faust's interface asks for besides; nothing writes through it

    def __getitem__(self, key: Any) -> Any:
        raise KeyError(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NotImplementedError("state is written by cores and by checkpoints only")

    def __delitem__(self, key: Any) -> None:
        raise NotImplementedError("state is written by cores and by checkpoints only")

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def _clear(self) -> None:
        pass

    def reset_state(self) -> None:
        """Do nothing: Faust asks for it on a flag that the runtime does not offer."""

    async def backup_partition(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: the changelog is the backup."""
        raise NotImplementedError("the changelog is the backup")

    def restore_backup(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: the changelog is the backup."""
        raise NotImplementedError("the changelog is the backup")

    async def on_stop(self) -> None:
        """Close the open groups, then the local copies.

        Faust stops the tables before it sends `on_before_shutdown`: a group closed there met a closed database, and
        the worker hung (seen with RocksDB, SIGTERM under load). The producer still runs here.
        """
        await self.close_all(CheckpointReason.STOPPING)
        for partition in list(self.states):
            self._drop(partition)


class StateTable(Table):
    """A Faust table that holds a `PartitionStore`; `_new_store` is one of two private names the runtime overrides."""

    def __init__(
        self, app: Any, *, make_store: Callable[[Any], PartitionStore], source_topic: str, **options: Any
    ) -> None:
        self._make_store = make_store
        self.source_topic = source_topic
        super().__init__(app, **options)

    def _new_store(self) -> PartitionStore:
        return self._make_store(self)
