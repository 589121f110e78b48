"""A small disk of one's own for a stack, to fill."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from deploy.stack.stack_control import down


@contextmanager
def small_disk_at(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """Mount a disk in memory, and at the end stop the stack in its folder `run`, which would hold it.

    Skips the test, with what mount says, where this user may not mount one.
    """
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(options, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    with ExitStack() as after:
        after.callback(subprocess.run, ["umount", str(folder)], check=True)
        after.callback(down, folder / "run")
        yield folder


def fill(folder: Path) -> Path:
    """Fill a disk to the last byte; return the file to remove to free it again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            return ballast
