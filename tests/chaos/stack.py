"""A whole stack under its supervisor, as `monazite stack up` starts it, with a rule file in force."""

import os
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from kafka import KafkaProducer

from alerts.notify.directive_requests import build_rule_set, directive_event
from alerts.rules.loader import load_texts
from deploy.cli.pipeline_logs import read_alert_changes
from deploy.stack.children import plan_stack
from deploy.stack.plan import StackPlan, free_ports
from deploy.stack.stack_control import down, up
from deploy.stack.stack_status import status
from producers.gateway.keys import SCOPE, KeyFile
from producers.publisher import Publisher
from streams.contracts.alert import AlertChanged
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.topics import PRICE, partition_of, topic_name
from streams.runtime.clock import utc_now
from tests.chaos.logs import SignalsTail
from tests.support.waiting import wait_until

PREFIX = "monazite"
PARTITIONS = 4
RULES = Path(__file__).parents[1] / "cases" / "faults" / "rules.yaml"


@dataclass(kw_only=True)
class LiveStack:
    """A stack in `folder` with broker, Redis, workers, gateway and console, and the rules of `rules`."""

    folder: Path
    broker: str = "kafka"
    rules: Path = RULES
    plan: StackPlan = field(init=False)
    tail: SignalsTail = field(init=False)
    producer: KafkaProducer = field(init=False)

    def __enter__(self) -> "LiveStack":
        self.plan = plan_stack(run_directory=self.folder, ports=free_ports(), broker=self.broker)
        up(self.folder, self.plan)
        try:
            self.tail = SignalsTail(self.bootstrap, prefix=PREFIX)
            self.producer = KafkaProducer(
                bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=self.broker == "kafka"
            )
            self._apply_rules()
        except BaseException:
            down(self.folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.logs())
        self.producer.close(timeout=5)
        self.tail.close()
        down(self.folder)

    @property
    def bootstrap(self) -> str:
        """Return the address of the broker."""
        assert self.plan.bootstrap is not None
        return self.plan.bootstrap

    @property
    def gateway(self) -> str:
        """Return the address of the gateway."""
        assert self.plan.ports is not None
        return f"http://127.0.0.1:{self.plan.ports.gateway}"

    def key(self) -> str:
        """Make an API key that may send events."""
        return KeyFile(self.folder / "keys.json").create(scopes=(SCOPE,), at=utc_now(), lifetime=None)[1]

    def logs(self) -> str:
        """Return the ends of the logs of the workers."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in self.folder.rglob("*.log")
            if "data" not in path.parts and "broker" not in path.parts
        )  # fmt: skip

    def pid(self, name: str) -> int:
        """Return the process id of a child that runs now."""
        return next(p.pid for p in status(self.folder).processes if p.name == name)

    def send_signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a child; return its process id."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def ready(self) -> bool:
        """Say whether every process of the stack runs and is ready."""
        seen = status(self.folder)
        return seen.phase == "ready" and all(p.running and p.ready is not False for p in seen.processes)

    def _apply_rules(self) -> None:
        text = self.rules.read_text()
        directive = build_rule_set(text, content_hash=load_texts([(self.rules.name, text)]).content_hash, by="chaos")
        publisher = Publisher(self.bootstrap, prefix=PREFIX, partitions=PARTITIONS, idempotent=False)
        try:
            publisher.publish(directive_event(directive, at=utc_now()))
        finally:
            publisher.close()
        self.wait_passed(utc_now(), seconds=40)

    def wait_passed(self, instant: datetime, *, seconds: float) -> None:
        """Wait until the signals log states that all before an instant was admitted."""

        def passed() -> bool:
            self.tail.read()
            return self.tail.up_to() > instant

        wait_until(
            passed, timeout_seconds=seconds, what=f"time to pass {instant}", detail=lambda: str(self.tail.up_to())
        )

    def send(self, quote: dict[str, Any]) -> datetime:
        """Send an event straight to Kafka; return when the broker appended it, as its answer says."""
        written = self.producer.send(
            topic_name(PRICE, prefix=PREFIX), key=quote["subject"].encode(), value=msgspec.json.encode(quote),
            partition=partition_of(quote["subject"], partitions=PARTITIONS),
        ).get(20)  # fmt: skip
        return datetime.fromtimestamp(written.timestamp / 1000, UTC)

    def alerts_of(self, assessor: str) -> list[AlertChanged]:
        """Return the alert changes about the series of an assessor, in order."""
        changes, _ = read_alert_changes(self.bootstrap, prefix=PREFIX)
        return [change for change in changes if change.labels.get("assessor") == assessor]

    def wait_alerts(self, assessor: str, count: int, *, seconds: float) -> list[AlertChanged]:
        """Wait for so many alert changes about a series."""
        seen: list[AlertChanged] = []

        def told() -> bool:
            seen[:] = self.alerts_of(assessor)
            return len(seen) >= count

        wait_until(told, timeout_seconds=seconds, what=f"{count} alerts of {assessor}", detail=lambda: str(seen))
        return seen


def quote_event(name: str, amount: float, *, assessor: str, material: str = "terbium") -> dict[str, Any]:
    """Return the CloudEvent of a quote of today, as an outside system writes it: without a recorded instant."""
    at = utc_now()
    data = PriceQuoted(
        material=material, form="oxide", basis="FOB China", assessor=assessor, amount=amount, currency="USD",
        per_unit="kg", reference_period=at.date().isoformat(), provenance=Provenance(source="chaos", synthetic=True),
    )  # fmt: skip
    event = Event(id=name, source="chaos", subject=material, occurred_at=at, recorded_at=at, data=data)
    made: dict[str, Any] = msgspec.json.decode(encode_event(event))
    del made["recordedtime"]
    return made
