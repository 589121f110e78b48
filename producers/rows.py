"""From a flat row of text (CSV, JSON Lines) to an event of a given type. Pure."""

import hashlib
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from streams.contracts.codec import decode_event
from streams.contracts.events import PAYLOADS, PREFIX, Event, Payload, family_of
from streams.contracts.reasons import DecodeError, RejectReason
from streams.contracts.topics import FAMILY_TOPICS

LIST_SEPARATOR = ";"
ENVELOPE_COLUMNS = ("id", "source", "time", "recordedtime")


class RowError(ValueError):
    """A row that is no event: `column` ("" for the whole row), `reason` and `detail` say why."""

    def __init__(self, *, column: str, reason: str, detail: str) -> None:
        super().__init__(f"{column or 'row'}: {detail}")
        self.column = column
        self.reason = reason
        self.detail = detail


def type_names() -> dict[str, str]:
    """Return the event types a file may hold, by short name (`price.quoted`) and by full name."""
    full = {name: name for name in PAYLOADS if family_of(name) in FAMILY_TOPICS}
    return {**{name.removeprefix(PREFIX).rsplit(".", 1)[0]: name for name in full}, **full}


def event_from_columns(row: Mapping[str, str | None], *, type_name: str, source: str, received_at: datetime) -> Event:
    """Make an event from a CSV row.

    Columns are the field names of the type; `provenance.source` and other dotted names reach into nested fields; lists
    are separated by `;`. An empty cell is an absent field. Columns `id`, `source`, `time` and `recordedtime` are the
    event's own; without `id` it is a hash of the row, so that the same file sent twice changes nothing. `received_at`
    is the time where the row has none. Raises `RowError`.
    """
    payload = PAYLOADS[type_name]
    cells = {name.strip(): cell.strip() for name, cell in row.items() if name and cell is not None and cell.strip()}
    data: dict[str, Any] = {}
    for name, cell in cells.items():
        if name not in ENVELOPE_COLUMNS:
            _place(data, name, cell, payload=payload)
    data.setdefault("provenance", {"source": source})
    envelope = {name: cells[name] for name in ENVELOPE_COLUMNS if name in cells}
    return event_from_data(data, type_name=type_name, source=source, received_at=received_at, envelope=envelope)


def event_from_data(
    data: Mapping[str, Any],
    *,
    type_name: str,
    source: str,
    received_at: datetime,
    envelope: Mapping[str, str] | None = None,
) -> Event:
    """Make an event from the data of its type; see `event_from_columns` for the rest. Raises `RowError`."""
    try:
        encoded = msgspec.json.encode(data, order="sorted")
        digest = hashlib.blake2b(type_name.encode() + encoded, digest_size=12).hexdigest()
        now = received_at.astimezone(UTC).isoformat()
        whole = {
            "specversion": "1.0",
            "id": f"row-{digest}",
            "source": source,
            "type": type_name,
            "time": now,
            **(envelope or {}),
            "data": msgspec.Raw(encoded),
        }
        return decode_event(msgspec.json.encode(whole), recorded_at=received_at)
    except DecodeError as error:
        raise row_error(error) from error
    except (TypeError, ValueError) as error:
        raise RowError(column="", reason=RejectReason.WRONG_TYPE.value, detail=str(error)) from error


def row_error(error: DecodeError) -> RowError:
    """Turn the codec's refusal into one that names a column."""
    column = error.field.removeprefix("/data").removeprefix("/").replace("/", ".")
    return RowError(column=column, reason=error.reason.value, detail=error.detail)


def _place(data: dict[str, Any], name: str, cell: str, *, payload: type[Payload]) -> None:
    """Set `a.b` in nested dictionaries, with the cell as the type the field wants."""
    holder: dict[str, Any] = data
    kind: Any = payload
    *path, last = name.split(".")
    for part in path:
        kind = _struct_in(_field_type(kind, part, column=name))
        holder = holder.setdefault(part, {})
    holder[last] = _convert(cell, wanted=_field_type(kind, last, column=name), column=name)


def _field_type(kind: Any, part: str, *, column: str) -> Any:
    fields = typing.get_type_hints(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else {}
    if part not in fields:
        known = ", ".join(sorted(fields)) or "none"
        raise RowError(column=column, reason=RejectReason.WRONG_TYPE.value, detail=f"no such field; there are: {known}")
    return fields[part]


def _members(wanted: Any) -> list[Any]:
    """Return the alternatives of a type, `None` and annotations taken off."""
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        return [member for each in typing.get_args(wanted) for member in _members(each)]
    return [] if wanted is type(None) else [wanted]


def _struct_in(wanted: Any) -> Any:
    return next((member for member in _members(wanted) if isinstance(member, type)), None)


def _convert(cell: str, *, wanted: Any, column: str) -> Any:
    members = _members(wanted)
    if any(typing.get_origin(member) is tuple for member in members):
        return [part.strip() for part in cell.split(LIST_SEPARATOR) if part.strip()]
    try:
        if bool in members:
            return {"true": True, "false": False, "1": True, "0": False}[cell.lower()]
        if float in members:
            return float(cell)
    except (KeyError, ValueError) as error:
        kind = "true or false" if bool in members else "a number"
        raise RowError(
            column=column, reason=RejectReason.WRONG_TYPE.value, detail=f"{cell[:80]!r} is not {kind}"
        ) from error
    return cell
