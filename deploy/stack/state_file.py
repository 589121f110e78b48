"""Writes the state file, and goes on without it for as long as the disk does not take it."""

from collections.abc import Callable
from pathlib import Path

import structlog

from deploy.stack.stack_state import StackState, state_path, write_state

RETRY_SECONDS = 1.0
log = structlog.get_logger("monazite.stack")


class StateFile:
    """The state file of a run directory: one log line when it cannot be written, one when it can again."""

    def __init__(self, run_directory: Path, *, on_fault: Callable[[str], None]) -> None:
        self._run_directory = run_directory
        self._on_fault = on_fault
        self._failed_at: float | None = None

    def write(self, state: StackState, *, now: float) -> None:
        """Write the state; a failure is told once and leaves the file behind."""
        try:
            write_state(self._run_directory, state)
        except OSError as error:
            self._on_fault("state_unwritable")
            if self._failed_at is None:
                log.error(
                    "the state file cannot be written: make room on the disk, or give back its rights; "
                    "the stack goes on, `monazite stack status` may be late",
                    file=str(state_path(self._run_directory)),
                    error=str(error),
                )
            self._failed_at = now
            return
        if self._failed_at is not None:
            log.info("the state file is written again", file=str(state_path(self._run_directory)))
        self._failed_at = None

    def is_behind(self, now: float) -> bool:
        """Say whether the last write failed and it is time for another."""
        return self._failed_at is not None and now - self._failed_at >= RETRY_SECONDS

    def remove(self) -> None:
        """Remove the file: nothing runs any more."""
        try:
            state_path(self._run_directory).unlink(missing_ok=True)
        except OSError as error:
            log.error("the state file cannot be removed", file=str(state_path(self._run_directory)), error=str(error))
