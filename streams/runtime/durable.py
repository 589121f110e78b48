"""The local copy of a partition's state: a checkpoint on disk against long changelog reads.

It is written after the broker has the whole group, in one write batch, so it is always exactly the state after
`progress`. Recovery reads about 14,000 changelog records a second (docs/engine-traps.md 15); with a local copy only
what came since. It is kept apart by cluster: a broker that forgot everything (the embedded one, at every stop) must
not meet a state that remembers. And by app: the same stage under another topic prefix has another changelog, so its
offsets and its state are of no use there (seen: a worker that met the copy of another prefix ended itself).

The changelog is the truth and the copy only saves time, so nothing that is wrong with a copy stops a worker: a damaged
one is set aside (`local_copies.py`), one that cannot be written is given up, and the state comes from the changelog.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

Record = tuple[bytes, bytes]

_LOG_OFFSET_KEY = b"\x00log-offset"


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
        """Return all records; keys are sorted, so the progress record (it begins with a zero byte) is moved last.

        Raises what RocksDB says when a block does not have its checksum. `items()` of rocksdict ends there without an
        error, so a flipped byte gave a part of the state under the offset of the whole (11 of 12 flips in a data file).
        """
        stored = self._database.get(_LOG_OFFSET_KEY)
        records: list[Record] = []
        entries = self._database.iter()
        try:
            entries.seek_to_first()
            while entries.valid():
                records.append((entries.key(), entries.value()))
                entries.next()
            entries.status()
        finally:
            del entries  # an iterator that a traceback keeps holds the database open, and its lock
        if stored is None:
            return (), None
        records = [record for record in records if record[0] != _LOG_OFFSET_KEY]
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


def open_database(path: Path) -> RocksdictCopy:
    """Open the database at `path`, made when it is not there; raises what RocksDB says."""
    import rocksdict

    path.parent.mkdir(parents=True, exist_ok=True)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(8 * 1024 * 1024)  # the default of 64 MiB times three is per partition
    options.set_keep_log_file_num(2)  # its own log, one more at every start
    return RocksdictCopy(rocksdict.Rdict(str(path), options))


def copy_directory(data_directory: Path, *, cluster_id: str, app_id: str) -> Path:
    """Return where the copies of one app on one cluster are kept."""
    return data_directory / _file_name(cluster_id) / _file_name(app_id)


def _file_name(text: str) -> str:
    """Return a name for a directory; two texts never share one."""
    return quote(text, safe="").replace(".", "%2E")
