"""One pipeline of a run (intake, scoring, alerts under a topic prefix of its own), kept up as a supervisor would."""

import signal
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.stack.restarts import Restarts, next_restart
from deploy.stack.server import ServerProcess
from streams.runtime.clock import monotonic_seconds
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("intake", "scoring", "alerts")
LOG_LINES = 25


@dataclass
class Slot:
    """One place for a worker: what runs in it is started again when it ends, as the supervisor of a stack does."""

    name: str
    process: ServerProcess
    port: int
    wanted: bool = False
    exits: list[int] = field(default_factory=list)
    _restarts: Restarts = field(default_factory=Restarts)
    _started_at: float = 0.0
    _start_at: float | None = None

    def start(self) -> None:
        """Start it and keep it up from now on."""
        self.wanted = True
        self._started_at, self._start_at = monotonic_seconds(), None
        self.process.start()

    def keep_up(self) -> None:
        """Start it again when it ended, after the delay that the supervisor of a stack would take."""
        now = monotonic_seconds()
        if not self.wanted or self.process.running:
            return
        if self._start_at is None:
            self.exits.append(self.process.exit_code or 0)
            self._restarts, delay = next_restart(self._restarts, lived_seconds=now - self._started_at)
            self._start_at = now + delay
        if now >= self._start_at:
            self.start()

    def kill(self) -> None:
        """End it with SIGKILL; the supervisor will find it gone."""
        self.process.kill()

    def leave(self) -> None:
        """Ask it to end (SIGTERM) for good; does not wait."""
        self.wanted = False
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """End it now."""
        self.wanted = False
        self.process.resume()
        self.process.kill()

    def ready(self) -> bool:
        """Ask /readyz."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self) -> str:
        """Return the end of its log, without what it wrote of alerts."""
        if not self.process.log_path.exists():
            return f"--- {self.process.name}: no log"
        lines = self.process.log_path.read_text(errors="replace").splitlines()
        told = [line[:400] for line in lines if '"event":"alert.' not in line]
        return "\n".join([f"--- {self.process.name}, exits {self.exits}", *told[-LOG_LINES:]])


@dataclass(kw_only=True)
class Pipeline:
    """The workers of one road over input topics that it may share with others."""

    bootstrap: str
    prefix: str
    input_prefix: str
    directory: Path
    redis: str | None = None
    slots: dict[str, Slot] = field(default_factory=dict)

    def add(self, kind: str, *, name: str | None = None, options: Mapping[str, str] | None = None) -> Slot:
        """Make a slot for a worker of a kind; it is not started."""
        name, port = name or kind, free_port()
        given = {
            "--bootstrap": self.bootstrap, "--prefix": self.prefix, "--broker-kind": "kafka",
            "--metrics-port": str(port), "--tick-seconds": "1", "--data-dir": str(self.directory / self.prefix / name),
            **({"--redis": self.redis} if self.redis else {}),
            **({"--input-prefix": self.input_prefix} if kind == "intake" else {}), **(options or {}),
        }  # fmt: skip
        argv = [sys.executable, "-m", "deploy.cli", "work", kind, *(part for pair in given.items() for part in pair)]
        log = self.directory / f"{self.prefix}-{name}.log"
        process = ServerProcess(
            name=f"{self.prefix} {name}", argv=argv, log_path=log, env={"PYTHONPATH": str(ROOT)}, die_with_parent=True
        )
        slot = self.slots[name] = Slot(name=name, process=process, port=port)
        return slot

    def start(self) -> None:
        """Start one worker of each kind; does not wait."""
        for kind in KINDS:
            self.add(kind).start()

    def keep_up(self) -> None:
        """Look after every slot once."""
        for slot in self.slots.values():
            slot.keep_up()

    def ready(self) -> bool:
        """Say whether every wanted worker is ready."""
        return all(slot.ready() for slot in self.slots.values() if slot.wanted)

    def end(self) -> None:
        """End all workers."""
        for slot in self.slots.values():
            slot.end()

    def exits(self) -> dict[str, list[int]]:
        """Return the exit codes of those that ended, by slot; -9 is a kill."""
        return {name: slot.exits for name, slot in self.slots.items() if slot.exits}
