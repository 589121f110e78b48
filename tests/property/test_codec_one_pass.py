"""Reading an event in one pass is a short cut: whatever comes, it must say what reading it in steps says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts import codec
from streams.contracts.assessments import RiskAssessed
from streams.contracts.codec import decode_event, encode_event, read_envelope, risk_assessed_in
from streams.contracts.envelopes import OPEN_PAYLOADS, decode_known
from streams.contracts.events import PAYLOADS, TYPE_OF, Event
from streams.contracts.reasons import DecodeError
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

examples = st.sampled_from(EXAMPLE_EVENTS)
instants = st.sampled_from([None, RECORDED, RECORDED - timedelta(days=3650), datetime(9999, 12, 31, 23, tzinfo=UTC)])
DEEP = b'{"x":' * 40 + b"1" + b"}" * 40


def outcome(decode: Any, raw: bytes, at: datetime | None) -> Event | tuple[str, str, str]:
    """Return the event, or the reason, the field and the detail of the refusal."""
    try:
        found: Event = decode(raw, recorded_at=at)
    except DecodeError as error:
        return error.reason.value, error.field, error.detail
    return found


def check(raw: bytes, at: datetime | None = RECORDED) -> None:
    in_steps = outcome(codec._decode_in_steps, raw, at)
    assert outcome(decode_event, raw, at) == in_steps
    assert outcome(decode_event, msgspec.Raw(raw), at) == in_steps
    assessed = risk_assessed_in(read_envelope(raw))
    if assessed is not None:
        if isinstance(in_steps, Event):
            assert in_steps.data == assessed
        else:  # what is refused for where nobody looks: skipped text, and the instants of the envelope
            assert "nested deeper" in in_steps[2] or "end of the calendar" in in_steps[2]


@pytest.mark.parametrize("event", EXAMPLE_EVENTS, ids=lambda event: f"{event.type}/{event.id}")
def test_what_we_write_is_read_in_one_pass(event: Event) -> None:
    """The short cut must be taken, or every event costs what it did before it and a failed attempt besides."""
    assert decode_known(encode_event(event)).data == event.data


def test_a_risk_assessment_as_a_stage_writes_it_is_read_without_the_rest() -> None:
    """Rules read thousands a second; any other event is left to `decode_event`."""
    for event in EXAMPLE_EVENTS:
        found = risk_assessed_in(read_envelope(encode_event(event)))
        assert found == (event.data if isinstance(event.data, RiskAssessed) else None)
    assert risk_assessed_in(read_envelope(b"{}")) is None


@given(examples, instants, st.data())
def test_a_mutated_event_is_judged_as_in_steps(event: Event, at: datetime | None, data: st.DataObject) -> None:
    """Near misses must be refused for the same reason, at the same place, in the same words."""
    raw = bytearray(encode_event(event))
    for _ in range(data.draw(st.integers(0, 3))):
        position = data.draw(st.integers(0, len(raw) - 1))
        raw[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(bytes(raw), at)


members = st.sampled_from(
    [b'"type":"%s"' % name.encode() for name in PAYLOADS]
    + [b'"x":' + DEEP, b'"x":"\xff"', b'"data":{}', b'"data":' + DEEP, b'"data":null', b'"specversion":"0.3"']
    + [b'"subject":null', b'"subject":"other"', b'"id":""', b'"recordedtime":null']
    + [b'"time":"0001-01-01T00:00:00+14:00"', b'"type":"org.monazite.\\u0074ick.v1"', b'"type":null']
    + [b'"time":"2026-02-03T00:00:00+08:00"']
)  # fmt: skip


@given(examples, instants, st.lists(members, min_size=1, max_size=3), st.booleans())
@example(EXAMPLE_EVENTS[0], RECORDED, [b'"type":"org.monazite.tick.v1"', b'"data":{}'], False)
def test_attributes_twice_or_unknown_are_judged_as_in_steps(
    event: Event, at: datetime | None, more: list[bytes], first: bool
) -> None:
    """The last of two equal names counts, `type` and `data` included, wherever it stands."""
    raw = encode_event(event)
    added = b",".join(more)
    check(b"{" + added + b"," + raw[1:] if first else raw[:-1] + b"," + added + b"}", at)


@given(examples, st.randoms(use_true_random=False))
def test_the_order_of_attributes_does_not_matter(event: Event, order: Any) -> None:
    """Other programs write `type` last, or `data` before it."""
    attributes = list(msgspec.json.decode(encode_event(event), type=dict[str, msgspec.Raw]).items())
    order.shuffle(attributes)
    raw = msgspec.json.encode(dict(attributes))
    assert decode_known(raw).data == event.data
    check(raw)
    assert decode_event(raw) == event


@given(examples, st.integers(28, 34), st.sampled_from([b"[", b"{"]))
def test_depth_hidden_in_data_is_refused_as_in_steps(event: Event, depth: int, bracket: bytes) -> None:
    """A payload that lets unknown attributes pass could carry what breaks the parser of the next stage."""
    hidden = b'"x":[' * depth + b"]" * depth if bracket == b"[" else b'{"x":' * depth + b"1" + b"}" * depth
    raw = encode_event(event)
    body = hidden.replace(b'"x":[', b"[") if bracket == b"[" else hidden
    check(raw[:-2] + (b"," if raw[-3:-2] != b"{" else b"") + b'"hidden":' + body + b"}}")


def _is_closed(found: msgspec.inspect.Type) -> bool:
    match found:
        case msgspec.inspect.StructType():
            return found.forbid_unknown_fields and all(_is_closed(field.type) for field in found.fields)
        case msgspec.inspect.UnionType():
            return all(_is_closed(each) for each in found.types)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            return _is_closed(found.item_type)
        case msgspec.inspect.DictType():
            return _is_closed(found.value_type)
        case _:
            return not isinstance(found, msgspec.inspect.AnyType | msgspec.inspect.RawType)


@pytest.mark.parametrize("payload", [p for p in PAYLOADS.values() if p not in OPEN_PAYLOADS], ids=TYPE_OF.get)
def test_a_payload_that_is_not_open_can_hide_nothing(payload: type) -> None:
    """Its depth is not looked at, so nothing in it, at any level, may be let pass unread."""
    assert _is_closed(msgspec.inspect.type_info(payload))
