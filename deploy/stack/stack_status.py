"""What runs of a stack, asked of the processes themselves: from the state file, and without it by their marks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from deploy.stack.lock import holder_of, is_held
from deploy.stack.plan import BrokerKind
from deploy.stack.probes import redis_answers
from deploy.stack.servers import broker_answers
from deploy.stack.stack_state import ProcessState, StackState, folder_processes, live_process, read_state
from deploy.stack.unit import ReadyAnswer, ask_ready


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process now. `state`: ready, not_ready, down (it died and waits for its next start) or unknown.

    `ready` is asked of it live; None when there is nothing to ask. `since`: when it started, or died. `waiting_for`:
    what it says that it waits for.
    """

    name: str
    group: str
    state: str
    pid: int
    running: bool
    ready: bool | None
    port: int | None = None
    restarts: int = 0
    since: datetime | None = None
    waiting_for: list[str] = []
    log: str = ""


class StackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A stack now. `running`: its supervisor lives. `phase`: stopped, starting, ready (all processes are), not_ready,
    failed, stopping or orphaned (the supervisor is gone, processes of it are not: `monazite stack down` ends them, and
    so does the next `monazite stack up`). `durable`: whether the broker holds what it was told over a stop; None when
    nothing is known of it. `keeps` says it in words.
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
    supervisor: ProcessStatus | None = None
    processes: tuple[ProcessStatus, ...] = ()


def status(run_directory: Path) -> StackStatus:
    """Return what runs now; phase `stopped` when nothing does."""
    state = read_state(run_directory)
    if state is None:
        return _without_state(run_directory)
    supervisor = state.supervisor if live_process(state.supervisor) is not None else holder_of(run_directory)
    processes = _asked(_current(run_directory, state), state)
    phase = _phase(state, running=supervisor is not None, processes=processes)
    detail = state.phase.detail
    if phase == "not_ready":
        detail = "; ".join(filter(None, [detail, *map(_explained, (p for p in processes if p.state != "ready"))]))
    return StackStatus(
        running=supervisor is not None,
        phase=phase,
        detail=detail,
        broker_kind=state.broker_kind,
        durable=BrokerKind(state.broker_kind).is_durable,
        keeps=BrokerKind(state.broker_kind).keeps,
        bootstrap=state.bootstrap,
        redis_url=state.redis_url,
        prefix=state.prefix,
        ports=state.ports,
        supervisor=_supervisor_status(supervisor) if supervisor is not None else None,
        processes=processes,
    )


def _phase(state: StackState, *, running: bool, processes: tuple[ProcessStatus, ...]) -> str:
    name = state.phase.name
    if not running:
        return name if name == "failed" else "orphaned" if any(p.running for p in processes) else "stopped"
    if name == "ready" and any(process.state != "ready" for process in processes):
        return "not_ready"
    return name


def _explained(process: ProcessStatus) -> str:
    waiting = f" (waits for {', '.join(process.waiting_for)})" if process.waiting_for else ""
    return f"{process.name} is {process.state.replace('_', ' ')}{waiting}"


def _current(run_directory: Path, state: StackState) -> list[ProcessState]:
    """Return the processes of the state file, or what took their place while it could not be written."""
    noted = list(state.processes)
    if all(live_process(process) is not None for process in noted):
        return noted
    running = {name: (pid, process) for pid, (name, process) in folder_processes(run_directory).items()}
    current = []
    for process in noted:
        found = running.get(process.name)
        if live_process(process) is None and found is not None:
            started = found[1].create_time()
            process = msgspec.structs.replace(process, pid=found[0], started=started, since=started, down=False)  # noqa: PLW2901
        current.append(process)
    return current


def _asked(processes: list[ProcessState], state: StackState) -> tuple[ProcessStatus, ...]:
    if not processes:
        return ()
    with ThreadPoolExecutor(max_workers=len(processes)) as pool:
        return tuple(pool.map(lambda process: _process_status(process, state), processes))


def _process_status(process: ProcessState, state: StackState) -> ProcessStatus:
    running = live_process(process) is not None
    answer = _answer(process, state) if running else None
    if not running:
        shown = "down"
    elif answer is None:
        shown = "ready" if process.ready else "not_ready"
    else:
        shown = "ready" if answer.ready else "not_ready"
    return ProcessStatus(
        name=process.name,
        group=process.group,
        state=shown,
        pid=process.pid,
        running=running,
        ready=answer.ready if answer is not None else None,
        port=process.port,
        restarts=process.restarts,
        since=_instant(process.since),
        waiting_for=answer.waiting_for if answer is not None and not answer.ready else [],
        log=process.log,
    )


def _answer(process: ProcessState, state: StackState) -> ReadyAnswer | None:
    if process.ready_url is not None:
        return ask_ready(process.ready_url)
    if process.group == "broker":
        ready = broker_answers(state.bootstrap)
        return ReadyAnswer(ready=ready, waiting_for=[] if ready else ["an answer to a request"])
    if process.group == "redis" and process.port is not None:
        ready = redis_answers(process.port)
        return ReadyAnswer(ready=ready, waiting_for=[] if ready else ["an answer to PING"])
    return None


def _supervisor_status(process: ProcessState) -> ProcessStatus:
    return ProcessStatus(
        name="supervisor",
        group="supervisor",
        state="ready",
        pid=process.pid,
        running=True,
        ready=None,
        port=process.port or None,
        since=_instant(process.since or process.started),
    )


def _without_state(run_directory: Path) -> StackStatus:
    """Say what can be said when there is no state file, or nobody can read it."""
    found = tuple(
        ProcessStatus(
            name=name,
            group="",
            state="unknown",
            pid=pid,
            running=True,
            ready=None,
            since=_instant(process.create_time()),
        )
        for pid, (name, process) in sorted(folder_processes(run_directory).items())
    )
    held = is_held(run_directory)
    if not held and not found:
        return StackStatus(running=False, phase="stopped")
    supervisor = holder_of(run_directory)
    return StackStatus(
        running=held,
        phase="not_ready" if held else "orphaned",
        detail="the state file is missing or cannot be read, so only the processes are known",
        supervisor=_supervisor_status(supervisor) if supervisor is not None else None,
        processes=found,
    )


def _instant(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
