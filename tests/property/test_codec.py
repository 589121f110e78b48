"""Whatever arrives, decoding gives an event or a refusal with a reason; nothing else ever leaves the codec."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import decode_event, encode_binary, encode_event, split_record
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError, RejectReason
from streams.contracts.records import Segment, SignalRecord, decode_signal, encode
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
examples = st.sampled_from(EXAMPLE_EVENTS)


def outcomes(value: bytes, headers: list[tuple[str, bytes]] | None = None) -> list[Event | DecodeError]:
    """Return an event or a refusal for each event of a record; any other exception fails the test."""
    try:
        raws = split_record(value, headers or [])
    except DecodeError as error:
        return [error]
    found: list[Event | DecodeError] = []
    for raw in raws:
        try:
            found.append(decode_event(raw, recorded_at=RECORDED))
        except DecodeError as error:
            found.append(error)
    return found


def check(value: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
    for outcome in outcomes(value, headers):
        if isinstance(outcome, DecodeError):
            assert outcome.reason in RejectReason
            assert outcome.field == "" or outcome.field.startswith("/")
            assert outcome.detail
        else:
            # What was admitted survives the next log and its frame: no poison for the stages behind intake.
            again = encode_event(outcome)
            segment = Segment(topic="t", partition=0, offset=0, indexes=[0], events=[msgspec.Raw(again)])
            (read,) = decode_signal(encode(SignalRecord(segments=[segment]))).segments
            assert decode_event(read.events[0]) == outcome


@given(st.binary(max_size=400))
def test_random_bytes_give_an_event_or_a_refusal(value: bytes) -> None:
    """A producer in a foreign language can send anything."""
    check(value)


@given(json_values)
def test_random_json_gives_an_event_or_a_refusal(value: Any) -> None:
    """Well-formed but meaningless is the usual mistake."""
    check(msgspec.json.encode(value))


@given(st.lists(st.tuples(st.sampled_from(["ce_id", "ce_specversion", "ce_time", "ce_x", "ce_data"]), st.binary())),
       st.binary(max_size=80))  # fmt: skip
def test_random_headers_give_an_event_or_a_refusal(headers: list[tuple[str, bytes]], value: bytes) -> None:
    """Binary mode carries the envelope in headers, which are bytes too."""
    check(value, headers)


@given(examples, st.data())
def test_a_mutated_event_gives_an_event_or_a_refusal(event: Event, data: st.DataObject) -> None:
    """Near misses reach deeper into the checks than noise does."""
    raw = bytearray(encode_event(event))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(bytes(raw))


@given(examples, st.data())
@settings(max_examples=300)
def test_an_event_with_a_replaced_field_gives_an_event_or_a_refusal(event: Event, data: st.DataObject) -> None:
    """Every field meets every kind of value."""
    whole = msgspec.json.decode(encode_event(event))
    holder = data.draw(st.sampled_from([whole, whole["data"]]))
    if holder:
        holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(json_values)
    check(msgspec.json.encode(whole))


@given(examples, st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_decoding_gives_back_what_was_encoded(event: Event, event_id: str, source: str) -> None:
    """decode(encode(e)) = e, in structured and binary mode, whatever the identity looks like."""
    named = msgspec.structs.replace(event, id=event_id, source=source)
    assert decode_event(encode_event(named)) == named
    headers, value = encode_binary(named)
    assert outcomes(value, headers) == [named]


@given(st.lists(examples, max_size=8), st.integers(0, 8))
def test_a_batch_is_its_events(events: list[Event], junk_at: int) -> None:
    """One bad event in a batch takes no other with it."""
    raws = [encode_event(event) for event in events]
    raws.insert(min(junk_at, len(raws)), b'{"id":1}')
    found = outcomes(b"[" + b",".join(raws) + b"]")
    assert [item for item in found if isinstance(item, Event)] == events
    assert sum(isinstance(item, DecodeError) for item in found) == 1
