"""Every kind of bad input is refused with its reason, the place of it, and a text that helps."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from streams.contracts.codec import MAX_DEPTH, MAX_RECORD_BYTES, decode_event, encode_event, split_record
from streams.contracts.events import Event, Payload
from streams.contracts.periods import check_period, check_vintage, days_of
from streams.contracts.reasons import DecodeError, RejectReason
from tests.support.examples import EXAMPLES, RECORDED, example_event

EXAMPLE = {type(payload).__name__: example_event(payload) for payload in EXAMPLES}


def refusal(raw: bytes, **options: Any) -> tuple[str, str]:
    """Return reason and pointer of what a record is refused for."""
    with pytest.raises(DecodeError) as caught:
        for event in split_record(raw, options.get("headers", ())):
            decode_event(event, recorded_at=options.get("recorded_at"))
    assert caught.value.detail
    return caught.value.reason.value, caught.value.field


def changed(name: str, **fields: Any) -> bytes:
    """Return an example with other fields in its data; `...` takes a field away."""
    return _with(EXAMPLE[name], "data", fields)


def envelope(name: str, **fields: Any) -> bytes:
    """Return an example with other attributes; `...` takes one away."""
    return _with(EXAMPLE[name], None, fields)


def _with(event: Event, part: str | None, fields: dict[str, Any]) -> bytes:
    whole = msgspec.json.decode(encode_event(event))
    holder = whole if part is None else whole[part]
    for name, value in fields.items():
        if value is ...:
            del holder[name]
        else:
            holder[name] = value
    return msgspec.json.encode(whole)


GOOD = encode_event(EXAMPLE["PriceQuoted"])
BAD_RECORDS = {
    "not JSON": (b"{ this is not", "not_json", ""),
    "empty": (b"", "tombstone", ""),
    "white space": (b"   ", "not_json", ""),
    "a JSON string": (b'"x"', "invalid_envelope", ""),
    "NaN": (GOOD.replace(b"245.5", b"NaN"), "not_json", ""),
    "infinity": (GOOD.replace(b"245.5", b"1e999"), "out_of_range", "/data/amount"),
    "2 MB": (b'{"x":"' + b"y" * 2_000_000 + b'"}', "too_large", ""),
    "too many events": (b"[" + b",".join([b"{}"] * 501) + b"]", "too_large", ""),
    "a broken list": (b"[{},", "not_json", ""),
    "bad UTF-8 in a field": (GOOD.replace(b"FOB China", b"FOB \xff\xfe"), "not_json", ""),
    "bad UTF-8 in an attribute we do not know": (GOOD.replace(b"{", b'{"x":"\xff",', 1), "not_json", ""),
    "bad UTF-8 in a batch": (b'[{"x":"\xff"}]', "not_json", ""),
    "a lone surrogate": (GOOD.replace(b"FOB China", rb"\ud800"), "not_json", ""),
    "nested deeply": (b'{"x":' * 10_000 + b"1" + b"}" * 10_000, "not_json", ""),
    "nested more deeply than readers bear": (
        GOOD.replace(b"{", b'{"x":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b",", 1), "not_json", "",
    ),
    "an unfinished list of lists": (b"[" * 100_000, "not_json", ""),
}  # fmt: skip
BAD_ENVELOPES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no id": ({"id": ...}, "invalid_envelope", "/id"),
    "an empty id": ({"id": ""}, "invalid_envelope", "/id"),
    "an id that is a number": ({"id": 7}, "invalid_envelope", "/id"),
    "no source": ({"source": ...}, "invalid_envelope", "/source"),
    "no time": ({"time": ...}, "invalid_envelope", "/time"),
    "a time without zone": ({"time": "2025-01-01T00:00:00"}, "invalid_envelope", "/time"),
    "a time that is none": ({"time": "yesterday"}, "invalid_envelope", "/time"),
    "another version": ({"specversion": "0.3"}, "invalid_envelope", "/specversion"),
    "a time before the calendar elsewhere": ({"time": "0001-01-01T00:00:00+08:00"}, "invalid_envelope", "/time"),
    "a time after the calendar elsewhere": (
        {"recordedtime": "9999-12-31T23:59:59-08:00"},
        "invalid_envelope",
        "/recordedtime",
    ),
    "an unknown type": ({"type": "org.monazite.price.guessed.v1"}, "unknown_type", "/type"),
    "a type of the next version": ({"type": "org.monazite.price.quoted.v2"}, "unknown_type", "/type"),
    "no data": ({"data": ...}, "tombstone", "/data"),
    "data that are no object": ({"data": [1]}, "wrong_type", "/data"),
    "null data": ({"data": None}, "wrong_type", "/data"),
    "nothing recorded": ({"recordedtime": ...}, "missing_field", "/recordedtime"),
    "a subject that is not what the data are about": ({"subject": "terbium"}, "inconsistent", "/subject"),
}
BAD_DATA: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "wrong type": ("PriceQuoted", {"amount": "245"}, "wrong_type", "/data/amount"),
    "missing field": ("PriceQuoted", {"currency": ...}, "missing_field", "/data/currency"),
    "a field we do not know": ("PriceQuoted", {"amont": 3}, "wrong_type", "/data"),
    "an unknown currency": ("PriceQuoted", {"currency": "XAU"}, "out_of_range", "/data/currency"),
    "a price of zero": ("PriceQuoted", {"amount": 0}, "out_of_range", "/data/amount"),
    "unknown material": ("PriceQuoted", {"material": "unobtainium"}, "unknown_material", "/data/material"),
    "unknown material in a list": (
        "MeasureChanged", {"materials": ["gallium", "kryptonite"]}, "unknown_material", "/data/materials/1",
    ),
    "unknown material of a standard": ("StandardPublished", {"scope": ["x"]}, "unknown_material", "/data/scope"),
    "unknown material of several": (
        "StandardPublished", {"scope": ["gallium", "x"]}, "unknown_material", "/data/scope/1",
    ),
    "an end before the start": ("MeasureChanged", {"ends_at": "2025-11-06"}, "date_order", "/data/ends_at"),
    "a day that is not in the calendar": (
        "MeasureChanged", {"ends_at": "2026-02-30"}, "out_of_range", "/data/ends_at",
    ),
    "an hour that is not on the clock": (
        "MeasureChanged", {"ends_at": "2026-11-10T25:00"}, "out_of_range", "/data/ends_at",
    ),
    "an extension without an end": (
        "MeasureChanged", {"action": "extend", "ends_at": ...}, "missing_field", "/data/ends_at",
    ),
    "a zone that is none": ("MeasureChanged", {"zone": "Mars/Olympus"}, "out_of_range", "/data/zone"),
    "a zone outside of the table": ("MeasureChanged", {"zone": "../../etc/passwd"}, "out_of_range", "/data/zone"),
    "a statement that changes a measure": (
        "MeasureChanged", {"legal_force": "press"}, "legal_force", "/data/legal_force",
    ),
    "a claim with the force of law": ("ClaimMade", {"legal_force": "instrument"}, "legal_force", "/data/legal_force"),
    "half an interval": ("SupplyObserved", {"share_low_ratio": ...}, "inconsistent", "/data/share_low_ratio"),
    "the other half": ("SupplyObserved", {"share_high_ratio": ...}, "inconsistent", "/data/share_high_ratio"),
    "an interval turned round": ("SupplyObserved", {"share_low_ratio": 0.9}, "inconsistent", "/data/share_low_ratio"),
    "a share above one": ("SupplyObserved", {"share_high_ratio": 1.2}, "out_of_range", "/data/share_high_ratio"),
    "negative tonnes": ("SupplyObserved", {"tonnes": -1}, "out_of_range", "/data/tonnes"),
    "more than the world makes": (
        "SupplyObserved", {"tonnes": 300.0, "world_tonnes": 100.0}, "inconsistent", "/data/tonnes",
    ),
    "a vintage older than the one it amends": (
        "SupplyObserved", {"vintage": "MCS 2024", "amends_vintage": "MCS 2025"}, "date_order", "/data/vintage",
    ),
    "an end after which there is no day": (
        "MeasureChanged", {"ends_at": "9999-12-31"}, "out_of_range", "/data/ends_at",
    ),
    "a day before which there is none": (
        "MeasureChanged", {"effective_at": "0001-01-01"}, "out_of_range", "/data/effective_at",
    ),
    "a licence that ends on no day": (
        "LicenceDecided", {"expires_at": "2026-02-30"}, "out_of_range", "/data/expires_at",
    ),
    "an application at no zone's hour": (
        "LicenceDecided", {"applied_at": "2025-11-10T16:00:00"}, "out_of_range", "/data/applied_at",
    ),
    "an application before the calendar": (
        "LicenceDecided", {"applied_at": "0001-01-01T00:00:00+08:00"}, "out_of_range", "/data/applied_at",
    ),
    "an unknown unit": ("PriceQuoted", {"per_unit": "oz"}, "out_of_range", "/data/per_unit"),
    "a negative price": ("PriceQuoted", {"amount": -1}, "out_of_range", "/data/amount"),
    "negative tonnes traded": ("TradeObserved", {"tonnes": -0.1}, "out_of_range", "/data/tonnes"),
    "a negative nameplate": (
        "CapacityReported", {"nameplate_tonnes_per_year": -1}, "out_of_range", "/data/nameplate_tonnes_per_year",
    ),
    "a negative licence": ("LicenceDecided", {"quantity_tonnes": -1}, "out_of_range", "/data/quantity_tonnes"),
    "a month that is not in the calendar": (
        "TradeObserved", {"reference_period": "2025-13"}, "out_of_range", "/data/reference_period",
    ),
    "a quoted day that is not in the calendar": (
        "PriceQuoted", {"reference_period": "2025-02-30"}, "out_of_range", "/data/reference_period",
    ),
    "a month written with a slash": (
        "PriceQuoted", {"reference_period": "2025/02"}, "out_of_range", "/data/reference_period",
    ),
    "an assessor that is no identifier": ("PriceQuoted", {"assessor": "a b"}, "out_of_range", "/data/assessor"),
    "output of a year before the calendar": (
        "CapacityReported", {"actual_period": "0000"}, "out_of_range", "/data/actual_period",
    ),
    "a negative stock": ("StockReported", {"stock_tonnes": -1}, "out_of_range", "/data/stock_tonnes"),
    "a country that is none": ("CapacityReported", {"country": "Malaysia"}, "out_of_range", "/data/country"),
    "a bad field deep inside": (
        "MeasureChanged", {"provenance": {"source": 7}}, "wrong_type", "/data/provenance/source",
    ),
    "a directive without its content": (
        "DirectiveGiven", {"subscription": ...}, "missing_field", "/data/subscription",
    ),
    "a webhook without an address": (
        "DirectiveGiven", {"subscription": {"channel": "webhook"}}, "missing_field", "/data/subscription/url",
    ),
}  # fmt: skip


IN_THE_FUTURE: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a year in the future": (
        "SupplyObserved",
        {"reference_period": "2026"},
        "out_of_range",
        "/data/reference_period",
    ),
    "a month in the future": (
        "TradeObserved",
        {"reference_period": "2025-12"},
        "out_of_range",
        "/data/reference_period",
    ),
    "a half in the future": (
        "CapacityReported",
        {"actual_period": "2026-H1"},
        "out_of_range",
        "/data/actual_period",
    ),
    "a day in the future": (
        "PriceQuoted",
        {"reference_period": "2025-11-12"},
        "out_of_range",
        "/data/reference_period",
    ),
}


@pytest.mark.parametrize(("name", "fields", "reason", "field"), IN_THE_FUTURE.values(), ids=IN_THE_FUTURE)
def test_a_period_that_has_not_begun_is_refused(name: str, fields: dict[str, Any], reason: str, field: str) -> None:
    """Nobody knows next year's output; the instant at which the event comes in decides."""
    assert refusal(changed(name, **fields), recorded_at=RECORDED) == (reason, field)
    assert decode_event(changed(name, **fields), recorded_at=datetime(2030, 1, 1, tzinfo=UTC))


def test_periods_are_read_as_days_of_the_calendar() -> None:
    """A leap February ends on the 29th; the last month of the calendar has an end too."""
    assert days_of("2024-02").last == date(2024, 2, 29)
    assert days_of("9999").last == date(9999, 12, 31)
    assert days_of("2025-H2").first == date(2025, 7, 1)
    assert days_of("2025-Q3") == (date(2025, 7, 1), date(2025, 9, 30))


@pytest.mark.parametrize(("raw", "reason", "field"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_a_bad_record_is_refused_with_its_reason(raw: bytes, reason: str, field: str) -> None:
    """The dead letter must say what to mend."""
    assert refusal(raw, recorded_at=RECORDED) == (reason, field)


@pytest.mark.parametrize(("fields", "reason", "field"), BAD_ENVELOPES.values(), ids=BAD_ENVELOPES)
def test_a_bad_envelope_is_refused_with_its_place(fields: dict[str, Any], reason: str, field: str) -> None:
    """The SDK invents what is missing; identity would be lost silently (docs/engine-traps.md 28)."""
    assert refusal(envelope("PriceQuoted", **fields)) == (reason, field)


@pytest.mark.parametrize(("name", "fields", "reason", "field"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_are_refused_with_their_place(name: str, fields: dict[str, Any], reason: str, field: str) -> None:
    """NaN, impossible dates and unknown names must never reach a figure."""
    assert refusal(changed(name, **fields)) == (reason, field)


def test_a_header_that_is_no_text_is_refused() -> None:
    """Headers of binary mode are bytes, and any may come."""
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"\xff")]
    assert refusal(b"{}", headers=headers) == ("invalid_envelope", "/ce_id")


def test_broken_data_of_a_binary_event_are_refused() -> None:
    """The SDK hands broken JSON through as a text (docs/engine-traps.md 28)."""
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"1")]
    assert refusal(b'{"a":', headers=headers)[0] == "not_json"


def test_a_tombstone_in_binary_mode_is_refused() -> None:
    """An event without data says nothing (docs/architecture.md 5.9)."""
    with pytest.raises(DecodeError) as caught:
        split_record(None, [("ce_specversion", b"1.0")])
    assert caught.value.reason is RejectReason.TOMBSTONE


def test_an_empty_event_is_refused_by_itself() -> None:
    """Whoever decodes without splitting gets the same answer."""
    with pytest.raises(DecodeError, match="tombstone"):
        decode_event(b"")


def test_the_last_of_two_equal_names_counts() -> None:
    """JSON leaves it open; one parser reads every log of the road, so that every stage sees the same."""
    assert decode_event(GOOD.replace(b'"amount":245.5', b'"amount":1.0,"amount":2.0')).data.amount == 2.0  # type: ignore[union-attr]


def test_brackets_within_text_are_no_nesting() -> None:
    """A summary that quotes code, or the rules of a directive, is flat."""
    raw = changed("MeasureChanged", summary='[{"' * 200 + "\\")
    assert decode_event(raw).subject == "CN-2025-70"


def test_many_flat_brackets_are_no_nesting() -> None:
    """Long lists of small things are flat."""
    raw = envelope("PriceQuoted", x=[[] for _ in range(100)])
    assert decode_event(raw).subject == "dysprosium"


def test_a_record_within_the_limit_is_not_too_large() -> None:
    """The limit itself is allowed."""
    padding = b" " * (MAX_RECORD_BYTES - len(GOOD))
    assert decode_event(split_record(GOOD + padding)[0]).subject == "dysprosium"


@pytest.mark.parametrize("payload", EXAMPLES, ids=lambda payload: type(payload).__name__)
def test_a_number_that_is_none_is_refused_wherever_one_is_wanted(payload: Payload) -> None:
    """NaN and infinity are refused at the edge, in every type (docs/architecture.md 6.7)."""
    raw = encode_event(example_event(payload))
    whole = msgspec.json.decode(raw)
    for name, value in whole["data"].items():
        if isinstance(value, float):
            for bad in (b"NaN", b"Infinity", b"1e999"):
                text = msgspec.json.encode({name: value})[1:-1]
                broken = raw.replace(text, text.rpartition(b":")[0] + b":" + bad)
                assert broken != raw
                assert refusal(broken)[0] in {"not_json", "out_of_range", "wrong_type"}


@pytest.mark.parametrize("period", ["2025", "2025-11", "2025-Q4", "2025-H2", "2025-11-10", "2025-11-11"])
def test_a_period_that_runs_is_let_pass(period: str) -> None:
    """This year so far is a figure; a day may already have begun further east."""
    event = decode_event(changed("TradeObserved", reference_period=period), recorded_at=RECORDED)
    assert event.data.reference_period == period  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("vintage", "amends"), [("MCS 2026", "MCS 2025"), ("MCS 2026", "MCS 2026"), ("second", "MCS 2025"), ("2026", "x")]
)
def test_a_vintage_may_amend_an_older_one_and_names_without_a_date_are_let_pass(vintage: str, amends: str) -> None:
    """What cannot be compared is not refused."""
    check_vintage(vintage, amends=amends)


def test_the_calendar_ends_without_an_exception() -> None:
    """Every failure is a DecodeError: the last day of the calendar has no next."""
    last = datetime(9999, 12, 31, 23, tzinfo=UTC)
    check_period(EXAMPLE["TradeObserved"].data, at=last)
