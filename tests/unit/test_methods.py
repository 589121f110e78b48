"""Published methods against published numbers, and what they say when an input is missing or cannot be."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from streams.contracts.reasons import FieldError
from streams.domain.intervals import Interval, clamped, exact, published_percent
from streams.domain.methods import (
    bottleneck,
    concentration,
    ewma_volatility,
    geopolrisk,
    import_reliance,
    risk_exposure_index,
    supply_risk,
    time_to_survive,
    usgs_supply_risk,
)
from streams.domain.methods.concentration import hhi_interval, weighted_hhi
from streams.domain.methods.eu_criticality import eu_import_reliance
from streams.domain.methods.ewma_volatility import next_variance
from streams.domain.methods.risk_exposure_index import Node
from streams.domain.methods.usgs_disruption import SupplierIndices
from streams.reference import load_table


@pytest.mark.parametrize(
    ("column", "points"), [("mine_2024_as_of_mcs2025_t", 4924), ("mine_2024_as_of_mcs2026_t", 5192)]
)
def test_the_mine_hhi_of_2024_is_that_of_each_edition(column: str, points: int) -> None:
    """docs/domain.md 7: 4,924 on the 2025 edition, 5,192 on the 2026 edition."""
    rows = load_table("usgs_2024_vintage_revision")
    found = concentration({"ZZ" if r["country"].startswith("Other") else r["country"]: float(r[column]) for r in rows})
    assert found.hhi_points is not None
    assert round(found.hhi_points) == points
    assert found.top_country == "China"
    assert found.top_share_ratio == pytest.approx(270_000 / sum(float(r[column]) for r in rows))


def test_net_import_reliance_is_the_published_one() -> None:
    """USGS MCS 2026: 98.5, 99.1, 90.7, 52.3, 67.0 percent for 2021 to 2025."""
    found = []
    for row in load_table("usgs_mcs2026_ree_nir_inputs"):
        result = import_reliance(
            production_tonnes=float(row["us_production_compounds_metals_t"]),
            apparent_consumption_tonnes=float(row["us_apparent_consumption_t"]),
        )
        assert result.reliance_ratio is not None
        assert round(100 * result.reliance_ratio, 1) == float(row["nir_recomputed_pct"])
        found.append(round(100 * result.reliance_ratio, 1))
    assert found == [98.5, 99.1, 90.7, 52.3, 67.0]


def test_a_net_exporter_is_said_to_be_one() -> None:
    """USGS prints "E": production is above apparent consumption."""
    found = import_reliance(production_tonnes=150.0, apparent_consumption_tonnes=100.0)
    assert (found.reliance_ratio, found.net_exporter) == (-0.5, True)


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        (">95", Interval(0.95, 1.0)),
        ("<25", Interval(0.0, 0.25)),
        ("<0.1%", Interval(0.0, 0.001)),
        ("53", exact(0.53)),
        ("W", None),
        ("—", None),
        ("E", None),
        ("", None),
        ("1,000", None),
        ("120", None),
    ],
)
def test_a_published_percentage_is_kept_as_what_it_is(text: str, interval: Interval | None) -> None:
    """An inequality is an interval, a mark is unknown, neither is a number."""
    assert published_percent(text) == interval


def test_an_interval_knows_its_width_and_middle_and_can_be_cut() -> None:
    """Shares lie in 0..1 whatever rounding made of them."""
    cut = clamped(Interval(-0.5, 1.5))
    assert (cut, cut.width, cut.middle) == (Interval(0.0, 1.0), 1.0, 0.5)


def test_hhi_bounds_hold_small_shares_and_what_is_not_accounted_for() -> None:
    """ "<0.1%" and a remainder widen the index; other countries may be many or one."""
    shares = {"CN": exact(0.7), "US": Interval(0.0, 0.001), "ZZ": exact(0.1)}
    found = hhi_interval(shares, unaccounted_ratio=0.2)
    assert found.low == pytest.approx(0.49)
    assert found.high == pytest.approx(0.49 + 1e-6 + 0.01 + 0.04)


def test_weighting_by_governance_and_trade_factor() -> None:
    """HHI_WGI,t = sum S^2 WGI t; one producer alone gives its own governance score."""
    assert weighted_hhi({"CN": 1.0}, governance={"CN": 0.5}) == (0.5, ())
    shares = {"CN": 0.6, "US": 0.36, "ZZ": 0.04}
    value, without = weighted_hhi(shares, governance={"CN": 0.5, "US": 0.2}, trade_factors={"CN": 1.1})
    assert value == pytest.approx(0.36 * 0.5 * 1.1 + 0.36**2 * 0.2)
    assert without == ()
    assert weighted_hhi({"CN": 0.9, "XX": 0.1}, governance={"CN": 0.5}) == (None, ("XX",))
    assert weighted_hhi({"CN": 0.8, "ZZ": 0.2}, governance={"CN": 0.5}) == (None, ("ZZ",))
    assert weighted_hhi({}, governance={}) == (None, ())


EU: dict[str, Any] = {
    "hhi_gs": 5.0,
    "hhi_eu": 3.0,
    "import_reliance_ratio": 0.8,
    "eol_rir_ratio": 0.1,
    "si_sr": 0.9,
    "economic_importance": 4.0,
}


def test_supply_risk_of_the_eu_is_the_formula_of_2017() -> None:
    """[HHI(GS) IR/2 + HHI(EU) (1 - IR/2)] (1 - EoL_RIR) SI_SR."""
    found = supply_risk(**EU)
    assert found.supply_risk == pytest.approx((5.0 * 0.4 + 3.0 * 0.6) * 0.9 * 0.9)
    assert (found.critical, found.supply_used, found.missing) == (True, "both", ())


def test_one_supply_enters_alone_and_needs_no_import_reliance() -> None:
    """Where only one of the two supplies is given the other has no part, nor has IR."""
    only_global = supply_risk(**{**EU, "hhi_eu": None, "import_reliance_ratio": None})
    only_eu = supply_risk(**{**EU, "hhi_gs": None, "import_reliance_ratio": None})
    assert only_global.supply_risk == pytest.approx(5.0 * 0.81)
    assert only_eu.supply_risk == pytest.approx(3.0 * 0.81)
    assert (only_global.supply_used, only_eu.supply_used) == ("global", "eu")
    assert not only_global.missing + only_eu.missing


@pytest.mark.parametrize(
    ("change", "risk_known", "critical", "missing"),
    [
        ({"import_reliance_ratio": None}, False, None, ("ir",)),
        ({"hhi_gs": None, "hhi_eu": None}, False, None, ("hhi_gs", "hhi_eu")),
        ({"si_sr": None, "eol_rir_ratio": None}, False, None, ("eol_rir", "si_sr")),
        ({"economic_importance": None}, True, None, ("ei",)),
        ({"economic_importance": 2.7}, True, False, ()),
        ({"economic_importance": 2.7, "si_sr": None}, False, False, ("si_sr",)),
        ({"hhi_gs": 0.5, "hhi_eu": 0.5, "economic_importance": None}, True, False, ("ei",)),
        (
            {"hhi_gs": 1.0, "hhi_eu": None, "eol_rir_ratio": 0.0, "si_sr": 1.0, "economic_importance": 2.8},
            True,
            True,
            (),
        ),
    ],
)
def test_critical_is_three_valued(change: dict[str, Any], risk_known: bool, critical: bool, missing: Any) -> None:
    """One value under its threshold settles it; otherwise a missing value leaves it open. Thresholds are inclusive."""
    found = supply_risk(**{**EU, **change})
    assert (found.supply_risk is not None, found.critical, found.missing) == (risk_known, critical, missing)


def test_the_bottleneck_is_the_stage_with_the_higher_supply_risk() -> None:
    """Of several stages the one with the higher SR counts; unknown stages do not."""
    low, high = supply_risk(**{**EU, "si_sr": 0.5}), supply_risk(**EU)
    unknown = supply_risk(**{**EU, "si_sr": None})
    assert bottleneck([low, unknown, high]) == 2
    assert bottleneck([high, high]) == 0
    assert bottleneck([unknown]) is None


def test_import_reliance_of_the_eu_is_clamped() -> None:
    """Net exporters are at 0, and where nothing is made at 1."""
    assert eu_import_reliance(imports_tonnes=80.0, exports_tonnes=20.0, production_tonnes=40.0) == (0.6, ())
    assert eu_import_reliance(imports_tonnes=10.0, exports_tonnes=20.0, production_tonnes=40.0) == (0.0, ())
    assert eu_import_reliance(imports_tonnes=10.0, exports_tonnes=0.0, production_tonnes=0.0) == (1.0, ())
    assert eu_import_reliance(imports_tonnes=1.0, exports_tonnes=None, production_tonnes=4.0) == (
        None,
        ("exports_tonnes",),
    )


def test_geopolrisk_is_concentration_times_unstable_imports() -> None:
    """Equation 1 of the paper, by hand: HHI 0.5, (0.8*30 + 0.2*10) / (10 + 40)."""
    found = geopolrisk(
        production_tonnes=[50, 50], imports=[(30, 0.8), (10, 0.2), (0, None)], domestic_production_tonnes=10
    )
    assert found.hhi == 0.5
    assert found.import_risk == pytest.approx(0.52)
    assert found.score == pytest.approx(0.26)


@pytest.mark.parametrize(
    ("inputs", "missing"),
    [
        ({"production_tonnes": []}, ("production",)),
        ({"domestic_production_tonnes": None}, ("domestic_production",)),
        ({"imports": [(5.0, None)]}, ("imports/0/instability",)),
        ({"imports": [], "domestic_production_tonnes": 0.0}, ("imports",)),
    ],
)
def test_geopolrisk_says_what_is_missing(inputs: dict[str, Any], missing: tuple[str, ...]) -> None:
    """A gap gives no score; the factor that is known is still given."""
    usual: dict[str, Any] = {"production_tonnes": [1.0], "imports": [(5.0, 0.5)], "domestic_production_tonnes": 5.0}
    found = geopolrisk(**{**usual, **inputs})
    assert (found.score, found.missing) == (None, missing)
    assert (found.import_risk is None) == ("production" not in missing)


def supplier(share: float | None, asi: float | None = 0.5, wsi: float | None = 0.8) -> SupplierIndices:
    return SupplierIndices(
        country="CN", production_share_ratio=share, ability_to_supply_index=asi, willingness_to_supply_index=wsi
    )


def test_the_usgs_mean_is_the_cube_root_of_the_product() -> None:
    """DP = 0.5^2*0.5*0.8 + 0.5^2*0.5*0.8 = 0.2; (0.2 * 1 * 0.04)^(1/3) = 0.2."""
    found = usgs_supply_risk(
        suppliers=[supplier(0.5), supplier(0.5)], trade_exposure_ratio=1.0, economic_vulnerability_ratio=0.04
    )
    assert found.disruption_potential == pytest.approx(0.2)
    assert found.supply_risk == pytest.approx(0.2)


def test_the_usgs_mean_says_what_is_missing() -> None:
    """Without one index there is no disruption potential, without one factor no mean."""
    found = usgs_supply_risk(
        suppliers=[supplier(0.5, asi=None)], trade_exposure_ratio=None, economic_vulnerability_ratio=0.1
    )
    assert (found.supply_risk, found.disruption_potential) == (None, None)
    assert found.missing == ("CN/ability_to_supply", "trade_exposure")
    assert usgs_supply_risk(suppliers=[], trade_exposure_ratio=1.0, economic_vulnerability_ratio=1.0).missing == (
        "suppliers",
    )


def test_volatility_follows_the_recursion() -> None:
    """v = 0.94 v + 0.06 r^2 from the first squared return; annualised with sqrt(252)."""
    prices = [100.0, 110.0, 105.0]
    first, second = math.log(1.1) ** 2, math.log(105 / 110) ** 2
    found = ewma_volatility(prices)
    assert found.variance == pytest.approx(0.94 * first + 0.06 * second)
    assert found.annualised_ratio == pytest.approx(math.sqrt(252 * (0.94 * first + 0.06 * second)))
    assert found.returns_count == 2


def test_volatility_survives_zero_returns_and_gaps() -> None:
    """Cerium has 40% zero returns; a gap spreads its return, it is no calm and no jump of one day."""
    calm = ewma_volatility([100.0, 110.0, *[110.0] * 20])
    assert calm.variance is not None
    assert 0 < calm.variance < math.log(1.1) ** 2
    gap = ewma_volatility([100.0, None, None, None, 110.0])
    assert gap.variance == pytest.approx(math.log(1.1) ** 2 / 4)
    assert ewma_volatility([None, 5.0, None]).missing == ("prices",)


def test_a_return_over_a_gap_of_one_is_the_recursion() -> None:
    """The rule for gaps must not bend the published formula."""
    assert next_variance(0.0004, log_return=0.03) == pytest.approx(0.94 * 0.0004 + 0.06 * 0.0009)


def test_time_to_survive_is_flagged_against_time_to_recover() -> None:
    """30 days of stock against 45 to recover; a licence for 20 more days is cover, not survival."""
    found = time_to_survive(
        stock_tonnes=3.0, daily_use_tonnes=0.1, time_to_recover_days_count=45.0, licensed_tonnes=2.0
    )
    assert found.time_to_survive_days_count == pytest.approx(30)
    assert found.effective_cover_days_count == pytest.approx(50)
    assert found.exposed is True
    assert found.gap_days_count == pytest.approx(15)


def test_time_to_survive_says_what_is_missing() -> None:
    """Stock without use has no number of days; unknown licences are not none."""
    found = time_to_survive(stock_tonnes=3.0, daily_use_tonnes=0.1, time_to_recover_days_count=None)
    assert found.time_to_survive_days_count == pytest.approx(30)
    assert found.exposed is None
    assert found.missing == ("time_to_recover_days_count", "licensed_tonnes")
    idle = time_to_survive(stock_tonnes=3.0, daily_use_tonnes=0.0, time_to_recover_days_count=1.0, licensed_tonnes=0.0)
    assert (idle.time_to_survive_days_count, idle.missing) == (None, ("daily_use_tonnes",))
    assert time_to_survive(
        stock_tonnes=None, daily_use_tonnes=1.0, time_to_recover_days_count=1.0, licensed_tonnes=0.0
    ).missing == ("stock_tonnes",)


def node(name: str, loss: float | None, recover: float, survive: float) -> Node:
    return Node(node=name, loss_per_day=loss, time_to_recover_days_count=recover, time_to_survive_days_count=survive)


def test_the_exposure_index_compares_with_the_worst_node() -> None:
    """Impact is the loss beyond survival; the worst node has 1, one that survives has 0."""
    found = risk_exposure_index(
        [node("a", 10, 30, 10), node("b", 5, 30, 10), node("c", 99, 5, 10), node("d", None, 1, 1)]
    )
    assert [each.performance_impact for each in found] == [200, 100, 0, None]
    assert [each.risk_exposure_index for each in found] == [1, 0.5, 0, None]
    assert found[3].missing == ("loss_per_day",)
    assert risk_exposure_index([node("a", 10, 1, 10)])[0].risk_exposure_index == 0


@pytest.mark.parametrize(
    ("run", "field"),
    [
        (lambda: concentration({"US": -1.0}), "US"),
        (lambda: import_reliance(production_tonnes=-1.0, apparent_consumption_tonnes=2.0), "production_tonnes"),
        (lambda: supply_risk(**{**EU, "import_reliance_ratio": 1.1}), "ir"),
        (lambda: supply_risk(**{**EU, "hhi_gs": math.nan}), "hhi_gs"),
        (lambda: geopolrisk(production_tonnes=[-1], imports=[], domestic_production_tonnes=1), "production/0"),
        (
            lambda: geopolrisk(production_tonnes=[1], imports=[(1, 1.5)], domestic_production_tonnes=1),
            "imports/0/instability",
        ),
        (
            lambda: usgs_supply_risk(suppliers=[supplier(1.2)], trade_exposure_ratio=1, economic_vulnerability_ratio=1),
            "CN/production_share",
        ),
        (
            lambda: usgs_supply_risk(
                suppliers=[supplier(0.6), supplier(0.6)], trade_exposure_ratio=1, economic_vulnerability_ratio=1
            ),
            "production_share",
        ),
        (lambda: ewma_volatility([1.0, 0.0]), "prices/1"),
        (lambda: time_to_survive(stock_tonnes=-1, daily_use_tonnes=1, time_to_recover_days_count=1), "stock_tonnes"),
        (lambda: risk_exposure_index([node("a", math.inf, 1, 1)]), "loss_per_day"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_with_its_field(run: Callable[[], Any], field: str) -> None:
    """Shares over 1, negative tonnes, a price of zero: a reason and the field, never a number."""
    with pytest.raises(FieldError) as refused:
        run()
    assert (refused.value.field, refused.value.reason.value) == (field, "out_of_range")


def test_concentration_says_what_is_missing() -> None:
    """A withheld producer makes shares unknown; other countries alone have no top country."""
    assert concentration({"US": None, "CN": 5.0}).missing == ("US",)
    assert concentration({}).missing == ("tonnes",)
    other = concentration({"ZZ": 5.0})
    assert (other.top_country, other.missing, other.hhi_ratio) == (None, ("top_country",), 1.0)
