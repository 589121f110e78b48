"""Delivery as a service of the alerts worker: takes what is open in the ledger, sends it, writes what became of it.

Nothing is sent that the ledger does not hold, and what is written comes back through the ledger before it counts: a
worker killed between the two sends once more, under the same delivery id.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from alerts.agents.ledger_writer import LedgerWriter
from alerts.delivery.deliver_core import DeliverCore, LedgerOrigin, OpenDelivery
from alerts.delivery.ledger import split_ledger_record
from alerts.delivery.sender import Sender
from streams.contracts.alert import DeliveryChanged
from streams.contracts.records import OutputPosition
from streams.metrics.catalogue import NotificationOutcome
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.clock import utc_now
from streams.runtime.exits import fatal
from streams.runtime.faust_app import SafeApp
from streams.runtime.owned_partitions import owned_partitions
from streams.runtime.stage_ports import Admitted, Outcome, StateStore

STAGE = "deliver"
ORIGIN_KEY = b"origin"
LOOK_SECONDS = 0.1
RESEND_AFTER = timedelta(seconds=60)
"""How long the ledger may take to give an entry back before an attempt counts as lost; far above its usual 10 ms."""
_OUTCOMES = {
    "delivered": NotificationOutcome.DELIVERED,
    "attempted": NotificationOutcome.RETRIED,
    "gave_up": NotificationOutcome.GAVE_UP,
}
_log = structlog.get_logger(__name__)


class LedgerCore:
    """The deliver core over the ledger as it lies on the topic: linked records of notify, single entries of senders."""

    def __init__(self, *, partition: int, store: StateStore) -> None:
        self._core = DeliverCore(partition=partition, store=store)
        self._store = store

    def process(self, admitted: Admitted) -> Outcome:
        """Unfold the records and fold their entries; what notify wrote again after a crash is passed over."""
        items: list[msgspec.Raw] = []
        for raw in admitted.items:
            record = split_ledger_record(bytes(raw))
            if record.origin is None or self._is_new(record.origin):
                items.extend(msgspec.Raw(entry) for entry in record.entries)
        return self._core.process(Admitted(position=admitted.position, items=items, recorded_at=admitted.recorded_at))

    def _is_new(self, origin: OutputPosition) -> bool:
        known: LedgerOrigin | None = self._store.get(ORIGIN_KEY)
        if known is not None and origin <= (known.o, known.n):
            return False
        self._store.put(ORIGIN_KEY, LedgerOrigin(o=origin[0], n=origin[1]))
        return True

    def due_deliveries(self, at: datetime) -> Sequence[OpenDelivery]:
        """Return the open deliveries whose next attempt is due, soonest first; closed ones cost nothing here."""
        return self._core.open_deliveries(due_at=at)


class DeliveryService:
    """Sends what is due in the owned partitions and writes the attempts to the ledger."""

    def __init__(self, *, sender: Sender, topic: str, metrics: WorkerMetrics) -> None:
        self._sender = sender
        self._ledger = LedgerWriter(topic)
        self._metrics = metrics
        self._under_way: dict[tuple[str, int], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, app: SafeApp) -> None:
        """Look for due deliveries until the worker stops."""
        loop = asyncio.get_running_loop()
        while True:
            self._forget_old(loop.time())
            if not app.rebalancing:
                for partition, core in self._ready_cores(app):
                    due = self._not_under_way(core.due_deliveries(utc_now()), loop.time())
                    for delivery in due:  # each by itself: a receiver that hangs delays nobody else
                        task = asyncio.create_task(self._deliver(app, partition, delivery))
                        self._tasks.add(task)
                        task.add_done_callback(self._ended)
            await asyncio.sleep(LOOK_SECONDS)

    def _forget_old(self, now_seconds: float) -> None:
        limit = RESEND_AFTER.total_seconds()
        while self._under_way:
            first = next(iter(self._under_way))  # in the order in which they were sent
            if now_seconds - self._under_way[first] <= limit:
                break
            del self._under_way[first]

    def _ready_cores(self, app: SafeApp) -> list[tuple[int, LedgerCore]]:
        cores = app.stores[STAGE].cores
        return [
            (p.partition, core)
            for p in owned_partitions(app, STAGE)
            if isinstance(core := cores.get(p.partition), LedgerCore)
        ]

    def _not_under_way(self, found: Iterable[OpenDelivery], now_seconds: float) -> list[OpenDelivery]:
        due = []
        for delivery in found:
            attempt = (delivery.delivery, delivery.attempt)
            if attempt not in self._under_way:
                self._under_way[attempt] = now_seconds
                due.append(delivery)
        return due

    async def _deliver(self, app: SafeApp, partition: int, delivery: OpenDelivery) -> None:
        entry = await self._sender.attempt(delivery)
        await self._ledger.write(app, partition, entry)
        self._count(entry)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            fatal("a delivery could not be written to the ledger", error=error)

    def _count(self, entry: DeliveryChanged) -> None:
        self._metrics.count_notification(channel=entry.channel, outcome=_OUTCOMES[entry.state])
        if entry.state == "gave_up":
            _log.error("delivery given up", delivery=entry.delivery, reason=entry.reason, detail=entry.detail)
