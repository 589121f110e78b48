"""Laws of the dependency state: a function of the set of events, bounded, and its bounds hold the truth."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.capacity import SupplyObserved
from streams.contracts.events import Event
from streams.contracts.provenance import Provenance
from streams.domain.supply.dependency import dependency_of
from streams.domain.supply.shares import shares_of
from streams.domain.supply.supply_tables import SupplyStream, next_stream

T0 = datetime(2024, 1, 1, tzinfo=UTC)
COUNTRIES = ["CN", "US", "AU", "MM", "ZZ"]


def observed(number: int, **fields: Any) -> Event:
    data = SupplyObserved(material="gallium", stage="refining", provenance=Provenance(source="A"), **fields)
    at = T0 + timedelta(days=int(fields["vintage"]))
    return Event(
        id=f"e{number}",
        source="t",
        subject="gallium",
        data=data,
        occurred_at=at,
        recorded_at=at + timedelta(hours=number),
    )


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Draw rows of a few tables, some told twice with other figures, some withheld."""
    rows = st.tuples(
        st.sampled_from(COUNTRIES), st.sampled_from(["2022", "2023"]), st.sampled_from(["1", "2"]),
        st.one_of(st.none(), st.floats(0, 60)),
    )  # fmt: skip
    return [
        observed(n, country=c, reference_period=p, vintage=v, tonnes=t, world_tonnes=100.0)
        for n, (c, p, v, t) in enumerate(draw(st.lists(rows, max_size=14)))
    ]


def stream(told: list[Event]) -> SupplyStream | None:
    made: SupplyStream | None = None
    for event in told:
        assert isinstance(event.data, SupplyObserved)
        made = next_stream(made, event, event.data) or made
    return made


@given(events(), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(told: list[Event], random: Any) -> None:
    """Any order of the same events, with some of them twice, ends in the same bytes."""
    again = [*told, *told[: len(told) // 2]]
    random.shuffle(again)
    assert msgspec.msgpack.encode(stream(told)) == msgspec.msgpack.encode(stream(again))


@given(events())
def test_shares_and_indices_stay_in_range(told: list[Event]) -> None:
    """0..1, low before high, the number inside its bounds, the parts never above the whole."""
    held = stream(told)
    for table in held.tables if held else ():
        shares = shares_of(table)
        for share in shares.by_country.values():
            assert 0 <= share.low <= share.high <= 1
        assert 0 <= shares.hhi.low <= shares.hhi.high <= 1
        assert 0 <= shares.unaccounted_ratio <= 1.05
        if shares.hhi_ratio is not None:
            assert shares.hhi.low <= shares.hhi_ratio <= shares.hhi.high


@given(st.lists(st.floats(1, 60), min_size=5, max_size=5), st.integers(1, 4))
def test_the_bounds_of_a_half_read_table_hold_the_whole_one(amounts: list[float], read: int) -> None:
    """What is not read yet widens the index; it never excludes what comes out in the end."""
    total = sum(amounts)
    rows = [
        observed(n, country=c, reference_period="2023", vintage="1", tonnes=t, world_tonnes=total)
        for n, (c, t) in enumerate(zip(["CN", "US", "AU", "MM", "IN"], amounts, strict=True))
    ]
    part, whole = stream(rows[:read]), stream(rows)
    assert part is not None
    assert whole is not None
    bounds, truth = shares_of(part.tables[0]).hhi, shares_of(whole.tables[0]).hhi
    assert bounds.low - 1e-9 <= truth.low <= truth.high <= bounds.high + 0.02


@given(events(), st.integers(0, 3))
def test_what_was_known_then_is_what_the_events_of_then_say(told: list[Event], days: int) -> None:
    """As known on a day: the editions of later days do not shine through, whole tables at least."""
    limit = T0 + timedelta(days=days)
    first = [event for event in told if event.recorded_at <= limit]
    if any(e.data.vintage == o.data.vintage for e in first for o in told if o.recorded_at > limit):  # type: ignore[union-attr]
        return
    then, now = stream(first), stream(told)
    assert dependency_of(then, governance={}) == dependency_of(now, governance={}, known_at=limit)


@pytest.mark.parametrize("countries", [20, 68])
def test_ten_years_of_editions_stay_small(countries: int) -> None:
    """Three editions a year over ten years: 14 KiB a stream of twenty producers; of 68, the longest list of any table
    we know (antimony, once in three years), 40 KiB.
    """
    codes = [f"{a}{b}" for a in "ABCDEFG" for b in "ABCDEFGHIJ"][:countries]
    made: SupplyStream | None = None
    for year in range(10):
        for edition in range(3):
            for n, code in enumerate(codes):
                event = observed(
                    n, country=code, reference_period=str(2015 + year), vintage=str(10 * year + edition), tonnes=1234.5,
                    world_tonnes=1e6, rows_count=countries,
                )  # fmt: skip
                assert isinstance(event.data, SupplyObserved)
                made = next_stream(made, event, event.data) or made
    assert len(msgspec.msgpack.encode(made)) < (14 if countries == 20 else 40) * 1024
