"""Two roads over one input through every fault alone, at two rates, and through a soak of them (`make chaos`)."""

import os
from pathlib import Path

import pytest

from tests.chaos.faults import soak_plan
from tests.chaos.plans import PLANS
from tests.chaos.roads import Report, Roads
from tests.support.brokers import KafkaCluster, RedisServer

pytestmark = [pytest.mark.integration, pytest.mark.e2e, pytest.mark.slow]

SEED = int(os.environ.get("MONAZITE_CHAOS_SEED", "1"))
SOAK_SECONDS, SOAK_FAULTS = 480.0, 22


def run(name: str, reports: Path, directory: Path, *, rate: int) -> Report:
    plan = PLANS.get(name) or soak_plan(seed=SEED, seconds=SOAK_SECONDS, count=SOAK_FAULTS)
    seconds = SOAK_SECONDS if name == "soak" else max(15.0, *(step.at + 8.0 for step in plan))
    with (
        KafkaCluster(quick_start=False) as broker,
        RedisServer() as redis,
        Roads(broker=broker, redis=redis, directory=directory) as roads,
    ):
        report = roads.run(plan, rate=rate, seconds=seconds, seed=SEED)
    report.write(reports / f"{name}-{rate}.json")
    print(f"\n{name} at {rate}/s, seed {SEED}\n{report.text()}")
    return report


@pytest.mark.parametrize("rate", [200, 1_000])
@pytest.mark.parametrize("name", sorted(PLANS))
def test_one_fault_changes_nothing_that_one_input_feeds(name: str, rate: int, reports: Path, tmp_path: Path) -> None:
    """Whatever stops, dies, joins or leaves: the same ids, instants, severities and texts."""
    assert run(name, reports, tmp_path, rate=rate).failures() == []


@pytest.mark.parametrize("rate", [200, 1_000])
def test_a_soak_of_faults_changes_nothing_that_one_input_feeds(rate: int, reports: Path, tmp_path: Path) -> None:
    """At least 22 faults in eight minutes, drawn by a seed that is printed (MONAZITE_CHAOS_SEED)."""
    report = run("soak", reports, tmp_path, rate=rate)
    assert report.fault_count >= SOAK_FAULTS
    assert report.failures() == []
