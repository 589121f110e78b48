"""A material with very many price series: the work of one quote is bounded, and a record is taken in steps."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from streams.assess.assess_core import AssessCore
from streams.assess.assessors.price_assessor import Prices
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.records import Segment
from streams.domain.prices.comparable_series import ComparableSeries
from streams.domain.prices.conversions import Conversions
from streams.runtime.stage_ports import Admitted, InMemoryStateStore, outcome_of
from tests.support.prices import quote, series
from tests.support.rule_road import T0


class CountingStore(InMemoryStateStore):
    """Counts what is read."""

    reads = 0

    def get(self, key: bytes) -> Any:
        """Return the value of a key, and count."""
        self.reads += 1
        return super().get(key)


def event(number: int, *, basis: str = "FOB China", assessor: str) -> msgspec.Raw:
    at = T0 + timedelta(seconds=number)
    data = PriceQuoted(
        material="gallium", form="metal", basis=basis, assessor=assessor, amount=100.0 + number % 7, currency="USD",
        per_unit="kg", reference_period="2026-01-01", provenance=Provenance(source="test"),
    )  # fmt: skip
    return msgspec.Raw(
        encode_event(
            Event(id=f"q{number}", source="t", subject="gallium", occurred_at=at, recorded_at=at, data=data)
        )
    )  # fmt: skip


def admitted(events: Sequence[msgspec.Raw], *, offset: int) -> Admitted:
    segment = Segment(topic="price", partition=0, offset=offset, indexes=range(len(events)), events=events)
    return Admitted(position=offset, segments=[segment])


def reads_of_a_new_series(beside: int) -> int:
    """Return how often the store is read for the first quote of a series beside so many others."""
    store = CountingStore()
    core = AssessCore(partition=0, partitions=1, store=store, assessors=(Prices(),))
    core.process(admitted([event(n, assessor=f"a{n}") for n in range(beside)], offset=0))
    store.reads = 0
    core.process(admitted([event(beside, assessor="new")], offset=1))
    return store.reads


def test_a_new_series_reads_none_of_those_beside_it() -> None:
    """All series of the material were read and held against one another anew: 150 ms a quote at 1,500 of them."""
    assert reads_of_a_new_series(200) == reads_of_a_new_series(5)


def test_a_record_is_taken_in_a_step_for_each_event_and_gives_the_same_as_at_once() -> None:
    """Heartbeats and probes must not wait for 500 events."""
    events = [event(n, basis=("FOB China", "CIF Rotterdam")[n % 2], assessor=f"a{n // 2}") for n in range(40)]
    at_once = AssessCore(partition=0, partitions=1, store=InMemoryStateStore()).process(admitted(events, offset=0))
    core = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
    steps = core.steps(admitted(events, offset=0))
    assert sum(1 for _ in steps) >= len(events)
    again = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
    assert outcome_of(again.steps(admitted(events, offset=0))) == at_once


class Looked(ComparableSeries):
    """Counts the pairs whose terms are looked at."""

    pairs = 0

    def _terms_of(self, own: Any, place: int) -> Any:
        self.pairs += 1
        return super()._terms_of(own, place)


@pytest.mark.parametrize("count", [10, 400])
def test_the_counterpart_of_a_quote_is_found_without_a_look_at_every_pair(count: int) -> None:
    """With the same assessor on the same day nothing else is compared."""

    def chinese() -> Iterator[Any]:
        for number in range(count):
            yield series(quote(0, 8.0, basis="FOB China", material="yttrium", assessor=f"a{number}"))

    looked = Looked(list(chinese()))
    for number in range(count):
        own = series(quote(0, 16.0, basis="CIF Rotterdam", material="yttrium", assessor=f"a{number}"))
        _, other = looked.premium_of(own, table=Conversions())
        assert other is not None and other.identity.assessor == f"a{number}"
    assert looked.pairs == count
