"""The interface of an assessor: the events it handles, the state it stores, the assessments and timers it returns.

An assessor reads and writes the store of its partition and returns assessments; the core gives them ids, emits them,
keeps the timers and owns event time. What an assessor returns depends on the store, the event and the instant only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import msgspec

from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed
from streams.contracts.events import Event, Payload
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.topics import home_partition
from streams.domain.policy.measure_book import MeasureRepository
from streams.runtime.stage_ports import StateStore


@dataclass(frozen=True, kw_only=True, slots=True)
class PartitionContext:
    """The partition an assessor works in: its store, all measures (they are in every partition), and its number.

    `at_hand` is a write-behind cache: values derived from the store, and within a record values that are not flushed
    yet. It lives as long as the core, and is dropped with it when a record is rolled back.
    """

    store: StateStore
    book: MeasureRepository
    partition: int = 0
    partitions: int = 1
    at_hand: dict[Any, Any] = field(default_factory=dict)

    def is_home_of(self, name: str) -> bool:
        """Tell whether this partition is the one that speaks for a material or a measure."""
        return home_partition(name, partitions=self.partitions) == self.partition


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment to emit. `name` (at most 80 characters) is unique among the assessments of one cause.

    `entity`: the `streams.domain.score.evidence.entity_name` of a risk assessment, if the assessor knows it already.
    """

    name: str
    data: RiskAssessed | ExposureAssessed | IndicatorAssessed
    entity: str | None = None


class TimerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Request a timer at an instant of event time, under a name of the assessor's own.

    A name has one timer: a later request replaces it, `at=None` cancels it. An instant that is not after `now` is
    ignored, since the assessor already knows that it has passed.
    """

    name: str
    at: datetime | None


Result: TypeAlias = Iterable[Assessment | TimerRequest]


class Assessor(Protocol):
    """One assessor. Inherit from it explicitly: methods that are not needed need not be written."""

    name: str
    """Unique; part of the ids of assessments made by timers, and of the keys of timers."""
    takes: tuple[type[Payload], ...]
    """Payload types of `signals` it is shown. Several assessors may take one type; they are asked in registry order."""
    keeps: tuple[type[msgspec.Struct], ...] = ()
    """Tagged struct types that it puts into the store; the name of each is unique among all assessors."""

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Handle one event; `now` is its instant, at which it is assessed."""
        return ()

    def on_measures_changed(
        self, context: PartitionContext, changed: Sequence[MeasureAssessed], now: datetime
    ) -> Result:
        """Handle measures whose assessment changed, by one event or at one instant; called in every partition."""
        return ()

    def on_assessment(self, context: PartitionContext, finding: Assessment, now: datetime) -> Result:
        """Handle an assessment of an earlier assessor in the registry, right after it was emitted."""
        return ()

    def on_timer(self, context: PartitionContext, name: str, at: datetime) -> Result:
        """Handle a timer that was requested for this instant."""
        return ()

    def flush(self, context: PartitionContext) -> None:
        """Write cached values to the store; called for every assessor when a record ends."""
        return
