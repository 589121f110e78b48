"""Processes under measurement: started as users start them, with their CPU time and, at the end, nothing left."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.stack.free_ports import free_port

ROOT = Path(__file__).resolve().parents[1]


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll a condition until it holds; raises `TimeoutError` naming it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


@dataclass
class Measured:
    """One process and the CPU seconds it had used when it became ready."""

    process: subprocess.Popen[bytes]
    log: Path
    cpu_at_ready_seconds: float = 0.0

    def cpu_seconds(self) -> float:
        """User and system time since it became ready."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system) - self.cpu_at_ready_seconds

    def mark(self) -> None:
        """Forget what was used until now."""
        self.cpu_at_ready_seconds = 0.0
        self.cpu_at_ready_seconds = self.cpu_seconds()

    def stop(self) -> None:
        """Stop it cleanly."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def start_worker(*command: str, bootstrap: str, prefix: str, folder: Path) -> Measured:
    """Start `monazite work ...` and wait until it is ready."""
    port = free_port()
    log = folder / f"{'-'.join(command)}.log"
    argv = [
        sys.executable, "-m", "deploy.cli", *command, "--bootstrap", bootstrap, "--prefix", prefix,
        "--broker-kind", "kafka", "--metrics-port", str(port), "--data-dir", str(folder / "-".join(command)),
    ]  # fmt: skip
    measured = _start(argv, log)

    def ready() -> bool:
        if measured.process.poll() is not None:
            raise RuntimeError(f"{command} ended:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_for(ready, seconds=90, what=f"{command} ready")
    measured.mark()
    return measured


def start_plain(*, bootstrap: str, prefix: str, folder: Path) -> Measured:
    """Start the plain Faust reference."""
    argv = [sys.executable, "-m", "bench.plain_faust", "worker", "-l", "info", "--without-web"]
    environment = {"BENCH_BOOTSTRAP": bootstrap, "BENCH_PREFIX": prefix, "BENCH_DATA": str(folder / "plain")}
    return _start(argv, folder / "plain.log", environment)


def _start(argv: list[str], log: Path, environment: dict[str, str] | None = None) -> Measured:
    with log.open("ab") as out:
        process = subprocess.Popen(
            argv, cwd=ROOT, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        )
    return Measured(process, log)
