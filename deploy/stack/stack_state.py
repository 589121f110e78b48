"""What runs, as a file: process ids with start times, so that another terminal can ask, and clean up after a crash.

A pid alone is not an identity, it is used again. A process counts as ours when its start time is the one noted, or
when its environment carries the id of this stack: that also finds a child whose start was not noted any more.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psutil

from deploy.stack.plan import write_whole

STACK_ID_VARIABLE = "MONAZITE_STACK_ID"
STACK_FOLDER_VARIABLE = "MONAZITE_STACK_FOLDER"
"""In the environment of every process of a stack: its run directory. It tells whose it is when the state is lost."""
PROCESS_NAME_VARIABLE = "MONAZITE_STACK_PROCESS"
START_TIME_TOLERANCE_SECONDS = 1.0


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """One process: `started` is its start time as psutil gives it (Unix seconds); `restarts` how often it died.

    `down`: it died and waits for its next start. `since`: Unix seconds of its start, or of its death when down.
    """

    name: str
    group: str
    pid: int
    started: float
    ready: bool = False
    down: bool = False
    since: float = 0.0
    port: int | None = None
    ready_url: str | None = None
    restarts: int = 0
    log: str = ""
    stop_timeout_seconds: float = 15.0


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """How far the supervisor is: `name` is starting, ready, failed or stopping; `detail` says why for failed."""

    name: str
    detail: str = ""


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """The state file. `processes` are in start order; `generation` is that of the plan which is ready."""

    stack_id: str
    supervisor: ProcessState
    phase: Phase
    broker_kind: str
    bootstrap: str = ""
    redis_url: str = ""
    prefix: str | None = None
    ports: dict[str, int] = {}
    processes: tuple[ProcessState, ...] = ()
    generation: int = 0


def state_path(run_directory: Path) -> Path:
    """Return where the state is kept."""
    return run_directory / "state.json"


def read_state(run_directory: Path) -> StackState | None:
    """Return the state in a run directory; None when no stack was started there, it was stopped, or nobody can read it.

    A state file that is damaged must not keep anybody from ending a stack: its processes are found by their marks.
    """
    try:
        return msgspec.json.decode(state_path(run_directory).read_bytes(), type=StackState)
    except (OSError, msgspec.DecodeError):
        return None


def write_state(run_directory: Path, state: StackState) -> None:
    """Replace the state file in one step."""
    write_whole(state_path(run_directory), msgspec.json.encode(state))


def this_process(name: str, *, port: int | None = None) -> ProcessState:
    """Return this process as the state file has it."""
    started = start_time(os.getpid())
    return ProcessState(name=name, group=name, pid=os.getpid(), started=started, since=started, port=port, ready=True)


def start_time(pid: int) -> float:
    """Return the start time of a process in Unix seconds; 0 when it is gone."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def live_process(process: ProcessState) -> psutil.Process | None:
    """Return the process when it runs and is the one noted; None when it ended or the pid belongs to another."""
    try:
        found = psutil.Process(process.pid)
        if abs(found.create_time() - process.started) > START_TIME_TOLERANCE_SECONDS:
            return None
        return None if found.status() == psutil.STATUS_ZOMBIE else found
    except psutil.Error:
        return None


def marked_processes(stack_id: str, *, but_not: Sequence[int] = ()) -> list[psutil.Process]:
    """Return the running processes whose environment carries the id of the stack."""
    return [process for process, env in _environments(but_not) if env.get(STACK_ID_VARIABLE) == stack_id]


def folder_processes(run_directory: Path) -> dict[int, tuple[str, psutil.Process]]:
    """Return the running processes of whatever stack was started in a run directory: pid to name and process."""
    folder = str(run_directory.resolve())
    found = {}
    for process, env in _environments((os.getpid(),)):
        if env.get(STACK_FOLDER_VARIABLE) == folder:
            found[process.pid] = (env.get(PROCESS_NAME_VARIABLE, "?"), process)
        elif _is_redis_of(process, folder):
            found[process.pid] = ("redis", process)
    return found


def _is_redis_of(process: psutil.Process, folder: str) -> bool:
    """Say whether a process is the Redis of a run directory: it writes its title over its environment."""
    try:
        return bool(process.name().startswith(("redis", "valkey")) and process.cwd() == str(Path(folder) / "logs"))
    except (psutil.Error, OSError):
        return False


def _environments(but_not: Sequence[int]) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    for process in psutil.process_iter():
        try:
            if process.pid not in but_not and process.status() != psutil.STATUS_ZOMBIE:
                yield process, process.environ()
        except (psutil.Error, OSError):
            continue  # another user's process, or one that just ended
