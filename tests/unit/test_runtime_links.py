"""Repeats and holes of a linked log, and segments admitted before."""

import pytest

from streams.contracts.records import OutputPosition, Segment
from streams.runtime.links import LinkDecision, decide_admission
from streams.runtime.origins import admit_segments


@pytest.mark.parametrize(
    ("last_seen", "place", "previous", "decision"),
    [
        (None, (5, 0), None, LinkDecision.NEXT),
        ((5, 0), (9, 0), (5, 0), LinkDecision.NEXT),
        ((5, 0), (5, 0), None, LinkDecision.REPEAT),
        ((5, 0), (3, 0), None, LinkDecision.REPEAT),
        ((5, 0), (9, 0), (7, 0), LinkDecision.HOLE),
        ((5, 0), (9, 0), None, LinkDecision.HOLE),
        (None, (9, 0), (5, 0), LinkDecision.HOLE),
        ((5, 0), (5, 1), (5, 0), LinkDecision.NEXT),
        ((5, 1), (5, 0), None, LinkDecision.REPEAT),
        ((5, 0), (5, 2), (5, 1), LinkDecision.HOLE),
        ((5, 0), (9, 0), (5, 1), LinkDecision.HOLE),
    ],
)
def test_a_record_is_next_a_repeat_or_behind_a_hole(
    last_seen: OutputPosition | None, place: OutputPosition, previous: OutputPosition | None, decision: LinkDecision
) -> None:
    """Two places decide; a missing output, or a missing part of one, must never pass as the next one."""
    assert decide_admission(last_seen, place=place, previous=previous) is decision


def segment(offset: int, partition: int = 0) -> Segment:
    return Segment(topic="price", partition=partition, offset=offset, indexes=[], events=[])


def test_segments_are_taken_once_per_origin_partition() -> None:
    """Intake writes again what it wrote before a crash; the other partition of the topic is not affected."""
    fresh, origins = admit_segments({}, [segment(3), segment(3), segment(3, partition=1)])
    assert [(one.partition, one.offset) for one in fresh] == [(0, 3), (1, 3)]
    again, same = admit_segments(origins, [segment(2), segment(3)])
    assert again == []
    assert same is origins
