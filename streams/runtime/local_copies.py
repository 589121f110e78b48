"""Opens local copies, and keeps a worker going when one is damaged or the disk takes nothing more.

A copy is only ever a shortcut (`durable.py`), so each fault has one log line, a count, and a way on: set aside and
rebuilt from the changelog when damaged, given up until the next start when it cannot be written.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import structlog

from streams.runtime.durable import LocalCopy, NoLocalCopy, Record, open_database

KEPT_DAMAGED_COPIES = 2
_LOCK_WAIT_SECONDS = 0.25
_LOCK_ATTEMPTS = 40  # ten seconds: a worker killed a moment ago may still be dying
_log = structlog.get_logger(__name__)


class CopyFault(StrEnum):
    """What was wrong with a local copy; a label of the metric."""

    DAMAGED = "damaged"
    UNWRITABLE = "unwritable"


OnFault = Callable[[CopyFault], None]


def decide_fault(message: str) -> CopyFault:
    """Tell from what RocksDB says whether a copy is damaged, or the disk takes nothing (full, read-only)."""
    lowered = message.lower()
    no_room = ("no space left", "quota exceeded", "read-only file system", "input/output error", "permission denied")
    return CopyFault.UNWRITABLE if any(words in lowered for words in no_room) else CopyFault.DAMAGED


class GuardedCopy:
    """A copy that is given up when it fails: reads of it are done by then, and the changelog has everything."""

    def __init__(self, copy: LocalCopy, *, path: Path, on_fault: OnFault) -> None:
        self._copy = copy
        self._path = path
        self._on_fault = on_fault

    def load(self) -> tuple[Sequence[Record], int | None]:
        """Return what the copy holds; raises what is wrong with it."""
        return self._copy.load()

    def write(self, records: Iterable[Record], *, log_offset: int) -> None:
        """Write a group; a failure gives the copy up, as it stands at its last whole group."""
        try:
            self._copy.write(records, log_offset=log_offset)
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exception; whatever it is, the state is safe
            _tell(decide_fault(str(error)), self._path, error, "no local copy is written until the next start")
            self._on_fault(decide_fault(str(error)))
            copy, self._copy = self._copy, NoLocalCopy()
            _close(copy)

    def close(self) -> None:
        """Close the files."""
        _close(self._copy)


async def open_local_copy(
    directory: Path | None, *, stage: str, partition: int, on_fault: OnFault = lambda _: None
) -> LocalCopy:
    """Open the copy of one partition below `directory` (already the cluster's and the app's), or none.

    Waits up to ten seconds for the lock of a worker that is just ending; then raises what RocksDB says. A damaged copy
    is set aside and a new, empty one opened; where the disk takes nothing there is none. `on_fault` counts both.
    """
    if directory is None:
        return NoLocalCopy()
    path = copy_path(directory, stage=stage, partition=partition)
    for attempt in range(_LOCK_ATTEMPTS):
        try:
            return GuardedCopy(open_database(path), path=path, on_fault=on_fault)
        except Exception as error:
            if _is_lock(error):
                if attempt == _LOCK_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(_LOCK_WAIT_SECONDS)
                continue
            if decide_fault(str(error)) is CopyFault.UNWRITABLE:
                _tell(CopyFault.UNWRITABLE, path, error, "the state comes from the changelog, without a local copy")
                on_fault(CopyFault.UNWRITABLE)
                return NoLocalCopy()
            return replace_damaged(path, error=error, on_fault=on_fault)
    raise AssertionError("unreachable")


def copy_path(directory: Path, *, stage: str, partition: int) -> Path:
    """Return where the copy of a partition is kept."""
    return directory / f"{stage}-{partition}.db"


def replace_damaged(path: Path, *, error: BaseException, on_fault: OnFault) -> LocalCopy:
    """Set a damaged copy aside, at most `KEPT_DAMAGED_COPIES` of them, and open an empty one in its place."""
    on_fault(CopyFault.DAMAGED)
    try:
        aside = set_aside(path)
        _tell(CopyFault.DAMAGED, path, error, f"set aside as {aside.name}; the state is rebuilt from the changelog")
        return GuardedCopy(open_database(path), path=path, on_fault=on_fault)
    except Exception as failure:  # noqa: BLE001 - without room even for that there is simply no copy
        _tell(CopyFault.UNWRITABLE, path, failure, "the state comes from the changelog, without a local copy")
        on_fault(CopyFault.UNWRITABLE)
        return NoLocalCopy()


def set_aside(path: Path) -> Path:
    """Rename a damaged copy to the next free `<name>.damaged-<n>`; the oldest of too many are removed."""
    numbered = sorted(
        (int(n), p) for p in path.parent.glob(f"{path.name}.damaged-*") if (n := p.name.rpartition("-")[2]).isdigit()
    )
    for _, old in numbered[: max(0, len(numbered) + 1 - KEPT_DAMAGED_COPIES)]:
        shutil.rmtree(old, ignore_errors=True)
    aside = path.with_name(f"{path.name}.damaged-{numbered[-1][0] + 1 if numbered else 1}")
    return path.rename(aside)


def _is_lock(error: Exception) -> bool:
    # RocksDB says "While lock file", or "lock hold by current process" where this very process has not let go.
    said = str(error).lower()
    return ("lock file" in said or "lock hold by" in said) and "no space" not in said


def _close(copy: LocalCopy) -> None:
    try:
        copy.close()
    except Exception as error:  # noqa: BLE001 - a flush at the close may meet the same full disk
        _log.warning("a local copy could not be closed", error=str(error))


def _tell(fault: CopyFault, path: Path, error: BaseException, then: str) -> None:
    what = "is damaged" if fault is CopyFault.DAMAGED else "cannot be written: make room on the disk"
    _log.warning(f"a local copy of the state {what}; {then}", copy=str(path), fault=fault.value, error=str(error)[:300])
