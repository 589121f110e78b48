"""The whole stack on Apache Kafka through one fault after the other; it comes back by itself, or says what to do.

One stack for all of them, in this order: each test leaves it ready for the next.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from kafka.admin import KafkaAdminClient

from deploy.kafka.topic_admin import ensure_topics
from deploy.stack.children import plan_stack
from deploy.stack.plan import free_ports
from deploy.stack.stack_control import down, up
from deploy.stack.stack_state import live_process, read_state
from deploy.stack.unit import ask_ready
from streams.runtime.clock import utc_now
from tests.support.brokers import continuous_integration, require_kafka
from tests.support.real_stack import Alerts, RealStack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
WORKERS = ("intake", "scoring-0", "alerts")
LIBFAKETIME = "faketime/libfaketimeMT.so.1"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStack]:
    require_kafka()
    folder = tmp_path_factory.mktemp("faults") / "run"
    clock_file = _clock_file(folder)
    clock_file.write_text("+0\n")
    plan = plan_stack(run_directory=folder, ports=free_ports(), broker="kafka")
    library = _libfaketime()
    if library is not None:
        env = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock_file),
               "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_CACHE_DURATION": "1"}  # fmt: skip
        children = [msgspec.structs.replace(c, env=c.env | env) if c.name in WORKERS else c for c in plan.children]
        plan = msgspec.structs.replace(plan, children=tuple(children))
    up(folder, plan)
    yield RealStack(folder, plan)
    down(folder)


def _clock_file(folder: Path) -> Path:
    """Return the file that moves the wall clock of the workers of a stack."""
    return folder.parent / "clock"


def _libfaketime() -> Path | None:
    return next((p for p in Path("/usr/lib").glob(f"*/{LIBFAKETIME}")), None)


def test_every_process_is_shown_with_state_port_restarts_and_since_when(stack: RealStack) -> None:
    """What an operator asks first."""
    seen = stack.status()
    assert [p.name for p in seen.processes] == [
        "kafka-1", "redis", "intake", "scoring-0", "alerts", "gateway", "console",
    ]  # fmt: skip
    assert {p.state for p in seen.processes} == {"ready"}
    assert all(p.port and p.since and p.restarts == 0 for p in seen.processes)
    ports = stack.plan.ports
    assert ports is not None
    scraped = httpx.get(f"http://127.0.0.1:{ports.supervisor}/metrics").text
    assert 'monazite_process_ready{process="alerts"} 1.0' in scraped
    assert 'monazite_process_restarts_total{process="alerts"} 0.0' in scraped


@pytest.mark.parametrize("name", WORKERS)
def test_a_killed_worker_is_ready_again_under_the_same_membership(stack: RealStack, name: str) -> None:
    """Static members: its partitions wait for it, so nobody else is stopped by a rebalance."""
    before = stack.pids()
    stack.kill(name)
    seconds = stack.wait_ready(seconds=150, other_than={name: before[name]})
    print(f"\n{name} ready again {seconds:.1f} s after kill -9")
    after = stack.pids()
    assert {n: p for n, p in after.items() if n != name} == {n: p for n, p in before.items() if n != name}


def test_a_frozen_broker_makes_all_not_ready_and_ends_nobody(stack: RealStack) -> None:
    """A stopped process accepts connections and says nothing; readiness must not hang with it."""
    ports = {p.name: p.port for p in stack.status().processes if p.group not in {"broker", "redis"}}
    before = stack.restarts()
    broker = stack.process("kafka-1")
    began = time.monotonic()
    os.kill(broker.pid, signal.SIGSTOP)
    slowest = 0.0
    try:
        waiting: dict[str, list[str]] = {}

        def all_wait() -> bool:
            nonlocal slowest
            for name, port in ports.items():
                asked = time.monotonic()
                answer = ask_ready(f"http://127.0.0.1:{port}/readyz")
                slowest = max(slowest, time.monotonic() - asked)
                waiting[name] = answer.waiting_for
            return all(any("the broker" in reason for reason in reasons) for reasons in waiting.values())

        wait_until(
            all_wait, timeout_seconds=20, what="every process to wait for the broker", detail=lambda: str(waiting)
        )
        print(f"\nall not ready after {time.monotonic() - began:.1f} s, slowest answer {slowest * 1000:.0f} ms")
        assert stack.status().phase == "not_ready"
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    stack.wait_ready(seconds=150)
    assert stack.restarts() == before


def test_a_wall_clock_that_jumps_stops_nothing_and_turns_nothing(stack: RealStack) -> None:
    """An hour ahead and an hour back in intake, scoring and alerts: an alert bears the broker's instant, and comes."""
    if _libfaketime() is None:
        message = "libfaketime is not installed: apt-get install faketime"
        if continuous_integration():
            pytest.fail(message)
        pytest.skip(message)
    before, instants = stack.restarts(), []
    for shift, material in (("+3600", "dysprosium"), ("-3600", "terbium"), ("+0", "gallium")):
        _clock_file(stack.folder).write_text(f"{shift}\n")
        sent = utc_now()
        alert = Alerts(stack).raise_one(material)
        assert abs(alert.at - sent) < timedelta(seconds=60), shift
        instants.append(alert.at)
    assert instants == sorted(instants)
    stack.wait_ready(seconds=150)
    assert stack.restarts() == before


def test_a_killed_broker_comes_back_and_all_go_on(stack: RealStack) -> None:
    """The one process that all others wait for."""
    before = stack.pids()
    stack.kill("kafka-1")
    print(f"\nthe stack ready {stack.wait_ready(seconds=150, other_than={'kafka-1': before['kafka-1']}):.1f} s after")
    assert Alerts(stack).raise_one("yttrium").rule


def test_everything_killed_at_once_starts_again_and_rebuilds_damaged_copies(stack: RealStack) -> None:
    """A power cut that left a flipped bit in every local copy: the changelog gives the state back, a line says so."""
    state = read_state(stack.folder)
    assert state is not None
    Alerts(stack).raise_one("neodymium")
    wait_until(lambda: "neodymium" in _open_alerts(stack), timeout_seconds=60, what="the read view to show the alert")
    open_before = _open_alerts(stack)
    os.kill(state.supervisor.pid, signal.SIGKILL)
    for process in state.processes:
        os.kill(process.pid, signal.SIGKILL)
    everything = (state.supervisor, *state.processes)
    wait_until(lambda: not any(map(live_process, everything)), timeout_seconds=10, what="all to be dead")
    damaged = [_flip(path) for path in sorted((stack.folder / "data").rglob("*.db"))]
    assert len(damaged) == 16  # assess, rules, notify, deliver, four partitions each
    up(stack.folder, stack.plan)
    assert stack.log("scoring-0").count("set aside as") == 4
    assert stack.log("alerts").count("set aside as") == 12
    ports = stack.plan.ports
    assert ports is not None
    scraped = httpx.get(f"http://127.0.0.1:{ports.alerts}/metrics").text
    assert 'monazite_local_copy_faults_total{fault="damaged"} 12.0' in scraped
    wait_until(lambda: _open_alerts(stack) == open_before, timeout_seconds=60, what="the same open alerts")
    Alerts(stack).raise_one("europium")
    wait_until(lambda: "europium" in _open_alerts(stack), timeout_seconds=60, what="the read view to show the alert")


def _open_alerts(stack: RealStack) -> set[str]:
    ports = stack.plan.ports
    assert ports is not None
    answer = httpx.get(f"http://127.0.0.1:{ports.console}/v1/alerts").json()
    return {alert["labels"]["material"] for alert in answer.get("alerts", []) if "material" in alert["labels"]}


def _flip(database: Path) -> Path:
    current = database / "CURRENT"
    content = bytearray(current.read_bytes())
    content[len(content) // 2] ^= 0xFF
    current.write_bytes(content)
    return database


def test_what_a_killed_supervisor_left_is_ended_by_the_next_start(stack: RealStack) -> None:
    """Its children live on; the next stack must not meet their ports and their group memberships."""
    state = read_state(stack.folder)
    assert state is not None
    os.kill(state.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: live_process(state.supervisor) is None, timeout_seconds=10, what="the supervisor to be dead")
    assert stack.status().phase == "orphaned"
    up(stack.folder, stack.plan)
    assert not any(map(live_process, state.processes))
    assert stack.status().phase == "ready"


def test_a_deleted_changelog_is_named_with_the_remedy_and_the_remedy_works(stack: RealStack) -> None:
    """First it is missing, then it is shorter than what the local copy stands at; in the end the state is whole."""
    changelog = f"{stack.plan.topic_prefix}-alerts-rules-changelog"
    open_before = _open_alerts(stack)
    _delete_topic(stack, changelog)
    stack.kill("alerts")
    _wait_for_line(stack, f"topic {changelog} (changelog of rules) is missing: `monazite topics ensure`")
    assert stack.status().phase == "not_ready"
    ensure_topics(str(stack.plan.bootstrap), prefix=str(stack.plan.topic_prefix))
    _wait_for_line(stack, "a changelog is shorter than the local copy of its state")
    line = next(line for line in stack.log("alerts").splitlines() if "a changelog is shorter" in line)
    assert changelog in line
    copy = Path(line.partition("local_copy='")[2].partition("'")[0])
    assert copy.is_relative_to(stack.folder / "data" / "kafka" / "alerts")
    shutil.rmtree(copy)
    stack.wait_ready(seconds=150)
    assert "the state is rebuilt" in stack.log("alerts")
    wait_until(lambda: _open_alerts(stack) == open_before, timeout_seconds=60, what="the same open alerts")


def _delete_topic(stack: RealStack, name: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=str(stack.plan.bootstrap))) as admin:
        admin.delete_topics([name])
        wait_until(lambda: name not in admin.list_topics(), timeout_seconds=10, what=f"{name} to be gone")


def _wait_for_line(stack: RealStack, words: str) -> None:
    wait_until(lambda: words in stack.log("alerts"), timeout_seconds=120, what=f"the line {words!r}",
               detail=lambda: stack.log("alerts")[-2000:])  # fmt: skip
