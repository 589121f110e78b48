"""A stack on its own Apache Kafka, as `monazite stack up` starts it: kept over every end, and brought what is new.

One stack lives through all of it, since each start costs seven processes: an old history, interrupted; then live, told
things, everything killed at once, twice; then a newer history, interrupted again.
"""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.stack.children import plan_stack
from deploy.stack.free_ports import free_port
from deploy.stack.lock import is_held
from deploy.stack.plan import StackPorts, free_ports
from deploy.stack.stack_control import down
from deploy.stack.stack_history import HistoryDecision, HistoryReport, bring_up
from deploy.stack.stack_state import read_state
from deploy.stack.unit import answers_ready
from producers.held_events import HISTORY_TOPICS, ids_of
from streams.contracts.codec import encode_event
from streams.contracts.topics import topic_name
from streams.reference import load_history
from streams.reference.editions import HISTORY_SOURCE
from streams.reference.loaders import HISTORY_DIRECTORY
from tests.support.brokers import require_kafka
from tests.support.road import ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.e2e, pytest.mark.slow]
OLD_END, NEW_END = date(2025, 1, 31), date(2025, 4, 30)
LIMIT_USD = 100
RULES = """groups:
  - name: kept
    rules:
      - id: kept-amount
        kind: threshold
        on: price
        fact: last_amount
        above: 100
        severity: warning
        annotations:
          summary: "{data} {material}: {last_amount:number}"
          description: "the last quote is over the limit"
          resolved: "{data} {material}: {last_amount:number}"
          runbook: none.md
"""


class Receiver(http.server.ThreadingHTTPServer):
    """A webhook on a port that was named before it was up."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.got: dict[str, dict[str, Any]] = {}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def materials(self) -> list[str]:
        """Return the materials of the firing notices, one for each notice (a notice may be sent twice)."""
        firing = [notice for notice in self.got.values() if notice["type"] == "alert.firing"]
        return sorted(notice["data"]["labels"]["material"] for notice in firing)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        notice = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.got[self.headers["webhook-id"]] = notice
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@dataclass
class Stack:
    """One run directory over many starts."""

    folder: Path
    ports: StackPorts = field(default_factory=free_ports)
    hook_port: int = field(default_factory=free_port)
    key: str = ""

    def start(
        self, *, until: date, directory: Path = HISTORY_DIRECTORY, asked: bool = False, interrupt_at: int | None = None,
        only: tuple[str, ...] = (),
    ) -> HistoryReport:  # fmt: skip
        """Start as `stack up` does; `interrupt_at` is the call of the progress at which a person presses Ctrl-C.

        `only` names the children where not all are needed.
        """
        calls = 0

        def progress(_what: str, _share: float) -> None:
            nonlocal calls
            calls += 1
            if calls == interrupt_at:
                raise KeyboardInterrupt

        plan = plan_stack(run_directory=self.folder, ports=self.ports, broker="kafka")
        if only:
            plan = msgspec.structs.replace(plan, children=tuple(c for c in plan.children if c.name in only))
        _, report = bring_up(self.folder, plan, asked=asked, until=until, directory=directory, progress=progress)
        return report

    @property
    def bootstrap(self) -> str:
        state = read_state(self.folder)
        assert state is not None
        return state.bootstrap

    def command(self, *words: str) -> Any:
        """Run a command of the product against this stack and return its JSON."""
        argv = [sys.executable, "-m", "deploy.cli", *words, "--json"]
        env = {**os.environ, "MONAZITE_BOOTSTRAP": self.bootstrap, "MONAZITE_RUN_DIR": str(self.folder)}
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def quote(self, material: str, *, name: str, amount: float) -> dict[str, Any]:
        """Send a price through the gateway and return its answer."""
        event = {
            "specversion": "1.0", "id": name, "source": "kept", "type": "org.monazite.price.quoted.v1",
            "time": "2026-11-27T04:00:00Z", "subject": material,
            "data": {"material": material, "form": "oxide", "basis": "FOB China", "assessor": "kept",
                     "amount": amount, "currency": "USD", "per_unit": "kg", "reference_period": "2026-11-27",
                     "provenance": {"source": "test", "synthetic": True}},
        }  # fmt: skip
        answer = httpx.post(
            f"http://127.0.0.1:{self.ports.gateway}/v1/events", json=event, timeout=30,
            headers={"authorization": f"Bearer {self.key}", "content-type": "application/cloudevents+json"},
        )  # fmt: skip
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def open_alerts(self) -> dict[str, str]:
        """Return the open alerts of our rule as the console shows them: material to fingerprint."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.ports.console}/v1/alerts", timeout=5).raise_for_status()
        except httpx.HTTPError:  # killed, or its view is not there yet
            return {}
        ours = [row for row in answer.json()["alerts"] if row["rule"] == "kept-amount" and row["to"] == "firing"]
        return {row["labels"]["material"]: row["fingerprint"] for row in ours}

    def is_ready(self) -> bool:
        """Say whether every process with an address is ready."""
        ports = (self.ports.intake, *self.ports.scoring, self.ports.alerts, self.ports.gateway, self.ports.console)
        return all(answers_ready(f"http://127.0.0.1:{port}/readyz") for port in ports)

    def kill_all(self, *, supervisor: bool) -> None:
        """kill -9 of every process of the stack at once."""
        state = read_state(self.folder)
        assert state is not None
        if supervisor:
            os.kill(state.supervisor.pid, signal.SIGKILL)
        for process in state.processes:
            os.kill(process.pid, signal.SIGKILL)
        if supervisor:
            wait_until(lambda: not is_held(self.folder), timeout_seconds=10, what="the lock of the killed supervisor")

    def sent_history(self) -> Counter[str]:
        """Count the events of the shipped history in the input topics, by id."""
        found: Counter[str] = Counter()
        with closing(KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None)) as consumer:
            tps = [TopicPartition(topic_name(name), p) for name in HISTORY_TOPICS for p in range(4)]
            consumer.assign(tps)
            consumer.seek_to_beginning(*tps)
            ends = consumer.end_offsets(tps)
            while any(consumer.position(tp) < ends[tp] for tp in tps):
                for records in consumer.poll(timeout_ms=200).values():
                    for record in records:
                        found.update(ids_of(record.value, record.headers, source=HISTORY_SOURCE))
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require_kafka()
    made = Stack(tmp_path_factory.mktemp("kept") / "run")
    yield made
    down(made.folder)


@pytest.fixture(scope="module")
def old_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history as an older version shipped it: until January 2025, and without some of what is known of it today."""
    folder = tmp_path_factory.mktemp("old")
    events = [event for event in load_history() if event.recorded_at.date() <= OLD_END]
    (folder / "old.jsonl").write_bytes(
        b"".join(encode_event(event) + b"\n" for n, event in enumerate(events) if n % 5 != 4)
    )
    return folder


def ids_until(end: date) -> set[str]:
    return {event.id for event in load_history() if event.recorded_at.date() <= end}


def instants_until(end: date) -> int:
    return len({event.recorded_at for event in load_history() if event.recorded_at.date() <= end})


def wait_for(condition: Any, what: str) -> None:
    wait_until(condition, timeout_seconds=180, what=what)


def test_a_start_that_is_interrupted_goes_on_where_it_stood(stack: Stack, old_version: Path) -> None:
    """Ctrl-C while the history is lived through: nothing is sent twice, and the rest is, without being asked again."""
    with pytest.raises(KeyboardInterrupt):
        stack.start(until=OLD_END, directory=old_version, asked=True, interrupt_at=2)
    held = stack.sent_history()
    shipped = len((old_version / "old.jsonl").read_bytes().splitlines())
    assert 0 < held.total() < shipped
    down(stack.folder)
    report = stack.start(until=OLD_END, directory=old_version)
    assert report.decision is HistoryDecision.RESUME
    sent = stack.sent_history()
    assert set(sent.values()) == {1}
    assert sent.total() == held.total() + report.sent == shipped


def test_what_it_was_told_survives_kill_9_of_every_process_at_once(stack: Stack, tmp_path: Path) -> None:
    """Events, alerts, rules applied, subscriptions, silences, notices on their way: Kafka is the only truth."""
    (tmp_path / "kept.yaml").write_text(RULES)
    stack.command("rules", "apply", str(tmp_path / "kept.yaml"))
    stack.key = stack.command("keys", "create", "--scope", "events:write", "--key-file", f"{stack.folder}/keys.json")[
        "key"
    ]
    hook = f"http://127.0.0.1:{stack.hook_port}/hook"  # nobody listens there yet
    secrets = str(stack.folder / "secrets.json")
    stack.command("subscriptions", "add", "--webhook", hook, "--secrets-file", secrets)
    stack.command("silences", "add", "material=holmium", "--for", "2d")
    assert stack.quote("terbium", name="t-1", amount=LIMIT_USD + 50)["durable"] is True
    wait_for(lambda: stack.open_alerts().keys() == {"terbium"}, "the alert about terbium")
    before = stack.open_alerts()

    stack.quote("dysprosium", name="d-1", amount=LIMIT_USD + 50)  # answered with 202, and then all are killed
    stack.kill_all(supervisor=False)
    wait_for(lambda: stack.open_alerts().keys() == {"terbium", "dysprosium"}, "the stack to come back by itself")
    wait_for(stack.is_ready, "all to be ready")

    stack.quote("yttrium", name="y-1", amount=LIMIT_USD + 50)
    stack.kill_all(supervisor=True)
    with closing(
        Receiver(stack.hook_port)
    ) as receiver:  # back before the stack is, so that what is overdue goes at once
        report = stack.start(until=OLD_END)
        assert report.decision is HistoryDecision.SEND_NEW  # what the old version did not ship
        wait_for(lambda: stack.open_alerts().keys() == {"terbium", "dysprosium", "yttrium"}, "all alerts to be back")
        assert stack.open_alerts().items() >= before.items()
        stack.quote("holmium", name="h-1", amount=LIMIT_USD + 50)  # the rule set and the silence are in force
        wait_for(lambda: "holmium" in stack.open_alerts(), "the alert about holmium")
        assert [row["state"] for row in stack.command("silences", "list")] == ["active"]
        expected = ["dysprosium", "terbium", "yttrium"]
        wait_for(lambda: receiver.materials() == expected, "the notices on their way, and none about holmium")


def test_a_newer_version_sends_what_is_new_in_the_history_once(stack: Stack) -> None:
    """Also when that is interrupted; and a further start sends nothing."""
    down(stack.folder)
    with pytest.raises(KeyboardInterrupt):
        stack.start(until=NEW_END, interrupt_at=1 + instants_until(OLD_END), only=("intake",))
    held = stack.sent_history()
    assert set(held) < ids_until(NEW_END)
    assert set(held) > ids_until(OLD_END)
    down(stack.folder)
    report = stack.start(until=NEW_END, only=("intake",))
    assert report.decision is HistoryDecision.SEND_NEW
    sent = stack.sent_history()
    assert set(sent) == ids_until(NEW_END)
    assert set(sent.values()) == {1}
    down(stack.folder)
    report = stack.start(until=NEW_END)
    assert (report.decision, report.sent) == (HistoryDecision.COMPLETE, 0)
    assert stack.sent_history() == sent
    told = {"terbium", "dysprosium", "yttrium", "holmium"}
    wait_for(lambda: stack.open_alerts().keys() == told, "the alerts of before to be on the console again")
