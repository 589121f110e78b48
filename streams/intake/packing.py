"""Pack segments into records of `signals`: large under load, single when idle. Pure."""

from collections.abc import Iterable

from streams.contracts.codec import MAX_BATCH_EVENTS, MAX_RECORD_BYTES
from streams.contracts.records import Segment, SignalRecord

SEGMENT_FRAME_BYTES = 160
"""Room for the frame of a segment: field names, topic, numbers."""
EVENT_FRAME_BYTES = 5
"""Room for an event's comma and its index."""


def size_of(segment: Segment) -> int:
    """Return about how many bytes a segment takes in a record, never less than it does for topics up to 80 letters."""
    return SEGMENT_FRAME_BYTES + sum(map(len, segment.events)) + EVENT_FRAME_BYTES * len(segment.events)


def pack(
    segments: Iterable[Segment], *, max_events: int = MAX_BATCH_EVENTS, max_bytes: int = MAX_RECORD_BYTES
) -> list[SignalRecord]:
    """Pack the segments of one target partition, in their order, into as few records as the limits allow.

    A segment is never split: the assess agent recognises an admitted one by a single offset. One that is larger than
    the limits by itself (its input record was within them) gets a record of its own.
    """
    records: list[SignalRecord] = []
    held: list[Segment] = []
    event_count = 0
    byte_count = 0
    for segment in segments:
        size = size_of(segment)
        if held and (event_count + len(segment.events) > max_events or byte_count + size > max_bytes):
            records.append(SignalRecord(segments=held))
            held, event_count, byte_count = [], 0, 0
        held.append(segment)
        event_count += len(segment.events)
        byte_count += size
    if held:
        records.append(SignalRecord(segments=held))
    return records
