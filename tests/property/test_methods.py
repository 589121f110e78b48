"""Laws of the published methods that no single number shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.intervals import Interval, exact
from streams.domain.methods import (
    concentration,
    ewma_volatility,
    geopolrisk,
    import_reliance,
    supply_risk,
    usgs_supply_risk,
)
from streams.domain.methods.concentration import hhi_interval
from streams.domain.methods.usgs_disruption import SupplierIndices

tonnes = st.floats(0.0, 1e9)
ratio = st.floats(0.0, 1.0)
countries = st.dictionaries(st.sampled_from(["CN", "US", "AU", "MM", "ZZ", "IN"]), tonnes, min_size=1)


@given(countries)
def test_an_hhi_lies_between_an_even_spread_and_one_producer(amounts: dict[str, float]) -> None:
    """1/n <= HHI <= 1, and the square of the top share is in it."""
    found = concentration(amounts)
    if found.hhi_ratio is not None:
        assert 1 / len(amounts) - 1e-9 <= found.hhi_ratio <= 1 + 1e-9
        assert (found.top_share_ratio or 0) ** 2 <= found.hhi_ratio + 1e-9


@given(countries, st.floats(1e-3, 1e3))
def test_the_unit_of_production_does_not_matter(amounts: dict[str, float], factor: float) -> None:
    """Kilograms or tonnes: the index is one of shares."""
    amounts = {country: value + 1 for country, value in amounts.items()}
    a, b = concentration(amounts), concentration({c: v * factor for c, v in amounts.items()})
    assert a.hhi_ratio == pytest.approx(b.hhi_ratio)


@given(st.lists(st.tuples(ratio, ratio), min_size=1, max_size=8), ratio)
def test_the_bounds_of_an_hhi_hold_every_choice_within_them(ends: list[tuple[float, float]], where: float) -> None:
    """Any shares inside their intervals give an index inside the interval."""
    total = sum(max(each) for each in ends) or 1.0
    shares = {f"C{i}": Interval(min(e) / total, max(e) / total) for i, e in enumerate(ends)}
    chosen = {country: each.low + where * each.width for country, each in shares.items()}
    bounds, point = hhi_interval(shares), hhi_interval({c: exact(s) for c, s in chosen.items()})
    assert bounds.low - 1e-9 <= point.low <= point.high <= bounds.high + 1e-9


@given(tonnes, tonnes, tonnes)
def test_more_production_never_raises_reliance(production: float, more: float, consumption: float) -> None:
    """Reliance is at most 1 and falls as production grows."""
    a = import_reliance(production_tonnes=production, apparent_consumption_tonnes=consumption).reliance_ratio
    b = import_reliance(production_tonnes=production + more, apparent_consumption_tonnes=consumption).reliance_ratio
    if a is not None and b is not None:
        assert b <= a <= 1


@given(st.floats(0, 10), st.floats(0, 10), ratio, ratio, ratio, st.floats(0, 10))
def test_supply_risk_of_the_eu_lies_between_its_two_supplies(
    gs: float, eu: float, ir: float, eol: float, si: float, ei: float
) -> None:
    """A mean of the two, cut down by recycling and substitution; never above the larger."""
    found = supply_risk(
        hhi_gs=gs, hhi_eu=eu, import_reliance_ratio=ir, eol_rir_ratio=eol, si_sr=si, economic_importance=ei
    )
    assert found.supply_risk is not None
    assert -1e-9 <= found.supply_risk <= max(gs, eu) + 1e-9
    assert found.critical == (round(found.supply_risk, 9) >= 1.0 and ei >= 2.8)


@given(
    st.lists(st.floats(1, 1e6), min_size=1, max_size=6), st.lists(st.tuples(tonnes, ratio), max_size=6),
    st.floats(1, 1e9), ratio,
)  # fmt: skip
def test_geopolrisk_is_in_range_and_rises_with_instability(
    production: list[float], imports: list[tuple[float, float]], domestic: float, more: float
) -> None:
    """0..1, and a less stable origin never lowers it."""
    a = geopolrisk(production_tonnes=production, imports=imports, domestic_production_tonnes=domestic)
    worse = [(t, min(1.0, g + more)) for t, g in imports]
    b = geopolrisk(production_tonnes=production, imports=worse, domestic_production_tonnes=domestic)
    assert a.score is not None
    assert b.score is not None
    assert 0 <= a.score <= b.score + 1e-12 <= 1 + 1e-9


@given(ratio, ratio, ratio, ratio, ratio)
def test_the_usgs_mean_is_in_range_and_zero_where_a_factor_is(
    s: float, a: float, w: float, te: float, ev: float
) -> None:
    """A geometric mean: 0..1, and nothing without one of its parts."""
    supplier = SupplierIndices(
        country="CN", production_share_ratio=s, ability_to_supply_index=a, willingness_to_supply_index=w
    )
    found = usgs_supply_risk(suppliers=[supplier], trade_exposure_ratio=te, economic_vulnerability_ratio=ev)
    assert found.supply_risk is not None
    assert 0 <= found.supply_risk <= 1
    assert te > 0 or found.supply_risk == 0


@given(st.lists(st.floats(0.1, 1e5), min_size=2, max_size=40), st.floats(1e-3, 1e3))
def test_volatility_is_finite_and_blind_to_the_unit(prices: list[float], factor: float) -> None:
    """Returns have no unit; zero returns never make it negative or undefined."""
    found = ewma_volatility(prices)
    scaled = ewma_volatility([p * factor for p in prices])
    assert found.variance is not None
    assert found.variance >= 0
    assert scaled.variance == pytest.approx(found.variance, abs=1e-9)


@given(st.lists(st.one_of(st.none(), st.floats(0.1, 1e5)), max_size=30))
def test_trailing_gaps_change_no_volatility(prices: list[float | None]) -> None:
    """A gap is no observation: until the next price it says nothing."""
    assert ewma_volatility(prices) == ewma_volatility([*prices, None, None])
