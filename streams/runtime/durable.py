"""The local copy of a partition's state: a checkpoint on disk against long changelog reads.

It is written after the broker has the whole group, in one write batch, so it is always exactly the state after
`progress`. Recovery reads about 14,000 changelog records a second (RUNTIME.md 2.1); with a local copy only what came
since. It is kept apart by cluster: a broker that forgot everything (the embedded one, at every stop) must not meet a
state that remembers. And by app: the same stage under another topic prefix has another changelog, so its offsets and
its state are of no use there (seen: a worker that met the copy of another prefix ended itself).
"""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

Record = tuple[bytes, bytes]

_LOG_OFFSET_KEY = b"\x00log-offset"
_LOCK_WAIT_SECONDS = 0.25
_LOCK_ATTEMPTS = 40  # ten seconds: a worker killed a moment ago may still be dying


class LocalCopy(Protocol):
    """Where the durable state of one partition is kept beside the changelog."""

    def load(self) -> tuple[Sequence[Record], int | None]:
        """Return the records held, the progress record last, and the changelog offset they stand at (`None`: none)."""

    def write(self, records: Iterable[Record], *, log_offset: int) -> None:
        """Add the records of a whole group and the offset, all or nothing."""

    def close(self) -> None:
        """Give up the files."""


class NoLocalCopy:
    """Keeps nothing: state comes from the changelog alone."""

    def load(self) -> tuple[Sequence[Record], int | None]:
        """Return nothing."""
        return (), None

    def write(self, records: Iterable[Record], *, log_offset: int) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Do nothing."""


class RocksdictCopy:
    """A RocksDB per partition."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def load(self) -> tuple[Sequence[Record], int | None]:
        """Return all records; keys are sorted, so the progress record (it begins with a zero byte) is moved last."""
        records = [(key, value) for key, value in self._database.items() if key != _LOG_OFFSET_KEY]
        stored = self._database.get(_LOG_OFFSET_KEY)
        if stored is None:
            return (), None
        records.sort(key=lambda record: record[0] == b"\x00progress")
        return records, msgspec.msgpack.decode(stored, type=int)

    def write(self, records: Iterable[Record], *, log_offset: int) -> None:
        """Write everything in one batch."""
        import rocksdict

        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in records:
            batch.put(key, value)
        batch.put(_LOG_OFFSET_KEY, msgspec.msgpack.encode(log_offset))
        self._database.write(batch)

    def close(self) -> None:
        """Close the database; its lock is free afterwards."""
        self._database.close()


async def open_local_copy(directory: Path | None, *, stage: str, partition: int) -> LocalCopy:
    """Open the copy of one partition below `directory` (already the cluster's and the app's), or none.

    Waits up to ten seconds for the lock of a worker that is just ending; then raises what RocksDB says.
    """
    if directory is None:
        return NoLocalCopy()
    import rocksdict

    path = directory / f"{stage}-{partition}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(8 * 1024 * 1024)  # the default of 64 MiB times three is per partition
    for attempt in range(_LOCK_ATTEMPTS):
        try:
            return RocksdictCopy(rocksdict.Rdict(str(path), options))
        except Exception as error:
            if "lock" not in str(error).lower() or attempt == _LOCK_ATTEMPTS - 1:
                raise
            await asyncio.sleep(_LOCK_WAIT_SECONDS)
    raise AssertionError("unreachable")


def copy_directory(data_directory: Path, *, cluster_id: str, app_id: str) -> Path:
    """Return where the copies of one app on one cluster are kept."""
    return data_directory / _file_name(cluster_id) / _file_name(app_id)


def _file_name(text: str) -> str:
    """Return a name for a directory; two texts never share one."""
    return quote(text, safe="").replace(".", "%2E")


def cluster_id_of(bootstrap: str) -> str:
    """Ask the cluster behind `bootstrap` for its id (blocking, at start only)."""
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return str(admin.describe_cluster().get("cluster_id") or "unnamed")
    finally:
        admin.close()
