"""Groups: how a checkpoint stands in the changelog, and how a state is restored from whole groups only.

A group is every dirty key as `8-byte position + value`, then the progress record, last. Measured
(docs/engine-traps.md 8): skipping by a position per key without groups diverges as soon as one update reads another
key, because of the last record some keys are restored and some are not. The position in front of each value makes
repeats and late writers harmless: it never lets an older value over a newer one. The count of keys in the progress
record makes a group that stands in two pieces, with another writer's between them, one that was never completed.
"""

import struct
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from streams.runtime.marks import Progress, decode_progress, encode_progress
from streams.runtime.partition_state import NOTHING, PartitionState, StagedRecord

PROGRESS_KEY = b"\x00progress"
_HEAD = struct.Struct(">q")

Record = tuple[bytes, bytes]
Decode = Callable[[bytes], Any]
Encode = Callable[[Any], bytes]


class MadeAnewError(RuntimeError):
    """The first group of a changelog, read from offset 0 without a gap, goes on from one that is not there.

    Somebody deleted the topic and made it anew while a worker ran: what it wrote then is a part of the state. Nothing
    else looks like this: compaction leaves a gap where the first group ended.
    """


def encode_group(state: PartitionState, encode_value: Encode) -> list[Record]:
    """Return the records of the group that brings the changelog to the working position; the progress record last.

    Keys to heal are put again with it. A deleted key is a value with an empty payload: it keeps its position.
    """
    head = _HEAD.pack(state.position)
    data = state.data
    records = [
        (key, head + encode_value(data[key]) if key in data else head)
        for key in sorted(state.dirty_keys() | state.heal)
    ]
    previous = NOTHING if state.log_offset is None else state.progress
    progress = Progress(state.position, previous, state.marks, len(records))
    return [*records, (PROGRESS_KEY, encode_progress(progress))]


def restore(
    state: PartitionState, *, key: bytes, value: bytes | None, offset: int, decode_value: Decode
) -> list[Record]:
    """Take one changelog record; return the records that a completed group installed (empty if none was).

    An incomplete group stays staged and is dropped at the end of recovery. An old group written again changes
    nothing; keys whose older value now stands last in the log are marked to be put again. Raises `MadeAnewError`.
    """
    state.from_start &= offset == (0 if state.end_offset is None else state.end_offset + 1)
    state.end_offset = offset
    if value is None:
        return []
    if key != PROGRESS_KEY:
        state.staged.append((offset, key, value))
        return []
    progress = decode_progress(value)
    if state.from_start and state.log_offset is None and progress.previous != NOTHING:
        raise MadeAnewError(offset)
    staged, state.staged = state.staged, []
    whole = _is_whole(progress, staged, offset=offset, completed_at=state.completed_at)
    state.completed_at = offset
    if whole:
        state.log_offset = offset
    state.from_start &= whole  # the group after it may go on from one that was never completed
    if not whole or progress.position <= state.progress:
        state.heal.update(k for _, k, v in staged if _position_of(v) != state.positions.get(k))
        return []
    return [*install(state, progress, [(k, v) for _, k, v in staged], decode_value), (key, value)]


def load(state: PartitionState, records: Sequence[Record], *, log_offset: int, decode_value: Decode) -> None:
    """Bring a new state to what a local copy holds: values of many groups, and the progress record last."""
    *values, (_, progress) = records
    install(state, decode_progress(progress), values, decode_value)
    state.log_offset = state.end_offset = state.completed_at = log_offset
    state.from_start = False


def _is_whole(progress: Progress, staged: list[StagedRecord], *, offset: int, completed_at: int) -> bool:
    """Tell whether no other writer's records stand within a group; compaction may have taken some of its own."""
    if progress.key_count is None:
        return True
    first = offset - progress.key_count
    return completed_at < first and all(
        _position_of(value) == progress.position for at, _, value in staged if at >= first
    )


def install(state: PartitionState, progress: Progress, records: list[Record], decode_value: Decode) -> list[Record]:
    """Apply a whole group read from the changelog, in log order; return the records that were taken.

    A value is taken only if its own position is not after the group's (it belongs to a group never completed) and
    not before the one held (a late writer). All staged records are looked at, not the newest of each key: a torn
    group of a killed worker may hold a later position than the smaller group its successor completed (found by the
    property test; with one group per record the two positions were always equal).
    """
    taken: list[Record] = []
    for key, value in records:
        position = _position_of(value)
        if position > progress.position or state.positions.get(key, -1) > position:
            state.heal.add(key)
            continue
        put_durable(state, key, value, decode_value)
        state.heal.discard(key)
        taken.append((key, value))
    state.progress = state.position = progress.position
    state.durable_marks = state.marks = progress.marks
    return taken


def put_durable(state: PartitionState, key: bytes, value: bytes, decode_value: Decode) -> None:
    """Set one durable value, position included, without journal."""
    state.positions[key] = _position_of(value)
    if len(value) == _HEAD.size:
        state.data.pop(key, None)
    else:
        state.data[key] = decode_value(value[_HEAD.size :])


def end_recovery(state: PartitionState) -> None:
    """Drop the incomplete group at the end of the log; its keys are put again, with the values held, next time."""
    state.heal.update(key for _, key, _ in state.staged)
    state.staged = []


def written(state: PartitionState, records: list[Record], *, first_offset: int, last_offset: int) -> None:
    """Make the working state the durable one after the broker has the whole group.

    Behind a tail that was not read the state is right, and so is the next group, which puts every key again. What a
    local copy would say is not: that everything before its offset is in it.
    """
    contiguous = _follows(state, first_offset=first_offset, last_offset=last_offset, record_count=len(records))
    position = state.position
    for key, _ in records[:-1]:
        state.positions[key] = position
    state.heal = set() if contiguous else set(state.positions)
    state.tail_unread |= not contiguous
    state.progress = position
    state.durable_marks = state.marks
    state.log_offset = state.end_offset = state.completed_at = last_offset
    state.fenced = True
    state.forget_changes()
    state.opened_at_seconds = None
    state.record_count = 0
    state.time_only = True


class Fence(StrEnum):
    """What the offsets of an own group say about other writers of the changelog."""

    ALONE = "alone"
    UNREAD_TAIL = "unread_tail"
    FOREIGN_WRITER = "foreign_writer"
    MADE_ANEW = "made_anew"


def decide_fence(state: PartitionState, *, first_offset: int, last_offset: int, record_count: int) -> Fence:
    """Compare the offsets of a group just written with the last one read or written.

    The changelog of a partition has one writer and no transactions. After the first own group a gap means that
    somebody else writes (docs/runtime.md 4: 12 exits, all next to a stalled worker, none false). Before the first own
    group it may be a tail that recovery did not read (the embedded broker reports too low an end): then every key
    is put again with the next group. Offsets that go back are those of another log under the same name.
    """
    if state.end_offset is not None and first_offset <= state.end_offset:
        return Fence.MADE_ANEW
    if _follows(state, first_offset=first_offset, last_offset=last_offset, record_count=record_count):
        return Fence.ALONE
    return Fence.FOREIGN_WRITER if state.fenced else Fence.UNREAD_TAIL


def _follows(state: PartitionState, *, first_offset: int, last_offset: int, record_count: int) -> bool:
    """Tell whether a group stands in one piece directly behind what was read or written before it."""
    expected = 0 if state.end_offset is None else state.end_offset + 1
    return first_offset == expected and last_offset - first_offset == record_count - 1


def _position_of(value: bytes) -> int:
    position: int = _HEAD.unpack_from(value)[0]
    return position
