"""Groups: only whole ones are restored, old values never win, a foreign writer is noticed."""

import msgspec
import pytest

from streams.runtime import changelog_groups as groups
from streams.runtime.changelog_groups import Fence
from streams.runtime.partition_state import PartitionState

ENCODE = msgspec.msgpack.encode
DECODE = msgspec.msgpack.decode


def worked(position: int, **values: int) -> PartitionState:
    state = PartitionState(0)
    for name, value in values.items():
        state.put(name.encode(), value)
    state.position = position
    return state


def feed(state: PartitionState, records: list[groups.Record], first_offset: int = 0) -> None:
    for number, (key, value) in enumerate(records):
        groups.restore(state, key=key, value=value, offset=first_offset + number, decode_value=DECODE)


def test_a_group_without_its_progress_record_is_not_applied() -> None:
    """A worker killed in the middle of a group must leave no trace; its keys are put again with the held values."""
    state = PartitionState(0)
    feed(state, groups.encode_group(worked(4, a=1), ENCODE))
    feed(state, groups.encode_group(worked(9, a=2, b=3), ENCODE)[:-1], first_offset=2)
    groups.end_recovery(state)
    assert (state.data, state.progress, state.heal) == ({b"a": 1}, 4, {b"a", b"b"})


def test_an_older_group_written_late_changes_nothing_and_is_healed() -> None:
    """A stalled worker may append an old group after it lost the partition; compaction must not keep its values."""
    state = PartitionState(0)
    feed(state, groups.encode_group(worked(9, a=2), ENCODE))
    feed(state, groups.encode_group(worked(4, a=1), ENCODE), first_offset=2)
    assert (state.data, state.progress, state.heal) == ({b"a": 2}, 9, {b"a"})


def test_a_value_of_an_unfinished_later_group_is_not_mixed_into_an_earlier_one() -> None:
    """The new owner's checkpoints end elsewhere: what the dead one left behind is from the future of the group."""
    state = PartitionState(0)
    feed(state, groups.encode_group(worked(9, a=5), ENCODE)[:-1])
    feed(state, groups.encode_group(worked(6, b=1), ENCODE), first_offset=1)
    assert (state.data, state.heal) == ({b"b": 1}, {b"a"})


def test_a_deleted_key_stays_deleted() -> None:
    """A deletion keeps its position, so an older value cannot come back."""
    writer = worked(4, a=1)
    first = groups.encode_group(writer, ENCODE)
    groups.written(writer, first, first_offset=0, last_offset=1)
    writer.delete(b"a")
    writer.position = 5
    second = groups.encode_group(writer, ENCODE)
    state = PartitionState(0)
    feed(state, first + second + first[:1])
    groups.end_recovery(state)
    assert (state.data, state.progress) == ({}, 5)


def test_a_gap_in_own_offsets_is_a_foreign_writer_once_the_partition_is_fenced() -> None:
    """The changelog of a partition has one writer: a gap after the first own group means a second one."""
    state = worked(4, a=1)
    state.end_offset = 10
    assert groups.decide_fence(state, first_offset=11, last_offset=12, record_count=2) is Fence.ALONE
    assert groups.decide_fence(state, first_offset=15, last_offset=16, record_count=2) is Fence.UNREAD_TAIL
    state.fenced = True
    assert groups.decide_fence(state, first_offset=15, last_offset=16, record_count=2) is Fence.FOREIGN_WRITER
    assert groups.decide_fence(state, first_offset=11, last_offset=13, record_count=2) is Fence.FOREIGN_WRITER


def test_offsets_that_go_back_are_those_of_a_changelog_that_was_made_anew() -> None:
    """Somebody deleted the topic under a running worker: what it writes next must not be taken for the whole state."""
    state = worked(4, a=1)
    state.end_offset = 10
    assert groups.decide_fence(state, first_offset=0, last_offset=1, record_count=2) is Fence.MADE_ANEW


def test_a_changelog_that_begins_in_the_middle_of_a_state_is_refused_and_a_compacted_one_is_not() -> None:
    """The part of a state that was written after the topic was made anew looks whole, but for the group before it."""
    writer = worked(4, a=1)
    first = groups.encode_group(writer, ENCODE)
    groups.written(writer, first, first_offset=0, last_offset=1)
    writer.put(b"b", 2)
    writer.position = 5
    second = groups.encode_group(writer, ENCODE)
    with pytest.raises(groups.MadeAnewError):
        feed(PartitionState(0), second)
    compacted = PartitionState(0)
    feed(compacted, first[:1])
    feed(compacted, second, first_offset=2)
    assert compacted.data == {b"a": 1, b"b": 2}


def test_an_unread_tail_makes_every_key_be_put_again() -> None:
    """Compaction must not keep what stands in a tail that recovery did not read."""
    state = worked(4, a=1)
    state.end_offset = 10
    records = groups.encode_group(state, ENCODE)
    groups.written(state, records, first_offset=15, last_offset=16)
    assert state.heal == {b"a"}


def test_a_group_with_another_writers_records_within_it_was_never_completed() -> None:
    """A worker stalled in the middle of a checkpoint sends the rest when it goes on, behind what its heir wrote."""
    stalled = groups.encode_group(worked(9, a=5, b=6), ENCODE)
    heir = groups.encode_group(worked(4, a=1), ENCODE)
    state = PartitionState(0)
    feed(state, [*stalled[:1], *heir, *stalled[1:]])
    assert (state.data, state.progress, state.heal, state.log_offset) == ({b"a": 1}, 4, {b"b"}, 2)
    inside = PartitionState(0)
    feed(inside, [*stalled[:1], *heir[:1], *stalled[1:]])
    assert (inside.data, inside.progress, inside.log_offset) == ({}, -1, None)


def test_a_copy_may_not_claim_a_tail_that_was_not_read() -> None:
    """Read on from there, the group of another writer would stand on changes that nobody has."""
    state = worked(4, a=1)
    records = groups.encode_group(state, ENCODE)
    groups.written(state, records, first_offset=3, last_offset=4)
    assert state.tail_unread
    state.position = 5
    records = groups.encode_group(state, ENCODE)
    groups.written(state, records, first_offset=5, last_offset=6)
    assert state.tail_unread


def test_rolling_back_restores_values_deletions_and_position() -> None:
    """A rebalance that keeps the partition continues at the last checkpoint."""
    state = worked(4, a=1, b=2)
    groups.written(state, groups.encode_group(state, ENCODE), first_offset=0, last_offset=2)
    state.put(b"a", 7)
    state.put(b"c", 8)
    state.delete(b"b")
    state.position = 9
    state.roll_back()
    assert (state.data, state.position, state.dirty_keys()) == ({b"a": 1, b"b": 2}, 4, set())
