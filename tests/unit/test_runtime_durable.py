"""Where the local copies of state are kept, and that two of them never meet."""

import asyncio
from pathlib import Path

import pytest

from streams.runtime.durable import LocalCopy, copy_directory
from streams.runtime.local_copies import open_local_copy

PROGRESS = (b"\x00progress", b"progress")


def opened(data_directory: Path, *, cluster_id: str = "c1", app_id: str = "monazite-scoring") -> LocalCopy:
    directory = copy_directory(data_directory, cluster_id=cluster_id, app_id=app_id)
    return asyncio.run(open_local_copy(directory, stage="assess", partition=0))


def write_and_close(copy: LocalCopy) -> None:
    copy.write([(b"key", b"value"), PROGRESS], log_offset=7)
    copy.close()


def test_a_copy_is_found_again_by_the_same_app_on_the_same_cluster(tmp_path: Path) -> None:
    """That is what it is for: recovery reads only what came since."""
    write_and_close(opened(tmp_path))
    again = opened(tmp_path)
    assert again.load() == ([(b"key", b"value"), PROGRESS], 7)
    again.close()


@pytest.mark.parametrize(
    "other", [{"app_id": "other-scoring"}, {"app_id": "monazite-alerts"}, {"cluster_id": "c2"}], ids=str
)
def test_another_prefix_and_another_cluster_share_a_data_directory_without_a_copy(
    tmp_path: Path, other: dict[str, str]
) -> None:
    """Two prefixes with one data directory read each other's state, and the worker ended itself."""
    write_and_close(opened(tmp_path))
    copy = opened(tmp_path, **other)
    assert copy.load() == ((), None)
    copy.close()


@pytest.mark.parametrize(("one", "other"), [("a.b", "a_b"), ("a/b", "a_b"), ("..", "__"), ("a/../b", "b"), ("ä", "a")])
def test_names_that_differ_never_share_a_directory(one: str, other: str) -> None:
    """A topic prefix may hold dots, and a data directory may hold anything beside the copies."""
    root = Path("data")
    paths = [copy_directory(root, cluster_id="c1", app_id=name) for name in (one, other)]
    assert paths[0] != paths[1]
    assert all(path.parent == root / "c1" and path.name not in ("", ".", "..") for path in paths)
