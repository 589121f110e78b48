"""The watermark of a partition of `signals`: the least that its inputs were stated to have reached."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Statement
from streams.runtime.marks import Progress, ProgressMetadata, decode_progress, encode_progress
from streams.runtime.watermark import MAXIMUM_STALL_MS, InputClock, after_statement

COUNTS = (2, 2, 1, 1)
ALL = ("3", "3", "1", "1")
T0 = 1_800_000_000_000


def said(up_to: int, owned: tuple[str, ...] = ALL, counts: tuple[int, ...] = COUNTS) -> Statement:
    return Statement(up_to, owned, counts)


def run(*statements: tuple[int, Statement]) -> InputClock:
    clock = InputClock()
    for at, statement in statements:
        clock = after_statement(clock, statement, said_at=at)
    return clock


def test_time_is_not_known_before_every_input_was_spoken_of() -> None:
    """One worker of two has spoken: what the other reads may be earlier than anything."""
    clock = run((T0, said(T0 - 100, ("3", "1", "1", "1"))))
    assert clock.now == 0
    assert after_statement(clock, said(T0 - 500, ("0", "2", "0", "0")), said_at=T0 + 10).now == T0 - 500


def test_it_is_the_least_of_the_inputs_and_never_goes_back() -> None:
    """A worker that is behind holds time back; one that says less than before takes nothing back."""
    clock = run((T0, said(T0)), (T0 + 100, said(T0 + 100, ("1", "3", "1", "1"))))
    assert clock.now == T0
    assert after_statement(clock, said(T0 - 9_000), said_at=T0 + 200).now == T0


def test_an_input_of_which_nobody_speaks_holds_it_for_a_minute_and_its_return_ends_that() -> None:
    """Deadlines of everything else must not wait for ever; what stalls has a name."""
    clock = run((T0, said(T0)))
    at = T0
    while not clock.stalled:
        at += 1_000
        clock = after_statement(clock, said(at, ("3", "1", "1", "1")), said_at=at)
        assert clock.now == T0 or clock.stalled
    assert MAXIMUM_STALL_MS < at - T0 <= 60_000
    assert clock.stalled == ("price.v1/1",)
    assert clock.now == at
    back = after_statement(clock, said(T0 + 5_000, ("0", "2", "0", "0")), said_at=at + 1_000)
    assert back.stalled == ()
    assert back.now == at


def test_an_outage_of_everybody_is_no_stall() -> None:
    """For eight hours nobody spoke: the input that is behind is waited for, so that its events meet their timers."""
    clock = run((T0, said(T0)))
    after = T0 + 8 * 3_600_000
    clock = after_statement(clock, said(after, ("3", "1", "1", "1")), said_at=after)
    assert clock.stalled == ()
    assert clock.now == T0


def test_a_partition_that_is_added_to_an_input_is_waited_for() -> None:
    """What came into it first may be as old as the partition."""
    clock = run((T0, said(T0)))
    more = (2, 3, 1, 1)
    clock = after_statement(clock, said(T0 + 1_000, counts=more), said_at=T0 + 1_000)
    assert clock.now == T0
    assert after_statement(clock, said(T0 + 900, ("0", "4", "0", "0"), more), said_at=T0 + 1_100).now == T0 + 900


def test_a_worker_that_knows_of_fewer_partitions_takes_none_away() -> None:
    """Two workers look at the metadata at different moments."""
    more = (2, 3, 1, 1)
    clock = run((T0, said(T0, ("3", "7", "1", "1"), more)), (T0 + 10, said(T0 + 10)))
    assert clock.counts == more
    assert clock.now == T0


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(-3_000, 3_000), st.integers(0, 3), st.integers(0, 3))))
def test_it_never_goes_back_and_survives_its_wire_form(steps: list[tuple[int, int, int, int]]) -> None:
    """The clock is part of the progress record: a restart must go on with the very same."""
    clock, at = InputClock(), T0
    for gap, lead, policy, price in steps:
        at += gap
        before = clock.now
        owned = (f"{policy:x}", f"{price:x}", "1", "1")
        clock = after_statement(clock, said(max(at + lead, 0), owned), said_at=at)
        assert clock.now >= before
        progress = Progress(1, 0, ProgressMetadata(clock=clock))
        assert decode_progress(encode_progress(progress)) == progress


@pytest.mark.parametrize("partitions", [1, 70])
def test_inputs_may_have_more_partitions_than_a_machine_word_has_bits(partitions: int) -> None:
    """A mask is as long as it must be."""
    counts = (partitions, 1, 1, 1)
    everything = f"{(1 << partitions) - 1:x}"
    clock = run((T0, said(T0, (everything, "1", "1", "1"), counts)))
    assert clock.now == T0
    assert len(clock.inputs) == partitions + 3


def test_the_clock_of_thirteen_inputs_takes_little_of_the_progress_record() -> None:
    """It is written with every checkpoint of every partition: a stack that idles must not fill a disk."""
    counts = (4, 4, 4, 1)
    clock = run(
        (T0, said(T0, ("f", "f", "f", "1"), counts)), (T0 + 1_000, said(T0 + 900, ("7", "f", "f", "1"), counts))
    )
    assert len(encode_progress(Progress(1, 0, ProgressMetadata(clock=clock)))) < 130
