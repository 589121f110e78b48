"""Start, ask and stop a stack, from any terminal: `up`, `status`, `down`, `replace_group`."""

import os
import shutil
import signal
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

from deploy.stack.plan import (
    BrokerKind,
    ChildSpec,
    StackPlan,
    data_folder,
    plan_path,
    read_plan,
    replaced_group,
    write_plan,
)
from deploy.stack.server import ServerFailedError, log_tail
from deploy.stack.state import (
    ProcessState,
    StackState,
    live_process,
    marked_processes,
    read_state,
    start_time,
    state_path,
)
from deploy.stack.supervisor import StackRunningError, supervise
from deploy.stack.unit import answers_ready
from deploy.stack.waiting import DeadlineExceededError, wait_until

SUPERVISOR_LOG = "supervisor.log"
STARTED_SECONDS = 20.0
MARGIN_SECONDS = 60.0  # broker, Redis and topics, before the children's own deadline
KILL_WAIT_SECONDS = 5.0


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process now: `ready` is asked of it live; None when it is not asked (no address) or not running."""

    name: str
    group: str
    pid: int
    running: bool
    ready: bool | None
    restarts: int
    log: str


class StackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A stack now. `running`: its supervisor lives. `phase`: stopped, starting, ready, failed, stopping or orphaned
    (the supervisor is gone, processes of it are not: `monazite stack down` ends them). `durable`: whether the broker
    holds what it was told over a stop; None when nothing runs. `keeps` says it in words.
    """

    running: bool
    phase: str
    detail: str = ""
    broker_kind: str = ""
    durable: bool | None = None
    keeps: str = ""
    bootstrap: str = ""
    redis_url: str = ""
    prefix: str | None = None
    ports: dict[str, int] = {}
    processes: tuple[ProcessStatus, ...] = ()


class DownReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `down` found and ended: `stopped` ended when asked, `killed` had to be killed."""

    was_running: bool
    stopped: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()


def up(run_directory: Path, plan: StackPlan) -> StackState:
    """Start a stack in the background and return when it is ready; a supervisor process stays.

    Raises `StackRunningError` when one runs already there, `ServerFailedError` with the logs when it does not become
    ready; then, and after Ctrl-C, nothing of it is left.
    """
    stack_id = _prepare(run_directory, plan)
    pid = _spawn_supervisor(run_directory, stack_id)
    watched = ProcessState(name="supervisor", group="supervisor", pid=pid, started=start_time(pid))
    try:
        return _await_generation(run_directory, plan, watched)
    except BaseException:
        _end(run_directory, stack_id, watched)
        raise


def up_foreground(run_directory: Path, plan: StackPlan, *, on_ready: Callable[[StackState], None] | None = None) -> int:
    """Run a stack in this process until Ctrl-C or SIGTERM; return 0, or 1 when it failed (the reason is in the log)."""
    stack_id = _prepare(run_directory, plan)
    try:
        return supervise(run_directory, stack_id=stack_id, on_ready=on_ready)
    finally:
        _tidy(run_directory, plan.broker_kind)


def replace_group(run_directory: Path, *, group: str, children: Sequence[ChildSpec]) -> StackState:
    """Stop the children of a group and start others in their place (none: only stop); return when all are ready.

    Raises `LookupError` when no stack runs there, `ServerFailedError` when the new children do not become ready (the
    supervisor then stops the whole stack).
    """
    plan, state = read_plan(run_directory), read_state(run_directory)
    if plan is None or state is None or live_process(state.supervisor) is None:
        raise LookupError(f"no stack runs in {run_directory}: start one with `monazite stack up`")
    replaced = replaced_group(plan, group, children)
    write_plan(run_directory, replaced)
    return _await_generation(run_directory, replaced, state.supervisor)


def replace_children(run_directory: Path, plan: StackPlan, children: Sequence[ChildSpec]) -> StackState:
    """Make the children of the running stack those of `plan` with `children`; one that stays as it is runs on.

    Returns when all are ready. Raises as `replace_group` does.
    """
    running, state = read_plan(run_directory), read_state(run_directory)
    if running is None or state is None or live_process(state.supervisor) is None:
        raise LookupError(f"no stack runs in {run_directory}: start one with `monazite stack up`")
    following = msgspec.structs.replace(plan, children=tuple(children), generation=running.generation + 1)
    write_plan(run_directory, following)
    return _await_generation(run_directory, following, state.supervisor)


def status(run_directory: Path) -> StackStatus:
    """Return what runs now; phase `stopped` when nothing does."""
    state = read_state(run_directory)
    if state is None:
        return StackStatus(running=False, phase="stopped")
    running = live_process(state.supervisor) is not None
    processes = tuple(_process_status(process) for process in state.processes)
    alive = any(process.running for process in processes)
    phase = state.phase.name if running or state.phase.name == "failed" else "orphaned" if alive else "stopped"
    return StackStatus(
        running=running,
        phase=phase,
        detail=state.phase.detail,
        broker_kind=state.broker_kind,
        durable=BrokerKind(state.broker_kind).is_durable,
        keeps=BrokerKind(state.broker_kind).keeps,
        bootstrap=state.bootstrap,
        redis_url=state.redis_url,
        prefix=state.prefix,
        ports=state.ports,
        processes=processes,
    )


def down(run_directory: Path, *, remove_data: bool = False) -> DownReport:
    """Stop a stack, also one whose supervisor was killed; leaves no process and no state.

    Logs stay, and what Apache Kafka and the workers on it hold; `remove_data` removes the whole run directory.
    """
    state = read_state(run_directory)
    report = DownReport(was_running=False)
    if state is not None:
        report = _end(run_directory, state.stack_id, state.supervisor)
    plan = read_plan(run_directory)
    if plan is not None:
        _tidy(run_directory, plan.broker_kind)
    if remove_data and run_directory.exists():
        shutil.rmtree(run_directory)
    return report


def _prepare(run_directory: Path, plan: StackPlan) -> str:
    """Make the run directory ready for a new stack and return its id; what a crashed one left is ended first."""
    run_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    run_directory.chmod(0o700)
    state = read_state(run_directory)
    if state is not None and live_process(state.supervisor) is not None:
        raise StackRunningError(
            f"a stack runs already in {run_directory} (supervisor {state.supervisor.pid}): "
            "see `monazite stack status`, stop it with `monazite stack down`"
        )
    down(run_directory)
    (run_directory / "logs").mkdir(exist_ok=True)
    write_plan(run_directory, plan)
    return uuid.uuid4().hex


def _spawn_supervisor(run_directory: Path, stack_id: str) -> int:
    """Start a supervisor that outlives this process and its terminal; return its pid."""
    log_path = run_directory / "logs" / SUPERVISOR_LOG
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))}
    argv = [sys.executable, "-m", "deploy.stack.supervisor", str(run_directory.resolve()), stack_id]
    return os.posix_spawn(
        sys.executable,
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _await_generation(run_directory: Path, plan: StackPlan, supervisor: ProcessState) -> StackState:
    seen: list[StackState] = []

    def ready() -> bool:
        state = read_state(run_directory)
        if state is not None and state.supervisor.pid == supervisor.pid:
            if state.phase.name == "failed":
                raise ServerFailedError(f"the stack did not become ready: {state.phase.detail}")
            if state.generation >= plan.generation:
                seen.append(state)
                return True
        if live_process(supervisor) is None:
            after = read_state(run_directory)
            if after is not None and after.phase.name == "failed":
                raise ServerFailedError(f"the stack did not become ready: {after.phase.detail}")
            raise ServerFailedError(f"the supervisor ended\n{log_tail(run_directory / 'logs' / SUPERVISOR_LOG)}")
        return False

    timeout_seconds = plan.ready_timeout_seconds + MARGIN_SECONDS
    try:
        wait_until(ready, timeout_seconds=timeout_seconds, what="the stack to be ready", poll_seconds=0.1)
    except DeadlineExceededError as error:
        raise ServerFailedError(f"{error}\n{log_tail(run_directory / 'logs' / SUPERVISOR_LOG)}") from error
    return seen[0]


def _end(run_directory: Path, stack_id: str, supervisor: ProcessState) -> DownReport:
    """Ask the supervisor to stop everything; then end by ourselves whatever of the stack still runs."""
    state = read_state(run_directory)
    noted = state.processes if state is not None else ()
    names = [process.name for process in noted if live_process(process) is not None]
    running = live_process(supervisor)
    killed: list[str] = []
    if running is not None:
        patience = sum(process.stop_timeout_seconds for process in noted) + MARGIN_SECONDS
        killed += _terminate([_Ending("supervisor", running, patience)])
    endings = [
        _Ending(process.name, found, process.stop_timeout_seconds)
        for process in reversed(noted)
        if (found := live_process(process)) is not None
    ]
    killed += _terminate(endings)
    killed += _terminate(
        [_Ending(str(p.pid), p, KILL_WAIT_SECONDS) for p in marked_processes(stack_id, but_not=[os.getpid()])]
    )
    state_path(run_directory).unlink(missing_ok=True)
    was_running = running is not None or bool(names)
    stopped = tuple(name for name in reversed(names) if name not in killed)
    return DownReport(was_running=was_running, stopped=stopped, killed=tuple(killed))


class _Ending(NamedTuple):
    name: str
    process: psutil.Process
    patience_seconds: float


def _terminate(endings: Sequence[_Ending]) -> list[str]:
    """End processes one after the other, SIGTERM first; return the names of those that had to be killed."""
    killed = []
    for name, process, patience_seconds in endings:
        try:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(timeout=patience_seconds)
        except psutil.TimeoutExpired:
            killed.append(name)
            process.kill()
            process.wait(timeout=KILL_WAIT_SECONDS)
        except psutil.NoSuchProcess:
            continue
    return killed


def _tidy(run_directory: Path, broker_kind: BrokerKind) -> None:
    """Remove what only a running stack needs; what the workers hold goes with an embedded broker, which forgets."""
    for path in (plan_path(run_directory), state_path(run_directory), run_directory / "lock"):
        path.unlink(missing_ok=True)
    if broker_kind is BrokerKind.EMBEDDED:
        shutil.rmtree(data_folder(run_directory, broker_kind), ignore_errors=True)


def _process_status(process: ProcessState) -> ProcessStatus:
    running = live_process(process) is not None
    return ProcessStatus(
        name=process.name,
        group=process.group,
        pid=process.pid,
        running=running,
        ready=answers_ready(process.ready_url) if running and process.ready_url else None,
        restarts=process.restarts,
        log=process.log,
    )
