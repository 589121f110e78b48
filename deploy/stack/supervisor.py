"""The process that starts a stack after its plan, keeps it running, and stops it in reverse order.

It does what the plan file says. A new generation of the plan stops the children that are no longer in it (or changed)
and starts the new ones; the state file tells when that is done.

Once a stack was ready nothing ends it but somebody who asks: what dies is started again for as long as it takes, and
what the supervisor itself cannot do (write its state on a full disk, start a process) is told, counted and tried again.
"""

import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec
import structlog

from deploy.kafka.topic_admin import ensure_topics
from deploy.stack.disk import DiskWatch
from deploy.stack.lock import RunLock
from deploy.stack.plan import BrokerKind, StackPlan, read_plan
from deploy.stack.server import ServerFailedError, log_tail
from deploy.stack.servers import Servers
from deploy.stack.stack_metrics import StackMetrics
from deploy.stack.stack_state import (
    STACK_FOLDER_VARIABLE,
    STACK_ID_VARIABLE,
    Phase,
    StackState,
    this_process,
)
from deploy.stack.state_file import StateFile
from deploy.stack.unit import Unit, UnitChange, child_unit, stop_units
from streams.runtime.logs import logger_factory

STEP_SECONDS = 0.1
TOPICS_RETRY_SECONDS = 2.0
FORGOT = (
    "the embedded broker died and everything it held with it: events, alerts, rules, silences. All processes begin "
    "anew with empty topics; send the events again, or use --broker kafka, which keeps them"
)
log = structlog.get_logger("monazite.stack")


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
        self._marker = {STACK_ID_VARIABLE: stack_id, STACK_FOLDER_VARIABLE: str(run_directory.resolve())}
        self._servers = Servers(plan, folder=run_directory, marker=self._marker)
        self._units: list[Unit] = []
        self._ready_generation = 0
        self._deadline = 0.0
        self._topics_due_at: float | None = None
        self._detail = ""
        self._stop_signal = ""
        self._metrics = StackMetrics(lambda: self._units, folder=run_directory)
        self._state_file = StateFile(run_directory, on_fault=self._metrics.count_fault)
        self._disk = DiskWatch(run_directory)

    def run(self) -> int:
        """Start everything, keep it running until asked to stop, stop it; return 0, or 1 when the stack failed."""
        failure = ""
        try:
            with ExitStack() as serving:
                self._note("starting")
                serving.enter_context(self._metrics.serving(self._plan.ports))
                self._start_servers()
                if not self.stop_requested.is_set():
                    self._follow_plan(self._plan)
                    self._keep_running()
        except (ServerFailedError, TimeoutError, OSError, RuntimeError) as error:
            failure = str(error)
            log.error("stack failed", error=failure)
        finally:
            log.info("the stack stops", asked_by=self._stop_signal or "nobody: it failed")
            self._note("stopping")
            self._stop_units(self._units)
        if failure:
            self._note("failed", failure)
        else:
            self._state_file.remove()
        return 1 if failure else 0

    def request_stop(self, number: int, _frame: object) -> None:
        """Take note of a signal that asks to stop; it is logged later, a handler may interrupt a line."""
        self._stop_signal = signal.Signals(number).name
        self.stop_requested.set()

    def _start_servers(self) -> None:
        for unit, start in self._servers.starts():
            if self.stop_requested.is_set():
                return
            log.info("starting", name=unit.name)
            self._units.append(unit)
            start()
            unit.adopt(now=time.monotonic())
            unit.ready = True
            self._note("starting")
        if not self.stop_requested.is_set():
            self._make_topics()

    def _make_topics(self) -> None:
        plan = self._plan
        if plan.topic_prefix is not None:
            report = ensure_topics(
                self._servers.bootstrap,
                prefix=plan.topic_prefix,
                partitions=plan.partitions,
                replication=plan.replication,
            )
            log.info("topics ready", made=len(report.created), declared=len(report.declared))

    def _keep_running(self) -> None:
        while not self.stop_requested.wait(STEP_SECONDS):
            now = time.monotonic()
            self._look_for_new_plan()
            changed = self._step(now)
            for message, facts in self._disk.look(now):
                log.warning(message, **facts)
            if self._ready_generation < self._plan.generation:
                self._finish_generation(now)
            elif changed or self._state_file.is_behind(now):
                self._note("ready")

    def _step(self, now: float) -> bool:
        """Look after every process; children start only while the broker runs, with the topics it needs."""
        servers = [unit for unit in self._units if unit.spec is None]
        children = [unit for unit in self._units if unit.spec is not None]
        broker = self._servers.broker
        changed = False
        for unit in servers:
            change = self._tell(unit, unit.step(now=now))
            changed |= change is not UnitChange.NONE
            if unit is broker and change is UnitChange.DIED and self._plan.broker_kind is BrokerKind.EMBEDDED:
                self._begin_anew(now)
            if unit is broker and change is UnitChange.READY:
                for child in children:
                    child.hurry(now=now)
        may_start = (broker is None or broker.ready) and self._topics_made(now)
        for unit in children:
            changed |= self._tell(unit, unit.step(now=now, may_start=may_start)) is not UnitChange.NONE
        return changed

    def _tell(self, unit: Unit, change: UnitChange) -> UnitChange:
        facts = {"name": unit.name, "deaths": unit.restarts.total_count}
        if change is UnitChange.START_FAILED:
            self._metrics.count_fault("start_failed")
            log.error("a process cannot be started; it is tried again", error=unit.start_failure, **facts)
        elif change is UnitChange.DIED:
            log.warning(
                "a process died; it is started again",
                exit=unit.process.exit_code,
                log=str(unit.process.log_path),
                **facts,
            )
        elif change is not UnitChange.NONE:
            log.info(change.value.replace("_", " "), **facts)
        return change

    def _begin_anew(self, now: float) -> None:
        """Begin again with everything after a broker that forgets died: no process may remember what it forgot."""
        log.error(FORGOT)
        self._detail = FORGOT
        others = [unit for unit in self._units if unit is not self._servers.broker and unit.process.running]
        self._stop_units(others)
        for unit in others:
            unit.hold(now=now)
        self._topics_due_at = now

    def _topics_made(self, now: float) -> bool:
        if self._topics_due_at is None:
            return True
        broker = self._servers.broker
        if now < self._topics_due_at or (broker is not None and not broker.ready):
            return False
        try:
            self._make_topics()
        except Exception as error:  # noqa: BLE001 - a client raises what it likes; the topics are made a moment later
            self._metrics.count_fault("topics_failed")
            log.error("the topics cannot be made yet; it is tried again", error=repr(error)[:300])
            self._topics_due_at = now + TOPICS_RETRY_SECONDS
            return False
        self._topics_due_at = None
        return True

    def _finish_generation(self, now: float) -> None:
        waiting = [unit for unit in self._units if not unit.ready]
        if not waiting:
            self._ready_generation = self._plan.generation
            self._note("ready")
        elif now > self._deadline:
            tails = "\n".join(log_tail(unit.process.log_path) for unit in waiting)
            names = ", ".join(unit.name for unit in waiting)
            raise TimeoutError(f"not ready after {self._plan.ready_timeout_seconds:g} s: {names}\n{tails}")

    def _look_for_new_plan(self) -> None:
        try:
            plan = read_plan(self._run_directory)
        except (OSError, msgspec.DecodeError):
            return  # what runs goes on by the plan that is known
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
        """Stop children together, then each server by itself, the last started first."""
        children = [unit for unit in units if unit.spec is not None]
        servers = [unit for unit in units if unit.spec is None]
        for unit in units:
            unit.process.resume()  # a stopped broker would keep the others from ending
        for some in ([children] if children else []) + [[unit] for unit in reversed(servers)]:
            log.info("stopping", names=[unit.name for unit in some])
            stop_units(some)

    def _note(self, phase: str, detail: str = "") -> None:
        self._state_file.write(self._state(Phase(name=phase, detail=detail or self._detail)), now=time.monotonic())

    def _state(self, phase: Phase) -> StackState:
        ports = msgspec.to_builtins(self._plan.ports) if self._plan.ports else {}
        return StackState(
            stack_id=self._stack_id,
            supervisor=this_process("supervisor", port=ports.get("supervisor")),
            phase=phase,
            broker_kind=str(self._plan.broker_kind),
            bootstrap=self._servers.bootstrap,
            redis_url=self._servers.redis_url,
            prefix=self._plan.topic_prefix,
            ports={name: port for name, port in ports.items() if isinstance(port, int)},
            processes=tuple(unit.state() for unit in self._units),
            generation=self._ready_generation,
        )


def supervise(run_directory: Path, *, stack_id: str, lock: RunLock | None = None) -> int:
    """Run a supervisor in this process until SIGTERM or Ctrl-C; return its exit code.

    Raises `StackRunningError` when another supervisor has the run directory; `lock` is the one that is held already.
    """
    structlog.configure(logger_factory=logger_factory(sys.stdout))
    with lock or RunLock.acquire(run_directory) as held:
        held.sign()
        supervisor = Supervisor(run_directory=run_directory, stack_id=stack_id)
        previous = {
            number: signal.signal(number, supervisor.request_stop)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        try:
            return supervisor.run()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    inherited = RunLock.inherited(directory, int(sys.argv[3])) if len(sys.argv) > 3 else None
    sys.exit(supervise(directory, stack_id=sys.argv[2], lock=inherited))
