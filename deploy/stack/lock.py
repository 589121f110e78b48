"""The lock of a run directory: held by its supervisor for as long as it lives, by nobody else's child.

The kernel gives it up when the holder dies, however that is, so it can neither be forgotten nor outlive a crash. The
file says who holds it, for messages and for `stack down` when the state file is of no use.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from deploy.stack.stack_state import ProcessState, live_process, start_time

_LOCK_FILE = "lock"


class StackRunningError(RuntimeError):
    """A stack runs already in the run directory."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock: `started` is the start time of the process, which tells it from a later one of that pid."""

    pid: int
    started: float


class RunLock:
    """A held lock; released by `release`, or with the process."""

    def __init__(self, run_directory: Path, descriptor: int) -> None:
        self._path = run_directory / _LOCK_FILE
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, run_directory: Path) -> Self:
        """Take the lock; raises `StackRunningError`, which names the holder, when another process has it."""
        path = run_directory / _LOCK_FILE
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                raise StackRunningError(_taken(run_directory)) from error
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(descriptor).st_ino:
                    return cls(run_directory, descriptor)
            os.close(descriptor)  # its holder removed the file before we locked it

    @classmethod
    def inherited(cls, run_directory: Path, descriptor: int) -> Self:
        """Take over the lock that the process which started this one has taken."""
        os.set_inheritable(descriptor, False)
        return cls(run_directory, descriptor)

    def sign(self) -> None:
        """Write into the file who holds the lock; a full disk is no reason to stop."""
        holder = Holder(pid=os.getpid(), started=start_time(os.getpid()))
        with suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, msgspec.json.encode(holder), 0)

    def hand_over(self) -> None:
        """Close our end: the process that inherited the lock holds it from here on."""
        os.close(self.descriptor)

    def release(self) -> None:
        """Remove the file and give up the lock."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def is_held(run_directory: Path) -> bool:
    """Say whether a supervisor lives in the run directory, whatever its files say."""
    try:
        descriptor = os.open(run_directory / _LOCK_FILE, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder_of(run_directory: Path) -> ProcessState | None:
    """Return the process that holds the lock; None when nobody does, or the file does not say who."""
    if not is_held(run_directory):
        return None
    try:
        holder = msgspec.json.decode((run_directory / _LOCK_FILE).read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None
    found = ProcessState(name="supervisor", group="supervisor", pid=holder.pid, started=holder.started)
    return found if live_process(found) is not None else None


def _taken(run_directory: Path) -> str:
    holder = holder_of(run_directory)
    who = "another process" if holder is None else f"supervisor {holder.pid}"
    return (
        f"a stack runs already in {run_directory} ({who} holds its lock): see it with `monazite stack status`, stop it "
        "with `monazite stack down`, or start another in a folder of its own with --run-dir"
    )
