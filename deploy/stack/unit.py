"""A supervised process: started, awaited, restarted with back-off, stopped."""

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.plan import ChildSpec
from deploy.stack.restarts import Restarts, next_restart
from deploy.stack.server import ServerProcess
from deploy.stack.state import ProcessState, start_time

READY_TIMEOUT_SECONDS = 1.0
HTTP_OK = 200


def answers_ready(url: str, *, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> bool:
    """Say whether a GET of `url` is answered with 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_seconds)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == HTTP_OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Unit:
    """One process of the stack as the supervisor sees it. Instants are of a monotonic clock, in seconds."""

    def __init__(
        self,
        *,
        process: ServerProcess,
        group: str,
        probe: Callable[[], bool],
        ready_url: str | None = None,
        stop_timeout_seconds: float = 15.0,
        restart: bool = True,
        spec: ChildSpec | None = None,
    ) -> None:
        self.process = process
        self.group = group
        self.ready = False
        self.spec = spec
        self.restarts = Restarts()
        self._probe = probe
        self._ready_url = ready_url
        self._stop_timeout_seconds = stop_timeout_seconds
        self._restart = restart
        self._started_at = 0.0
        self._process_started = 0.0
        self._due_at: float | None = None

    @property
    def name(self) -> str:
        """Return the name of the process."""
        return self.process.name

    @property
    def lost(self) -> bool:
        """Say whether the process died and must not be started again."""
        return not self._restart and not self.process.running

    def start(self, *, now: float) -> None:
        """Start the process."""
        self.process.start()
        self.adopt(now=now)

    def adopt(self, *, now: float) -> None:
        """Take over a process that was started."""
        self._started_at = now
        self._process_started = start_time(self.process.pid)
        self._due_at = None
        self.ready = False

    def step(self, *, now: float) -> bool:
        """Notice a death, start again when that is due, probe readiness; return whether anything changed."""
        if self.process.running:
            if not self.ready and self._probe():
                self.ready = True
                return True
            return False
        if self.lost:
            return False
        if self._due_at is None:
            self.restarts, delay = next_restart(self.restarts, lived_seconds=now - self._started_at)
            self._due_at = now + delay
            self.ready = False
            return True
        if now >= self._due_at:
            self.start(now=now)
            return True
        return False

    def stop(self) -> None:
        """Stop the process: SIGTERM, and SIGKILL after its timeout."""
        self.process.stop(timeout_seconds=self._stop_timeout_seconds)

    def state(self) -> ProcessState:
        """Return what the state file says of the process."""
        return ProcessState(
            name=self.name,
            group=self.group,
            pid=self.process.pid,
            started=self._process_started,
            ready=self.ready and self.process.running,
            ready_url=self._ready_url,
            restarts=self.restarts.total_count,
            log=str(self.process.log_path),
            stop_timeout_seconds=self._stop_timeout_seconds,
        )


def child_unit(spec: ChildSpec, *, log_folder: Path, marker: dict[str, str]) -> Unit:
    """Return the unit of a child; `marker` is added to its environment."""
    url = spec.ready_url
    process = ServerProcess(
        name=spec.name, argv=spec.argv, log_path=log_folder / f"{spec.name}.log", env={**spec.env, **marker}
    )
    return Unit(
        process=process,
        group=spec.group,
        probe=lambda: url is None or answers_ready(url),
        ready_url=url,
        stop_timeout_seconds=spec.stop_timeout_seconds,
        spec=spec,
    )
