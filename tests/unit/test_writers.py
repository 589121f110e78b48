"""Numbers of the writers of `signals`: a record that is missing is seen, what compaction took is not missed."""

from collections.abc import Mapping

import msgspec

from streams.contracts.records import Segment, SignalRecord, Statement
from streams.runtime.writers import WRITERS_KEPT, SequenceDecision, decide_sequence, writers_after

SEGMENT = Segment(topic="price", partition=0, offset=0, indexes=[], events=[])


def record(number: int, *, life: str = "a", bare: bool = False) -> SignalRecord:
    return SignalRecord(segments=() if bare else [SEGMENT], w=Statement(0, [], []), i=life, q=number)


def test_records_that_follow_are_next_and_a_missing_one_is_a_hole() -> None:
    """The engine below may drop records; nothing else would notice."""
    writers = writers_after({}, record(1))
    assert decide_sequence(writers, record(2)) is SequenceDecision.NEXT
    assert decide_sequence(writers, record(3)) is SequenceDecision.HOLE
    assert decide_sequence(writers, record(1)) is SequenceDecision.NEXT  # written again: its segments are repeats


def test_bare_statements_may_be_missing_and_tell_of_a_record_that_is() -> None:
    """Compaction takes them; each says how many records with events came before it."""
    writers = writers_after({}, record(7))
    assert decide_sequence(writers, record(7, bare=True)) is SequenceDecision.NEXT
    assert decide_sequence(writers, record(8, bare=True)) is SequenceDecision.HOLE


def test_a_life_that_is_not_known_is_taken_as_it_comes() -> None:
    """A log may begin in the middle, and nobody remembers all lives."""
    assert decide_sequence({"b": 3}, record(40)) is SequenceDecision.NEXT
    assert decide_sequence({"b": 3}, msgspec.structs.replace(record(40), i="")) is SequenceDecision.NEXT


def test_only_the_latest_lives_are_remembered() -> None:
    """Every restart of an intake worker is one."""
    writers: Mapping[str, int] = {}
    for n in range(WRITERS_KEPT + 5):
        writers = writers_after(writers, record(1, life=f"life-{n}"))
        writers = writers_after(writers, record(2, life="steady"))
        writers = writers_after(writers, record(2 + n, life="steady"))
    assert len(writers) == WRITERS_KEPT
    assert "steady" in writers
    assert "life-0" not in writers
