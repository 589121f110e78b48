"""Time to independence: when supply outside the dominant country meets demand, from the build-out actually reported.

Not an extrapolation: each plant adds what it promises on the day it promises it, and where the promises together do not
reach demand the build-out is flat and the date unknown. A promise whose month has passed without the plant producing is
none any more, and one that cannot be read as a month has no day.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from enum import StrEnum

import msgspec

from streams.domain.supply.plant_capacity import PRODUCING, PlantState, month_of, supplied_tonnes


class IndependenceReason(StrEnum):
    """Why the date is what it is."""

    MET = "supply_outside_meets_demand_already"
    PROMISED = "met_by_promised_plants"
    FLAT = "build_out_never_meets_demand"
    NO_DEMAND = "demand_unknown"
    NO_SUPPLY = "supply_outside_unknown"


class Independence(msgspec.Struct, frozen=True, kw_only=True):
    """The day of independence (`None`: unknown, with the reason), and the tonnes a year it was reckoned with.

    `reached_tonnes` is supply outside once all promises are kept.
    """

    on: date | None
    reason: IndependenceReason
    supply_tonnes: float | None = None
    reached_tonnes: float | None = None
    demand_tonnes: float | None = None


def promised_on(plant: PlantState) -> date | None:
    """Return the last day of the month a plant is now promised for; `None` where none can be read."""
    month = month_of(plant.text("current_target"))
    if month is None or not 12 <= month < 120_000:
        return None
    year, index = divmod(month, 12)
    return date(year, index + 1, monthrange(year, index + 1)[1])


def promised_tonnes(plant: PlantState) -> float | None:
    """Return what a plant adds a year when it keeps its promise: target, else nameplate, less what it supplies."""
    goal = plant.number("target_tonnes_per_year")
    goal = goal if goal is not None else plant.number("nameplate_tonnes_per_year")
    if goal is None or plant.text("status") in {"cancelled", "reference"}:
        return None
    return max(0.0, goal - (supplied_tonnes(plant) or 0.0)) if plant.text("status") in PRODUCING else goal


def independence_of(
    plants: Iterable[PlantState],
    *,
    dominant: str | None,
    supply_tonnes: float | None,
    demand_tonnes: float | None,
    today: date,
) -> Independence:
    """Return when supply outside a country meets demand; tonnes are a year's, of one material at one stage.

    `supply_tonnes` is what is supplied outside today.
    """
    if demand_tonnes is None:
        return Independence(on=None, reason=IndependenceReason.NO_DEMAND, supply_tonnes=supply_tonnes)
    steps = sorted(
        (day, tonnes)
        for plant in plants
        if plant.labels["country"] != dominant
        and (day := promised_on(plant)) is not None
        and day >= today
        and (tonnes := promised_tonnes(plant))
    )
    if dominant is None or (supply_tonnes is None and not steps):
        return Independence(on=None, reason=IndependenceReason.NO_SUPPLY, demand_tonnes=demand_tonnes)
    reached = supply_tonnes or 0.0
    met = today if reached >= demand_tonnes else None
    for day, tonnes in steps:
        reached += tonnes
        if met is None and reached >= demand_tonnes:
            met = day
    reason = IndependenceReason.FLAT
    if met is not None:
        reason = IndependenceReason.MET if met == today else IndependenceReason.PROMISED
    return Independence(
        on=met, reason=reason, supply_tonnes=supply_tonnes, reached_tonnes=reached, demand_tonnes=demand_tonnes
    )
