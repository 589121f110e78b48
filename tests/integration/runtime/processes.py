"""Worker processes under test, and what stands on topics."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

REPOSITORY = Path(__file__).parents[3]


class WorkerProcess:
    """One worker process; its standard error is kept in a file."""

    def __init__(self, module: str, options: msgspec.Struct, log: Path) -> None:
        self._module = module
        self._options = options
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.fatal_exit_count = 0

    def start(self) -> None:
        """Start the process."""
        text = msgspec.json.encode(self._options).decode()
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, text], cwd=REPOSITORY, stdout=sink, stderr=sink
            )

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._send(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        """Stop it with SIGTERM and return the exit code."""
        self._send(signal.SIGTERM)
        return self.wait()

    def pause(self) -> None:
        """Stop it with SIGSTOP."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def restart_if_ended(self) -> bool:
        """Start it again if it ended by itself, as a supervisor would; exits other than 70 are an error."""
        if self._process is None or self._process.poll() is None:
            return False
        code = self._process.returncode
        assert code == 70, f"unexpected exit {code}: {self.log.read_text()[-3000:]}"
        self.fatal_exit_count += 1
        self.start()
        return True

    def ready_count(self) -> int:
        """Return how often the log says that the worker became ready."""
        return self.log.read_text(errors="replace").count("WORKER READY") if self.log.exists() else 0

    def end(self) -> None:
        """End it whatever it does."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGCONT)
            self.kill()

    def wait(self) -> int:
        """Wait until it ends and return the exit code."""
        assert self._process is not None
        return self._process.wait(timeout=30)

    def _send(self, what: signal.Signals) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self._process.pid, what)


def read_topic(
    bootstrap: str, topic: str, *, partition_count: int = 4, at_most_seconds: float = 30.0
) -> list[list[tuple[int, Any, Any]]]:
    """Return (offset, key, value) of all records of a topic by partition, to the true end.

    The embedded broker reports too low an end, so reading goes on until nothing comes for a second (or until
    `at_most_seconds` have passed, for a log that is still written).
    """
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", group_id=None
    )
    try:
        consumer.assign([TopicPartition(topic, p) for p in range(partition_count)])
        consumer.seek_to_beginning()
        found: list[list[tuple[int, Any, Any]]] = [[] for _ in range(partition_count)]
        deadline = time.monotonic() + at_most_seconds
        while time.monotonic() < deadline:
            polled = consumer.poll(timeout_ms=1000, max_records=100_000)
            if not polled:
                break
            for tp, records in polled.items():
                found[tp.partition].extend((r.offset, r.key, r.value) for r in records)
        return found
    finally:
        consumer.close()
