"""The read view on a real Redis: written with its position, healed after FLUSHALL, never put back by a zombie."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import redis

from streams.contracts.assessments import LegalState
from streams.metrics.catalogue import ViewOutcome
from streams.runtime.clock import utc_now
from streams.view.read_view import ReadViewWriter
from streams.view.view_layout import ViewSlice, risk_key
from streams.view.view_reader import ReadView, ViewUnavailableError
from tests.support.brokers import RedisServer
from tests.support.measures import T0, alert_changed, measure_assessed, risk_assessed
from tests.support.waiting import wait_until_async

pytestmark = pytest.mark.integration


class Owner:
    """A worker's state, and a writer of its view."""

    def __init__(self, url: str, stage: str = "assess") -> None:
        self.slices: dict[int, ViewSlice] = {}
        self.outcomes: list[ViewOutcome] = []
        self.stage = stage
        self.writer = ReadViewWriter(
            redis_url=url, stage=stage, slice_of=self.slices.get, clock=utc_now, count=self.outcomes.append,
            check_seconds=0.1,
        )  # fmt: skip

    def moves_to(self, partition: int, shown: ViewSlice) -> None:
        self.slices[partition] = shown
        self.writer.on_checkpoint(self.stage, partition, shown.position, {})

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Owner"]:
        task = asyncio.create_task(self.writer.run())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def url(server: RedisServer) -> str:
    with contextlib.closing(redis.Redis.from_url(server.url)) as client:
        client.flushall()
    return server.url


def at(position: int, *measures: str) -> ViewSlice:
    return ViewSlice(position=position, clock_at=T0, measures={m: measure_assessed(m) for m in measures})


async def shows(view: ReadView, *measures: str) -> None:
    async def seen() -> bool:
        return [m.measure for m in (await asyncio.to_thread(view.measures))[0]] == list(measures)

    await wait_until_async(seen, timeout_seconds=5, what=f"the view to show {measures}")


def reader(url: str, partitions: int = 1) -> contextlib.closing[ReadView]:
    return contextlib.closing(ReadView(url, partitions=partitions, clock=utc_now))


async def test_the_view_follows_the_state_row_by_row(url: str) -> None:
    """What is written is read back, with the position it stands for; what went away goes away."""
    owner = Owner(url)
    with reader(url) as view:
        async with owner.running():
            owner.moves_to(0, at(1, "CN-A", "CN-B"))
            await shows(view, "CN-A", "CN-B")
            risk = risk_assessed()
            lapsed = measure_assessed("CN-B", state=LegalState.LAPSED_UNCONFIRMED)
            owner.moves_to(0, ViewSlice(position=2, measures={"CN-B": lapsed}, risks={risk_key(risk): risk}))
            await shows(view, "CN-B")
        rows, age = view.measures()
        assert rows == [lapsed]
        assert view.risks()[0] == [risk]
        assert [p.position for p in age.positions] == [2]
        assert not age.is_stale(after_seconds=10)


async def test_an_emptied_redis_is_filled_again_without_any_event(url: str) -> None:
    """Redis is no truth: FLUSHALL loses nothing, and nobody has to restart anything."""
    owner = Owner(url)
    with reader(url) as view, contextlib.closing(redis.Redis.from_url(url)) as client:
        async with owner.running():
            owner.moves_to(0, at(7, "CN-A"))
            await shows(view, "CN-A")
            client.flushall()
            await shows(view, "CN-A")
            client.delete("monazite:view:assess:0:measures")
            await shows(view, "CN-A")
    assert ViewOutcome.REBUILT in owner.outcomes


async def test_a_former_owner_cannot_put_old_rows_over_new_ones(url: str) -> None:
    """A worker that was stopped for a minute wakes up and writes what it believes to own."""
    zombie, heir = Owner(url), Owner(url)
    with reader(url) as view:
        async with heir.running():
            heir.moves_to(0, at(20, "CN-NEW"))
            await shows(view, "CN-NEW")
            async with zombie.running():
                zombie.moves_to(0, at(10, "CN-OLD"))

                async def refused() -> bool:
                    return ViewOutcome.OLDER in zombie.outcomes

                await wait_until_async(refused, timeout_seconds=5, what="the zombie to be refused")
            await shows(view, "CN-NEW")
            heir.moves_to(0, at(21, "CN-NEW", "CN-NEXT"))
            await shows(view, "CN-NEW", "CN-NEXT")


async def test_a_new_owner_replaces_what_the_former_one_wrote(url: str) -> None:
    """A change is only valid against what is stored; the heir cannot know that, so it sends everything once."""
    former, heir = Owner(url), Owner(url)
    with reader(url) as view:
        async with former.running():
            former.moves_to(0, at(1, "CN-A", "CN-GONE"))
            await shows(view, "CN-A", "CN-GONE")
            former.writer.on_dropped("assess", 0)
        async with heir.running():
            heir.moves_to(0, at(2, "CN-A"))
            await shows(view, "CN-A")


async def test_a_missing_partition_and_an_old_view_are_said(url: str) -> None:
    """Half of the measures looks like all of them, unless the view says so."""
    owner = Owner(url)
    with reader(url, partitions=2) as view:
        async with owner.running():
            owner.moves_to(0, at(1, "CN-A"))
            await shows(view, "CN-A")
        age = view.measures()[1]
        assert list(age.missing) == [("assess", 1)]
        assert age.is_stale(after_seconds=3600)
    later = ReadView(url, partitions=1, clock=lambda: utc_now() + timedelta(minutes=5))
    with contextlib.closing(later):
        assert later.measures()[1].is_stale(after_seconds=60)


async def test_open_alerts_come_from_the_other_stage_newest_first(url: str) -> None:
    """Two processes write two stages; a reader sees both."""
    owner = Owner(url, stage="rules")
    old, new = alert_changed("old"), alert_changed("new", at=T0 + timedelta(days=1))
    with reader(url) as view:
        async with owner.running():
            owner.moves_to(0, ViewSlice(position=3, alerts={"old": old, "new": new}))

            async def seen() -> bool:
                return view.open_alerts()[0] == [new, old]

            await wait_until_async(seen, timeout_seconds=5, what="both alerts")


async def test_redis_away_delays_the_view_and_nothing_else() -> None:
    """The worker's loop goes on, the failure is counted, and the reader says that there is no view."""
    with RedisServer() as gone:
        url = gone.url
    owner = Owner(url)
    async with owner.running():
        owner.moves_to(0, at(1, "CN-A"))

        async def counted() -> bool:
            return owner.outcomes.count(ViewOutcome.FAILED) >= 2

        await wait_until_async(counted, timeout_seconds=10, what="two counted failures")
    with reader(url) as view, pytest.raises(ViewUnavailableError, match="Redis does not answer"):
        view.measures()
