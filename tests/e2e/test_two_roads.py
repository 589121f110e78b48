"""Two roads over one input: the one whose workers are killed, stopped and rebalanced tells what the other tells.

The long form, with broker faults, higher rates and a soak, is `make chaos`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import faults
from tests.chaos.roads import Roads
from tests.support.brokers import KafkaCluster, RedisServer

pytestmark = [pytest.mark.integration, pytest.mark.e2e, pytest.mark.slow]

RATE, SECONDS = 200, 18
PLAN = faults.in_order(
    faults.kill("intake", at=2), faults.kill("scoring", at=3), faults.stop("intake", at=5.5, seconds=4),
    faults.kill("alerts", at=7), faults.empty_redis(at=8), faults.join(at=9), faults.leave("intake-2", at=15),
)  # fmt: skip


@pytest.fixture
def roads(tmp_path: Path) -> Iterator[Roads]:
    with (
        KafkaCluster() as broker,
        RedisServer() as redis,
        Roads(broker=broker, redis=redis, directory=tmp_path) as made,
    ):
        yield made


def test_a_disturbed_road_tells_what_an_undisturbed_one_tells(roads: Roads) -> None:
    """Same ids, instants, severities and texts for what one input partition feeds; and each log is its backtest."""
    report = roads.run(PLAN, rate=RATE, seconds=SECONDS)
    print(report.text())
    assert report.roads.equal > 500, "an empty log equals an empty log"
    assert report.exits["b"], "the faults must have hit"
    assert report.failures() == []
