"""The intake loop over clients in memory: what is committed was written, whatever goes wrong in between."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaTimeoutError

from streams.contracts.codec import encode_event
from streams.intake.intake_loop import MAX_FAILED_COMMITS, Intake
from streams.intake.intake_settings import IntakeSettings
from streams.intake.stats import IntakeStats
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

PLACE = TopicPartition("monazite.price.v1", 0)
SIGNALS = "monazite.signals.v1"


@dataclass
class Fetched:
    """A consumer record as aiokafka gives it."""

    offset: int
    value: bytes
    topic: str = PLACE.topic
    partition: int = PLACE.partition
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = int(RECORDED.timestamp() * 1000) + 1_000


class Stopped(Exception):  # noqa: N818
    """The worker ended itself."""


@dataclass
class Clients:
    """Consumer and producer in memory; `before_return` runs just before fetched records are handed over."""

    polls: list[Callable[[], Any]]
    stop: asyncio.Event
    failing_write: bool = False
    failing_commit: bool = False
    log: list[str] = field(default_factory=list)

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Fetched]]:
        """Do the next step of the script."""
        if not self.polls:
            self.stop.set()
            return {}
        result = self.polls.pop(0)()
        return await result if asyncio.iscoroutine(result) else result  # type: ignore[no-any-return]

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note a commit."""
        if self.failing_commit:
            raise CommitFailedError("told to fail")
        self.log.append(f"commit {offsets[PLACE]}")

    async def send_and_wait(self, topic: str, value: bytes, **_: object) -> None:
        """Note a write."""
        await asyncio.sleep(0)
        if self.failing_write:
            raise KafkaTimeoutError("told to fail")
        self.log.append(f"write {topic.removeprefix('monazite.')}")


def price(offset: int) -> Fetched:
    return Fetched(offset=offset, value=encode_event(EXAMPLE_EVENTS[3]))


def make(clients: Clients, *, gather_interval: timedelta = timedelta(0)) -> Intake:
    def stop_loudly(message: str) -> None:
        raise Stopped(message)

    settings = IntakeSettings(brokers="none", commit_interval=timedelta(0), gather_interval=gather_interval)
    return Intake(settings, consumer=clients, producer=clients, stats=IntakeStats(), stop_loudly=stop_loudly)


async def test_offsets_are_committed_after_the_writes() -> None:
    """The other way round a crash in between would lose the record."""
    clients = Clients([lambda: {PLACE: [price(0), price(1)]}], asyncio.Event())
    await make(clients).run(clients.stop)
    assert clients.log == ["write signals.v1", "commit 2"]


async def test_a_failed_write_stops_the_worker_and_nothing_is_committed() -> None:
    """A later write that went through would make the lost one look like a repeat downstream."""
    clients = Clients([lambda: {PLACE: [price(0)]}], asyncio.Event(), failing_write=True)
    with pytest.raises(Stopped, match="a write failed"):
        await make(clients).run(clients.stop)
    assert clients.log == []


async def test_what_was_fetched_before_partitions_went_is_dropped() -> None:
    """Whoever has them next reads from the committed offset."""
    clients = Clients([], asyncio.Event())
    intake = make(clients)

    async def revoked_while_waiting() -> Mapping[TopicPartition, Sequence[Fetched]]:
        await intake.give_up([PLACE])
        return {PLACE: [price(0)]}

    clients.polls.append(revoked_while_waiting)
    await intake.run(clients.stop)
    assert clients.log == []


async def test_what_comes_after_new_partitions_is_never_dropped() -> None:
    """The call may wait through a whole rebalance; the position has moved past what it then returns."""
    clients = Clients([], asyncio.Event())
    intake = make(clients)

    async def rebalanced_while_waiting() -> Mapping[TopicPartition, Sequence[Fetched]]:
        await intake.give_up([PLACE])
        intake.take_over([PLACE])
        return {PLACE: [price(0)]}

    clients.polls.append(rebalanced_while_waiting)
    await intake.run(clients.stop)
    assert clients.log == ["write signals.v1", "commit 1"]


async def test_a_failed_commit_is_no_loss_and_is_tried_again() -> None:
    """The writes stand; what is read again is skipped downstream by position."""
    clients = Clients([lambda: {PLACE: [price(0)]}], asyncio.Event(), failing_commit=True)

    def mended() -> dict[TopicPartition, Sequence[Fetched]]:
        clients.failing_commit = False
        return {}

    clients.polls.append(mended)
    await make(clients).run(clients.stop)
    assert clients.log == ["write signals.v1", "commit 1"]


async def test_commits_that_keep_failing_stop_the_worker() -> None:
    """A worker that cannot commit repeats everything at each restart, and should be looked at."""
    polls: list[Callable[[], Any]] = [lambda: {PLACE: [price(0)]}, *[dict] * MAX_FAILED_COMMITS]
    clients = Clients(polls, asyncio.Event(), failing_commit=True)
    with pytest.raises(Stopped, match="commits failed in a row"):
        await make(clients).run(clients.stop)


async def test_dead_letters_are_written_before_the_commit() -> None:
    """What was refused must be safe before it is passed over."""
    clients = Clients([lambda: {PLACE: [Fetched(offset=4, value=b"junk")]}], asyncio.Event())
    await make(clients).run(clients.stop)
    assert clients.log == ["write dead-letters.v1", "commit 5"]


async def test_an_event_alone_waits_for_nothing_and_what_follows_at_once_is_gathered() -> None:
    """A record of signals costs every stage behind, so a second batch waits out the interval; the first never does."""
    written = asyncio.Event()
    clients = Clients([lambda: {PLACE: [price(0)]}, lambda: {PLACE: [price(1)]}], asyncio.Event())
    intake = make(clients, gather_interval=timedelta(hours=1))
    note = clients.commit

    async def noted(offsets: Mapping[TopicPartition, int]) -> None:
        await note(offsets)
        written.set()

    clients.commit = noted  # type: ignore[method-assign]
    running = asyncio.create_task(intake.run(clients.stop))
    await asyncio.wait_for(written.wait(), timeout=5)
    await asyncio.sleep(0)
    assert clients.log == ["write signals.v1", "commit 1"]
    assert len(clients.polls) == 1
    running.cancel()
