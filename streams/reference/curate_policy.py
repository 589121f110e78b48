"""Make the machine-readable policy history from `policy_events.csv` and its reading in `policy_curation.yaml`."""

from datetime import date
from typing import Any

import msgspec
import yaml

from streams.contracts.dates import noon_of
from streams.contracts.events import Event
from streams.contracts.policy import ClaimMade, MeasureChanged
from streams.reference.editions import HISTORY_SOURCE
from streams.reference.loaders import load_table, read_text

_CURATION_FIELDS = frozenset(
    {"action", "kind", "limb", "amends", "materials", "stages", "goods", "codes", "targets", "ends_inclusive"}
)


def _zones(curation: dict[str, Any]) -> dict[str, str]:
    return {issuer: group["zone"] for group in curation["issuers"].values() for issuer in group["issuers"]}


def _provenance(row: dict[str, str], reading: dict[str, Any]) -> dict[str, Any]:
    found = {
        "source": row["source"],
        "address": row["address"] or None,
        "row": f"policy_events.csv#{row['event_id']}",
        "confidence": row["confidence"] or None,
        "note": reading.get("note"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _measure(row: dict[str, str], reading: dict[str, Any], zone: str) -> MeasureChanged:
    fields: dict[str, Any] = {name: value for name, value in reading.items() if name in _CURATION_FIELDS}
    end = None if reading.get("drop_end") else reading.get("ends_at") or row["end_date"] or None
    fields |= {
        "measure": row["event_id"],
        "instrument": reading.get("instrument", row["instrument"]),
        "issuer": row["issuer"],
        "zone": zone,
        "published_at": row["published"] or None,
        "effective_at": row["effective"] or None,
        "ends_at": None if reading.get("due") else end,
        "due_at": end if reading.get("due") else None,
        "summary": row["summary"] or None,
        "provenance": _provenance(row, reading),
    }
    return msgspec.convert(fields, MeasureChanged)


def _claim(row: dict[str, str], reading: dict[str, Any], zone: str) -> ClaimMade:
    fields: dict[str, Any] = {name: reading[name] for name in ("about", "materials", "countries") if name in reading}
    fields |= {
        "claim": row["event_id"],
        "speaker": row["issuer"],
        "zone": zone,
        "legal_force": "statement",
        "claimed_end_at": row["end_date"] or None,
        "summary": row["summary"] or None,
        "provenance": _provenance(row, reading),
    }
    return msgspec.convert(fields, ClaimMade)


def policy_history() -> list[Event]:
    """Return one event a row of `policy_events.csv`, in event-time order.

    Event time and recorded time are local noon of the publication day: the table is exact to the day. Raises
    `ValueError` where a row has no reading or a reading no row, so that neither can be forgotten.
    """
    curation = yaml.safe_load(read_text("policy_curation.yaml"))
    rows = load_table("policy_events")
    readings, zones = curation["rows"], _zones(curation)
    odd = {row["event_id"] for row in rows} ^ set(readings)
    if odd:
        raise ValueError(f"policy_events.csv and policy_curation.yaml differ on {sorted(odd)}: read every row once")
    events = []
    for row in rows:
        reading, zone = readings[row["event_id"]], zones[row["issuer"]]
        data = _claim(row, reading, zone) if reading.get("claim") else _measure(row, reading, zone)
        at = noon_of(date.fromisoformat(row["published"]), zone=zone)
        events.append(
            Event(
                id=row["event_id"],
                source=HISTORY_SOURCE,
                subject=row["event_id"],
                data=data,
                occurred_at=at,
                recorded_at=at,
            )
        )
    return sorted(events, key=lambda event: event.occurred_at)
