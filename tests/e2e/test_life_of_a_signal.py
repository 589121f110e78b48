"""The life of a signal, station by station: HTTP in, topic, state, assessment, rule, alert, webhook, metric, board.

A running stack on the real broker has lived through the history to 8 October 2026, when the suspension of
Announcement 57 had 33 days left and its ladder was firing. Then an invented instrument extends it.
"""

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from deploy.grafana.questions import board_expressions
from deploy.prometheus.config import RULES_FILE, prometheus_config
from deploy.stack.children import plan_stack
from deploy.stack.plan import StackPorts, free_ports
from deploy.stack.stack_control import down, up
from producers.replay import ReplaySettings, replay
from tests.support.brokers import KafkaCluster, RedisServer
from tests.support.prometheus import PrometheusServer, require_prometheus
from tests.support.road import ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.e2e]
PREFIX = "life"
NEW_END_AT = datetime(2027, 11, 10, 16, tzinfo=UTC)  # the midnight in Shanghai after the new last day, 10 November 2027
EXTENSION: dict[str, Any] = {
    "specversion": "1.0", "id": "invented-1", "source": "test-desk", "time": "2026-10-09T04:00:00Z",
    "type": "org.monazite.policy.measure-changed.v1", "recordedtime": "2026-10-09T04:00:00Z",
    "data": {
        "measure": "CN-2026-999", "action": "extend", "instrument": "Invented announcement 999", "issuer": "MOFCOM",
        "zone": "Asia/Shanghai", "amends": ["CN-2025-57"], "effective_at": "2026-10-09", "ends_at": "2027-11-10",
        "ends_inclusive": True, "provenance": {"source": "test", "synthetic": True},
    },
}  # fmt: skip


class Receiver(http.server.ThreadingHTTPServer):
    """A webhook of somebody: answers 200 and keeps what it got, with the instant it came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes, float]] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def notices(self, kind: str, measure: str) -> list[tuple[dict[str, str], bytes, float]]:
        """Return the notices of a type about a measure."""
        found = []
        for headers, body, at in self.got:
            notice = json.loads(body)
            if notice["type"] == kind and notice["data"]["labels"].get("measure") == measure:
                found.append((headers, body, at))
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body, time.monotonic()))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@dataclass
class LivingStack:
    """A stack that has lived to 8 October 2026, and who listens to it."""

    folder: Path
    ports: StackPorts
    bootstrap: str
    receiver: Receiver
    secret: str
    key: str
    seen: dict[str, float] = field(default_factory=dict)

    def metric(self, port: int, series: str) -> float | None:
        """Read one series off a worker's /metrics; `None` where it is not there."""
        for line in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text.splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def measure(self, name: str) -> dict[str, Any]:
        """Read a measure off the console."""
        rows = httpx.get(f"http://127.0.0.1:{self.ports.console}/v1/measures", timeout=5).json()["measures"]
        return next((row for row in rows if row["measure"] == name), {})


def monazite(*arguments: str) -> dict[str, Any]:
    """Run a command of the product and return its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def stack(kafka: KafkaCluster, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingStack]:
    """Start the stack, subscribe at the end of August, live on to 8 October."""
    folder = tmp_path_factory.mktemp("stack")
    ports = free_ports()
    plan = plan_stack(
        run_directory=folder, ports=ports, broker=kafka.bootstrap, tick_seconds=0, prefix=PREFIX, redis_url=redis.url
    )
    up(folder, plan)
    receiver = Receiver()
    try:
        live_until(kafka.bootstrap, date(2026, 8, 31))
        subscription = monazite(
            "subscriptions", "add", "--material", "holmium", "--severity", "warning",
            "--at", "2026-08-31T23:59:59+00:00",
            "--webhook", f"http://127.0.0.1:{receiver.server_address[1]}/hook", "--bootstrap", kafka.bootstrap,
            "--prefix", PREFIX, "--run-dir", str(folder),
        )  # fmt: skip
        key = monazite("keys", "create", "--scope", "events:write", "--key-file", str(folder / "keys.json"))["key"]
        live_until(kafka.bootstrap, date(2026, 10, 8))
        yield LivingStack(folder, ports, kafka.bootstrap, receiver, subscription["secret"], key)
    finally:
        receiver.shutdown()
        receiver.server_close()
        down(folder)


def live_until(bootstrap: str, day: date) -> None:
    """Live through the history to the end of a day; what was lived through before changes nothing."""
    replay(ReplaySettings(directory=ROOT / "streams/reference/history", until=day, bootstrap=bootstrap, prefix=PREFIX))


def post_with_curl(stack: LivingStack, event: dict[str, Any]) -> dict[str, Any]:
    """Send an event as a user would."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "20", "-X", "POST", f"http://127.0.0.1:{stack.ports.gateway}/v1/events",
         "-H", f"Authorization: Bearer {stack.key}", "-H", "Content-Type: application/cloudevents+json",
         "--data-binary", json.dumps(event)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def extended(stack: LivingStack) -> LivingStack:
    """Check the state before, then send the extension once."""
    measure = 'monazite_measure_state{measure="CN-2025-57",state="suspended"}'
    assert stack.metric(stack.ports.scoring[0], measure) == 1.0
    wait_for(lambda: stack.receiver.notices("alert.firing", "CN-2025-57"), "the firing notice of the ladder")
    stack.seen["sent"] = time.monotonic()
    answer = post_with_curl(stack, EXTENSION)
    assert answer["results"][0]["status"] in ("accepted", "late"), answer
    wait_for(lambda: stack.receiver.notices("alert.resolved", "CN-2025-57"), "the resolved notice")
    return stack


def wait_for(condition: Callable[[], object], what: str) -> None:
    wait_until(condition, timeout_seconds=30, what=what)


def test_the_measure_changes(extended: LivingStack) -> None:
    """The console shows the new legal end, and the claim still beside it."""
    wait_for(lambda: extended.measure("CN-2025-57").get("legal_end") == "2027-11-10", "the new end on the console")
    row = extended.measure("CN-2025-57")
    assert row["state"] == "suspended"
    assert row["claimed_ends"] == ["2027-01-10"]
    assert extended.measure("CN-2025-58")["legal_end"] == "2026-11-10"


def test_the_ladder_alert_is_resolved_and_signed_for_the_subscriber(extended: LivingStack) -> None:
    """Exactly who got the firing notice gets the resolved one, once, with a signature the library accepts."""
    resolved = [
        (headers, body)
        for headers, body, _ in extended.receiver.notices("alert.resolved", "CN-2025-57")
        if json.loads(body)["data"]["rule"] == "suspension-end"
    ]
    assert len(resolved) == 1
    headers, body = resolved[0]
    notice = Webhook(extended.secret).verify(body.decode(), headers)
    assert notice["data"]["to"] == "ok"
    fired = extended.receiver.notices("alert.firing", "CN-2025-57")
    assert all(Webhook(extended.secret).verify(b.decode(), h) for h, b, _ in fired)


def test_the_time_from_curl_to_the_webhook_is_measured(
    extended: LivingStack, record_property: Callable[..., None]
) -> None:
    """What a user waits: gateway, five hops over the broker, the ledger, the webhook. A loose bound; bench measures."""
    _, _, arrived = extended.receiver.notices("alert.resolved", "CN-2025-57")[0]
    seconds = arrived - extended.seen["sent"]
    record_property("curl_to_webhook_seconds", round(seconds, 3))
    print(f"curl to webhook: {seconds:.3f} s")
    assert 0 < seconds < 30


def test_the_change_shows_in_the_metrics(extended: LivingStack) -> None:
    """Prometheus sees the new instant after the last day, and no open ladder alert of the measure."""
    series = 'monazite_measure_end_timestamp_seconds{measure="CN-2025-57"}'
    wait_for(
        lambda: extended.metric(extended.ports.scoring[0], series) == NEW_END_AT.timestamp(),
        "the new end in the metrics",
    )


def test_the_workers_count_what_they_did(extended: LivingStack) -> None:
    """A pipeline board over counters that nobody moves would show a quiet road for ever."""
    moved = {
        extended.ports.scoring[0]: (
            'monazite_events_total{outcome="processed",topic="life.signals.v1"}',
            'monazite_processing_seconds_count{agent="assess"}',
            "monazite_rebalances_total",
        ),
        extended.ports.alerts: (
            'monazite_events_total{outcome="processed",topic="life.assessments.v1"}',
            'monazite_processing_seconds_count{agent="rules"}',
            "monazite_rebalances_total",
        ),
    }
    for port, series in moved.items():
        for name in series:
            wait_for(lambda p=port, n=name: (extended.metric(p, n) or 0) > 0, f"{name} to move")  # type: ignore[misc]
    # The stack lives in October: alerts about a replayed past say nothing of how long the road takes.
    assert extended.metric(extended.ports.alerts, "monazite_event_to_alert_seconds_count") == 0


def test_the_same_event_again_is_a_duplicate(extended: LivingStack) -> None:
    """Each event counts once; the sender is told."""
    assert post_with_curl(extended, EXTENSION)["results"][0]["status"] == "duplicate"


def test_every_expression_of_the_board_returns_data(extended: LivingStack) -> None:
    """A panel that stays empty on a living stack is a broken panel."""
    require_prometheus()
    ports = extended.ports
    targets = {
        "monazite-intake": (f"127.0.0.1:{ports.intake}",),
        "monazite-scoring": tuple(f"127.0.0.1:{p}" for p in ports.scoring),
        "monazite-alerts": (f"127.0.0.1:{ports.alerts}",),
        "monazite-gateway": (f"127.0.0.1:{ports.gateway}",),
        "monazite-console": (f"127.0.0.1:{ports.console}",),
    }
    config = prometheus_config(targets, rules_file=RULES_FILE.name, scrape_seconds=1)
    with PrometheusServer(config=config, rules=RULES_FILE) as prometheus:
        for title, expression in board_expressions(scrape_seconds=1):
            wait_for(lambda e=expression: prometheus.ask(e), f"data for {title}: {expression}")  # type: ignore[misc]


def test_the_read_view_heals_after_redis_is_emptied(extended: LivingStack, redis: RedisServer) -> None:
    """Redis holds only what Kafka can give back."""
    import redis as client

    with client.Redis(port=redis.port) as connection:
        connection.flushall()
    wait_for(lambda: extended.measure("CN-2025-57").get("legal_end") == "2027-11-10", "the read view to be rebuilt")
    assert extended.measure("CN-2025-18")["state"] == "in_force"
