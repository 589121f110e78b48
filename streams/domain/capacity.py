"""Capacity of a plant for a material: nameplate, target and actual apart, and the slip of the promised date."""

import re
from collections.abc import Callable

import msgspec

from streams.contracts.assessments import Fact
from streams.contracts.capacity import CapacityReported
from streams.domain.observations import period_kind

_FIELDS = (
    "status", "nameplate_tonnes_per_year", "target_tonnes_per_year", "actual_tonnes", "actual_period",
    "outage_tonnes_per_year", "first_target", "current_target",
)  # fmt: skip

Stated = tuple[float | str, float, int]
"""A stated value, when it was recorded (seconds since 1970) and the digest of the event, which decide what counts."""


class PlantState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The newest stated value of each field of one plant, material and stage; a field never stated is not there."""

    stated: dict[str, Stated] = msgspec.field(default_factory=dict)


def plant_key(report: CapacityReported) -> bytes:
    """Return the key of a plant's state."""
    return f"capacity/{report.plant}/{report.material}/{report.stage}".encode()


def plant_labels(report: CapacityReported) -> dict[str, str]:
    """Return the labels that identify a plant."""
    return {"plant": report.plant, "operator": report.operator, "country": report.country, "stage": report.stage}


def next_plant(
    prior: PlantState | None, report: CapacityReported, *, recorded: float, digest: int
) -> PlantState | None:
    """Return the plant with a report, `None` where the report changes nothing.

    A field that a newer report leaves out keeps its last stated value. What was made and in which period belong
    together, so a new actual without a period makes the period unknown.
    """
    stated = dict(prior.stated) if prior is not None else {}
    for name in _FIELDS:
        value = getattr(report, name)
        if name == "actual_period" and value is None and report.actual_tonnes is not None:
            value = ""
        if value is None:
            continue
        held = stated.get(name)
        if held is None or (recorded, digest) > (held[1], held[2]):
            stated[name] = (value, recorded, digest)
    if prior is not None and stated == prior.stated:
        return None
    return PlantState(stated=stated)


def plant_facts(plant: PlantState) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a plant and the names of those that are unknown.

    `actual_to_nameplate_ratio` needs an actual of a whole year; `slip_months_count` two dates that can be read as
    months (negative: earlier than first promised).
    """
    values = {name: stated[0] for name, stated in plant.stated.items()}
    nameplate, actual = _number(values.get("nameplate_tonnes_per_year")), _number(values.get("actual_tonnes"))
    period = str(values.get("actual_period") or "")
    ratio = None
    if nameplate and actual is not None and period and period_kind(period) == "year":
        ratio = actual / nameplate
    first, current = month_of(str(values.get("first_target", ""))), month_of(str(values.get("current_target", "")))
    facts: dict[str, Fact] = {
        "status": str(values["status"]),
        "nameplate_tonnes_per_year": nameplate,
        "target_tonnes_per_year": _number(values.get("target_tonnes_per_year")),
        "actual_tonnes": actual,
        "actual_to_nameplate_ratio": ratio,
        "outage_tonnes_per_year": _number(values.get("outage_tonnes_per_year")),
        "slip_months_count": None if first is None or current is None else float(current - first),
    }
    return facts, tuple(name for name, value in facts.items() if value is None)


def _number(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[str, int]]], ...] = (
    (re.compile(r"^(\d{4})-(\d{2})(?:-\d{2})?\b"), lambda m: (m[1], int(m[2]))),
    (re.compile(r"^H([12]) (\d{4})\b"), lambda m: (m[2], 6 * int(m[1]))),
    (re.compile(r"^Q([1-4]) (\d{4})\b"), lambda m: (m[2], 3 * int(m[1]))),
    (re.compile(r"^early (?:CY)?(\d{4})\b"), lambda m: (m[1], 4)),
    (re.compile(r"^mid[- ](\d{4})\b"), lambda m: (m[1], 6)),
    (re.compile(r"^(?:end|late) (\d{4})\b"), lambda m: (m[1], 12)),
    (re.compile(r"^(\d{4})\b"), lambda m: (m[1], 12)),
)


def month_of(text: str) -> int | None:
    """Read a promised date as a count of months since year 0, taking the last month it allows; `None`: unreadable.

    Fiscal years ("early FY28") differ by company and are not read.
    """
    for pattern, read in _FORMS:
        found = pattern.match(text)
        if found:
            year, month = read(found)
            return int(year) * 12 + month - 1 if 1 <= month <= 12 else None
    return None
