"""An input partition whose leader is gone holds time for a minute at most, and counts again when it is back."""

from pathlib import Path

import pytest

from tests.chaos.stall import LOST, StallRun
from tests.support.brokers import KafkaCluster

pytestmark = [pytest.mark.integration, pytest.mark.e2e, pytest.mark.slow]

LONGEST_SECONDS = 60.0
MARGIN_SECONDS = 8.0
"""To notice the loss, and to read the statement that goes on."""


def test_time_goes_on_without_a_partition_that_nobody_can_read(tmp_path: Path) -> None:
    """Two nodes; the one that leads a partition of the prices, and nothing else, is killed and comes back."""
    with KafkaCluster(nodes=2) as cluster:
        run = StallRun(cluster, tmp_path)
        try:
            seen = run.run()
        finally:
            run.close()
    print(seen)
    assert seen.stalled == [f"price.v1/{LOST}"]
    assert seen.stood_seconds < LONGEST_SECONDS + MARGIN_SECONDS
    assert any(line.endswith(" 1.0") for line in seen.metrics["scoring"]), seen.metrics
    assert "stalled" in seen.readiness["scoring"]
