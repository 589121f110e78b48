"""The whole stack on a disk that runs full, Apache Kafka with its data on it: it comes back when there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.stack.children import plan_stack
from deploy.stack.plan import free_ports
from deploy.stack.stack_control import up
from tests.support.brokers import require_kafka
from tests.support.disks import fill, small_disk_at
from tests.support.real_stack import Alerts, RealStack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
SERVERS = ("gateway", "console")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_at(tmp_path / "disk", megabytes=400) as folder:
        yield folder


def test_a_stack_whose_broker_ran_out_of_disk_comes_back_when_there_is_room(disk: Path) -> None:
    """The broker ends itself, and whoever wrote a line about it must not end of that: nothing is started by hand."""
    require_kafka()
    folder = disk / "run"
    plan = plan_stack(run_directory=folder, ports=free_ports(), broker="kafka")
    up(folder, plan)
    stack = RealStack(folder, plan)
    pids = stack.pids()
    assert Alerts(stack).raise_one("dysprosium")
    ballast = fill(disk)

    def broker_is_missed() -> bool:
        return all("the broker at" in "".join(stack.process(name).waiting_for) for name in SERVERS)

    wait_until(broker_is_missed, timeout_seconds=60, what="the servers to miss the broker")
    ballast.unlink()
    stack.wait_ready(seconds=120)
    assert Alerts(stack).raise_one("terbium")
    assert {name: stack.pids()[name] for name in SERVERS} == {name: pids[name] for name in SERVERS}
    assert stack.log("supervisor").count("the disk has room again") == 1
