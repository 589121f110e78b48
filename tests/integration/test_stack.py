"""The local stack with real processes: started, restarted, replaced, stopped, cleaned up after a crash."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from deploy.stack.free_ports import free_port, is_listening
from deploy.stack.lock import StackRunningError
from deploy.stack.plan import BrokerKind, ChildSpec, StackPlan, write_plan
from deploy.stack.server import ServerFailedError
from deploy.stack.stack_control import down, replace_group, up
from deploy.stack.stack_state import live_process, marked_processes, read_state
from deploy.stack.stack_status import StackStatus, status
from streams.runtime.local_copies import open_local_copy
from tests.support.brokers import require_kafka
from tests.support.disks import fill, small_disk_at
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
CHILD = str(ROOT / "tests" / "support" / "small_child.py")


@pytest.fixture
def run_directory(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "run"
    yield folder
    down(folder)


def child(name: str, *flags: str, group: str = "workers", stop_timeout_seconds: float = 5.0) -> ChildSpec:
    port = free_port()
    return ChildSpec(
        name=name,
        group=group,
        argv=(sys.executable, CHILD, str(port), *flags),
        ready_url=f"http://127.0.0.1:{port}/readyz",
        stop_timeout_seconds=stop_timeout_seconds,
    )


def plan(*children: ChildSpec, broker: BrokerKind = BrokerKind.EMBEDDED, ready_seconds: float = 30.0) -> StackPlan:
    return StackPlan(
        broker_kind=broker,
        broker_port=free_port(),
        redis_port=free_port(),
        topic_prefix="stack",
        children=children,
        ready_timeout_seconds=ready_seconds,
    )


def pid_of(seen: StackStatus, name: str) -> int:
    return next(process.pid for process in seen.processes if process.name == name)


def nothing_left(stack_id: str, pids: list[int]) -> bool:
    gone = all(not psutil.pid_exists(p) or psutil.Process(p).status() == psutil.STATUS_ZOMBIE for p in pids)
    return gone and not marked_processes(stack_id)


def test_a_stack_comes_up_answers_and_goes_down_without_a_trace(run_directory: Path) -> None:
    """The whole life: ready when `up` returns, private files, no process and no state after `down`."""
    state = up(run_directory, plan(child("first"), child("second")))
    assert stat.S_IMODE(run_directory.stat().st_mode) == 0o700
    seen = status(run_directory)
    assert seen.phase == "ready"
    assert [process.name for process in seen.processes] == ["embedded-broker", "redis", "first", "second"]
    assert [process.ready for process in seen.processes[2:]] == [True, True]
    pids = [state.supervisor.pid, *(process.pid for process in state.processes)]
    report = down(run_directory)
    assert report.stopped == ("second", "first", "redis", "embedded-broker")
    assert report.killed == ()
    assert nothing_left(state.stack_id, pids)
    assert status(run_directory) == StackStatus(running=False, phase="stopped")
    assert sorted(path.name for path in run_directory.iterdir()) == ["logs"]


def test_a_second_stack_in_the_same_folder_is_refused(run_directory: Path) -> None:
    """Two supervisors over one state file would each undo the other."""
    up(run_directory, plan(child("only")))
    with pytest.raises(StackRunningError, match="monazite stack down"):
        up(run_directory, plan(child("other")))
    assert status(run_directory).phase == "ready"


def test_a_child_that_is_killed_is_started_again(run_directory: Path) -> None:
    """A worker that dies comes back by itself after a second; the others are not touched."""
    up(run_directory, plan(child("steady"), child("victim")))
    before = status(run_directory)
    os.kill(pid_of(before, "victim"), signal.SIGKILL)

    def back() -> bool:
        seen = status(run_directory)
        found = [p for p in seen.processes if p.name == "victim" and p.pid != pid_of(before, "victim")]
        return bool(found and found[0].ready and found[0].restarts == 1)

    wait_until(back, timeout_seconds=20, what="the victim to be back")
    assert pid_of(status(run_directory), "steady") == pid_of(before, "steady")


def test_a_child_that_dies_at_its_start_gets_another_chance(run_directory: Path, tmp_path: Path) -> None:
    """A worker may have to leave once (a broker that was not ready); `up` waits for it within its deadline."""
    state = up(run_directory, plan(child("late", "--die-first", str(tmp_path / "mark"))))
    assert [process.restarts for process in state.processes if process.name == "late"] == [1]


def test_a_child_that_never_gets_ready_fails_the_start_with_its_log(run_directory: Path) -> None:
    """The person sees why, and nothing is left running."""
    broken = ChildSpec(
        name="broken",
        group="workers",
        argv=(sys.executable, "-c", "raise SystemExit('no such setting')"),
        ready_url="http://127.0.0.1:1/readyz",
    )
    with pytest.raises(ServerFailedError, match=r"not ready after 3 s: broken[\s\S]*no such setting"):
        up(run_directory, plan(broken, ready_seconds=3))
    assert status(run_directory).phase == "stopped"


def test_a_group_is_replaced_while_the_rest_runs_on(run_directory: Path) -> None:
    """After a replay the scoring workers start anew with ticks on; broker and state of the others must stay."""
    up(run_directory, plan(child("a"), child("s0", group="scoring"), child("z")))
    before = status(run_directory)
    replace_group(run_directory, group="scoring", children=[child("s1", group="scoring")])
    after = status(run_directory)
    assert [process.name for process in after.processes][2:] == ["a", "s1", "z"]
    assert all(pid_of(before, name) == pid_of(after, name) for name in ("embedded-broker", "redis", "a", "z"))
    assert not psutil.pid_exists(pid_of(before, "s0"))


def test_down_cleans_up_after_a_killed_supervisor(run_directory: Path) -> None:
    """kill -9 of the supervisor orphans everything; the state file is enough to find and end it."""
    state = up(run_directory, plan(child("orphan")))
    os.kill(state.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: live_process(state.supervisor) is None, timeout_seconds=5, what="the supervisor to end")
    assert status(run_directory).phase == "orphaned"
    report = down(run_directory)
    assert report.was_running
    assert report.stopped == ("orphan", "redis", "embedded-broker")
    assert nothing_left(state.stack_id, [process.pid for process in state.processes])


def test_a_new_stack_first_ends_what_a_killed_supervisor_left(run_directory: Path) -> None:
    """`up` after a crash must not meet the ports and partitions of the old workers."""
    old = up(run_directory, plan(child("orphan")))
    os.kill(old.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: live_process(old.supervisor) is None, timeout_seconds=5, what="the supervisor to end")
    up(run_directory, plan(child("fresh")))
    assert nothing_left(old.stack_id, [process.pid for process in old.processes])


def test_a_child_that_ignores_the_signal_is_killed_after_its_timeout(run_directory: Path) -> None:
    """A stuck worker must not keep `down` waiting for ever."""
    state = up(run_directory, plan(child("stubborn", "--stubborn", stop_timeout_seconds=1.0)))
    down(run_directory)
    assert nothing_left(state.stack_id, [process.pid for process in state.processes])


def test_an_embedded_broker_that_dies_comes_back_empty_and_all_begin_anew(run_directory: Path) -> None:
    """What it held is lost: no worker may go on with what it remembers, and the person must read that it is lost."""
    up(run_directory, plan(child("worker")))
    before = status(run_directory)
    os.kill(pid_of(before, "embedded-broker"), signal.SIGKILL)

    def anew() -> bool:
        seen = status(run_directory)
        return seen.phase == "ready" and all(pid_of(seen, p.name) != p.pid for p in before.processes)

    wait_until(anew, timeout_seconds=30, what="everything to run anew")
    assert "everything it held" in status(run_directory).detail
    log = (run_directory / "logs" / "supervisor.log").read_text()
    assert log.count("made=13") == 2


def test_the_second_stack_is_told_who_holds_the_folder_also_without_a_state_file(run_directory: Path) -> None:
    """The lock lives as long as its holder; what the state file says, or that it is gone, changes nothing."""
    state = up(run_directory, plan(child("only")))
    (run_directory / "state.json").unlink()
    with pytest.raises(StackRunningError, match=f"supervisor {state.supervisor.pid}.*stack down.*--run-dir"):
        up(run_directory, plan(child("other")))
    seen = status(run_directory)
    assert seen.running
    assert {p.name for p in seen.processes} == {"embedded-broker", "redis", "only"}
    assert down(run_directory).was_running
    assert nothing_left(state.stack_id, [state.supervisor.pid, *(p.pid for p in state.processes)])


def test_what_was_left_without_a_supervisor_and_a_state_is_found_by_its_marks(run_directory: Path) -> None:
    """A damaged state file after a crash: nothing may keep the ports for ever."""
    state = up(run_directory, plan(child("orphan")))
    os.kill(state.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: live_process(state.supervisor) is None, timeout_seconds=5, what="the supervisor to end")
    (run_directory / "state.json").write_bytes(b"{")
    assert status(run_directory).phase == "orphaned"
    assert set(down(run_directory).stopped) == {"orphan", "redis", "embedded-broker"}
    assert nothing_left(state.stack_id, [p.pid for p in state.processes])


def test_redis_that_dies_comes_back(run_directory: Path) -> None:
    """What it held can be rebuilt; the children need not even notice."""
    up(run_directory, plan(child("worker")))
    before = status(run_directory)
    os.kill(pid_of(before, "redis"), signal.SIGKILL)

    def back() -> bool:
        seen = status(run_directory)
        return seen.phase == "ready" and pid_of(seen, "redis") != pid_of(before, "redis")

    wait_until(back, timeout_seconds=20, what="Redis to be back")
    assert pid_of(status(run_directory), "worker") == pid_of(before, "worker")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_at(tmp_path / "disk", megabytes=24) as folder:
        yield folder


def test_a_full_disk_ends_nothing_and_is_told_once(small_disk: Path) -> None:
    """No log, no state file, no local copy: the supervisor brings back what dies all the same, and says so later."""
    run_directory = small_disk / "run"
    up(run_directory, plan(child("victim")))
    copies = small_disk / "copies"
    copy = asyncio.run(open_local_copy(copies, stage="assess", partition=0))
    copy.write([(b"key", b"before"), (b"\x00progress", b"1")], log_offset=1)
    ballast = fill(small_disk)
    before = status(run_directory)
    os.kill(pid_of(before, "victim"), signal.SIGKILL)

    def back() -> bool:
        found = [p for p in status(run_directory).processes if p.name == "victim"]
        return bool(found and found[0].state == "ready" and found[0].pid != pid_of(before, "victim"))

    wait_until(back, timeout_seconds=20, what="the victim to be back on a full disk")
    for number in range(2, 40):  # more than the blocks that the log of the copy has left
        copy.write([(b"key", bytes(4096)), (b"\x00progress", b"%d" % number)], log_offset=number)
    copy.close()
    ballast.unlink()
    log = run_directory / "logs" / "supervisor.log"
    wait_until(lambda: "the state file is written again" in log.read_text(), timeout_seconds=20, what="a new state")
    assert log.read_text().count("the state file is written again") == 1
    assert status(run_directory).phase == "ready"
    again = asyncio.run(open_local_copy(copies, stage="assess", partition=0))
    records, offset = again.load()
    assert offset is not None
    assert dict(records)[b"\x00progress"] == b"%d" % offset
    again.close()


def test_a_state_file_that_cannot_be_written_is_told_and_written_later(run_directory: Path) -> None:
    """Rights that were taken away, or anything else in its place."""
    up(run_directory, plan(child("victim")))
    before = status(run_directory)
    (run_directory / "state.json").unlink()
    (run_directory / "state.json").mkdir()
    os.kill(pid_of(before, "victim"), signal.SIGKILL)
    log = run_directory / "logs" / "supervisor.log"
    wait_until(lambda: "the state file cannot be written" in log.read_text(), timeout_seconds=20, what="the line")
    assert status(run_directory).phase == "not_ready"
    (run_directory / "state.json").rmdir()
    wait_until(lambda: status(run_directory).phase == "ready", timeout_seconds=20, what="the state to be back")
    assert log.read_text().count("the state file cannot be written") == 1
    assert next(p.restarts for p in status(run_directory).processes if p.name == "victim") == 1


def test_down_ends_a_stack_and_the_terminal_that_started_it(run_directory: Path) -> None:
    """`make up` here, `stack down` there: the supervisor became a zombie that `down` waited for, and neither ended."""
    run_directory.mkdir()
    (run_directory / "wanted.json").write_bytes(msgspec.json.encode(plan(child("worker"))))
    program = (
        "import sys, msgspec; from pathlib import Path; from deploy.stack.stack_control import up, await_end\n"
        "from deploy.stack.plan import StackPlan\n"
        "folder = Path(sys.argv[1])\n"
        "state = up(folder, msgspec.json.decode((folder / 'wanted.json').read_bytes(), type=StackPlan))\n"
        "sys.exit(await_end(folder, state.supervisor))"
    )
    terminal = subprocess.Popen([sys.executable, "-c", program, str(run_directory)], cwd=ROOT)
    try:
        wait_until(lambda: status(run_directory).phase == "ready", timeout_seconds=30, what="the stack to be ready")
        began = time.monotonic()
        assert down(run_directory).was_running
        assert terminal.wait(timeout=10) == 0
        assert time.monotonic() - began < 10
    finally:
        terminal.kill()
        terminal.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_a_stack_in_the_foreground(run_directory: Path, number: signal.Signals) -> None:
    """`make up` runs until Ctrl-C; nothing may stay."""
    run_directory.mkdir()
    (run_directory / "logs").mkdir()
    wanted = plan(child("worker"))
    write_plan(run_directory, wanted)
    with (run_directory / "logs" / "foreground.log").open("wb") as log:
        foreground = subprocess.Popen(
            [sys.executable, "-m", "deploy.stack.supervisor", str(run_directory), "foreground-test"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: status(run_directory).phase == "ready", timeout_seconds=30, what="the stack to be ready")
        state = read_state(run_directory)
        assert state is not None
        foreground.send_signal(number)
        assert foreground.wait(timeout=20) == 0
        assert nothing_left("foreground-test", [process.pid for process in state.processes])
        assert status(run_directory).phase == "stopped"
    finally:
        foreground.kill()
        foreground.wait()


def test_a_stack_on_apache_kafka_keeps_its_data_over_a_restart(run_directory: Path) -> None:
    """Kafka is the only truth: topics made in one run are found in the next."""
    require_kafka()
    wanted = plan(child("worker"), broker=BrokerKind.KAFKA)
    state = up(run_directory, wanted)
    assert is_listening(wanted.broker_port or 0)
    down(run_directory)
    assert nothing_left(state.stack_id, [process.pid for process in state.processes])
    up(run_directory, wanted)
    log = (run_directory / "logs" / "supervisor.log").read_text()
    assert "made=13" in log
    assert "made=0" in log
    down(run_directory, remove_data=True)
    assert not run_directory.exists()
