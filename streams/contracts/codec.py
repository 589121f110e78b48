"""CloudEvents 1.0 on Kafka and HTTP: structured and binary mode, and our batch record. Decoded by hand.

The CloudEvents SDK invents missing ids and passes broken JSON (docs/engine-traps.md 28), so the hot path decodes with
msgspec and refuses with a reason. Every failure is a `DecodeError`; no other exception leaves this module.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from streams.contracts.assessments import RiskAssessed
from streams.contracts.capacity import CapacityReported, SupplyObserved, TradeObserved
from streams.contracts.envelopes import NOT_KNOWN, OPEN_PAYLOADS, Envelope, KnownEnvelope, decode_known
from streams.contracts.events import PAYLOADS, TYPE_OF, Event, Payload, subject_of
from streams.contracts.identifiers import check_year
from streams.contracts.instants import HISTORY_AFTER, as_recorded
from streams.contracts.periods import check_calendar, check_period, days_of
from streams.contracts.price import PriceQuoted
from streams.contracts.reasons import DecodeError, FieldError, RejectReason

BATCH_TYPE = "application/cloudevents-batch+json"
STRUCTURED_TYPE = "application/cloudevents+json"
MAX_BATCH_EVENTS = 500
MAX_RECORD_BYTES = 512 * 1024
MAX_EVENT_BYTES = 64 * 1024
MAX_DEPTH = 32
"""Deepest nesting of an event. Ours need 6; the limit is for attributes we do not know, which are passed on unread: an
event just within the parser's own limit would break every reader that meets it one frame deeper."""


class _Outgoing(msgspec.Struct, kw_only=True, omit_defaults=True):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    recordedtime: datetime
    data: Payload


_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decoders = {name: msgspec.json.Decoder(payload).decode for name, payload in PAYLOADS.items()}
_encode = msgspec.json.Encoder().encode
_PERIOD_OF: dict[type[Payload], str] = {
    PriceQuoted: "reference_period",
    SupplyObserved: "reference_period",
    TradeObserved: "reference_period",
    CapacityReported: "actual_period",
}
"""Payload types to the field that names the period a figure is for."""

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)
"""Strings as a whole (what is in them counts for nothing) and brackets."""


def _pointer(path: str) -> str:
    """Turn msgspec's `$.a[0].b` into a JSON pointer `/a/0/b`."""
    return path.removeprefix("$").replace("[...]", "/*").replace("[", "/").replace("]", "").replace(".", "/")


def _reason_of(message: str) -> RejectReason:
    if "missing required field" in message:
        return RejectReason.MISSING_FIELD
    if message.startswith(("Expected `", "Object contains unknown field")) and (
        "got" in message or "unknown" in message
    ):
        return RejectReason.WRONG_TYPE
    return RejectReason.OUT_OF_RANGE


def _refusal(error: msgspec.ValidationError, *, under: str) -> DecodeError:
    message, _, path = str(error).partition(" - at `")
    pointer = under + _pointer(path.rstrip("`"))
    cause = error.__cause__
    if isinstance(cause, FieldError):
        return DecodeError(reason=cause.reason, field=f"{pointer}/{cause.field}", detail=cause.detail)
    reason = _reason_of(message)
    if reason is RejectReason.MISSING_FIELD:
        pointer = f"{pointer}/{message.split('`')[1]}"
    return DecodeError(reason=reason, field=pointer, detail=message)


def read_envelope(raw: bytes | msgspec.Raw) -> KnownEnvelope | None:
    """Read an event in one pass, not everything of it checked; `None` for one that must be read step by step."""
    try:
        known: KnownEnvelope = decode_known(raw)
    except NOT_KNOWN:
        return None
    return known


def risk_assessed_in(envelope: KnownEnvelope | None) -> RiskAssessed | None:
    """Return the risk assessment in an event as a stage writes it; `None` for any other, which `decode_event` reads.

    For the rules, which read many and only their data: 0.6 microseconds less. What the type does not know was skipped
    and is passed on by nobody, so that its depth does not matter.
    """
    if envelope is None:
        return None
    data = envelope.data
    if type(data) is RiskAssessed and envelope.subject == data.material and envelope.recordedtime is not None:
        return data
    return None


def decode_event(
    raw: bytes | msgspec.Raw,
    *,
    recorded_at: datetime | None = None,
    envelope: KnownEnvelope | None = None,
    appended_at: datetime | None = None,
) -> Event:
    """Decode one CloudEvent in structured mode.

    `recorded_at` is the instant at which the event comes in: it is used where the event has no `recordedtime` (`None`
    then refuses it), and a reference period that had not begun then is refused. `envelope` is what `read_envelope` made
    of it, where that was done. `appended_at` is when the broker took an admitted event in: it counts as recorded then,
    unless it is history (`streams.contracts.instants`). Raises `DecodeError`.
    """
    if envelope is None:
        try:
            envelope = decode_known(raw)
        except NOT_KNOWN:
            return as_recorded(_decode_in_steps(raw, recorded_at=recorded_at), at=appended_at)
    data = envelope.data
    if type(data) in OPEN_PAYLOADS:
        _check_depth(bytes(raw))
    recorded = envelope.recordedtime
    if appended_at is not None and recorded is not None and appended_at - recorded < HISTORY_AFTER:
        return _event(envelope, data, recorded_at, recorded=appended_at)
    return _event(envelope, data, recorded_at)


def _decode_in_steps(raw: bytes | msgspec.Raw, *, recorded_at: datetime | None) -> Event:
    """Read the envelope and then its data, so that the first thing that is wrong has a reason and a place."""
    if not raw:
        raise DecodeError(reason=RejectReason.TOMBSTONE, field="", detail="a record without a value is no event")
    _check_depth(bytes(raw))
    try:
        envelope = _decode_envelope(raw)
    except msgspec.ValidationError as error:
        refusal = _refusal(error, under="")
        raise DecodeError(reason=RejectReason.INVALID_ENVELOPE, field=refusal.field, detail=refusal.detail) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(reason=RejectReason.NOT_JSON, field="", detail=str(error)[:200]) from error
    return _event(envelope, _data_of(envelope), recorded_at)


def _check_depth(raw: bytes) -> None:
    """Refuse deep nesting. Few brackets cannot be deep, so that nearly every event costs their count only."""
    # `count` looks at every byte, `replace` jumps from one find to the next: a third of the time where there are few.
    if len(raw) - len(raw.replace(b"[", b"").replace(b"{", b"")) <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.findall(raw):
        if bracket in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise DecodeError(reason=RejectReason.NOT_JSON, field="", detail=f"nested deeper than {MAX_DEPTH}")
        elif bracket in b"]}":
            depth -= 1


def _check_text(value: bytes) -> None:
    """Refuse what is no UTF-8 anywhere: the JSON parser does not look into attributes it skips, later readers would."""
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(
            reason=RejectReason.NOT_JSON, field="", detail=f"not UTF-8 at byte {error.start}: {error.reason}"
        ) from error


def _utc(instant: datetime, *, field: str) -> datetime:
    try:
        check_year(instant, field=field)
    except FieldError as error:
        raise DecodeError(reason=RejectReason.INVALID_ENVELOPE, field=f"/{field}", detail=error.detail) from error
    return instant.astimezone(UTC)


def _data_of(envelope: Envelope) -> Payload:
    if envelope.specversion != "1.0":
        raise DecodeError(
            reason=RejectReason.INVALID_ENVELOPE,
            field="/specversion",
            detail=f"must be 1.0, is {envelope.specversion!r}",
        )
    decode = _decoders.get(envelope.type)
    if decode is None:
        raise DecodeError(
            reason=RejectReason.UNKNOWN_TYPE, field="/type", detail=f"unknown type {envelope.type[:120]!r}"
        )
    if not envelope.data:
        raise DecodeError(reason=RejectReason.TOMBSTONE, field="/data", detail="an event without data says nothing")
    try:
        return decode(envelope.data)
    except msgspec.ValidationError as error:
        raise _refusal(error, under="/data") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(reason=RejectReason.NOT_JSON, field="/data", detail=str(error)[:200]) from error


def _event(
    envelope: Envelope | KnownEnvelope, data: Payload, recorded_at: datetime | None, *, recorded: datetime | None = None
) -> Event:
    recorded = recorded or envelope.recordedtime or recorded_at
    if recorded is None:
        raise DecodeError(reason=RejectReason.MISSING_FIELD, field="/recordedtime", detail="no recordedtime given")
    field = _PERIOD_OF.get(type(data))
    if field is not None:
        period = getattr(data, field)
        at = None if recorded_at is None else max(recorded, recorded_at)
        if period is not None and not _has_begun(period, at=at):
            _check_period(data, period, field, at=at)
    subject = subject_of(data)
    if envelope.subject is not None and envelope.subject != subject:
        raise DecodeError(
            reason=RejectReason.INCONSISTENT,
            field="/subject",
            detail=f"the subject is {envelope.subject!r}, the data are about {subject!r}",
        )
    occurred = envelope.time
    if occurred.tzinfo is not UTC:
        occurred = _utc(occurred, field="time")
    if recorded.tzinfo is not UTC:
        recorded = _utc(recorded, field="recordedtime")
    return Event(
        id=envelope.id, source=envelope.source, subject=subject, data=data, occurred_at=occurred, recorded_at=recorded
    )


def _check_period(data: Payload, period: str, field: str, *, at: datetime | None) -> None:
    """Refuse a period of no calendar always, one of the future where it is known when the event came in."""
    try:
        check_calendar(period, field=field)
        assert at is not None  # without an instant every period of the calendar has passed above
        check_period(data, at=at)
    except FieldError as error:
        raise DecodeError(reason=error.reason, field=f"/data/{error.field}", detail=error.detail) from error


def _has_begun(period: str, *, at: datetime | None) -> bool:
    """Say cheaply what is true of nearly every period; `False` leaves it to the checks that know the reasons."""
    try:
        first = days_of(period).first
    except ValueError:
        return False
    return at is None or first <= at.date()


def encode_event(event: Event) -> bytes:
    """Encode an event as a CloudEvent in structured mode; always the same bytes for the same event."""
    return _encode(
        _Outgoing(
            specversion="1.0",
            id=event.id,
            source=event.source,
            type=TYPE_OF[type(event.data)],
            subject=event.subject,
            time=event.occurred_at,
            recordedtime=event.recorded_at,
            data=event.data,
        )
    )


def encode_payload(data: Payload, *, event_id: str, source: str, at: datetime) -> bytes:
    """Encode what a stage says at an instant, the same bytes as of an event that occurs and is recorded then."""
    return _encode(
        _Outgoing(
            specversion="1.0",
            id=event_id,
            source=source,
            type=TYPE_OF[type(data)],
            subject=subject_of(data),
            time=at,
            recordedtime=at,
            data=data,
        )
    )


def encode_batch(events: Iterable[Event]) -> bytes:
    """Encode events as one batch record (`application/cloudevents-batch+json`)."""
    return b"[" + b",".join(encode_event(e) for e in events) + b"]"


def encode_binary(event: Event) -> tuple[list[tuple[str, bytes]], bytes]:
    """Encode an event in binary mode: Kafka headers with prefix `ce_`, and the data as the value."""
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": _encode(event.occurred_at).decode().strip('"'),
        "recordedtime": _encode(event.recorded_at).decode().strip('"'),
    }
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return [*headers, ("content-type", b"application/json")], _encode(event.data)


def _from_binary(headers: Mapping[str, bytes], value: bytes) -> bytes:
    """Rebuild the structured form of a binary-mode record, so that both modes pass the same checks."""
    attributes: dict[str, Any] = {}
    for name, content in headers.items():
        if name.startswith("ce_"):
            try:
                attributes[name.removeprefix("ce_")] = content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DecodeError(
                    reason=RejectReason.INVALID_ENVELOPE, field=f"/{name}", detail="header is not UTF-8"
                ) from error
    attributes.pop("data", None)
    attributes["data"] = msgspec.Raw(value)
    return _encode(attributes)


def split_record(
    value: bytes | None, headers: Sequence[tuple[str, bytes]] = (), *, max_bytes: int = MAX_RECORD_BYTES
) -> Sequence[bytes | msgspec.Raw]:
    """Split a Kafka record into its events in structured form: one, or those of a batch record.

    Raises `DecodeError` for a record that as a whole cannot be one: no value, too large, no JSON list, too many.
    """
    if not value:
        raise DecodeError(reason=RejectReason.TOMBSTONE, field="", detail="a record without a value is no event")
    if len(value) > max_bytes:
        raise DecodeError(reason=RejectReason.TOO_LARGE, field="", detail=f"{len(value)} bytes, at most {max_bytes}")
    _check_text(value)
    if headers:
        named = {name.lower(): content or b"" for name, content in headers}
        if "ce_specversion" in named or "ce_id" in named:
            return (_from_binary(named, value),)
    if value.lstrip()[:1] != b"[":
        return (value,)
    try:
        events = _decode_list(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(reason=RejectReason.NOT_JSON, field="", detail=str(error)[:200]) from error
    if len(events) > MAX_BATCH_EVENTS:
        raise DecodeError(
            reason=RejectReason.TOO_LARGE,
            field="",
            detail=f"{len(events)} events in a batch, at most {MAX_BATCH_EVENTS}",
        )
    return events
