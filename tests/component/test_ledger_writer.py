"""Entries that end together go to the ledger as one record."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from alerts.agents.ledger_writer import MAX_ENTRIES, LedgerWriter
from alerts.delivery.ledger import encode_entry, split_ledger_record
from streams.contracts.alert import DeliveryChanged
from streams.contracts.codec import decode_event

T0 = datetime(2026, 11, 1, tzinfo=UTC)


def entry(number: int) -> DeliveryChanged:
    return DeliveryChanged(
        delivery=f"d{number}", alert="a", subscription="s", channel="log", state="delivered", at=T0, attempt=1
    )


class RecordingProducer:
    """Keeps what was sent; acknowledges at once, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[bytes | None, bytes, int]] = []
        self._error = error

    async def send(self, topic: str, key: bytes | None, value: bytes, partition: int, *_: Any) -> asyncio.Future[None]:
        assert topic == "ledger"
        self.sent.append((key, value, partition))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._error is None:
            done.set_result(None)
        else:
            done.set_exception(self._error)
        return done

    def deliveries(self) -> list[list[str]]:
        return [
            [decode_event(item).data.delivery for item in split_ledger_record(value).entries]  # type: ignore[union-attr]
            for _, value, _ in self.sent
        ]


def write_all(producer: RecordingProducer, *given: tuple[int, int]) -> list[BaseException | None]:
    """Write entries (partition, number) at one moment; return what each write raised."""
    app: Any = SimpleNamespace(producer=producer)

    async def run() -> list[BaseException | None]:
        writer = LedgerWriter("ledger")
        writes = [writer.write(app, partition, entry(number)) for partition, number in given]
        return list(await asyncio.gather(*writes, return_exceptions=True))

    return asyncio.run(run())


def test_entries_of_one_moment_are_one_record_for_each_partition() -> None:
    """A record each made the ledger the dearest part of the worker."""
    producer = RecordingProducer()
    assert write_all(producer, (0, 1), (1, 2), (0, 3), (0, 4)) == [None] * 4
    assert producer.deliveries() == [["d1", "d3", "d4"], ["d2"]]
    assert [partition for _, _, partition in producer.sent] == [0, 1]


def test_an_entry_alone_is_the_record_it_always_was() -> None:
    """Other readers of the ledger know single entries, with the delivery as the key."""
    producer = RecordingProducer()
    write_all(producer, (0, 1))
    assert producer.sent == [(b"d1", encode_entry(entry(1)), 0)]


def test_a_record_has_a_bounded_number_of_entries() -> None:
    """A burst must not make a record that the broker refuses."""
    producer = RecordingProducer()
    write_all(producer, *((0, n) for n in range(MAX_ENTRIES + 1)))
    assert [len(found) for found in producer.deliveries()] == [MAX_ENTRIES, 1]


@pytest.mark.parametrize("count", [1, 3])
def test_everybody_who_waits_for_a_record_hears_that_it_was_not_written(count: int) -> None:
    """An attempt that is not in the ledger did not happen: the worker has to stop."""
    producer = RecordingProducer(ConnectionError("no broker"))
    raised = write_all(producer, *((0, n) for n in range(count)))
    assert [str(error) for error in raised] == ["no broker"] * count
