"""A whole stack under measurement: Apache Kafka, Redis, workers, gateway and console under the real supervisor."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.stack.children import plan_stack
from deploy.stack.plan import StackPlan, free_ports
from deploy.stack.stack_control import down, up
from deploy.stack.stack_state import ProcessState, live_process, read_state
from deploy.stack.unit import answers_ready


@contextmanager
def running_stack(folder: Path) -> Iterator[StackPlan]:
    """Start a stack on free ports with its files in `folder`; it is ready, and stopped at the end."""
    plan = plan_stack(run_directory=folder, ports=free_ports(), broker="kafka")
    up(folder, plan)
    try:
        yield plan
    finally:
        down(folder)


def processes(folder: Path) -> dict[str, ProcessState]:
    """Return the processes of a stack by their names, as the supervisor notes them now."""
    state = read_state(folder)
    return {process.name: process for process in state.processes} if state is not None else {}


def works(process: ProcessState) -> bool:
    """Say whether a process runs and, where it has an address for that, says that it is ready."""
    if live_process(process) is None:
        return False
    return process.ready_url is None or answers_ready(process.ready_url)
