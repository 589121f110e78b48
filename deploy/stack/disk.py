"""How full the disk of a run directory is: told once when it runs out, and once when there is room again."""

import shutil
from pathlib import Path

LOOK_SECONDS = 5.0
SMALLEST_FREE_BYTES = 64 * 1024 * 1024
SMALLEST_FREE_RATIO = 0.01
"""Below both nothing that writes can be relied on; a small disk with a tenth free is no fault."""


def free_ratio(folder: Path) -> float:
    """Return the free part of the disk that holds `folder`, 0..1; 0 when it cannot be asked."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0.0
    return usage.free / usage.total if usage.total else 0.0


def is_full(*, free_bytes: int, total_bytes: int) -> bool:
    """Decide whether a disk counts as full."""
    return free_bytes < SMALLEST_FREE_BYTES and free_bytes < SMALLEST_FREE_RATIO * total_bytes


class DiskWatch:
    """Looks at the disk every few seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._was_full = False
        self._due_at = 0.0

    def look(self, now: float) -> list[tuple[str, dict[str, object]]]:
        """Return what to log at a monotonic instant: nothing, or one line with its facts."""
        if now < self._due_at:
            return []
        self._due_at = now + LOOK_SECONDS
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:
            return []
        full = is_full(free_bytes=usage.free, total_bytes=usage.total)
        if full == self._was_full:
            return []
        self._was_full = full
        facts: dict[str, object] = {"folder": str(self._folder), "free_bytes": usage.free}
        if full:
            return [("the disk is full: make room; what cannot be written is tried again until then", facts)]
        return [("the disk has room again", facts)]
