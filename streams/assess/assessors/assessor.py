"""What a subject of the assess core is: the events it takes, what it keeps, what it finds, and when it is woken.

A subject reads and writes the store of its partition and returns findings; the core gives them ids, sends them, keeps
the wake-ups and owns time. What a subject returns depends on the store, the event and the instant only.
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
    """The partition a subject works in: its store, the measure book (whole in every partition), and its number.

    `at_hand` is for what a subject derived from the store and would derive again, and within a record also for what
    it has yet to `keep`: it lives as long as the core does, and goes with it when a record is taken back.
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
    """An assessment to send. `name` (at most 80 characters) is unique among the findings of one cause.

    `entity`: the `streams.domain.score.evidence.entity_name` of a risk assessment, where the subject has it at hand.
    """

    name: str
    data: RiskAssessed | ExposureAssessed | IndicatorAssessed
    entity: str | None = None


class TimerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask to be woken at an instant of event time, under a name of the subject's own.

    A name has one instant: a later request replaces it, `at=None` cancels it. An instant that is not after `now` is
    dropped, since the subject already knows that it has come.
    """

    name: str
    at: datetime | None


Result: TypeAlias = Iterable[Assessment | TimerRequest]


class Assessor(Protocol):
    """One subject of assessment. Inherit it explicitly: what a subject does not do it need not write."""

    name: str
    """Unique; part of the ids of findings made by time, and of the keys of wake-ups."""
    takes: tuple[type[Payload], ...]
    """Payload types of `signals` it is shown. Several assessors may take one type; they are asked in registry order."""
    keeps: tuple[type[msgspec.Struct], ...] = ()
    """Tagged struct types that it puts into the store; the name of each is unique among all assessors."""

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Take one event; `now` is its instant, at which it is assessed."""
        return ()

    def on_measures_changed(
        self, context: PartitionContext, changed: Sequence[MeasureAssessed], now: datetime
    ) -> Result:
        """Follow the measures whose assessment changed at once, by one event or at one instant; in every partition."""
        return ()

    def on_assessment(self, context: PartitionContext, finding: Assessment, now: datetime) -> Result:
        """Hear what another subject found of a material, right after it was sent; only that of assessors before it."""
        return ()

    def on_timer(self, context: PartitionContext, name: str, at: datetime) -> Result:
        """Do what was due at the instant asked for."""
        return ()

    def flush(self, context: PartitionContext) -> None:
        """Put into the store what is only at hand so far; asked of every subject when a record ends."""
        return
