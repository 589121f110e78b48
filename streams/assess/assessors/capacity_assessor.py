"""Capacity: a report about a plant changes what is stated of it, and the plant is assessed."""

from datetime import datetime

from streams.assess.assessors.assessor import Assessor, PartitionContext, Result
from streams.assess.assessors.dependency_assessor import dependency_in
from streams.assess.assessors.material_assessments import risk
from streams.assess.assessors.material_index import enter, index_entry_of
from streams.contracts.capacity import CapacityReported
from streams.contracts.events import Event
from streams.domain.observations import digest_of
from streams.domain.supply.dependency import Dependency
from streams.domain.supply.plant_capacity import (
    PlantState,
    dominant_of,
    next_plant,
    outage_facts,
    plant_facts,
    plant_key,
    supply_outside,
)
from streams.domain.supply.supply_tables import key_of, known_tables
from streams.runtime.stage_ports import StateStore


class Capacity(Assessor):
    """Take reports about plants; send the facts of the plant that a report changed."""

    name = "capacity"
    takes = (CapacityReported,)
    keeps = (PlantState,)

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Enter a report; one that changes no stated field says nothing."""
        report = event.data
        assert isinstance(report, CapacityReported)
        key = plant_key(report)
        held: PlantState | None = context.store.get(key)
        digest = digest_of(source=event.source, event=event.id)
        plant = next_plant(held, report, recorded=event.recorded_at.timestamp(), digest=digest)
        if plant is None:
            return ()
        context.store.put(key, plant)
        if held is None:
            enter(context.store, report.material, "plants", key)
        outside, told_by = None, None
        if plant.number("outage_tonnes_per_year") is not None:
            outside, told_by = outside_supply(context.store, report.material, report.stage)
        facts = plant_facts(plant, outage_facts(plant, outside_tonnes=outside, told_by=told_by))
        return (
            risk(
                event,
                now,
                provenance=report.provenance,
                aspect="capacity",
                labels=plant.labels,
                facts=facts,
                synthetic=plant.synthetic,
            ),
        )


def plants_in(store: StateStore, material: str, stage: str) -> list[PlantState]:
    """Return the plants reported for a material at a stage, in order of their key."""
    ending = f"/{stage}".encode()
    return [store.get(key) for key in index_entry_of(store, material).plants if key.endswith(ending)]


def outside_supply(store: StateStore, material: str, stage: str) -> tuple[float | None, str | None]:
    """Return the tonnes a year supplied outside the dominant country, and who says so.

    Of a supply table where one states tonnes; else of the plants reported, the dominant country being that of the
    table's shares, else that of the largest nameplate. Two `None` where neither tells.
    """
    dependency = dependency_in(store, material, stage)
    top = None if dependency is None else dependency.top_country
    if dependency is not None and dependency.outside_share_ratio is not None:
        world = world_tonnes_in(store, material, stage, dependency)
        if world is not None and dependency.outside_share_ratio > 0:
            return world * dependency.outside_share_ratio, f"{dependency.vintage}, {dependency.reference_period}"
    plants = plants_in(store, material, stage)
    dominant = top if top is not None else dominant_of(plants)
    outside = None if dominant is None else supply_outside(plants, dominant=dominant)
    return (None, None) if outside is None else (outside, f"plants reported outside {dominant}")


def world_tonnes_in(store: StateStore, material: str, stage: str, dependency: Dependency) -> float | None:
    """Return the world total of the table a dependency was read from; `None` where it states none."""
    stream = store.get(key_of(material=material, stage=stage, market="global", flow="production"))
    for table in known_tables(stream):
        if (table.period, table.vintage) == (dependency.reference_period, dependency.vintage):
            return None if table.world_tonnes is None else table.world_tonnes[0]
    return None
