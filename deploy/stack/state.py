"""What runs, as a file: process ids with start times, so that another terminal can ask, and clean up after a crash.

A pid alone is not an identity, it is used again. A process counts as ours when its start time is the one noted, or
when its environment carries the id of this stack: that also finds a child whose start was not noted any more.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from deploy.stack.plan import write_whole

STACK_ID_VARIABLE = "MONAZITE_STACK_ID"
START_TIME_TOLERANCE_SECONDS = 1.0


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """One process: `started` is its start time as psutil gives it (Unix seconds); `restarts` how often it died."""

    name: str
    group: str
    pid: int
    started: float
    ready: bool = False
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
    """Return the state in a run directory; None when no stack was started there, or it was stopped."""
    try:
        return msgspec.json.decode(state_path(run_directory).read_bytes(), type=StackState)
    except FileNotFoundError:
        return None


def write_state(run_directory: Path, state: StackState) -> None:
    """Replace the state file in one step."""
    write_whole(state_path(run_directory), msgspec.json.encode(state))


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
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in but_not and process.environ().get(STACK_ID_VARIABLE) == stack_id:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # another user's process, or one that just ended
    return found
