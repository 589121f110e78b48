"""A price series is a function of the set of its quotes, stays in range, and a gap is never a zero."""

import math
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.price import PriceQuoted
from streams.domain.methods.ewma_volatility import DECAY
from streams.domain.prices.price_series import PRICE_LIMIT, PriceSeries, price_facts
from streams.domain.prices.price_series_builder import PriceSeriesBuilder
from tests.support.prices import facts_of, next_series, quote, seen

AMOUNTS = st.floats(min_value=1e-3, max_value=1e6)
FIRST = date(2020, 1, 1)


@st.composite
def quotes(draw: st.DrawFn, *, most: int) -> list[PriceQuoted]:
    """Draw quotes of distinct days, with gaps, in order of the day."""
    days = sorted(draw(st.sets(st.integers(min_value=0, max_value=500), min_size=1, max_size=most)))
    return [quote(0, draw(AMOUNTS), reference_period=(FIRST + timedelta(days=day)).isoformat()) for day in days]


def folded(told: list[PriceQuoted]) -> PriceSeries:
    held: PriceSeries | None = None
    for each in told:
        held = next_series(held, each, seen(each)) or held
    assert held is not None
    return held


@given(quotes(most=PRICE_LIMIT), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter_within_the_ring(told: list[PriceQuoted], dice: object) -> None:
    """What the ring can correct, it must: the same quotes in any order are the same series."""
    mixed = list(told)
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    assert folded(mixed) == folded(told)


@given(quotes(most=90), st.data())
def test_the_last_month_may_come_in_any_order_however_long_the_series(
    told: list[PriceQuoted], data: st.DataObject
) -> None:
    """Late figures are walked again from what left the ring; neither volatility nor its median may notice."""
    late = data.draw(st.integers(min_value=1, max_value=min(len(told), PRICE_LIMIT)))
    head, tail = told[: len(told) - late], told[len(told) - late :]
    # The newest comes first, so that nothing is older than a full ring when it arrives.
    mixed = data.draw(st.permutations(tail))
    assert folded([*head, *mixed]) == folded(told)


@given(quotes(most=120), st.sampled_from(["day", "month"]), st.data())
def test_a_series_at_hand_is_the_series_put_together_at_every_quote(
    told: list[PriceQuoted], period: str, data: st.DataObject
) -> None:
    """Whether, and when, it is put into the state on the way leaves no trace; late and corrected figures included."""
    if period == "month":
        told = [quote(0, each.amount, reference_period=each.reference_period[:7]) for each in told]
    late = data.draw(st.lists(st.tuples(st.integers(0, len(told) - 1), AMOUNTS), max_size=4))
    for place, amount in late:
        told.insert(
            data.draw(st.integers(0, len(told))), quote(0, amount, reference_period=told[place].reference_period)
        )
    held = next_series(None, told[0], seen(told[0]))
    assert held is not None
    at_hand = PriceSeriesBuilder(held)
    for number, each in enumerate(told[1:], start=1):
        changed = at_hand.take(each, seen(each, recorded=number, digest=number))
        longer = next_series(held, each, seen(each, recorded=number, digest=number))
        assert changed == (longer is not None)
        held = longer or held
        assert price_facts(at_hand) == facts_of(held)
        if data.draw(st.booleans(), label="put into the state"):
            assert at_hand.series == held
    assert at_hand.series == held


@given(quotes(most=80), st.data())
def test_the_same_quote_twice_is_once(told: list[PriceQuoted], data: st.DataObject) -> None:
    """Identity is (source, id): a repeat changes nothing and says so."""
    held = folded(told)
    again = data.draw(st.sampled_from(told[-PRICE_LIMIT:]))
    assert next_series(held, again, seen(again)) is None


@given(quotes(most=80), st.data())
def test_a_correction_gives_the_series_that_would_have_been(told: list[PriceQuoted], data: st.DataObject) -> None:
    """A wrong figure leaves no trace once it is corrected."""
    index = data.draw(st.integers(min_value=max(0, len(told) - PRICE_LIMIT), max_value=len(told) - 1))
    right, wrong = told[index], quote(0, data.draw(AMOUNTS), reference_period=told[index].reference_period)
    held = folded([*told[:index], wrong, *told[index + 1 :]])
    corrected = next_series(held, right, seen(right, recorded=1))
    assert corrected is not None
    should = folded(told)
    assert (corrected.variances, corrected.trail, corrected.peak) == (should.variances, should.trail, should.peak)


@given(quotes(most=80))
def test_facts_stay_in_range(told: list[PriceQuoted]) -> None:
    """Ratios are finite; drawdown is 0..1; what is unknown is listed."""
    facts, missing = facts_of(folded(told))
    assert set(missing) == {name for name, value in facts.items() if value is None}
    assert all(math.isfinite(value) for value in facts.values() if isinstance(value, float))
    drawdown, volatility = facts["drawdown_ratio"], facts["volatility_ratio"]
    assert isinstance(drawdown, float)
    assert 0 <= drawdown < 1
    assert volatility is None or (isinstance(volatility, float) and volatility >= 0)


@given(quotes(most=PRICE_LIMIT).filter(lambda told: len(told) > 2), st.data())
def test_a_gap_is_never_a_row_of_zero_returns(told: list[PriceQuoted], data: st.DataObject) -> None:
    """Leaving a quote out never gives less variance than filling the gap with the price before it."""
    index = data.draw(st.integers(min_value=1, max_value=len(told) - 2))
    before, filled, after = told[index - 1 : index + 2]
    stale = quote(0, before.amount, reference_period=filled.reference_period)
    gap = folded([*told[:index], *told[index + 1 :]])
    zero = folded([*told[:index], stale, *told[index + 1 :]])
    at = next(n for n, each in enumerate(gap.ring) if each.period == after.reference_period)
    move = math.log(after.amount) - math.log(before.amount)
    if move:
        assert gap.variances[at] > 0
        assert zero.variances[at + 1] > 0
    assert len(gap.ring) == len(zero.ring) - 1
    assert DECAY < 1
