"""Volatility along a price series: the published recursion, gaps, zero returns, and the median of a year."""

import math
from statistics import median
from struct import pack

import pytest

from streams.domain.methods.ewma_volatility import ewma_volatility
from streams.domain.prices.price_series import PriceSeries
from streams.domain.prices.volatility import RollingMedian, Trail, trading_days_between
from tests.support.prices import day, facts_of, quote, series, walk


def volatility(held: PriceSeries) -> tuple[float | None, float | None]:
    facts, _ = facts_of(held)
    first, second = facts["volatility_ratio"], facts["volatility_to_median_ratio"]
    assert first is None or isinstance(first, float)
    assert second is None or isinstance(second, float)
    return first, second


def sawtooth(count: int, *, step: float = 0.02) -> list[float]:
    return [100.0 * (1 + step * (n % 3)) for n in range(count)]


def test_a_long_series_gives_the_published_figure() -> None:
    """The ring forgets prices; the recursion must not: the same number as over all prices at once."""
    prices = sawtooth(300)
    assert volatility(walk(prices))[0] == pytest.approx(ewma_volatility(prices).annualised_ratio, rel=1e-12)


def test_volatility_is_unknown_before_thirty_returns() -> None:
    """Before that the first return alone weighs over 15%."""
    assert volatility(walk(sawtooth(30))) == (None, None)
    found, to_median = volatility(walk(sawtooth(31)))
    assert found is not None
    assert to_median is None


def test_zero_returns_lower_volatility_and_end_nothing() -> None:
    """Cerium has 40% zero returns; a naive logarithm or division breaks on them."""
    quiet = [p for p in sawtooth(40) for _ in range(2)]
    found, _ = volatility(walk(quiet))
    assert found is not None
    assert 0 < found < (volatility(walk(sawtooth(80)))[0] or 0)


def test_a_price_that_nobody_ever_moved_has_no_ratio_to_its_median() -> None:
    """Volatility is zero, and nothing can be divided by it: unknown, not infinite."""
    assert volatility(walk([100.0] * 300)) == (0.0, None)


def test_a_gap_is_one_return_over_several_days() -> None:
    """A move over two weeks' holiday is not ten quiet days and a jump, nor a jump of one day."""
    whole = walk([100.0 * 1.01**n for n in range(80)])
    numbers = [n for n in range(112) if (n + 2) % 7 < 5]  # 2025-01-01 was a Wednesday
    kept = [*numbers[:60], *numbers[70:]]
    gapped = series(*(quote(n, 100.0 * 1.01 ** numbers.index(n)) for n in kept))
    one, other = volatility(whole)[0] or 0.0, volatility(gapped)[0] or 0.0
    # ten equal steps in one: r^2 / k is ten times the daily variance while it decays
    assert one == pytest.approx(math.sqrt(252) * math.log(1.01), rel=1e-6)
    assert one < other < 3 * one


def test_steps_are_counted_in_weekdays() -> None:
    """Friday to Monday is one step, a quote of Saturday is one too, a fortnight is ten."""
    friday = 5
    assert trading_days_between(friday, later=friday + 3) == 1
    assert trading_days_between(friday, later=friday + 1) == 1
    assert trading_days_between(friday, later=friday + 14) == 10


def test_the_median_is_that_of_the_year_before() -> None:
    """A turbulent year ago must drop out of the comparison."""
    prices = [*sawtooth(150, step=0.10), *sawtooth(300, step=0.01)]
    held = walk(prices)
    found, to_median = volatility(held)
    assert found is not None
    assert to_median is not None
    year = [
        ewma_volatility(prices[: n + 1]).annualised_ratio or 0.0
        for n in range(len(prices) - 1)
        if n >= 30 and n > len(prices) - 1 - 262
    ]
    assert found / to_median == pytest.approx(median(year), rel=1e-6)
    assert len(held.trail.days) == 2 * len(year)


def test_a_sudden_storm_doubles_the_ratio() -> None:
    """The default rule compares with twice the median."""
    held = walk([*sawtooth(250, step=0.01), *sawtooth(30, step=0.08)])
    assert (volatility(held)[1] or 0) > 2


def test_half_a_year_is_needed_for_a_median() -> None:
    """A median of two months is no yardstick."""
    assert volatility(walk(sawtooth(90)))[1] is None
    assert volatility(walk(sawtooth(180)))[1] is not None


def test_weekly_quotes_have_a_median_too() -> None:
    """A series of one quote a week spans the year with 52 of them."""
    weekly = series(*(quote(7 * n, price) for n, price in enumerate(sawtooth(100))))
    assert volatility(weekly)[1] is not None
    sparse = series(*(quote(30 * n, price) for n, price in enumerate(sawtooth(60))))
    assert volatility(sparse)[0] is not None
    assert volatility(sparse)[1] is None


def test_means_of_months_have_no_volatility_of_days() -> None:
    """Annualising with 252 presumes days."""
    months = [f"{year}-{month:02}" for year in range(2018, 2026) for month in range(1, 13)]
    held = series(*(quote(0, 100.0 + n % 5, reference_period=month) for n, month in enumerate(months)))
    facts, missing = facts_of(held)
    assert facts["volatility_ratio"] is None
    assert "volatility_ratio" in missing
    assert series(quote(0, reference_period="2024-02"), quote(0, reference_period="2024-01")).variances == (0.0, 0.0)


def test_a_correction_walks_the_recursion_again() -> None:
    """A corrected figure within the ring gives the series that would have been."""
    prices = sawtooth(100)
    wrong = series(*(quote(n, p * (5 if n == 90 else 1)) for n, p in enumerate(prices)), quote(90, prices[90]))
    right = series(*(quote(n, p) for n, p in enumerate(prices)))
    assert volatility(wrong) == volatility(right)
    assert wrong.trail == right.trail
    assert wrong.peak == right.peak


@pytest.mark.parametrize("before", [0, 40])
def test_a_late_quote_into_a_full_ring_gives_the_series_that_would_have_been(before: int) -> None:
    """It pushes out the oldest of the ring, whether or not one was pushed out before."""
    told = [quote(n, p) for n, p in enumerate(sawtooth(before + 32))]
    late = series(*told[: before + 20], *told[before + 21 :], told[before + 20])
    right = series(*told)
    assert (late.variances, late.trail, late.peak) == (right.variances, right.trail, right.peak)
    assert late.earlier == right.earlier
    assert late.earlier is not None


def test_drawdown_is_from_the_highest_price_ever_seen() -> None:
    """The peak counts after it has left the ring."""
    held = walk([100.0, 400.0, *([200.0] * 60), 100.0])
    assert facts_of(held)[0]["drawdown_ratio"] == pytest.approx(0.75)
    assert facts_of(walk([100.0, 110.0]))[0]["drawdown_ratio"] == 0.0


def test_a_ratio_that_no_number_holds_is_unknown() -> None:
    """Infinity would be null on the wire without saying so."""
    held = series(quote(0, 5e-324), quote(1, 1e12))
    assert facts_of(held)[0]["change_previous_ratio"] is None
    assert all(math.isfinite(v) for v in held.variances)


def test_a_figure_of_over_a_year_ago_does_not_stay_in_the_trail() -> None:
    """A quote after a long pause begins the year anew."""
    trail = RollingMedian(Trail())
    trail.add(day=740_000, volatility=0.3, newest=740_001)
    trail.add(day=740_001, volatility=0.4, newest=740_400)
    assert trail.packed == Trail()
    trail.add(day=740_400, volatility=0.5, newest=740_401)
    assert trail.packed.volatilities == pack("=f", 0.5)


def test_days_outside_two_bytes_are_bounded() -> None:
    """A series of before 1900 or after 2079 must not stop the core."""
    far = RollingMedian(Trail())
    far.add(day=10, volatility=1e39, newest=12)
    assert len(far.packed.days) == 2
    far.cut(10)
    assert far.packed == Trail()
    assert day(0) == "2025-01-01"
