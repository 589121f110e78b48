"""Decisions of the supervisor: when to start again, what a changed plan means, whose process it is."""

import os
from pathlib import Path

import psutil
import pytest

from deploy.stack.children import broker_kind_of, plan_stack
from deploy.stack.plan import BrokerKind, ChildSpec, StackPlan, free_ports, read_plan, replaced_group, write_plan
from deploy.stack.restarts import Restarts, next_restart
from deploy.stack.stack_state import ProcessState, live_process, start_time


def child(name: str, group: str) -> ChildSpec:
    return ChildSpec(name=name, group=group, argv=("true",))


def test_delays_double_up_to_ten_seconds_and_never_end() -> None:
    """A process that cannot start must not keep two cores busy, and must come back soon after the cause is gone."""
    counts, delays = Restarts(), []
    for _ in range(7):
        counts, delay = next_restart(counts, lived_seconds=0.1)
        delays.append(delay)
    assert delays == [0.2, 1, 2, 4, 8, 10, 10]
    assert counts.total_count == 7


def test_a_minute_of_health_begins_the_delays_anew() -> None:
    """A death a day must not add up to a pause."""
    counts, delay = next_restart(Restarts(total_count=9, recent_count=9), lived_seconds=60.0)
    assert delay == 0.2
    assert counts == Restarts(total_count=10, recent_count=1)
    assert next_restart(Restarts(9, 9), lived_seconds=59.9)[1] == 10


def test_a_group_is_replaced_where_it_stood() -> None:
    """Start order is the order of the plan; scoring comes before alerts also after it was replaced."""
    plan = StackPlan(
        broker_kind=BrokerKind.EMBEDDED,
        children=(child("intake", "intake"), child("s0", "scoring"), child("s1", "scoring"), child("alerts", "alerts")),
    )
    replaced = replaced_group(plan, "scoring", [child("s2", "scoring")])
    assert [spec.name for spec in replaced.children] == ["intake", "s2", "alerts"]
    assert replaced.generation == 2
    assert [spec.name for spec in replaced_group(replaced, "scoring", []).children] == ["intake", "alerts"]


def test_a_plan_is_read_back_as_written(tmp_path: Path) -> None:
    """The supervisor is another process: what it does is what is in the file."""
    ports = free_ports(scoring_workers=2)
    plan = plan_stack(run_directory=tmp_path, ports=ports, broker="kafka", tick_seconds=0, prefix="p")
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan


def test_a_stack_has_its_children_in_the_order_of_the_road(tmp_path: Path) -> None:
    """Intake first, readers behind it, servers last; one scoring worker for each of its ports."""
    plan = plan_stack(run_directory=tmp_path, ports=free_ports(scoring_workers=2), tick_seconds=0.5)
    assert [spec.name for spec in plan.children] == [
        "intake", "scoring-0", "scoring-1", "alerts", "gateway", "console",
    ]  # fmt: skip
    intake, scoring = plan.children[0].argv, plan.children[1].argv
    assert intake[intake.index("--tick-seconds") + 1] == "0.5"
    assert "--tick-seconds" not in scoring
    assert scoring[scoring.index("--broker-kind") + 1] == "embedded"


@pytest.mark.parametrize(
    ("broker", "kind"),
    [
        ("embedded", BrokerKind.EMBEDDED),
        ("kafka", BrokerKind.KAFKA),
        ("localhost:9092", BrokerKind.EXTERNAL),
        ("a:1,b:2", BrokerKind.EXTERNAL),
    ],
)
def test_the_broker_option_names_a_kind_or_an_address(broker: str, kind: BrokerKind) -> None:
    """The three documented forms."""
    assert broker_kind_of(broker) is kind


@pytest.mark.parametrize("broker", ["", "external", "kafak", "host", "host:", ":9092", "a:1,b"])
def test_a_broker_option_that_names_neither_is_refused(broker: str) -> None:
    """A typing mistake must not be taken for a host name."""
    with pytest.raises(ValueError, match="--broker is"):
        broker_kind_of(broker)


def test_a_pid_that_another_process_has_now_is_not_ours() -> None:
    """Pids are used again: `down` after a crash must not end a stranger."""
    mine = ProcessState(name="x", group="x", pid=os.getpid(), started=start_time(os.getpid()))
    assert live_process(mine) is not None
    stranger = ProcessState(name="x", group="x", pid=os.getpid(), started=mine.started - 100)
    assert live_process(stranger) is None


def test_a_pid_that_nobody_has_is_not_running() -> None:
    """The usual case after a reboot."""
    unused = max(psutil.pids()) + 1
    while psutil.pid_exists(unused):
        unused += 1
    assert live_process(ProcessState(name="x", group="x", pid=unused, started=1.0)) is None
