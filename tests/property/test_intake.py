"""Admission and packing lose nothing, double nothing, keep order and are the same every time."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.codec import decode_event, encode_event
from streams.contracts.events import family_of
from streams.contracts.records import Segment, decode_signal, encode
from streams.contracts.topics import BROADCAST_FAMILIES, partition_of
from streams.intake.intake_core import InputRecord, admission_rules, admit
from streams.intake.packing import pack, size_of
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

bad_events = st.sampled_from([b"{}", b'{"id":1}', b"7", encode_event(EXAMPLE_EVENTS[-1])])
numbered = st.integers(0, 999).flatmap(
    lambda n: st.sampled_from([msgspec.structs.replace(e, id=f"e-{n}") for e in EXAMPLE_EVENTS[3:9]]).map(encode_event)
)
batches = st.lists(st.one_of(numbered, bad_events), max_size=12)


def record(raws: list[bytes], *, offset: int = 0) -> InputRecord:
    return InputRecord(
        topic="monazite.capacity.v1", partition=1, offset=offset, value=b"[" + b",".join(raws) + b"]",
        received_at=RECORDED + timedelta(seconds=1),
    )  # fmt: skip


@given(batches, st.integers(1, 7))
def test_every_event_is_admitted_or_refused_exactly_once(raws: list[bytes], partitions: int) -> None:
    """Each index of a batch comes out in one segment of its partition, or as one dead letter."""
    rules = admission_rules(prefix="monazite", partitions=partitions)
    admission = admit(record(raws), rules=rules)
    indexes = [i for segment in admission.segments.values() for i in segment.indexes]
    indexes += [letter.index for letter in admission.dead_letters if letter.index is not None]
    assert sorted(indexes) == list(range(len(raws)))
    for partition, segment in admission.segments.items():
        assert list(segment.indexes) == sorted(segment.indexes)
        for index, raw in zip(segment.indexes, segment.events, strict=True):
            assert bytes(raw) == raws[index]
            assert partition_of(decode_event(raw).subject, partitions=partitions) == partition


@given(batches)
def test_admitting_twice_gives_the_same_bytes(raws: list[bytes]) -> None:
    """A record read again after a crash must be recognisable as the same (docs/runtime.md 3)."""
    rules = admission_rules(prefix="monazite", partitions=4)
    first, second = (admit(record(raws), rules=rules) for _ in range(2))
    assert {p: encode(s) for p, s in first.segments.items()} == {p: encode(s) for p, s in second.segments.items()}
    assert first.dead_letters == second.dead_letters


@given(st.sampled_from(EXAMPLE_EVENTS), st.integers(1, 7))
def test_broadcast_means_every_partition_and_keyed_means_one(event: object, partitions: int) -> None:
    """A partition that misses a policy event has another measure book than the others."""
    rules = admission_rules(prefix="monazite", partitions=partitions)
    for topic, family in rules.families.items():
        one = InputRecord(topic=topic, partition=0, offset=0, value=encode_event(event), received_at=RECORDED)  # type: ignore[arg-type]
        segments = admit(one, rules=rules).segments
        if family != family_of(event.type):  # type: ignore[attr-defined]
            assert segments == {}
        else:
            assert len(segments) == (partitions if family in BROADCAST_FAMILIES else 1)


sizes = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60)), max_size=30)


@given(sizes, st.integers(1, 60), st.integers(200, 4_000))
def test_packing_keeps_segments_whole_in_order_and_within_the_limits(
    shapes: list[tuple[int, int]], max_events: int, max_bytes: int
) -> None:
    """Cutting the stream into records anywhere must not show; only a segment too large by itself exceeds a limit."""
    segments = [
        Segment(
            topic="monazite.price.v1", partition=0, offset=offset, indexes=list(range(count)),
            events=[msgspec.Raw(b'"' + b"x" * length + b'"')] * count,
        )
        for offset, (count, length) in enumerate(shapes)
    ]  # fmt: skip
    records = pack(segments, max_events=max_events, max_bytes=max_bytes)
    assert [segment for packed in records for segment in packed.segments] == segments
    for packed in records:
        assert packed.segments
        encoded = encode(packed)
        assert [s.offset for s in decode_signal(encoded).segments] == [s.offset for s in packed.segments]
        if len(packed.segments) > 1:
            assert sum(len(segment.events) for segment in packed.segments) <= max_events
            assert sum(map(size_of, packed.segments)) <= max_bytes
            assert len(encoded) <= max_bytes + 40
