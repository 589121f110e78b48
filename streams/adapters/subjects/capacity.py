"""Capacity: a report about a plant changes what is stated of it, and the plant is assessed."""

from datetime import datetime

from streams.adapters.subjects.findings import risk
from streams.adapters.subjects.material_page import enter
from streams.adapters.subjects.subject import Place, Result, Subject
from streams.contracts.capacity import CapacityReported
from streams.contracts.events import Event
from streams.domain.capacity import PlantState, next_plant, plant_facts, plant_key, plant_labels
from streams.domain.observations import digest_of


class Capacity(Subject):
    """Take reports about plants; send the facts of the plant that a report changed."""

    name = "capacity"
    takes = (CapacityReported,)
    keeps = (PlantState,)

    def take(self, place: Place, event: Event, now: datetime) -> Result:
        """Enter a report; one that changes no stated field says nothing."""
        report = event.data
        assert isinstance(report, CapacityReported)
        key = plant_key(report)
        held: PlantState | None = place.store.get(key)
        digest = digest_of(source=event.source, event=event.id)
        plant = next_plant(held, report, recorded=event.recorded_at.timestamp(), digest=digest)
        if plant is None:
            return ()
        place.store.put(key, plant)
        if held is None:
            enter(place.store, report.material, "plants", key)
        labels, facts = plant_labels(report), plant_facts(plant)
        return (risk(event, provenance=report.provenance, aspect="capacity", labels=labels, facts=facts),)
