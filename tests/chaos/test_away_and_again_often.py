"""A limit crossed while intake is away, twenty times on each broker; and the same event again (`make chaos`)."""

from collections.abc import Iterator

import pytest

from tests.chaos.single_faults import Mode, check_again, check_collapse
from tests.chaos.stack import LiveStack
from tests.support.brokers import require_kafka

pytestmark = [pytest.mark.integration, pytest.mark.e2e, pytest.mark.slow]

RUNS: tuple[Mode, ...] = ("none", "kill", "stop", "kill", "stop") * 4


@pytest.fixture(scope="module", params=["kafka", "embedded"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    if request.param == "kafka":
        require_kafka()
    with LiveStack(folder=tmp_path_factory.mktemp("away") / "run", broker=request.param) as made:
        yield made


def test_both_alerts_are_told_in_twenty_of_twenty_runs(stack: LiveStack) -> None:
    """Before time was stated by intake: 0 of 2 in 3 of 3 runs."""
    for number, mode in enumerate(RUNS, 1):
        print(f"run {number}: {check_collapse(stack, mode)}")


def test_an_event_that_comes_again_changes_nothing(stack: LiveStack) -> None:
    """No false alert by any route."""
    print(check_again(stack))
