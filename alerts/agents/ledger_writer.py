"""Writes what became of deliveries to the ledger: those that end together as one record, not one record each.

A record costs the engine some 150 microseconds, sent and read again; an entry within one costs ten.
"""

import asyncio

from alerts.delivery.ledger import encode_entries
from streams.contracts.alert import DeliveryChanged
from streams.runtime.faust_app import SafeApp

MAX_ENTRIES = 200
"""Entries of a record; of 500 bytes each they stay far below what a record may hold."""


class _Batch:
    """Entries of one partition that wait to be written, and those who wait for it."""

    def __init__(self) -> None:
        self.entries: list[DeliveryChanged] = []
        self.written: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class LedgerWriter:
    """Write entries to the ledger topic, in the partition of their request."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._open: dict[int, _Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, app: SafeApp, partition: int, entry: DeliveryChanged) -> None:
        """Return when the broker has the entry. Raises what the producer raises."""
        batch = self._open.get(partition)
        if batch is None:
            batch = self._open[partition] = _Batch()
            task = asyncio.create_task(self._flush(app, partition, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        batch.entries.append(entry)
        if len(batch.entries) >= MAX_ENTRIES:
            del self._open[partition]
        await asyncio.shield(batch.written)

    async def _flush(self, app: SafeApp, partition: int, batch: _Batch) -> None:
        if self._open.get(partition) is batch:
            del self._open[partition]
        key = batch.entries[0].delivery.encode() if len(batch.entries) == 1 else None
        try:
            await (await app.producer.send(self._topic, key, encode_entries(batch.entries), partition, None, None))
        except Exception as error:  # noqa: BLE001 - whoever waits for the entry has to know
            batch.written.set_exception(error)
        else:
            batch.written.set_result(None)
