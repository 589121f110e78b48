"""The process that starts a stack after its plan, keeps it running, and stops it in reverse order.

It does what the plan file says. A new generation of the plan stops the children that are no longer in it (or changed)
and starts the new ones; the state file tells when that is done.
"""

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import structlog

from deploy.stack.embedded import EmbeddedServer
from deploy.stack.kafka import KafkaServers
from deploy.stack.plan import BrokerKind, StackPlan, read_plan
from deploy.stack.ports import is_listening
from deploy.stack.probes import redis_answers
from deploy.stack.redis_server import RedisServerProcess
from deploy.stack.server import ServerFailedError, log_tail
from deploy.stack.state import (
    STACK_ID_VARIABLE,
    Phase,
    ProcessState,
    StackState,
    start_time,
    state_path,
    write_state,
)
from deploy.stack.unit import Unit, child_unit
from deploy.topics import ensure_topics

STEP_SECONDS = 0.1
log = structlog.get_logger("monazite.stack")


class StackRunningError(RuntimeError):
    """A stack runs already in the run directory."""


class Supervisor:
    """Carries out the plan in `run_directory` until `stop_requested` is set; `stack_id` marks every process."""

    def __init__(self, *, run_directory: Path, stack_id: str) -> None:
        plan = read_plan(run_directory)
        if plan is None:
            raise FileNotFoundError(f"no plan in {run_directory}: start a stack with `monazite stack up`")
        self.stop_requested = threading.Event()
        self._plan = plan
        self._run_directory = run_directory
        self._stack_id = stack_id
        self._marker = {STACK_ID_VARIABLE: stack_id}
        self._units: list[Unit] = []
        self._bootstrap = plan.bootstrap or ""
        self._redis_url = plan.redis_url or ""
        self._ready_generation = 0
        self._deadline = 0.0
        self._plan_changed_at = 0

    def run(self, *, on_ready: Callable[[StackState], None] | None = None) -> int:
        """Start everything, keep it running until asked to stop, stop it; return 0, or 1 when the stack failed.

        `on_ready` is called each time a generation of the plan is ready.
        """
        failure = ""
        with ExitStack() as held:
            held.enter_context(_lock(self._run_directory))
            try:
                self._note("starting")
                self._start_servers()
                if not self.stop_requested.is_set():
                    self._follow_plan(self._plan)
                    self._keep_running(on_ready)
            except (ServerFailedError, TimeoutError, OSError, RuntimeError) as error:
                failure = str(error)
                log.error("stack failed", error=failure)
            finally:
                self._note("stopping")
                self._stop_units(self._units)
            if failure:
                self._note("failed", failure)
            else:
                state_path(self._run_directory).unlink(missing_ok=True)
        return 1 if failure else 0

    def _start_servers(self) -> None:
        plan, folder = self._plan, self._run_directory
        if plan.broker_kind is BrokerKind.EMBEDDED:
            embedded = EmbeddedServer(folder=folder / "logs", port=plan.broker_port, marker=self._marker)
            # What it held is lost with it, so it is not started again: the stack ends instead.
            unit = Unit(process=embedded.process, group="broker", probe=lambda: True, restart=False)
            self._enlist(unit, embedded.start)
            self._bootstrap = embedded.bootstrap
        elif plan.broker_kind is BrokerKind.KAFKA:
            ports = [plan.broker_port] if plan.broker_port else None
            kafka = KafkaServers(folder=folder / "broker", client_ports=ports, java=plan.java, marker=self._marker)
            node = kafka.nodes[0]
            unit = Unit(process=node.process, group="broker", probe=lambda: is_listening(node.client_port))
            self._enlist(unit, kafka.start)
            self._bootstrap = kafka.bootstrap
        if plan.redis_port is not None and not self.stop_requested.is_set():
            redis = RedisServerProcess(folder=folder / "logs", port=plan.redis_port, marker=self._marker)
            unit = Unit(process=redis.process, group="redis", probe=lambda: redis_answers(redis.port))
            self._enlist(unit, redis.start)
            self._redis_url = redis.url
        if plan.topic_prefix is not None and not self.stop_requested.is_set():
            report = ensure_topics(
                self._bootstrap, prefix=plan.topic_prefix, partitions=plan.partitions, replication=plan.replication
            )
            log.info("topics ready", made=len(report.created), declared=len(report.declared))

    def _enlist(self, unit: Unit, start: Callable[[], None]) -> None:
        log.info("starting", name=unit.name)
        self._units.append(unit)
        start()
        unit.adopt(now=time.monotonic())
        unit.ready = True
        self._note("starting")

    def _keep_running(self, on_ready: Callable[[StackState], None] | None) -> None:
        while not self.stop_requested.wait(STEP_SECONDS):
            self._look_for_new_plan()
            now = time.monotonic()
            changed = [unit for unit in self._units if unit.step(now=now)]
            for unit in changed:
                log.info("ready" if unit.ready else "restarting", name=unit.name, deaths=unit.restarts.total_count)
            lost = [unit for unit in self._units if unit.lost]
            if lost:
                raise ServerFailedError(f"{lost[0].name} died\n{log_tail(lost[0].process.log_path)}")
            if self._ready_generation < self._plan.generation:
                self._finish_generation(now, on_ready)
            elif changed:
                self._note("ready")

    def _finish_generation(self, now: float, on_ready: Callable[[StackState], None] | None) -> None:
        waiting = [unit for unit in self._units if not unit.ready]
        if not waiting:
            self._ready_generation = self._plan.generation
            self._note("ready")
            if on_ready is not None:
                on_ready(self._state(Phase(name="ready")))
        elif now > self._deadline:
            tails = "\n".join(log_tail(unit.process.log_path) for unit in waiting)
            names = ", ".join(unit.name for unit in waiting)
            raise TimeoutError(f"not ready after {self._plan.ready_timeout_seconds:g} s: {names}\n{tails}")

    def _look_for_new_plan(self) -> None:
        plan = read_plan(self._run_directory)
        if plan is not None and plan.generation > self._plan.generation:
            self._follow_plan(plan)

    def _follow_plan(self, plan: StackPlan) -> None:
        """Stop children that the plan no longer has as they are, start those that are new, in its order."""
        self._plan = plan
        wanted = {msgspec.json.encode(spec) for spec in plan.children}
        servers = [unit for unit in self._units if unit.spec is None]
        children = {msgspec.json.encode(unit.spec): unit for unit in self._units if unit.spec is not None}
        self._stop_units([unit for key, unit in children.items() if key not in wanted])
        self._units = servers + [unit for key, unit in children.items() if key in wanted]
        self._deadline = time.monotonic() + plan.ready_timeout_seconds
        ordered = list(servers)
        for spec in plan.children:
            unit = children.get(msgspec.json.encode(spec))
            if unit is None:
                if self.stop_requested.is_set():
                    break
                unit = child_unit(spec, log_folder=self._run_directory / "logs", marker=self._marker)
                log.info("starting", name=unit.name)
                unit.start(now=time.monotonic())
                self._units.append(unit)
                self._note("starting")
            ordered.append(unit)
        self._units = ordered + [unit for unit in self._units if unit not in ordered]

    def _stop_units(self, units: list[Unit]) -> None:
        for unit in reversed(units):
            log.info("stopping", name=unit.name)
            unit.stop()

    def _note(self, phase: str, detail: str = "") -> None:
        write_state(self._run_directory, self._state(Phase(name=phase, detail=detail)))

    def _state(self, phase: Phase) -> StackState:
        ports = msgspec.to_builtins(self._plan.ports) if self._plan.ports else {}
        return StackState(
            stack_id=self._stack_id,
            supervisor=ProcessState(
                name="supervisor", group="supervisor", pid=os.getpid(), started=start_time(os.getpid())
            ),
            phase=phase,
            broker_kind=str(self._plan.broker_kind),
            bootstrap=self._bootstrap,
            redis_url=self._redis_url,
            prefix=self._plan.topic_prefix,
            ports={name: port for name, port in ports.items() if isinstance(port, int)},
            processes=tuple(unit.state() for unit in self._units if unit.process.running),
            generation=self._ready_generation,
        )


class _lock:  # noqa: N801 - used as a function that opens a context
    """Hold the lock of a run directory; raises `StackRunningError` when another supervisor has it."""

    def __init__(self, run_directory: Path) -> None:
        self._file = (run_directory / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise StackRunningError(f"another supervisor runs in {run_directory}") from error

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._file.close()


def supervise(run_directory: Path, *, stack_id: str, on_ready: Callable[[StackState], None] | None = None) -> int:
    """Run a supervisor in this process until SIGTERM or Ctrl-C; return its exit code."""
    supervisor = Supervisor(run_directory=run_directory, stack_id=stack_id)
    stop = supervisor.stop_requested
    previous = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    try:
        return supervisor.run(on_ready=on_ready)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), stack_id=sys.argv[2]))
