"""The bytes of every event type as they stand on the logs: changing one breaks every reader and every old record."""

from pathlib import Path

import pytest

from streams.contracts.codec import decode_event, encode_batch, encode_binary, encode_event, split_record
from streams.contracts.events import PAYLOADS, PREFIX, Event
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

GOLDEN = Path(__file__).parent / "golden"
by_type = pytest.mark.parametrize("event", EXAMPLE_EVENTS, ids=lambda event: event.type.removeprefix(PREFIX))


def golden_path(event: Event) -> Path:
    return GOLDEN / f"{event.type.removeprefix(PREFIX)}.json"


def test_every_event_type_has_an_example_and_golden_bytes() -> None:
    """A type without golden bytes could change without anybody noticing."""
    assert sorted(event.type for event in EXAMPLE_EVENTS) == sorted(PAYLOADS)
    assert {path.name for path in GOLDEN.glob("*.json")} == {golden_path(event).name for event in EXAMPLE_EVENTS}


@by_type
def test_an_event_is_encoded_as_the_golden_bytes(event: Event) -> None:
    """Within a major version changes only add; a difference here is a new version or a mistake."""
    assert encode_event(event) == golden_path(event).read_bytes().rstrip(b"\n")


@by_type
def test_the_golden_bytes_are_read_as_the_event(event: Event) -> None:
    """Records of years ago must still be read by a rebuild."""
    assert decode_event(golden_path(event).read_bytes()) == event


@by_type
def test_binary_mode_gives_the_same_event(event: Event) -> None:
    """A sender may choose the mode; the road must not notice."""
    headers, value = encode_binary(event)
    (raw,) = split_record(value, headers)
    assert decode_event(raw) == event


def test_a_batch_gives_the_same_events_in_the_same_order() -> None:
    """Our batch record is only a frame."""
    raws = split_record(encode_batch(EXAMPLE_EVENTS))
    assert tuple(decode_event(raw) for raw in raws) == EXAMPLE_EVENTS


@by_type
def test_more_attributes_than_we_know_do_no_harm(event: Event) -> None:
    """CloudEvents allows extension attributes, such as `traceparent`; they are let pass."""
    raw = encode_event(event).replace(b'{"specversion"', b'{"traceparent":"00-ab","specversion"', 1)
    assert decode_event(raw) == event


def test_the_recorded_instant_of_the_broker_stands_in_where_the_event_has_none() -> None:
    """Outside systems need not know our extension attribute."""
    event = EXAMPLE_EVENTS[3]
    raw = encode_event(event).replace(b'"recordedtime":"2025-11-10T18:30:15.250000Z",', b"")
    assert decode_event(raw, recorded_at=RECORDED) == event
