"""Promise 1: the same log gives the same alerts, byte for byte, however the road is run or broken.

The truth is computed by the backtest from the shipped history alone. Every way of running the real road (brokers,
workers, batches, kills, joins, latency) must leave an alerts log that equals it.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

import pytest
from typer.testing import CliRunner

from alerts.backtest.run_backtest import backtest
from alerts.rules.loader import shipped_rules
from deploy.cli.main import app
from producers.replay import ReplaySettings, replay
from streams.reference import load_history
from tests.support.brokers import EmbeddedBroker, KafkaCluster, on_node
from tests.support.provisioning import provision
from tests.support.road import ROOT, Road, alert_changes, canonical, read_alerts

HISTORY = ROOT / "streams/reference/history"
UNTIL = date(2026, 11, 23)
END = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
pytestmark = [pytest.mark.integration, pytest.mark.e2e]


@cache
def truth() -> list[str]:
    """Return the alert log that the pure cores make of the shipped history."""
    return canonical(list(backtest(load_history(), until=END, rules=shipped_rules())))


@dataclass
class Disturbance:
    """Something done to the road when the replay reaches an instant."""

    at: datetime
    do: Callable[[Road], object]


def run_road(
    road: Road, *, scoring: int = 1, batch: int = 500, disturbances: tuple[Disturbance, ...] = ()
) -> list[str]:
    """Replay the history through a road, disturb it on the way, and return its alert log."""
    pending = list(disturbances)

    def progress(at: datetime) -> None:
        while pending and at >= pending[0].at:
            pending.pop(0).do(road)

    with road:
        road.start_all(scoring=scoring)
        replay(
            ReplaySettings(
                directory=HISTORY, until=UNTIL, bootstrap=road.bootstrap, prefix=road.prefix, batch_size=batch,
                idempotent=road.broker_kind == "kafka",
            ),
            progress=progress,
        )  # fmt: skip
        assert not pending, "the replay ended before every disturbance was done"
        return canonical(alert_changes(read_alerts(road.bootstrap, road.prefix, until=END)))


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_the_truth_is_worth_comparing_with() -> None:
    """An empty log equals an empty log: the history must raise the alerts this product exists for."""
    text = "\n".join(truth())
    assert len(truth()) > 100
    for measure in ("CN-2025-57", "CN-2024-46-2", "US-BIS-50"):
        assert measure in text


def test_on_the_embedded_broker(embedded: EmbeddedBroker, fresh_prefix: Callable[[], str]) -> None:
    """What `make demo` runs on is held to the same road test; and its signals log, asked again, says the same."""
    prefix = fresh_prefix()
    provision(embedded, prefix=prefix)
    assert run_road(Road(embedded.bootstrap, prefix, broker_kind="embedded")) == truth()
    where = ("--bootstrap", embedded.bootstrap, "--prefix", prefix)
    command = ["rules", "backtest", "--until", UNTIL.isoformat(), "--json"]
    live = CliRunner().invoke(app, [*command, "--from", "live", *where])
    assert live.exit_code == 0, live.output
    assert live.stdout == CliRunner().invoke(app, command).stdout


def test_on_apache_kafka_in_batches_of_one(kafka: KafkaCluster, fresh_prefix: Callable[[], str]) -> None:
    """Batching is transport, not meaning."""
    prefix = fresh_prefix()
    provision(kafka, prefix=prefix)
    assert run_road(Road(kafka.bootstrap, prefix), batch=1) == truth()


def test_with_two_scoring_workers_in_batches_of_500(kafka: KafkaCluster, fresh_prefix: Callable[[], str]) -> None:
    """Partitions spread over workers decide what they would decide in one."""
    prefix = fresh_prefix()
    provision(kafka, prefix=prefix)
    assert run_road(Road(kafka.bootstrap, prefix), scoring=2) == truth()


def test_with_three_workers_killed_on_the_way(kafka: KafkaCluster, fresh_prefix: Callable[[], str]) -> None:
    """Kill -9 of any worker at any point repeats nothing, loses nothing, changes nothing."""
    prefix = fresh_prefix()
    provision(kafka, prefix=prefix)
    kills = (
        Disturbance(at(2024, 12, 3), lambda road: road.kill("scoring")),
        Disturbance(at(2025, 10, 9), lambda road: road.kill("alerts")),
        Disturbance(at(2025, 12, 2), lambda road: road.kill("intake")),
    )
    assert run_road(Road(kafka.bootstrap, prefix), disturbances=kills) == truth()


def test_with_a_worker_joining_and_leaving(kafka: KafkaCluster, fresh_prefix: Callable[[], str]) -> None:
    """Scaling moves partitions; state moves with them."""
    prefix = fresh_prefix()
    provision(kafka, prefix=prefix)

    def join(road: Road) -> None:
        road.wait_ready(road.start("work", "scoring", name="joined"))

    def leave(road: Road) -> None:
        joined = next(w for w in road.workers if w.name == "joined")
        assert joined.end(signal.SIGTERM) == 0, joined.tail()

    moves = (Disturbance(at(2024, 8, 15), join), Disturbance(at(2025, 11, 7), leave))
    assert run_road(Road(kafka.bootstrap, prefix), disturbances=moves) == truth()


def test_with_50_ms_added_to_every_broker_call(fresh_prefix: Callable[[], str]) -> None:
    """Two of the three worst faults of the engine appear only with latency (docs/engine-traps.md 16)."""
    prefix = fresh_prefix()
    with KafkaCluster(latency_seconds=0.05) as slow:
        provision(slow, prefix=prefix)
        assert run_road(Road(slow.bootstrap, prefix)) == truth()


def test_on_two_brokers_with_sources_led_apart_from_changelogs(fresh_prefix: Callable[[], str]) -> None:
    """Leaders on two brokers let source and changelog run apart, which is when stock recovery loses records."""
    prefix = fresh_prefix()
    with KafkaCluster(nodes=2) as pair:
        provision(pair, prefix=prefix, changelogs=on_node(2), others=on_node(1))
        kill = Disturbance(at(2025, 10, 30), lambda road: road.kill("scoring"))
        assert run_road(Road(pair.bootstrap, prefix), disturbances=(kill,)) == truth()
