"""The load of a run: seeded events of every family, paced by a clock; the same seed gives the same events."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from kafka import KafkaProducer

from streams.contracts.capacity import CapacityReported, StockReported, SupplyObserved
from streams.contracts.codec import encode_event
from streams.contracts.events import Event, Payload, subject_of
from streams.contracts.policy import MeasureChanged, Targets
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.topics import CAPACITY, POLICY, PRICE, partition_of, topic_name
from streams.runtime.clock import monotonic_seconds, utc_now

MATERIALS = ("dysprosium", "terbium", "neodymium", "yttrium", "gallium", "germanium", "antimony", "lutetium")
ASSESSORS = tuple(f"assessor-{n}" for n in range(12))
SERIES = tuple((material, assessor) for material in MATERIALS for assessor in ASSESSORS)
LEVELS = (60.0, 80.0, 95.0, 120.0, 160.0, 230.0)
MEASURES = tuple(f"CN-CHAOS-{n}" for n in range(12))
SAID = Provenance(source="chaos", synthetic=True)
FIRST_DAY = date(1990, 1, 1)
BLOCK_SECONDS = 8
SILENT_SHARE = 6
"""In each block of seconds one in so many series says nothing, so that silences begin and end all the time."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One event as it is sent: the topic without its prefix, the key, and the structured CloudEvent."""

    topic: str
    key: str
    value: bytes


class EventSource:
    """Makes the events of a run one after the other; `rate` says how many make a block of seconds."""

    def __init__(self, *, seed: int, rate: int, today: date, tag: str = "c") -> None:
        self._random = random.Random(seed)
        self._rate, self._today, self._tag = rate, today, tag
        self._amounts = dict.fromkeys(SERIES, 80.0)
        self._days = dict.fromkeys(SERIES, 0)
        self._jump = min(0.05, 10 / rate)

    def events(self) -> Iterator[Sent]:
        """Give events without an end; supply tables stand first, so that scores have something to rest on."""
        number = 0
        for data in self._supply():
            yield self._sent(data, number, topic=CAPACITY)
            number += 1
        while True:
            drawn = self._random.random()
            if drawn < 0.88:
                yield self._sent(self._quote(number), number, topic=PRICE)
            elif drawn < 0.97:
                yield self._sent(self._supply_side(), number, topic=CAPACITY)
            else:
                yield self._sent(self._act(), number, topic=POLICY)
            number += 1

    def _sent(self, data: Payload, number: int, *, topic: str) -> Sent:
        key, now = subject_of(data), utc_now()
        event = Event(id=f"{self._tag}-{number}", source="chaos", subject=key, occurred_at=now, recorded_at=now,
                      data=data)  # fmt: skip
        return Sent(topic=topic, key=key, value=encode_event(event))

    def _quote(self, number: int) -> PriceQuoted:
        block = number // (self._rate * BLOCK_SECONDS)
        while True:
            index = self._random.randrange(len(SERIES))
            if (index * 7 + block) % SILENT_SHARE:
                break
        series = SERIES[index]
        if self._random.random() < self._jump:
            self._amounts[series] = self._random.choice(LEVELS)
        self._days[series] += 1
        period = (FIRST_DAY + timedelta(days=self._days[series])).isoformat()
        return PriceQuoted(
            material=series[0], form="oxide", basis="FOB China", assessor=series[1], amount=self._amounts[series],
            currency="USD", per_unit="kg", reference_period=period, provenance=SAID,
        )  # fmt: skip

    def _supply_side(self) -> Payload:
        material, pick = self._random.choice(MATERIALS), self._random.random
        if pick() < 0.3:
            return StockReported(site=f"site-{self._random.randrange(2)}", material=material,
                                 stock_tonnes=self._random.choice([2.0, 10.0, 50.0]), daily_use_tonnes=0.5,
                                 provenance=SAID)  # fmt: skip
        out = pick() < 0.25
        return CapacityReported(
            plant=f"plant-{self._random.randrange(3)}", operator="o", country="AU", material=material,
            stage="separation", status="outage" if out else "operating", nameplate_tonnes_per_year=500.0,
            outage_tonnes_per_year=self._random.choice([50.0, 400.0]) if out else None, provenance=SAID,
        )  # fmt: skip

    def _act(self) -> MeasureChanged:
        number = self._random.randrange(len(MEASURES))
        ends: dict[str, Any]
        if self._random.random() < 0.4:
            ends = {"action": "impose", "effective_at": (self._today - timedelta(days=3)).isoformat()}
        else:
            last = self._today + timedelta(days=self._random.choice([4, 20, 60, 200]))
            ends = {"action": "suspend", "ends_at": last.isoformat(), "ends_inclusive": True}
        return MeasureChanged(
            measure=MEASURES[number], instrument=f"Announcement {number}", issuer="MOFCOM", zone="Asia/Shanghai",
            kind="export_ban", materials=(MATERIALS[number % len(MATERIALS)],),
            targets=Targets(scope="countries", countries=("US",)), provenance=SAID, **ends,
        )  # fmt: skip

    def _supply(self) -> Iterator[SupplyObserved]:
        for material in MATERIALS:
            for country, tonnes in (("CN", 900.0), ("AU", 100.0)):
                yield SupplyObserved(
                    material=material, stage="separation", country=country, reference_period="2025", vintage="V 2026",
                    tonnes=tonnes, world_tonnes=1_000.0, rows_count=2, provenance=SAID,
                )  # fmt: skip


class Load(threading.Thread):
    """Sends the events of a source at a rate until told to stop; what failed is in `failure`.

    Events that `keep` turns down are left out.
    """

    def __init__(
        self, source: EventSource, *, bootstrap: str, prefix: str, rate: int, partitions: int = 4,
        keep: Callable[[Sent], bool] = lambda _: True,
    ) -> None:  # fmt: skip
        super().__init__(name="load", daemon=True)
        self._source, self._address, self._prefix = source, bootstrap, prefix
        self._rate, self._partitions, self._keep = rate, partitions, keep
        self._over = threading.Event()
        self.sent_count = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Send until stopped; a send that the broker refuses for good is a failure of the run."""
        producer = KafkaProducer(
            bootstrap_servers=self._address, acks="all", linger_ms=2, enable_idempotence=True,
            delivery_timeout_ms=180_000, max_block_ms=120_000,
        )  # fmt: skip
        try:
            began = monotonic_seconds()
            for sent in self._source.events():
                due = began + self.sent_count / self._rate
                if self._over.wait(max(0.0, due - monotonic_seconds())):
                    break
                self.sent_count += 1
                if self._keep(sent):
                    producer.send(
                        topic_name(sent.topic, prefix=self._prefix), key=sent.key.encode(), value=sent.value,
                        partition=partition_of(sent.key, partitions=self._partitions),
                    ).add_errback(self._failed)  # fmt: skip
            producer.flush(timeout=180)
        except BaseException as error:
            self.failure = error
        finally:
            producer.close(timeout=10)

    def _failed(self, error: BaseException) -> None:
        self.failure = error

    def end(self, *, timeout_seconds: float = 200.0) -> int:
        """Stop, wait until everything sent is acknowledged, and return how many events were sent."""
        self._over.set()
        self.join(timeout_seconds)
        assert not self.is_alive(), "the load did not end"
        if self.failure is not None:
            raise RuntimeError(f"the load failed after {self.sent_count} events") from self.failure
        return self.sent_count
