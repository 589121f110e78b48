"""The panel of a price and the market around it: what is worked out once says what looking at every pair says."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.provenance import Provenance
from streams.domain.prices.assessor_panel import AssessorPanel
from streams.domain.prices.market_facts import assessor_gap
from streams.domain.prices.price_series import PriceSeries
from tests.support.prices import next_series, quote, seen, series

AMOUNTS = st.one_of(st.floats(0.5, 2.0), st.sampled_from([1.0, 1.5, 5e-324, 1e12]))
QUOTES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), AMOUNTS), max_size=12)
PERIODS = st.sampled_from(["day", "month"])


def told(period: str, assessor: int, number: int, amount: float) -> Any:
    fields: dict[str, Any] = {"assessor": f"a{assessor}"}
    if period == "month":
        fields["reference_period"] = f"2025-{1 + number % 4:02d}"
    return quote(number, amount, **fields)


@given(period=PERIODS, quotes=QUOTES, size=st.integers(1, 4))
def test_a_panel_says_what_looking_at_every_pair_says(
    period: str, quotes: list[tuple[int, int, float]], size: int
) -> None:
    """The gap and who it is to; where two are equally far away, either of them is right."""
    held: list[PriceSeries] = [series(told(period, each, 0, 1.0)) for each in range(size)]
    panel = AssessorPanel(held)
    for recorded, (assessor, number, amount) in enumerate(quotes):
        slot = assessor % size
        new = told(period, slot, number, amount)
        longer = next_series(held[slot], new, seen(new, recorded=recorded + 1, digest=recorded + 1))
        if longer is None:
            continue
        held[slot] = longer
        panel.put(slot, longer)
        for each in range(size):
            found, expected = panel.gap(each), assessor_gap(held[each], held)
            assert found[0] == expected[0]
            who = found[1]
            assert (who is None) == (expected[1] is None)
            if who is not None:
                beside = [other for other in held if other.identity.assessor == who]
                assert assessor_gap(held[each], beside)[0] == expected[0]
                assert who != held[each].identity.assessor


def test_one_made_up_quote_makes_a_panel_made_up() -> None:
    """Labelled synthetic wherever it is shown."""
    panel = AssessorPanel([series(quote(0)), series(quote(0, assessor="b"))])
    assert not panel.is_synthetic
    panel.put(1, series(quote(1, assessor="b", provenance=Provenance(source="made up", synthetic=True))))
    assert panel.is_synthetic


def test_a_gap_that_no_number_holds_is_no_gap() -> None:
    """Infinity would be null on the wire without saying so; the other assessor's figure still counts."""
    held = [series(quote(0, 1e12)), series(quote(0, 5e-324, assessor="b")), series(quote(0, 2e12, assessor="c"))]
    assert AssessorPanel(held[:2]).gap(0) == (None, None)
    assert AssessorPanel(held).gap(0) == (1.0, "c")


def test_of_two_assessors_as_far_away_the_first_is_named() -> None:
    """Half and double the price are the same gap, larger over smaller."""
    held = [series(quote(0, amount, assessor=name)) for name, amount in (("a", 4.0), ("b", 2.0), ("c", 1.0))]
    assert AssessorPanel(held).gap(1) == (1.0, "a")
    assert AssessorPanel(held[::-1]).gap(1) == (1.0, "c")
