"""How long the stack on Apache Kafka takes until all of it is ready again after kill -9 of one of its processes.

`python -m bench.recovery` starts a stack of its own and prints JSON: seconds from the kill to the last process ready.
"""

import json
import os
import signal
import tempfile
import time
from pathlib import Path

from deploy.stack.children import plan_stack
from deploy.stack.control import down, up
from deploy.stack.plan import free_ports
from deploy.stack.status import status
from deploy.stack.waiting import wait_until

KILLED = ("intake", "scoring-0", "alerts", "kafka-1")
PATIENCE_SECONDS = 120.0


def ready_again_seconds(folder: Path, name: str) -> float:
    """Kill a process of the stack in `folder` and return how long it took until everything was ready again."""
    victim = next(process.pid for process in status(folder).processes if process.name == name)
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()

    def ready() -> bool:
        seen = status(folder)
        return seen.phase == "ready" and all(p.pid != victim for p in seen.processes)

    wait_until(ready, timeout_seconds=PATIENCE_SECONDS, what=f"the stack to be ready after {name}", poll_seconds=0.1)
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="monazite-bench-recovery-") as parent:
        folder = Path(parent) / "run"
        up(folder, plan_stack(run_directory=folder, ports=free_ports(), broker="kafka"))
        try:
            print(json.dumps({f"{name}_seconds": round(ready_again_seconds(folder, name), 2) for name in KILLED}))
        finally:
            down(folder)


if __name__ == "__main__":
    main()
