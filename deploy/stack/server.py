"""One server process: started with its output in a file, stopped by its own pid, its log shown when it fails."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.stack.waiting import wait_until

LOG_TAIL_LINES = 40
KILL_WAIT_SECONDS = 10.0


class ServerFailedError(RuntimeError):
    """A server did not start or died while it was awaited; the message ends with the tail of its log."""


class MissingToolError(RuntimeError):
    """A program or artifact is not on this machine; the message says what to install or run."""


def log_tail(path: Path, *, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log file, or a note that there is none."""
    if not path.exists():
        return f"(no log at {path})"
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(["--- end of " + str(path), *text[-lines:], "---"])


class ServerProcess:
    """A child process of ours with a log file.

    With `die_with_parent` the kernel kills it when the starting thread ends (through setpriv of util-linux, where it
    exists): for tests, so that a killed test run leaves nothing. The process gets its own session: Ctrl-C in a terminal
    reaches only us, and we stop the servers in order.
    """

    def __init__(
        self,
        *,
        name: str,
        argv: Sequence[str],
        log_path: Path,
        env: Mapping[str, str] | None = None,
        die_with_parent: bool = False,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log_path = log_path
        self._env = {**os.environ, **(env or {})}
        setpriv = shutil.which("setpriv") if die_with_parent else None
        self._prefix = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id; raises `ServerFailedError` when never started."""
        if self._process is None:
            raise ServerFailedError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Say whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Return how the process ended: its code, or the signal as a negative number; `None` where it has not."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start the process; its output is appended to the log file."""
        if self.running:
            raise ServerFailedError(f"{self.name} runs already as process {self.pid}")
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    def wait_ready(self, probe: Callable[[], object], *, timeout_seconds: float) -> None:
        """Wait until `probe()` is true; raises `ServerFailedError` at once when the process dies first."""

        def ready() -> object:
            if not self.running:
                code = self._process.returncode if self._process else None
                raise ServerFailedError(f"{self.name} ended with exit code {code}\n{log_tail(self.log_path)}")
            return probe()

        wait_until(
            ready,
            timeout_seconds=timeout_seconds,
            what=f"{self.name} to be ready",
            detail=lambda: log_tail(self.log_path),
        )

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Send a signal to the process if it runs."""
        if self.running and self._process is not None:
            self._process.send_signal(signal_number)

    def pause(self) -> None:
        """Stop the process where it stands (SIGSTOP): a stalled server."""
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process with SIGKILL and wait for it."""
        self.send_signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=KILL_WAIT_SECONDS)

    def stop(self, *, timeout_seconds: float = 10.0) -> None:
        """End the process with SIGTERM, after the timeout with SIGKILL; does nothing when it does not run."""
        if not self.running or self._process is None:
            return
        self.send_signal(signal.SIGCONT)
        self.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
