"""The state of one owned partition: the working values, the durable position, and what is needed to roll back.

The value that a key had before its first write is kept twice: since the start of the record (to undo the record of a
core that raised) and since the last checkpoint (to roll back in a rebalance that keeps the partition); the keys of the
latter are the dirty keys of the next checkpoint. Values in between are dropped at once: a journal of all writes cost 2
microseconds an event under load, mostly to free values that were no longer in the CPU cache.
"""

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final, TypeAlias

from streams.runtime.marks import ProgressMetadata

StagedRecord: TypeAlias = tuple[int, bytes, bytes]
"""A changelog record whose group is not complete yet: offset, key, value."""

NOTHING: Final = -1
"""The position of a state that has processed no record."""


class Absent(Enum):
    """ProgressMetadata in what stood before that a key had no value."""

    ABSENT = 0


ABSENT: Final = Absent.ABSENT


class PartitionState:
    """Everything the runtime holds of one partition of one stage; also the `StateStore` its core works on.

    `progress` and `durable_marks` describe the last group that the changelog holds, `position` and `marks` the last
    record processed. `positions` says for every key which position wrote its durable value.
    """

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.data: dict[bytes, Any] = {}
        self.get: Callable[[bytes], Any] = self.data.get  # bound once: the hottest call of every core
        self.before_record: dict[bytes, Any] = {}  # what the keys written by the running record held before it
        self.before_group: dict[
            bytes, Any
        ] = {}  # what the keys written by the records before it held at the checkpoint
        self.positions: dict[bytes, int] = {}
        self.progress = NOTHING
        self.position = NOTHING
        self.durable_marks = ProgressMetadata()
        self.marks = ProgressMetadata()
        self.staged: list[StagedRecord] = []  # records of a group whose progress record was not read yet
        self.heal: set[bytes] = set()  # keys whose last value in the changelog is not the one held
        self.log_offset: int | None = None  # changelog offset of the last whole group held
        self.end_offset: int | None = None  # last changelog offset read or written
        self.completed_at = NOTHING  # changelog offset of the last progress record read or written
        self.tail_unread = False  # own groups stand behind records of the changelog that were not read
        self.from_start = True  # what was read of the changelog so far begins at its offset 0 and has no gap
        self.fenced = False  # own group written since the last rebalance: from then on it must be contiguous
        self.resume_offset = NOTHING  # where reading of the source continued last
        self.ready = False  # recovered, records flow
        self.suspect = False  # a checkpoint was cut short: the durable position is not known
        self.opened_at_seconds: float | None = None  # when the first record after the last checkpoint came
        self.record_count = 0  # records since the last checkpoint
        self.time_only = True  # nothing but time has passed since the last checkpoint
        self.lock = asyncio.Lock()  # one record or one checkpoint at a time

    def put(self, key: bytes, value: Any) -> None:
        """Set the value of `key`. Raise `ValueError` for `None`, which means absent."""
        if value is None:
            raise ValueError(f"state value of {key!r} is None: use delete()")
        data, before = self.data, self.before_record
        if key not in before:
            before[key] = data.get(key, ABSENT)
        data[key] = value

    def delete(self, key: bytes) -> None:
        """Remove `key`; without effect when it is absent."""
        if key in self.data:
            self.before_record.setdefault(key, self.data.pop(key))

    def items(self) -> Iterable[tuple[bytes, Any]]:
        """Iterate over a snapshot of all entries."""
        return tuple(self.data.items())

    def dirty_keys(self) -> set[bytes]:
        """Return the keys written since the last checkpoint."""
        return self.before_group.keys() | self.before_record.keys()

    def end_record(self) -> None:
        """Let the writes of the running record stand; they are taken back by a roll-back only."""
        before = self.before_group
        for key, value in self.before_record.items():
            if key not in before:
                before[key] = value
        self.before_record.clear()

    def undo_record(self) -> None:
        """Take back every write of the running record."""
        self._put_back(self.before_record)

    def forget_changes(self) -> None:
        """Take what stands now for the state at the last checkpoint."""
        self.before_record.clear()
        self.before_group.clear()

    def _put_back(self, before: dict[bytes, Any]) -> None:
        for key, value in before.items():
            if value is ABSENT:
                self.data.pop(key, None)
            else:
                self.data[key] = value
        before.clear()

    def roll_back(self) -> None:
        """Return to the last checkpoint; the changelog is read on from behind it."""
        self._put_back(self.before_record)
        self._put_back(self.before_group)
        self.position = self.progress
        self.marks = self.durable_marks
        self.staged = []
        self.completed_at = NOTHING if self.log_offset is None else self.log_offset
        self.opened_at_seconds = None
        self.record_count = 0
        self.time_only = True
