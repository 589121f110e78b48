"""`produce file`: rows become events, bad rows are reported with their place, the others go through."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producers.file_source import BadRow, FileReport, UnreadableFileError, produce_file
from producers.rows import event_from_columns, type_names
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.policy import MeasureChanged
from streams.contracts.price import PriceQuoted
from tests.support.examples import EXAMPLE_EVENTS

T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)
PRICE = type_names()["price.quoted"]
HEADER = "material,form,basis,assessor,amount,currency,per_unit,reference_period,vat_included,time\n"
GOOD = "dysprosium,oxide,FOB China,house,245.5,USD,kg,2026-01-05,true,2026-01-05T00:00:00Z\n"


class RecordingPublisher:
    """Keeps batches in memory."""

    def __init__(self) -> None:
        self.batches: list[list[Event]] = []

    def publish_batch(self, events: Sequence[Event]) -> None:
        """Keep a batch."""
        self.batches.append(list(events))

    @property
    def events(self) -> list[Event]:
        """All events in order."""
        return [event for batch in self.batches for event in batch]


def produce(path: Path, text: str | bytes, *, type_name: str | None = PRICE, batch_size: int = 500
            ) -> tuple[FileReport, RecordingPublisher]:  # fmt: skip
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    publisher = RecordingPublisher()
    report = produce_file(
        path, publisher=publisher, type_name=type_name, source="house", received_at=T0, batch_size=batch_size
    )
    return report, publisher


def test_a_csv_row_becomes_an_event(tmp_path: Path) -> None:
    """Columns are the fields of the type; the cells get the types the fields want."""
    report, publisher = produce(tmp_path / "p.csv", HEADER + GOOD)
    (event,) = publisher.events
    assert isinstance(event.data, PriceQuoted)
    assert (event.data.amount, event.data.vat_included, event.data.provenance.source) == (245.5, True, "house")
    assert (event.occurred_at, event.recorded_at) == (datetime(2026, 1, 5, tzinfo=UTC), T0)
    assert report == FileReport(sent=1, bad=[])


def test_the_same_file_sent_twice_is_the_same_events(tmp_path: Path) -> None:
    """The id is made of the row, so that a second run changes nothing."""
    first, second = (produce(tmp_path / "p.csv", HEADER + GOOD)[1].events[0].id for _ in range(2))
    assert first == second


def test_bad_rows_are_reported_with_line_and_column_and_the_others_go_through(tmp_path: Path) -> None:
    """One typing mistake must not hold a thousand rows back, and must be found."""
    rows = [
        GOOD, GOOD.replace("dysprosium", "dysprosum"), GOOD.replace("245.5", "many"), GOOD.replace("245.5", "-1"),
        GOOD.replace("FOB China", ""), GOOD.replace("true", "perhaps"), GOOD.strip() + ",one more\n",
        GOOD.replace("245.5", "NaN"), GOOD,
    ]  # fmt: skip
    report, publisher = produce(tmp_path / "p.csv", HEADER + "".join(rows))
    assert len(publisher.events) == report.sent == 2
    assert [(bad.line, bad.column, bad.reason) for bad in report.bad] == [
        (3, "material", "unknown_material"), (4, "amount", "wrong_type"), (5, "amount", "out_of_range"),
        (6, "basis", "missing_field"), (7, "vat_included", "wrong_type"), (8, "", "wrong_type"),
        (9, "amount", "wrong_type"),
    ]  # fmt: skip
    assert str(report.bad[1]) == "p.csv:4: amount: 'many' is not a number"


def test_a_column_that_is_no_field_is_named(tmp_path: Path) -> None:
    """The message lists the fields there are."""
    report, _ = produce(tmp_path / "p.csv", HEADER.replace("amount", "amont") + GOOD)
    assert report.bad[0].column == "amont"
    assert "amount" in report.bad[0].detail


def test_a_cell_over_several_lines_keeps_the_line_numbers_right(tmp_path: Path) -> None:
    """An editor must find the row."""
    text = HEADER + GOOD.replace("FOB China", '"FOB\nChina"') + GOOD.replace("245.5", "x")
    report, _ = produce(tmp_path / "p.csv", text)
    assert [bad.line for bad in report.bad] == [4]


def test_a_cell_that_is_no_text_is_a_bad_row(tmp_path: Path) -> None:
    """Files in other encodings are the most usual mistake."""
    report, publisher = produce(tmp_path / "p.csv", (HEADER + GOOD).encode().replace(b"FOB", b"F\xd6B") + GOOD.encode())
    assert [bad.line for bad in report.bad] == [2]
    assert len(publisher.events) == 1


def test_dotted_columns_and_lists_reach_nested_fields() -> None:
    """A flat table can say all that an event can."""
    row = {
        "measure": "CN-1", "action": "impose", "instrument": "A 1", "issuer": "MOFCOM", "zone": "Asia/Shanghai",
        "materials": "gallium; germanium", "targets.scope": "countries", "targets.countries": "US;JP",
        "ends_inclusive": "false", "provenance.source": "MOFCOM", "summary": " ",
    }  # fmt: skip
    event = event_from_columns(row, type_name=type_names()["policy.measure-changed"], source="house", received_at=T0)
    assert isinstance(event.data, MeasureChanged)
    assert event.data.materials == ("gallium", "germanium")
    assert event.data.targets is not None
    assert event.data.targets.countries == ("US", "JP")
    assert (event.data.ends_inclusive, event.data.summary, event.data.provenance.source) == (False, None, "MOFCOM")


def test_json_lines_hold_whole_events_or_bare_data(tmp_path: Path) -> None:
    """Exports of our own logs and of other systems are both read."""
    bare = b'{"material":"terbium","form":"oxide","basis":"FOB","assessor":"a","amount":1.5,"currency":"USD",' \
           b'"per_unit":"kg","reference_period":"2026"}'  # fmt: skip
    text = b"\n".join([encode_event(EXAMPLE_EVENTS[3]), b"", bare, b"{oops", b"[1]", encode_event(EXAMPLE_EVENTS[-1])])
    report, publisher = produce(tmp_path / "p.jsonl", text)
    assert [event.subject for event in publisher.events] == ["dysprosium", "terbium"]
    assert [(bad.line, bad.column, bad.reason) for bad in report.bad] == [
        (4, "", "not_json"), (5, "", "wrong_type"), (6, "type", "wrong_topic"),
    ]  # fmt: skip


def test_without_a_type_only_whole_events_are_read(tmp_path: Path) -> None:
    """Guessing a type would put figures where they do not belong."""
    report, publisher = produce(tmp_path / "p.ndjson", b'{"material":"terbium"}\n', type_name=None)
    assert (len(publisher.events), report.bad[0].reason) == (0, "invalid_envelope")


@pytest.mark.parametrize(
    ("name", "text", "type_name", "message"),
    [("p.csv", HEADER, None, "need an event type"), ("p.csv", "", PRICE, "no header"), ("p.xls", "", PRICE, "neither")],
)
def test_a_file_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, name: str, text: str, type_name: str | None, message: str
) -> None:
    """A usage error is not a bad row."""
    with pytest.raises(UnreadableFileError, match=message):
        produce(tmp_path / name, text, type_name=type_name)


def test_rows_go_in_batches_and_progress_is_told(tmp_path: Path) -> None:
    """A long file must not be held in memory, nor be silent."""
    path, publisher = tmp_path / "p.csv", RecordingPublisher()
    lines: list[int] = []
    path.write_text(HEADER + GOOD * 25)
    produce_file(
        path, publisher=publisher, type_name=PRICE, source="s", received_at=T0, batch_size=10, progress=lines.append
    )
    assert [len(batch) for batch in publisher.batches] == [10, 10, 5]
    assert lines == [11, 21]
    assert BadRow(file="f", line=1, column="", reason="r", detail="d").__str__() == "f:1: d"
