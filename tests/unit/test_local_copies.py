"""A local copy that is damaged or cannot be written costs time, never the state: every file of it, byte by byte."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from streams.runtime.durable import LocalCopy, NoLocalCopy, Record
from streams.runtime.local_copies import (
    KEPT_DAMAGED_COPIES,
    CopyFault,
    GuardedCopy,
    copy_path,
    decide_fault,
    open_local_copy,
    replace_damaged,
    set_aside,
)

GROUPS = 300
FLIPS_A_FILE = 6
VALUE = b"x" * 600
Loaded = tuple[list[Record], int | None]


def opened(directory: Path, on_fault: Callable[[CopyFault], None] = lambda _: None) -> LocalCopy:
    return asyncio.run(open_local_copy(directory, stage="assess", partition=0, on_fault=on_fault))


def group(number: int) -> list[Record]:
    changed = [(b"key-%03d" % ((number * 7 + i) % 400), b"%06d" % number + VALUE) for i in range(3)]
    return [*changed, (b"\x00progress", b"%06d" % number)]


def held_after(count: int) -> dict[bytes, bytes]:
    return {key: value for number in range(count) for key, value in group(number)}


def loaded(directory: Path, on_fault: Callable[[CopyFault], None]) -> Loaded:
    """Load a copy as the store does: damage that shows only when it is read sets it aside as well."""
    copy = opened(directory, on_fault)
    try:
        records, offset = copy.load()
    except Exception as error:
        copy.close()
        copy = replace_damaged(copy_path(directory, stage="assess", partition=0), error=error, on_fault=on_fault)
        records, offset = copy.load()
    copy.close()
    return list(records), offset


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a copy as a killed worker leaves them: data files and a log that was not written out."""
    home, snapshot = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("killed") / "copy"
    copy = opened(home)
    for number in range(GROUPS - 10):
        copy.write(group(number), log_offset=number)
    copy.close()
    copy = opened(home)
    for number in range(GROUPS - 10, GROUPS):
        copy.write(group(number), log_offset=number)
    shutil.copytree(copy_path(home, stage="assess", partition=0), snapshot)
    copy.close()
    return snapshot


def test_a_flipped_byte_in_any_file_gives_a_whole_state_or_none(killed: Path, tmp_path: Path) -> None:
    """A part of the state under the offset of the whole is what must never come back."""
    names = [path.name for path in sorted(killed.iterdir()) if path.stat().st_size]
    assert {name.partition("-")[0].rpartition(".")[2] for name in names} >= {"sst", "log", "CURRENT", "MANIFEST"}
    set_aside_files = set()
    for name in names:
        for place in range(FLIPS_A_FILE):
            home = tmp_path / f"{name}-{place}"
            path = copy_path(home, stage="assess", partition=0)
            shutil.copytree(killed, path)
            content = bytearray((path / name).read_bytes())
            content[(2 * place + 1) * len(content) // (2 * FLIPS_A_FILE)] ^= 0xFF
            (path / name).write_bytes(content)
            faults: list[CopyFault] = []
            records, offset = loaded(home, faults.append)
            if faults:
                assert (faults, records, offset) == ([CopyFault.DAMAGED], [], None), name
                assert path.with_name(f"{path.name}.damaged-1").is_dir()
                set_aside_files.add(name.partition("-")[0].rpartition(".")[2])
            else:
                assert offset is not None, name
                assert dict(records) == held_after(offset + 1), name
            shutil.rmtree(home)
    assert set_aside_files >= {"sst", "CURRENT", "MANIFEST"}


def test_only_so_many_damaged_copies_are_kept(tmp_path: Path) -> None:
    """A disk that damages files must not fill up with them."""
    path = tmp_path / "assess-0.db"
    for _ in range(KEPT_DAMAGED_COPIES + 3):
        path.mkdir()
        set_aside(path)
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == ["assess-0.db.damaged-4", "assess-0.db.damaged-5"]


class FailingCopy(NoLocalCopy):
    """Raises what RocksDB raises on a full disk."""

    def load(self) -> tuple[Sequence[Record], int | None]:
        """Return nothing."""
        return (), None

    def write(self, *_: object, **__: object) -> None:
        """Take nothing."""
        raise RuntimeError("IO error: No space left on device: While appending to file: 000004.log")


def test_a_copy_that_cannot_be_written_is_given_up_and_the_worker_goes_on(tmp_path: Path) -> None:
    """The broker has the group already; the copy stays what it was at its last whole group."""
    faults: list[CopyFault] = []
    copy = GuardedCopy(FailingCopy(), path=tmp_path, on_fault=faults.append)
    copy.write([], log_offset=1)
    copy.write([], log_offset=2)
    copy.close()
    assert faults == [CopyFault.UNWRITABLE]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("IO error: No space left on device: While open a file", CopyFault.UNWRITABLE),
        ("IO error: While mkdir: Read-only file system", CopyFault.UNWRITABLE),
        ("Corruption: block checksum mismatch: stored(context removed) = 3", CopyFault.DAMAGED),
        ("IO error: No such file or directory: While open a file: 000009.sst", CopyFault.DAMAGED),
    ],
)
def test_a_full_disk_is_told_from_damage(said: str, fault: CopyFault) -> None:
    """Setting copies aside on a full disk would throw away what is whole."""
    assert decide_fault(said) is fault
