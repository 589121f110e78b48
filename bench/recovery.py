"""How long a stack takes to work again after kill -9 of a process, under its real supervisor, on Apache Kafka.

`python -m bench.recovery` prints JSON. For each process: seconds until it says that it is ready (for the broker: until
an alert has passed and every process of the stack does), and until the alert about an event sent right after the kill
stands on the log.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.events import price_events
from bench.processes import wait_for
from bench.stack import processes, running_stack, works
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.records import decode_linked
from streams.contracts.topics import ALERTS, PRICE, partition_of, topic_name
from streams.runtime.clock import utc_now

PARTITIONS = 4
KILLED = ("scoring-0", "alerts", "intake", "kafka-1")
BACKLOG = 20_000
"""Events before the first kill, so that there is a state to come back with."""
SETTLED_SECONDS = 61.0
"""Between two kills: a process that lived a minute is restarted after the shortest delay."""


class Probe:
    """Sends a series that fires the shipped price rule with its last quote, and looks for that alert."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", delivery_timeout_ms=120_000, max_block_ms=90_000
        )
        self._reader = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
        alerts = [TopicPartition(topic_name(ALERTS), p) for p in range(PARTITIONS)]
        self._reader.assign(alerts)
        self._reader.seek_to_end(*alerts)
        for tp in alerts:
            self._reader.position(tp)
        self._causes: set[str] = set()

    def load(self) -> None:
        """Send the backlog."""
        for key, _, value in price_events(BACKLOG):
            self._send(key, value)
        self._producer.flush()

    def _send(self, key: str, value: bytes) -> None:
        self._producer.send(
            topic_name(PRICE), key=key.encode(), value=value, partition=partition_of(key, partitions=PARTITIONS)
        )

    def prepare(self, assessor: str) -> None:
        """Send all observations of a series but the last."""
        for number in range(30):
            self._send("dysprosium", _quote(assessor, number, 100.0))
        self._producer.flush()

    def fire(self, assessor: str) -> str:
        """Send the last one, which fires; does not wait for the broker. Return its id."""
        self._send("dysprosium", _quote(assessor, 30, 140.0))
        return f"{assessor}-30"

    def told(self, event: str) -> bool:
        """Say whether an alert names an event as a cause."""
        for records in self._reader.poll(timeout_ms=50).values():
            for record in records:
                for item in decode_linked(record.value).x:
                    self._causes.update(getattr(decode_event(item).data, "causes", ()))
        return event in self._causes

    def close(self) -> None:
        """Close the clients."""
        self._producer.close()
        self._reader.close()


def _quote(assessor: str, number: int, amount: float) -> bytes:
    at = utc_now()
    data = PriceQuoted(
        material="dysprosium", form="oxide", basis="FOB China", assessor=assessor, amount=amount, currency="USD",
        per_unit="kg", reference_period=f"2026-10-{number + 1:02}", provenance=Provenance(source="b", synthetic=True),
    )  # fmt: skip
    event = Event(id=f"{assessor}-{number}", source="recovery", subject="dysprosium", occurred_at=at, recorded_at=at,
                  data=data)  # fmt: skip
    return encode_event(event)


def measure_kill(folder: Path, probe: Probe, name: str, *, number: int) -> dict[str, Any]:
    """Kill one process and measure until it is ready again and until an alert passed."""
    assessor = f"{name}-{number}"
    probe.prepare(assessor)
    killed = processes(folder)[name].pid
    awaited = list(processes(folder)) if name.startswith("kafka") else [name]
    began = time.monotonic()
    os.kill(killed, signal.SIGKILL)
    event = probe.fire(assessor)
    found: dict[str, float] = {}

    def note(what: str, held: Callable[[], bool]) -> bool:
        if what not in found and held():
            found[what] = round(time.monotonic() - began, 2)
        return what in found

    def ready() -> bool:
        if name.startswith("kafka") and "alert_seconds" not in found:
            return False  # until a probe of the broker fails its clients call themselves ready
        now = processes(folder)
        again = now.get(name)  # while it is away the supervisor may not name it
        return again is not None and again.pid != killed and all(each in now and works(now[each]) for each in awaited)

    def over() -> bool:
        return note("alert_seconds", lambda: probe.told(event)) & note("ready_seconds", ready)

    wait_for(over, seconds=180, what=f"{name} ready and its alert told ({found})")
    return found


def measure_recovery(folder: Path, *, rounds: int) -> dict[str, Any]:
    """Kill each process in turn, `rounds` times; return the seconds of each and the slowest."""
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in KILLED}
    with running_stack(folder) as plan, closing(Probe(str(plan.bootstrap))) as probe:
        probe.load()
        for number in range(rounds):
            for name in KILLED:
                time.sleep(SETTLED_SECONDS)
                made[name].append(measure_kill(folder, probe, name, number=number))
                print(f"{name}: {made[name][-1]}", file=sys.stderr, flush=True)
    keys = ("ready_seconds", "alert_seconds")
    return {name: {**{f"slowest_{k}": max(r[k] for r in runs) for k in keys}, "rounds": runs}
            for name, runs in made.items()}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="monazite-recovery-") as name:
        print(json.dumps(measure_recovery(Path(name) / "run", rounds=asked.rounds), indent=2))


if __name__ == "__main__":
    main()
