"""The pure road: assess, rules and, where asked for, notify in line, as one partition over states in memory.

These are the cores that run live. Alerts about an entity depend on that entity's assessments alone, so the log is the
same for any number of partitions once the changes of one instant are put in order of rule and fingerprint.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from alerts.engine.rules_core import RulesCore
from alerts.notify.notify_core import NotifyCore
from alerts.rules.ruleset import Rules
from streams.assess.assess_core import AssessCore
from streams.contracts.alert import AlertChanged, DeliveryChanged
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.events import Event
from streams.contracts.records import Segment
from streams.runtime.stage_ports import Admitted, InMemoryStateStore, Outcome


class PipelineError(RuntimeError):
    """An event that the road would refuse; the message says which and why."""


Watcher = Callable[[Event], None]
"""Shown every event that assess sends."""


class PurePipeline:
    """The cores of one partition in line.

    With `notify` it also decides deliveries, which gather in `deliveries`; `watch` is shown what assess says.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        notify: bool = False,
        partition: int = 0,
        partitions: int = 1,
        watch: Watcher | None = None,
    ) -> None:
        self._assess = AssessCore(partition=partition, partitions=partitions, store=InMemoryStateStore())
        self._rules = RulesCore(partition=partition, rules=rules, store=InMemoryStateStore())
        self._notify = NotifyCore(partition=partition, store=InMemoryStateStore()) if notify else None
        self._position = -1
        self._watch = watch
        self.deliveries: list[DeliveryChanged] = []

    def take(self, events: Iterable[Event]) -> list[AlertChanged]:
        """Return what admitted events change, in the order in which the cores say it. Raise `PipelineError`."""
        raws = [msgspec.Raw(encode_event(event)) for event in events]
        segment = Segment(
            topic="recorded", partition=0, offset=self._position + 1, indexes=range(len(raws)), events=raws
        )
        return self._pass(segments=[segment])

    def tick(self, at: datetime) -> list[AlertChanged]:
        """Return what the passing of time up to an instant changes."""
        return self._pass(ticks=[at])

    def process(self, admitted: Admitted) -> list[AlertChanged]:
        """Return what one admitted record of a signals log changes; what the road refused then it refuses again."""
        self._position = admitted.position
        return self._judge(self._assess.process(admitted), now=admitted.now, stalled=admitted.stalled)

    def judge(self, assessments: Iterable[Event]) -> list[AlertChanged]:
        """Return what ready-made assessments of one event change, past the assess core: for tests of a rule alone."""
        outputs = [encode_event(event) for event in assessments]
        return self._judge(Outcome(outputs=outputs, output_counts=[len(outputs)]))

    def _pass(self, **source: Any) -> list[AlertChanged]:
        self._position += 1
        return self._judge(_checked(self._assess.process(Admitted(position=self._position, **source))))

    def _judge(
        self, assessed: Outcome, *, now: datetime | None = None, stalled: Sequence[str] = ()
    ) -> list[AlertChanged]:
        items = [msgspec.Raw(raw) for raw in assessed.outputs]
        if self._watch is not None:
            for item in items:
                self._watch(decode_event(item))
        admitted = Admitted(
            position=self._position, items=items, item_counts=assessed.output_counts, now=now, stalled=stalled
        )
        alerts = _checked(self._rules.process(admitted)).outputs
        if self._notify is not None:
            raws = [msgspec.Raw(raw) for raw in alerts]
            entries = _checked(self._notify.process(Admitted(position=self._position, items=raws))).outputs
            self.deliveries += [d for raw in entries if isinstance(d := decode_event(raw).data, DeliveryChanged)]
        return [data for raw in alerts if isinstance(data := decode_event(raw).data, AlertChanged)]


def _checked(outcome: Outcome) -> Outcome:
    if outcome.dead_letters:
        first = outcome.dead_letters[0]
        raise PipelineError(f"{first.reason} at {first.field}: {first.detail}: {(first.value or b'')[:200]!r}")
    return outcome
