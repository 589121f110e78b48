"""`make bench`: all measurements in one run on Apache Kafka; writes `bench/results/*.json` and `bench/README.md`.

`python -m bench --only latency --only rules` runs parts of it and keeps the last figures of the others.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.report import write_report
from bench.road import measure_batches, measure_latency, measure_rounds
from deploy.stack.kafka_server import KafkaServers

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
NAMES = (
    "road",
    "batch_1",
    "latency",
    "job_r1",
    "assess_core",
    "rules",
    "time_and_identity",
    "recovery",
    "idle",
    "idle_log",
)


def machine() -> dict[str, Any]:
    """Describe the machine in words that another reader can compare."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())  # fmt: skip
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def run_program(name: str, *arguments: str) -> dict[str, Any]:
    """Run one benchmark program in a process of its own and return the JSON it prints."""
    done = subprocess.run([sys.executable, "-m", name, *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measurements(bootstrap: str, folder: Path, asked: argparse.Namespace) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return every measurement by its name, in the order in which they run; each gives figures by their names."""
    return {
        "road": lambda: measure_rounds(
            bootstrap, folder, plain_count=asked.plain_events, count=asked.events, rounds=asked.rounds
        ),
        "batch_1": lambda: {"batch_1": measure_batches(bootstrap, folder, count=asked.plain_events, batch=1)},
        "latency": lambda: {"latency": measure_latency(bootstrap, folder, rate=1000, seconds=asked.seconds)},
        "job_r1": lambda: {"job_r1": run_program("bench.job_r1", "--bootstrap", bootstrap)},
        "assess_core": lambda: {"assess_core": run_program("bench.assess_core")},
        "rules": lambda: {"rules": run_program("bench.rules")},
        "time_and_identity": lambda: {"time_and_identity": run_program("bench.time_and_identity")},
        "recovery": lambda: {"recovery": run_program("bench.recovery", "--rounds", str(asked.rounds))},
        "idle": lambda: {"idle": run_program("bench.idle", "--minutes", str(asked.idle_minutes))},
        "idle_log": lambda: {"idle_log": run_program("bench.idle_log")},
    }


def main() -> None:
    """Run the measurements asked for and write results and report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events of a backlog in batches")
    parser.add_argument("--plain-events", type=int, default=30_000, help="events of a backlog one a record")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of plain Faust and the road in turn")
    parser.add_argument("--seconds", type=int, default=30, help="how long latency is measured, after the warm-up")
    parser.add_argument("--idle-minutes", type=float, default=10, help="how long a stack that nobody uses is measured")
    parser.add_argument("--only", action="append", choices=NAMES, help="run only this measurement (repeatable)")
    asked = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "latest.json"
    results: dict[str, Any] = json.loads(file.read_text()) if asked.only and file.exists() else {}
    results["machine"] = machine()
    with tempfile.TemporaryDirectory(prefix="monazite-bench-") as name:
        folder = Path(name)
        servers = KafkaServers(folder=folder / "kafka", die_with_parent=True)
        servers.start()
        try:
            for key, measure in measurements(servers.bootstrap, folder, asked).items():
                if asked.only and key not in asked.only:
                    continue
                found = measure()
                results |= found
                print(json.dumps(found), flush=True)
                file.write_text(json.dumps(results, indent=2) + "\n")
        finally:
            servers.kill()
    write_report(results)


if __name__ == "__main__":
    main()
