"""Wherever a worker is killed, restoring gives the state at a checkpoint and going on gives the same end."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime import changelog_groups as groups
from streams.runtime.partition_state import PartitionState

KEYS = [b"a", b"b", b"c", b"book"]
ENCODE = msgspec.msgpack.encode
DECODE = msgspec.msgpack.decode
Log = list[groups.Record]


def step(state: PartitionState, position: int, key: bytes) -> None:
    """Apply one record: each value depends on another key, so mixed positions show."""
    book = state.get(b"book") or 0
    state.put(key, (position * 31 + book + (state.get(key) or 0)) % 1_000_003)
    if position % 3 == 0:
        state.put(b"book", book + position)
    if position % 11 == 0:
        state.delete(b"a")
    state.position = position


def restored(log: Log, offsets: list[int] | None = None) -> PartitionState:
    """Return what a recovery makes of a changelog; compaction leaves records at their `offsets`."""
    state = PartitionState(0)
    for offset, (key, value) in zip(offsets or range(len(log)), log, strict=True):
        groups.restore(state, key=key, value=value, offset=offset, decode_value=DECODE)
    groups.end_recovery(state)
    return state


def run(log: Log, source: list[bytes], boundaries: list[int], stop_after: int) -> None:
    """Let one worker recover from `log`, process and append groups of `boundaries` sizes until record `stop_after`."""
    state = restored(log)
    sizes = iter(boundaries)
    size = next(sizes, 1)
    for position in range(state.progress + 1, min(stop_after, len(source))):
        step(state, position, source[position])
        size -= 1
        if size <= 0:
            write(state, log)
            size = next(sizes, 1)
    if stop_after >= len(source):
        write(state, log)


def write(state: PartitionState, log: Log) -> None:
    """Append the open group to the log."""
    records = groups.encode_group(state, ENCODE)
    first = len(log)
    log.extend(records)
    groups.written(state, records, first_offset=first, last_offset=len(log) - 1)


def compacted(log: Log) -> PartitionState:
    """Return what a recovery makes of the last record of each key, which is what a broker keeps."""
    offsets = sorted({key: number for number, (key, _) in enumerate(log)}.values())
    return restored([log[offset] for offset in offsets], offsets)


lives = st.lists(st.tuples(st.lists(st.integers(1, 6), max_size=8), st.integers(0, 60), st.integers(0, 4)), max_size=6)


@given(source=st.lists(st.sampled_from(KEYS), min_size=1, max_size=50), lives=lives, zombie=st.integers(0, 40))
def test_killed_anywhere_the_state_ends_equal_to_an_undisturbed_run(
    source: list[bytes], lives: list[Any], zombie: int
) -> None:
    """Groups cut short, groups with other boundaries and a late copy of an old group must all be harmless."""
    truth = PartitionState(0)
    for position, key in enumerate(source):
        step(truth, position, key)
    log: Log = []
    for boundaries, stop_after, torn in lives:
        run(log, source, boundaries, stop_after)
        del log[len(log) - min(torn, len(log)) :]
        log.extend(log[:zombie] if zombie % 3 == 0 else [])
    run(log, source, [], len(source))
    final = restored(log)
    assert final.data == truth.data
    assert final.progress == len(source) - 1


@given(source=st.lists(st.sampled_from(KEYS), min_size=1, max_size=50), lives=lives)
def test_a_compacted_changelog_restores_the_same_state(source: list[bytes], lives: list[Any]) -> None:
    """Compaction after a clean checkpoint keeps the last value of each key: that must be enough."""
    log: Log = []
    for boundaries, stop_after, torn in lives:
        run(log, source, boundaries, stop_after)
        del log[len(log) - min(torn, len(log)) :]
    run(log, source, [], len(source))
    assert compacted(log).data == restored(log).data


writes = st.lists(st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), st.integers(1, 9))), max_size=12)


def apply(state: PartitionState, changes: list[tuple[bytes, int | None]]) -> None:
    for key, value in changes:
        if value is None:
            state.delete(key)
        else:
            state.put(key, value)


@given(records=st.lists(writes, max_size=5), refused=writes)
def test_undoing_a_record_restores_what_stood_before_it(
    records: list[list[tuple[bytes, int | None]]], refused: list[tuple[bytes, int | None]]
) -> None:
    """A core that raises leaves no half-applied record behind, and takes nothing of the records before it away."""
    state = PartitionState(0)
    for changes in records:
        apply(state, changes)
        state.end_record()
    held, dirty = dict(state.data), state.dirty_keys()
    apply(state, refused)
    state.undo_record()
    assert (state.data, state.dirty_keys()) == (held, dirty)


@given(durable=writes, records=st.lists(writes, max_size=5), running=writes, with_undo=st.booleans())
def test_rolling_back_restores_what_stood_at_the_checkpoint(
    durable: list[tuple[bytes, int | None]], records: list[list[tuple[bytes, int | None]]],
    running: list[tuple[bytes, int | None]], with_undo: bool,
) -> None:  # fmt: skip
    """A rebalance may come between records or into one; however often a key was written, the durable value counts."""
    state = PartitionState(0)
    apply(state, durable)
    state.forget_changes()
    held, written = dict(state.data), set()
    for changes in records:
        apply(state, changes)
        state.end_record()
        written |= {key for key, value in changes if value is not None}
    apply(state, running)
    if with_undo:
        state.undo_record()
    assert written <= state.dirty_keys()
    state.roll_back()
    assert (state.data, state.dirty_keys()) == (held, set())
