"""Start and stop a stack, from any terminal: `up`, `down`, `replace_group`."""

import os
import shutil
import signal
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

from deploy.stack.lock import RunLock, StackRunningError, holder_of
from deploy.stack.own_python import module_command, own_environment
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
from deploy.stack.stack_state import (
    ProcessState,
    StackState,
    folder_processes,
    live_process,
    marked_processes,
    read_state,
    start_time,
    state_path,
)
from deploy.stack.waiting import DeadlineExceededError, wait_until

SUPERVISOR_LOG = "supervisor.log"
MARGIN_SECONDS = 60.0  # broker, Redis and topics, before the children's own deadline
KILL_WAIT_SECONDS = 5.0
END_POLL_SECONDS = 0.05


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
    stack_id, lock = _prepare(run_directory, plan)
    try:
        pid = _spawn_supervisor(run_directory, stack_id, lock)
    except BaseException:
        lock.release()
        raise
    lock.hand_over()
    watched = ProcessState(name="supervisor", group="supervisor", pid=pid, started=start_time(pid))
    try:
        return _await_generation(run_directory, plan, watched)
    except BaseException:
        _end(run_directory, stack_id, watched)
        raise


def await_end(run_directory: Path, supervisor: ProcessState) -> int:
    """Wait until a supervisor that this process started has ended; return 0, or 1 when the stack failed.

    Reaps it: a child that nobody waits for stays in the table of processes, and `stack down` in another terminal
    waited for it (seen with `make up`).
    """
    while live_process(supervisor) is not None:
        time.sleep(END_POLL_SECONDS)
    with suppress(ChildProcessError):
        os.waitpid(supervisor.pid, os.WNOHANG)
    state = read_state(run_directory)
    return 1 if state is not None and state.phase.name == "failed" else 0


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


def down(run_directory: Path, *, remove_data: bool = False) -> DownReport:
    """Stop a stack, also one whose supervisor was killed or whose state file is lost; leaves no process and no state.

    Logs stay, and what Apache Kafka and the workers on it hold; `remove_data` removes the whole run directory.
    """
    state = read_state(run_directory)
    supervisor = state.supervisor if state is not None else None
    if supervisor is None or live_process(supervisor) is None:
        supervisor = holder_of(run_directory) or supervisor
    report = _end(run_directory, state.stack_id if state is not None else "", supervisor)
    plan = _known_plan(run_directory)
    with suppress(StackRunningError, FileNotFoundError), RunLock.acquire(run_directory):
        _tidy(run_directory, plan.broker_kind if plan is not None else None)
    if remove_data and run_directory.exists():
        shutil.rmtree(run_directory)
    return report


def _known_plan(run_directory: Path) -> StackPlan | None:
    try:
        return read_plan(run_directory)
    except (OSError, msgspec.DecodeError):
        return None


def _prepare(run_directory: Path, plan: StackPlan) -> tuple[str, RunLock]:
    """Make the run directory ready for a new stack; return its id and the lock. What a crashed one left is ended."""
    run_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    run_directory.chmod(0o700)
    lock = RunLock.acquire(run_directory)
    try:
        state, old = read_state(run_directory), _known_plan(run_directory)
        _end(run_directory, state.stack_id if state is not None else "", None)
        if old is not None:
            _tidy(run_directory, old.broker_kind)
        (run_directory / "logs").mkdir(exist_ok=True)
        write_plan(run_directory, plan)
    except BaseException:
        lock.release()
        raise
    return uuid.uuid4().hex, lock


def _spawn_supervisor(run_directory: Path, stack_id: str, lock: RunLock) -> int:
    """Start a supervisor that outlives this process and its terminal and holds the lock; return its pid."""
    log_path = run_directory / "logs" / SUPERVISOR_LOG
    env = {**os.environ, **own_environment()}
    argv = [*module_command("deploy.stack.supervisor"), str(run_directory.resolve()), stack_id]
    os.set_inheritable(lock.descriptor, True)
    return os.posix_spawn(
        argv[0],
        [*argv, str(lock.descriptor)],
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


def _end(run_directory: Path, stack_id: str, supervisor: ProcessState | None) -> DownReport:
    """Ask the supervisor to stop everything; then end by ourselves whatever of the stack still runs.

    That is what the state file notes, by pid and start time, and what carries the marks of this folder: a pid alone may
    belong to a stranger by now.
    """
    state = read_state(run_directory)
    noted = state.processes if state is not None else ()
    names = [process.name for process in noted if live_process(process) is not None]
    running = live_process(supervisor) if supervisor is not None else None
    killed: list[str] = []
    if running is not None:
        patience = max((process.stop_timeout_seconds for process in noted), default=0.0) + MARGIN_SECONDS
        killed += _terminate([_Ending("supervisor", running, patience)])
    left = {p.pid: (process.name, p, process.stop_timeout_seconds) for process in noted if (p := live_process(process))}
    for pid, (name, process) in folder_processes(run_directory).items():
        left.setdefault(pid, (name, process, KILL_WAIT_SECONDS))
    marked = marked_processes(stack_id, but_not=[os.getpid()]) if stack_id else []
    for process in marked:
        left.setdefault(process.pid, (str(process.pid), process, KILL_WAIT_SECONDS))
    killed += _terminate([_Ending(*ending) for ending in reversed(left.values())])
    found = [*names, *(name for name, *_ in left.values() if name not in names)]
    with suppress(OSError):
        state_path(run_directory).unlink(missing_ok=True)
    stopped = tuple(name for name in reversed(found) if name not in killed)
    return DownReport(was_running=running is not None or bool(found), stopped=stopped, killed=tuple(killed))


class _Ending(NamedTuple):
    name: str
    process: psutil.Process
    patience_seconds: float


def _terminate(endings: Sequence[_Ending]) -> list[str]:
    """End processes one after the other, SIGTERM first; return the names of those that had to be killed."""
    killed = []
    for _, process, _ in endings:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)  # a stopped one would keep the others from ending
    for name, process, patience_seconds in endings:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            if not _has_ended(process, within_seconds=patience_seconds):
                killed.append(name)
                process.kill()
                _has_ended(process, within_seconds=KILL_WAIT_SECONDS)
    return killed


def _has_ended(process: psutil.Process, *, within_seconds: float) -> bool:
    """Wait for the end of a process; a zombie has ended, whether its parent looks or not."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(END_POLL_SECONDS)
    return False


def _tidy(run_directory: Path, broker_kind: BrokerKind | None) -> None:
    """Remove what only a running stack needs; what the workers hold goes with an embedded broker, which forgets."""
    for path in (plan_path(run_directory), state_path(run_directory)):
        with suppress(OSError):
            path.unlink(missing_ok=True)
    if broker_kind is BrokerKind.EMBEDDED:
        shutil.rmtree(data_folder(run_directory, broker_kind), ignore_errors=True)
