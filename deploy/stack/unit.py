"""A supervised process: started, probed, restarted with back-off for as long as it takes, stopped."""

import http.client
import signal
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from deploy.stack.plan import ChildSpec
from deploy.stack.restarts import Restarts, next_restart
from deploy.stack.server import ServerFailedError, ServerProcess
from deploy.stack.stack_state import PROCESS_NAME_VARIABLE, ProcessState, start_time
from streams.runtime.clock import utc_now

READY_TIMEOUT_SECONDS = 2.0
PROBE_SECONDS = 0.2
"""From one look at a process that is not ready to the next."""
READY_PROBE_SECONDS = 2.0
HTTP_OK = 200
_STOP_POLL_SECONDS = 0.02


class UnitChange(StrEnum):
    """What a look at a process found to be new."""

    NONE = "none"
    DIED = "died"
    STARTED = "started"
    START_FAILED = "start_failed"
    READY = "ready"
    NOT_READY = "not_ready"


class ReadyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What `/readyz` says; `waiting_for` is empty where it says nothing."""

    ready: bool = False
    waiting_for: list[str] = []


def ask_ready(url: str, *, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> ReadyAnswer:
    """Return the answer of a GET of `url`: ready with status 200; one that does not come is an answer too."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_seconds)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        ready = response.status == HTTP_OK
        try:
            said = msgspec.json.decode(response.read(), type=ReadyAnswer)
        except msgspec.MsgspecError:
            said = ReadyAnswer()
        return ReadyAnswer(ready=ready, waiting_for=[] if ready else said.waiting_for)
    except TimeoutError:
        return ReadyAnswer(waiting_for=[f"an answer of /readyz within {timeout_seconds:g} s"])
    except (OSError, http.client.HTTPException):
        return ReadyAnswer(waiting_for=["its start: nothing answers at its port yet"])
    finally:
        connection.close()


def answers_ready(url: str, *, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> bool:
    """Say whether a GET of `url` is answered with 200."""
    return ask_ready(url, timeout_seconds=timeout_seconds).ready


class _Probing:
    """One look at a process, in a thread: it may hang for as long as the process does."""

    def __init__(self, probe: Callable[[], bool]) -> None:
        self._probe = probe
        self.answer: bool | None = None
        threading.Thread(target=self._run, name="probe", daemon=True).start()

    def _run(self) -> None:
        try:
            self.answer = bool(self._probe())
        except Exception:  # noqa: BLE001 - whatever a probe meets, the process is not ready
            self.answer = False


class Unit:
    """One process of the stack as the supervisor sees it. Instants are of a monotonic clock, in seconds."""

    def __init__(
        self,
        *,
        process: ServerProcess,
        group: str,
        probe: Callable[[], bool],
        ready_url: str | None = None,
        port: int | None = None,
        stop_timeout_seconds: float = 15.0,
        spec: ChildSpec | None = None,
    ) -> None:
        self.process = process
        self.group = group
        self.ready = False
        self.spec = spec
        self.restarts = Restarts()
        self.start_failure = ""
        self._probe = probe
        self._probing: _Probing | None = None
        self._probe_due_at = 0.0
        self._ready_url = ready_url
        self._port = port
        self._stop_timeout_seconds = stop_timeout_seconds
        self._started_at = 0.0
        self._process_started = 0.0
        self._since = 0.0
        self._due_at: float | None = None

    @property
    def name(self) -> str:
        """Return the name of the process."""
        return self.process.name

    def start(self, *, now: float) -> None:
        """Start the process."""
        self.process.start()
        self.adopt(now=now)

    def adopt(self, *, now: float) -> None:
        """Take over a process that was started."""
        self._started_at = now
        self._process_started = self._since = start_time(self.process.pid)
        self._due_at = None
        self._probing = None
        self._probe_due_at = now
        self.start_failure = ""
        self.ready = False

    def step(self, *, now: float, may_start: bool = True) -> UnitChange:
        """Notice a death, start again when that is due and may be, look at readiness; return what is new.

        A process that cannot be started (no memory, no room for its log) is tried again like one that died.
        """
        if self.process.running:
            return self._look(now)
        if self._due_at is None:
            self._wait_after_death(now)
            return UnitChange.DIED
        if not may_start or now < self._due_at:
            return UnitChange.NONE
        try:
            self.start(now=now)
        except (OSError, ServerFailedError) as error:
            self.start_failure = f"{type(error).__name__}: {error}"
            self._started_at = now
            self._wait_after_death(now)
            return UnitChange.START_FAILED
        return UnitChange.STARTED

    def hurry(self, *, now: float) -> None:
        """Let a process that waits for its next start do so now: what it died of is gone."""
        if self._due_at is not None:
            self._due_at = now
        self.restarts = Restarts(total_count=self.restarts.total_count)

    def hold(self, *, now: float) -> None:
        """Note that the process was stopped on purpose and is to be started again; that is no death."""
        self._due_at = now
        self._since = utc_now().timestamp()
        self.ready = False

    def _wait_after_death(self, now: float) -> None:
        self.restarts, delay = next_restart(self.restarts, lived_seconds=now - self._started_at)
        self._due_at = now + delay
        self._since = utc_now().timestamp()
        self.ready = False

    def _look(self, now: float) -> UnitChange:
        if self._probing is None:
            if now >= self._probe_due_at:
                self._probing = _Probing(self._probe)
            return UnitChange.NONE
        answer = self._probing.answer
        if answer is None:
            return UnitChange.NONE
        self._probing = None
        self._probe_due_at = now + (READY_PROBE_SECONDS if answer else PROBE_SECONDS)
        if answer == self.ready:
            return UnitChange.NONE
        self.ready = answer
        return UnitChange.READY if answer else UnitChange.NOT_READY

    def request_stop(self) -> None:
        """Ask the process to stop, once: a second SIGTERM means "at once" to some."""
        self.process.resume()
        self.process.send_signal(signal.SIGTERM)

    def await_stop(self) -> None:
        """Wait for the end of a process that was asked to stop; kill it after its timeout."""
        deadline = time.monotonic() + self._stop_timeout_seconds
        while self.process.running and time.monotonic() < deadline:
            time.sleep(_STOP_POLL_SECONDS)
        if self.process.running:
            self.process.kill()

    def state(self) -> ProcessState:
        """Return what the state file says of the process."""
        running = self.process.running
        return ProcessState(
            name=self.name,
            group=self.group,
            pid=self.process.pid if self._process_started else 0,
            started=self._process_started,
            ready=self.ready and running,
            down=not running,
            since=self._since,
            port=self._port,
            ready_url=self._ready_url,
            restarts=self.restarts.total_count,
            log=str(self.process.log_path),
            stop_timeout_seconds=self._stop_timeout_seconds,
        )


def stop_units(units: list[Unit]) -> None:
    """Stop processes together; return when all have ended."""
    for unit in reversed(units):
        unit.request_stop()
    for unit in reversed(units):
        unit.await_stop()


def child_unit(spec: ChildSpec, *, log_folder: Path, marker: dict[str, str]) -> Unit:
    """Return the unit of a child; `marker` is added to its environment."""
    url = spec.ready_url
    env = {**spec.env, **marker, PROCESS_NAME_VARIABLE: spec.name}
    process = ServerProcess(name=spec.name, argv=spec.argv, log_path=log_folder / f"{spec.name}.log", env=env)
    return Unit(
        process=process,
        group=spec.group,
        probe=lambda: url is None or answers_ready(url),
        ready_url=url,
        port=urlsplit(url).port if url else None,
        stop_timeout_seconds=spec.stop_timeout_seconds,
        spec=spec,
    )
