"""`produce file`: events from CSV and JSON Lines. A bad row is reported with its place; the others go through."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from producers.publisher_port import EventPublisher
from producers.rows import RowError, event_from_columns, event_from_data, row_error
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, family_of
from streams.contracts.reasons import DecodeError, RejectReason
from streams.contracts.topics import FAMILY_TOPICS

DEFAULT_BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that was not sent: `line` counts from 1, the header of a CSV file is line 1; `column` "" for the row."""

    file: str
    line: int
    column: str
    reason: str
    detail: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        return f"{place}: {self.column}: {self.detail}" if self.column else f"{place}: {self.detail}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileReport:
    """What became of a file."""

    sent: int
    bad: Sequence[BadRow]


class UnreadableFileError(ValueError):
    """The file as a whole cannot be read; says what to do."""


def read_rows(
    path: Path, *, type_name: str | None, source: str, received_at: datetime
) -> Iterator[tuple[int, Event | BadRow]]:
    """Yield the line number with an event or a bad row, in the order of the file.

    `type_name` is the full event type of the rows; `None` is for JSON Lines of whole CloudEvents only. Raises
    `UnreadableFileError`.
    """
    if path.suffix.lower() == ".csv":
        if type_name is None:
            raise UnreadableFileError(f"{path.name}: rows of a CSV file need an event type (--type price.quoted)")
        yield from _read_csv(path, type_name=type_name, source=source, received_at=received_at)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _read_jsonl(path, type_name=type_name, source=source, received_at=received_at)
    else:
        raise UnreadableFileError(f"{path.name}: neither .csv nor .jsonl")


def produce_file(
    path: Path,
    *,
    publisher: EventPublisher,
    type_name: str | None,
    source: str,
    received_at: datetime,
    batch_size: int = DEFAULT_BATCH,
    progress: Callable[[int], None] = lambda _: None,
) -> FileReport:
    """Send the events of a file in batches; `progress` is told the line reached. Raises `UnreadableFileError`."""
    batch: list[Event] = []
    bad: list[BadRow] = []
    sent = 0
    for line, row in read_rows(path, type_name=type_name, source=source, received_at=received_at):
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            batch.append(row)
        if len(batch) >= batch_size:
            publisher.publish_batch(batch)
            sent, batch = sent + len(batch), []
            progress(line)
    if batch:
        publisher.publish_batch(batch)
        sent += len(batch)
    return FileReport(sent=sent, bad=bad)


def _read_csv(
    path: Path, *, type_name: str, source: str, received_at: datetime
) -> Iterator[tuple[int, Event | BadRow]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if not reader.fieldnames:
            raise UnreadableFileError(f"{path.name}: no header line")
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
                if None in row:
                    raise RowError(
                        column="", reason=RejectReason.WRONG_TYPE.value, detail="more cells than the header has columns"
                    )
                yield line, event_from_columns(row, type_name=type_name, source=source, received_at=received_at)
            except StopIteration:
                return
            except RowError as error:
                yield line, _bad(path, line, error)
            except csv.Error as error:
                broken = RowError(column="", reason=RejectReason.WRONG_TYPE.value, detail=f"no CSV: {error}")
                yield line, _bad(path, line, broken)


def _read_jsonl(
    path: Path, *, type_name: str | None, source: str, received_at: datetime
) -> Iterator[tuple[int, Event | BadRow]]:
    with path.open("rb") as file:
        for line, content in enumerate(file, 1):
            if not content.strip():
                continue
            try:
                yield line, _event_of_line(content, type_name=type_name, source=source, received_at=received_at)
            except RowError as error:
                yield line, _bad(path, line, error)


def _event_of_line(content: bytes, *, type_name: str | None, source: str, received_at: datetime) -> Event:
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RowError(column="", reason=RejectReason.NOT_JSON.value, detail=str(error)) from error
    if type_name is None or (isinstance(found, dict) and "specversion" in found):
        try:
            event = decode_event(content, recorded_at=received_at)
        except DecodeError as error:
            raise row_error(error) from error
        if family_of(event.type) not in FAMILY_TOPICS:
            raise RowError(
                column="type", reason=RejectReason.WRONG_TOPIC.value, detail=f"{event.type} is written by the road"
            )
        return event
    if not isinstance(found, dict):
        raise RowError(column="", reason=RejectReason.WRONG_TYPE.value, detail="a line must be a JSON object")
    return event_from_data(
        {"provenance": {"source": source}, **found}, type_name=type_name, source=source, received_at=received_at
    )


def _bad(path: Path, line: int, error: RowError) -> BadRow:
    return BadRow(file=path.name, line=line, column=error.column, reason=error.reason, detail=error.detail)
