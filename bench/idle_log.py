"""How long a command and the console take to answer over a log with a year of idling: `python -m bench.idle_log`.

Compaction leaves one bare statement of each life of an intake worker, and those of the last two and a half days (the
open segment and the longest lag of `deploy/kafka/topics.yaml`). So many are written into the signals log of a stack
that lives, with instants long past, which move no time; then a command reads the log and the console is killed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Producer as LightProducer

from bench.processes import ROOT, wait_for
from bench.stack import processes, running_stack, works
from streams.contracts.records import WATERMARK_KEY, SignalRecord, Statement, encode
from streams.contracts.topics import SIGNALS, topic_name

PARTITIONS = 4
EVERY_SECONDS = 5
"""The idle cadence of statements."""
KEPT_DAYS, LIVES = 2.5, 365
LONG_AGO_MS = 1_700_000_000_000


def statements() -> list[tuple[int, bytes, bytes]]:
    """Return (partition, key, value) of what is left of a year in which nothing happened."""
    lives = [f"old-{number}" for number in range(LIVES)] + ["recent"] * int(KEPT_DAYS * 86_400 / EVERY_SECONDS)
    made = []
    for number, life in enumerate(lives):
        at = LONG_AGO_MS + number * EVERY_SECONDS * 1_000
        said = Statement(at, ["f", "f", "f", "f"], [4, 4, 4, 4])
        value = encode(SignalRecord(w=said, s=at, i=life))
        made += [(partition, WATERMARK_KEY + life.encode(), value) for partition in range(PARTITIONS)]
    return made


def measure_idle_log(folder: Path) -> dict[str, Any]:
    """Return seconds to the answer of a command and of a console that was killed, and how many records they met."""
    with running_stack(folder) as plan:
        assert plan.ports is not None
        console = plan.ports.console
        producer = LightProducer({"bootstrap.servers": plan.bootstrap, "acks": "all", "linger.ms": 50})
        records = statements()
        for partition, key, value in records:
            producer.produce(topic_name(SIGNALS), key=key, value=value, partition=partition)
            producer.poll(0)
            if len(producer) > 50_000:
                producer.flush(60)
        if left := producer.flush(60):
            raise TimeoutError(f"the broker did not take {left} statements")
        wait_for(lambda: all(works(each) for each in processes(folder).values()), seconds=120, what="a ready stack")
        began = time.monotonic()
        argv = [sys.executable, "-m", "deploy.cli", "rules", "backtest", "--from", "live", "--json"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "MONAZITE_BOOTSTRAP": str(plan.bootstrap)}
        subprocess.run(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
        command = time.monotonic() - began
        return {"records": len(records), "command_seconds": round(command, 2),
                "console_seconds": round(_restarted_console(folder, console), 2)}  # fmt: skip


def _restarted_console(folder: Path, port: int) -> float:
    killed = processes(folder)["console"].pid
    began = time.monotonic()
    os.kill(killed, signal.SIGKILL)

    def answers() -> bool:
        now = processes(folder).get("console")
        if now is None or now.pid == killed or not works(now):
            return False
        return httpx.get(f"http://127.0.0.1:{port}/v1/alerts", timeout=10).status_code == 200

    wait_for(answers, seconds=120, what="the console")
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="monazite-idle-log-") as name:
        print(json.dumps(measure_idle_log(Path(name) / "run"), indent=2))


if __name__ == "__main__":
    main()
