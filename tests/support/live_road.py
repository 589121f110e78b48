"""Assess and rules of one partition as they run live, over records cut anywhere and restarts between them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

import msgspec
from hypothesis import strategies as st

from alerts.engine.rules_core import RulesCore
from alerts.engine.rules_core import decode_state as decode_rules_state
from alerts.engine.rules_core import encode_state as encode_rules_state
from alerts.rules.ruleset import Rules
from streams.assess.assess_core import AssessCore
from streams.assess.assess_core import decode_state as decode_assess_state
from streams.assess.assess_core import encode_state as encode_assess_state
from streams.contracts.alert import AlertChanged
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.records import Segment
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.rule_road import alerts_in
from tests.support.stores import recovered

Record: TypeAlias = list[Event] | datetime
"""Events that come together, or a tick."""


def segment_of(record: Sequence[Event], *, position: int) -> Segment:
    """Put events into a segment."""
    raws = [msgspec.Raw(encode_event(event)) for event in record]
    return Segment(topic="in", partition=0, offset=position, indexes=list(range(len(raws))), events=raws)


def cut(events: list[Event], *, until: datetime, data: st.DataObject, most_ticks: int) -> list[Record]:
    """Cut a partition's events into records, with ticks anywhere between them."""
    records: list[Record] = []
    for before, event in pairwise([None, *events]):
        assert event is not None
        if before is not None and records and isinstance(records[-1], list) and data.draw(st.booleans()):
            records[-1].append(event)
            continue
        since = before.recorded_at if before is not None else event.recorded_at
        hours = (event.recorded_at - since) // timedelta(hours=1)
        ticks = data.draw(st.lists(st.integers(0, hours - 1), max_size=most_ticks)) if hours else []
        records += [since + timedelta(hours=h) for h in sorted(ticks)]
        records.append([event])
    return [*records, until]


def live(
    records: list[Record], rules: Rules, *, restarts: set[int], partition: int = 0, partitions: int = 1
) -> list[AlertChanged]:
    """Run assess and rules of one partition as they run live, both recovered from their bytes before some records."""
    assess_store, rules_store = InMemoryStateStore(), InMemoryStateStore()
    changes: list[AlertChanged] = []
    for position, record in enumerate(records):
        if position == 0 or position in restarts:
            assess_store = recovered(assess_store, encode=encode_assess_state, decode=decode_assess_state)
            rules_store = recovered(rules_store, encode=encode_rules_state, decode=decode_rules_state)
            assess = AssessCore(partition=partition, partitions=partitions, store=assess_store)
            judge = RulesCore(partition=partition, rules=rules, store=rules_store)
        if isinstance(record, datetime):
            admitted = Admitted(position=position, ticks=[record])
        else:
            admitted = Admitted(position=position, segments=[segment_of(record, position=position)])
        assessed = assess.process(admitted)
        items = [msgspec.Raw(raw) for raw in assessed.outputs]
        judged = judge.process(Admitted(position=position, items=items, item_counts=assessed.output_counts))
        assert not assessed.dead_letters
        assert not judged.dead_letters
        changes += alerts_in(judged.outputs)
    return changes
