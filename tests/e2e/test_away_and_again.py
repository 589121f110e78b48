"""A limit crossed while intake is away is told at its instants; an event that comes again changes nothing."""

from collections.abc import Iterator

import pytest

from tests.chaos.single_faults import Mode, check_again, check_collapse
from tests.chaos.stack import LiveStack
from tests.support.brokers import require_kafka

pytestmark = [pytest.mark.integration, pytest.mark.e2e]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    require_kafka()
    with LiveStack(folder=tmp_path_factory.mktemp("away") / "run") as made:
        yield made


@pytest.mark.parametrize("mode", ["none", "stop", "kill"])
def test_a_crossing_while_intake_is_away_is_told_at_its_instants(stack: LiveStack, mode: Mode) -> None:
    """Both alerts bear the instants at which the broker appended the quotes, however late they were read."""
    print(check_collapse(stack, mode, crossing_seconds=1.0))


def test_an_event_that_comes_again_by_any_route_changes_nothing(stack: LiveStack) -> None:
    """Sent straight to Kafka twice; through the gateway before and after Redis was emptied; through both."""
    print(check_again(stack))
