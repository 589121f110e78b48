"""Capacity of a plant for a material: nameplate, target and actual apart, the slip of its promise, and outages."""

import re
from collections.abc import Callable, Iterable
from math import isfinite

import msgspec

from streams.contracts.assessments import Fact
from streams.contracts.capacity import CapacityReported
from streams.domain.observations import period_kind, supersedes

_FIELDS = (
    "status",
    "nameplate_tonnes_per_year",
    "target_tonnes_per_year",
    "actual_tonnes",
    "actual_period",
    "outage_tonnes_per_year",
    "first_target",
    "current_target",
)

Stated = tuple[float | str, float, int]
"""A stated value, when it was recorded (seconds since 1970) and the digest of the event, which decide what counts."""


class PlantState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The newest stated value of each field of one plant, material and stage; a field never stated is not there.

    `promised` is the earliest stated `current_target`: the first promise where no report names one. `labels` identify
    the plant. Under 1 KB.
    """

    stated: dict[str, Stated] = msgspec.field(default_factory=dict)
    promised: Stated | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    synthetic: bool = False

    def number(self, name: str) -> float | None:
        """Return a stated number; `None` where it was never stated."""
        value = self.stated[name][0] if name in self.stated else None
        return float(value) if isinstance(value, (int, float)) else None

    def text(self, name: str) -> str:
        """Return a stated text; "" where it was never stated."""
        return str(self.stated[name][0]) if name in self.stated else ""


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
    promised = prior.promised if prior is not None else None
    for name in _FIELDS:
        value = getattr(report, name)
        if name == "actual_period" and value is None and report.actual_tonnes is not None:
            value = ""
        if value is None:
            continue
        held = stated.get(name)
        if held is None or supersedes((recorded, digest), (held[1], held[2])):
            stated[name] = (value, recorded, digest)
        if name == "current_target" and (promised is None or recorded < promised[1]):
            promised = (value, recorded, digest)
    if prior is not None and stated == prior.stated and promised == prior.promised:
        return None
    newest = stated["status"][2] == digest or prior is None
    synthetic = report.provenance.synthetic if newest or prior is None else prior.synthetic
    labels = plant_labels(report) if newest or prior is None else prior.labels
    return PlantState(stated=stated, promised=promised, labels=labels, synthetic=synthetic)


def slip_months(plant: PlantState) -> int | None:
    """Return by how many months the promised date has slipped against the first promise (negative: earlier).

    The first promise is the `first_target` that a report names, else the earliest `current_target`, where a later one
    followed it. `None` where either cannot be read as a month: see `month_of`.
    """
    current = plant.stated.get("current_target")
    if current is None:
        return None
    first = plant.stated.get("first_target")
    if first is None:
        first = plant.promised if plant.promised is not None and plant.promised[2] != current[2] else None
    if first is None:
        return None
    promised, expected = month_of(str(first[0])), month_of(str(current[0]))
    return None if promised is None or expected is None else expected - promised


PRODUCING = frozenset({"operating", "ramping", "outage"})
"""Statuses of plants that supply, or would without an outage; what is planned, building or late does not yet."""


def supplied_tonnes(plant: PlantState) -> float | None:
    """Return what a plant supplies a year when nothing is broken: output of a whole year, else its nameplate.

    `None` where neither is stated. A plant that does not produce supplies nothing.
    """
    if plant.text("status") not in PRODUCING:
        return 0.0
    actual, period = plant.number("actual_tonnes"), plant.text("actual_period")
    if actual is not None and period and period_kind(period) == "year":
        return actual + (plant.number("outage_tonnes_per_year") or 0.0)
    return plant.number("nameplate_tonnes_per_year")


def supply_outside(plants: Iterable[PlantState], *, dominant: str) -> float | None:
    """Return the tonnes a year that reported plants outside a country supply; `None` where no plant tells."""
    known = [
        tonnes
        for plant in plants
        if plant.labels["country"] != dominant and (tonnes := supplied_tonnes(plant)) is not None
    ]
    total = sum(sorted(known))
    return total if total > 0 else None


def dominant_of(plants: Iterable[PlantState]) -> str | None:
    """Return the country of the largest reported nameplate, plants kept for reference counted; `None` without any."""
    made: dict[str, float] = {}
    for plant in plants:
        if plant.text("status") in PRODUCING | {"reference"}:
            country = plant.labels["country"]
            made[country] = made.get(country, 0.0) + (plant.number("nameplate_tonnes_per_year") or 0.0)
    ranked = sorted(((tonnes, country) for country, tonnes in made.items() if tonnes > 0), reverse=True)
    return ranked[0][1] if ranked else None


def outage_facts(plant: PlantState, *, outside_tonnes: float | None, told_by: str | None) -> dict[str, Fact]:
    """Return the outage as a share of supply outside the dominant country, and what that supply is and who says so.

    The share is at most 1: an outage cannot take more than there is, so a larger one means that the table is older than
    the plant. `None` where either is unknown.
    """
    outage = plant.number("outage_tonnes_per_year")
    known = outage is not None and outside_tonnes is not None and outside_tonnes > 0
    share = min(outage / outside_tonnes, 1.0) if known and outage is not None and outside_tonnes else None
    facts: dict[str, Fact] = {"outage_share_outside_ratio": share}
    if share is not None:
        facts |= {"outside_supply_tonnes": outside_tonnes, "outside_supply_from": told_by}
    return facts


def plant_facts(plant: PlantState, outside: dict[str, Fact] | None = None) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a plant and the names of those that are unknown.

    `actual_to_nameplate_ratio` needs an actual of a whole year; `slip_months_count` two dates that can be read as
    months (negative: earlier than first promised). `outside` are the facts that need other plants: `outage_facts`.
    """
    nameplate, actual = plant.number("nameplate_tonnes_per_year"), plant.number("actual_tonnes")
    period = plant.text("actual_period")
    ratio = None
    if nameplate and actual is not None and period and period_kind(period) == "year":
        ratio = actual / nameplate
    slip = slip_months(plant)
    facts: dict[str, Fact] = {
        "status": plant.text("status"),
        "nameplate_tonnes_per_year": nameplate,
        "target_tonnes_per_year": plant.number("target_tonnes_per_year"),
        "actual_tonnes": actual,
        "actual_period": period or None,
        "actual_to_nameplate_ratio": ratio if ratio is not None and isfinite(ratio) else None,
        "outage_tonnes_per_year": plant.number("outage_tonnes_per_year"),
        "slip_months_count": None if slip is None else float(slip),
        **(outside or {}),
    }
    return facts, tuple(name for name, value in facts.items() if value is None)


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
