"""Whoever writes a changelog, and however their groups fall into each other: what a recovery reads was once true.

Two workers hold one partition at a time or, where one was stalled, both. The real store runs on a log whose appends the
test hands out record by record; each worker has a local copy, as after kill -9.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn
from unittest.mock import patch

from faust.types import TP
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.runtime import changelog_groups as groups
from streams.runtime.checkpoint import CheckpointReason
from streams.runtime.partition_state import PartitionState
from streams.runtime.stage import SourceKind, StageSpec
from streams.runtime.stage_ports import Admitted, Outcome, StateStore
from streams.runtime.store import PartitionStore

KEYS = [b"a", b"b", b"c"]
CHANGELOG = "changelog"
OWNED = {TP(CHANGELOG, 0)}


class DiedError(Exception):
    """A worker ended itself."""


class Log:
    """The changelog: what the broker appended, in order."""

    def __init__(self) -> None:
        self.records: list[groups.Record] = []

    def since(self, offset: int | None) -> list[Any]:
        first = 0 if offset is None else offset + 1
        return [
            SimpleNamespace(message=SimpleNamespace(partition=0, key=key, value=value, offset=first + n))
            for n, (key, value) in enumerate(self.records[first:])
        ]


class Copy:
    """A local copy in memory that outlives its worker."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.log_offset: int | None = None

    def load(self) -> tuple[Sequence[groups.Record], int | None]:
        values = sorted(self.values.items(), key=lambda record: record[0] == groups.PROGRESS_KEY)
        return values, self.log_offset

    def write(self, records: Iterable[groups.Record], *, log_offset: int) -> None:
        self.values.update(records)
        self.log_offset = log_offset

    def close(self) -> None:
        """Stay."""


class Core:
    """Does nothing; the test puts what a core would."""

    def process(self, admitted: Admitted) -> Outcome:
        raise NotImplementedError


def make_core(partition: int, state: StateStore) -> Core:
    return Core()


SPEC = StageSpec(name="stage", source_topic="source", source_kind=SourceKind.SIGNALS, make_core=make_core)


class Worker:
    """One process after the other under one name: the store, what its producer has not sent yet, its copy."""

    def __init__(self, log: Log, run: Any) -> None:
        self.log = log
        self.run = run
        self.copy = Copy()
        self.unsent: list[tuple[groups.Record, asyncio.Future[Any]]] = []
        self.closing: asyncio.Task[None] | None = None
        self.store: PartitionStore | None = None
        self.generation = 0

    async def send(self, topic: str, key: bytes, value: bytes, *_: Any) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self.unsent.append(((key, value), future))
        return future

    @property
    def state(self) -> PartitionState:
        assert self.store is not None
        return self.store.states[0]

    def recover(self) -> None:
        """Get the partition, as a new process or once more, and read the changelog to its end."""
        if self.store is None:
            app = SimpleNamespace(
                producer=SimpleNamespace(send=self.send), settings=SimpleNamespace(maximum_record_bytes=1_000_000)
            )
            table = SimpleNamespace(name="stage", changelog_topic_name=CHANGELOG)
            self.store = PartitionStore(app, table, SPEC, (), Path("copies"))
        self.generation += 1
        self.run(self._read(self.store))

    async def _read(self, store: PartitionStore) -> None:
        await store.on_rebalance(OWNED, set(), OWNED, generation_id=self.generation)
        store.apply_changelog_batch(self.log.since(store.persisted_offset(TP(CHANGELOG, 0))))
        store.mark_ready()

    def die(self) -> None:
        """End: what was not sent never will be."""
        if self.closing is not None:
            self.closing.cancel()
        for _, future in self.unsent:
            future.cancel()
        self.unsent, self.closing, self.store = [], None, None


class TwoWriters(RuleBasedStateMachine):
    """Any interleaving of two workers' records, checkpoints, deaths and recoveries."""

    @initialize(source=st.lists(st.sampled_from(KEYS), min_size=20, max_size=30))
    def begin(self, source: list[bytes]) -> None:
        self.loop = asyncio.new_event_loop()
        self.source = source
        self.truth: dict[int, dict[bytes, Any]] = {-1: {}}
        values: dict[bytes, Any] = {}
        for position, key in enumerate(source):
            values = {**values, key: position}
            self.truth[position] = values
        self.log = Log()
        self.workers = [Worker(self.log, self.run), Worker(self.log, self.run)]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        with patch.multiple("streams.runtime.store", open_local_copy=self._opened, fatal=_ended):
            return self.loop.run_until_complete(work)

    async def _opened(self, *_: Any, **__: Any) -> Copy:
        return self.turn.copy

    turn: Worker

    @rule(number=st.integers(0, 1))
    def gets_the_partition(self, number: int) -> None:
        """A start, or a rebalance that leaves it the partition."""
        self.turn = worker = self.workers[number]
        if worker.closing is None:
            worker.recover()

    @rule(number=st.integers(0, 1), count=st.integers(1, 6))
    def processes(self, number: int, count: int) -> None:
        worker = self.workers[number]
        if worker.store is None or worker.closing is not None:
            return
        state = worker.state
        for position in range(state.position + 1, min(state.position + 1 + count, len(self.source))):
            state.put(self.source[position], position)
            state.position = position
            state.end_record()

    @rule(number=st.integers(0, 1), count=st.integers(1, 4))
    def works(self, number: int, count: int) -> None:
        """Some records and a checkpoint, as most of the time."""
        self.processes(number, count)
        self.begins_a_checkpoint(number)
        self.is_answered(number, len(KEYS) + 1)

    @rule(number=st.integers(0, 1), count=st.integers(1, 4))
    def takes_over(self, number: int, count: int) -> None:
        """What the other did not say is done again."""
        self.gets_the_partition(number)
        self.works(number, count)

    @rule(number=st.integers(0, 1), count=st.integers(1, 6), sent=st.integers(1, len(KEYS)))
    def stalls_in_a_checkpoint(self, number: int, count: int, sent: int) -> None:
        """A batch of it is out, the rest comes when it goes on, whoever has the partition by then."""
        self.processes(number, count)
        self.begins_a_checkpoint(number)
        self.is_answered(number, sent)

    @rule(number=st.integers(0, 1))
    def begins_a_checkpoint(self, number: int) -> None:
        worker = self.workers[number]
        if worker.store is None or worker.closing is not None:
            return
        worker.closing = self.loop.create_task(worker.store.close_all(CheckpointReason.AGE))
        self._go_on(worker)

    @rule(number=st.integers(0, 1), count=st.integers(1, 6))
    def is_answered(self, number: int, count: int) -> None:
        """The broker appends some of what a worker sent."""
        worker = self.workers[number]
        for record, future in worker.unsent[:count]:
            self.log.records.append(record)
            future.set_result(SimpleNamespace(offset=len(self.log.records) - 1))
        del worker.unsent[:count]
        self._go_on(worker)

    def _go_on(self, worker: Worker) -> None:
        self.turn = worker

        async def a_while() -> None:
            for _ in range(20):
                await asyncio.sleep(0)

        self.run(a_while())
        if worker.closing is not None and worker.closing.done():
            closing, worker.closing = worker.closing, None
            try:
                closing.result()
            except DiedError:
                worker.die()

    @rule(number=st.integers(0, 1))
    def is_killed(self, number: int) -> None:
        self.workers[number].die()

    @invariant()
    def whatever_is_recovered_was_true_once(self) -> None:
        if not hasattr(self, "workers"):
            return
        for worker in self.workers:
            for copy in (worker.copy, Copy()):
                reader = Worker(self.log, self.run)
                reader.copy = Copy()
                reader.copy.values, reader.copy.log_offset = dict(copy.values), copy.log_offset
                self.turn = reader
                reader.recover()
                assert reader.state.data == self.truth[reader.state.progress]
            if worker.store is not None and worker.closing is None:
                assert worker.state.data == self.truth[worker.state.position]

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        for worker in self.workers:
            worker.die()
        self.run(asyncio.sleep(0))
        self.loop.close()


def _ended(reason: str, /, **facts: object) -> NoReturn:
    raise DiedError(reason)


TestTwoWriters = TwoWriters.TestCase
TestTwoWriters.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
