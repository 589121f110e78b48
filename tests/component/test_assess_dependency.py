"""Dependency through the road: the USGS and EU tables as events, and what is known of them on their day."""

from datetime import UTC, datetime
from functools import lru_cache
from itertools import permutations

import pytest

from streams.assess.assess_core import AssessCore
from streams.assess.assess_state import encode_state
from streams.assess.assessors.dependency_assessor import dependency_in, reliance_in, sourcing_in, stages_in, view_of
from streams.assess.assessors.material_index import index_entry_of
from streams.contracts.assessments import RiskAssessed
from streams.contracts.capacity import SupplyObserved
from streams.contracts.codec import decode_event
from streams.domain.methods import concentration
from streams.domain.supply.dependency import dependency_of, output_ratio
from streams.domain.supply.reliance import HomeStreams, reliance_of
from streams.reference import load_history, load_table
from streams.reference.governance import governance_scores
from streams.runtime.stage_ports import InMemoryStateStore
from tests.support.legal import admitted

REO = "rare-earth-oxides"
SUPPLY = [event for event in load_history("capacity") if isinstance(event.data, SupplyObserved)]
IN_2025, IN_2026 = datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@lru_cache(maxsize=1)
def lived() -> tuple[InMemoryStateStore, tuple[RiskAssessed, ...]]:
    """Live through the shipped supply history; return the state and what was said about supply."""
    store, said = InMemoryStateStore(), []
    core = AssessCore(partition=0, partitions=1, store=store)
    for event in SUPPLY:
        outcome = core.process(admitted(event))
        assert not outcome.dead_letters
        said += [data for raw in outcome.outputs if isinstance(data := decode_event(raw).data, RiskAssessed)]
    return store, tuple(said)


@pytest.mark.parametrize(("known_at", "points", "vintage"), [(IN_2025, 4924, "MCS 2025"), (IN_2026, 5192, "MCS 2026")])
def test_the_mine_hhi_of_2024_as_known_on_its_day(known_at: datetime, points: int, vintage: str) -> None:
    """4,924 on the 2025 edition and 5,192 on the 2026 edition, both still answerable."""
    found = dependency_of(
        view_of(lived()[0], REO, "mining")("global", "production"),
        governance=governance_scores(), reference_period="2024", known_at=known_at,
    )  # fmt: skip
    assert found is not None
    assert found.hhi_points is not None
    assert (round(found.hhi_points), found.vintage, found.top_country) == (points, vintage, "CN")


@pytest.mark.parametrize(("year", "percent"), [(2021, 98.5), (2022, 99.1), (2023, 90.7), (2024, 52.3), (2025, 67.0)])
def test_us_reliance_is_that_of_the_2026_edition(year: int, percent: float) -> None:
    """Computed from production and apparent consumption; what USGS prints (>95, >90, 53, 67) stands beside it."""
    view = view_of(lived()[0], REO, "separation")
    streams = HomeStreams(
        production=view("global", "production"), consumption=view("US", "apparent_consumption"),
        published=view("US", "import_reliance"),
    )  # fmt: skip
    found = reliance_of(streams, home="US", reference_period=str(year), vintage="MCS 2026")
    assert found is not None
    assert found.ratio_known is not None
    assert (round(100 * found.ratio_known, 1), found.computed) == (percent, True)
    assert found.published_as == {2021: ">95", 2022: ">95", 2023: ">90", 2024: "53", 2025: "67"}[year]


@pytest.mark.parametrize(
    ("stage", "year", "percent"), [("separation", 2024, 1.6), ("separation", 2025, 3.3), ("mining", 2024, 16.9),
                                   ("mining", 2025, 18.9)],
)  # fmt: skip
def test_us_output_against_that_of_china(stage: str, year: int, percent: float) -> None:
    """Under 5% is true for separated compounds and false for mines; both against China's mine output."""
    store = lived()[0]
    above = view_of(store, REO, stage)("global", "production")
    below = view_of(store, REO, "mining")("global", "production")
    ratio, vintage = output_ratio(above, below, of="US", to="CN", period=str(year))
    assert ratio is not None
    assert (round(100 * ratio, 1), vintage) == (percent, "MCS 2026")


def said(material: str, stage: str, home: str | None = None) -> list[RiskAssessed]:
    return [
        each for each in lived()[1]
        if (each.aspect, each.material, each.labels.get("stage"), each.home) == ("supply", material, stage, home)
    ]  # fmt: skip


def test_the_last_word_on_a_stage_carries_the_facts_rules_name() -> None:
    """Mining in 2025: 69% China, HHI down by 120 on 2024."""
    facts = said(REO, "mining")[-1].facts
    assert facts["top_country"] == "CN"
    assert facts["top_share_ratio"] == pytest.approx(0.6935, abs=1e-4)
    assert facts["outside_share_ratio"] == pytest.approx(0.3065, abs=1e-4)
    assert facts["hhi_points"] == pytest.approx(5072.4, abs=0.1)
    assert facts["hhi_change_points"] == pytest.approx(-120.1, abs=0.1)
    assert (facts["reference_period"], facts["vintage"]) == ("2025", "MCS 2026")


def test_a_restated_year_says_by_how_much_the_edition_changed_it() -> None:
    """2024 rose by 269 points between two editions: the revision is a fact of its own."""
    restated = [
        e.facts
        for e in said(REO, "mining")
        if (e.facts["reference_period"], e.facts["vintage"]) == ("2024", "MCS 2026")
    ]
    assert restated[-1]["hhi_points"] == pytest.approx(5192.4, abs=0.1)
    assert restated[-1]["hhi_change_points"] == pytest.approx(268.8, abs=0.1)


def test_reliance_of_a_home_is_said_with_its_change_and_its_suppliers() -> None:
    """USGS moved from 52 to 67 in a year; 71% of the imports come from China."""
    last = said(REO, "separation", "US")[-1]
    assert last.facts["import_reliance_ratio"] == pytest.approx(0.670, abs=1e-3)
    assert last.facts["import_reliance_change_points"] == pytest.approx(14.8, abs=0.1)
    assert (last.facts["top_country"], last.facts["top_share_ratio"]) == ("CN", 0.71)
    assert last.sources


def test_each_table_is_said_once_when_it_is_whole() -> None:
    """No row of a half-read table looks like a monopoly: four tables, four words, in the order of their years."""
    told = [each.facts for each in said(REO, "mining")]
    assert [(f["reference_period"], f["vintage"], round(float(f["hhi_points"] or 0))) for f in told] == [
        ("2023", "MCS 2025", 4874), ("2024", "MCS 2025", 4924), ("2024", "MCS 2026", 5192), ("2025", "MCS 2026", 5072),
    ]  # fmt: skip


def test_an_inequality_stays_one_on_the_log() -> None:
    """Germanium is published as >50: no number, but a low end that a rule may use."""
    facts = said("germanium", "refining", "US")[-1].facts
    assert (facts["import_reliance_ratio"], facts["import_reliance_low_ratio"]) == (None, 0.5)
    found = reliance_in(lived()[0], "germanium", "refining", home="US")
    assert found is not None
    assert found.published_as == ">50"


def test_what_nobody_publishes_is_unknown() -> None:
    """No edition states world output of separated compounds, so US tonnes are no share; tungsten's EU supply is 77%."""
    separation = dependency_in(lived()[0], REO, "separation")
    assert separation is not None
    assert (separation.hhi_ratio, separation.top_country) == (None, None)
    assert "no world total" in separation.missing[0]
    tungsten = sourcing_in(lived()[0], "tungsten", "mining", home="EU")
    assert tungsten is not None
    assert tungsten.hhi_ratio is None
    assert tungsten.missing == ("shares: they add up to 0.77..0.77 of supply",)


def test_processing_of_heavy_rare_earths_is_one_country() -> None:
    """EU 2023: China separates all dysprosium, terbium and yttrium; the published t is 1."""
    for material in ("dysprosium", "terbium", "yttrium"):
        found = dependency_in(lived()[0], material, "separation")
        assert found is not None
        assert (found.top_country, found.top_share_ratio, found.hhi_points) == ("CN", 1.0, 10_000)
        assert found.hhi_governance_trade_ratio == found.hhi_governance_ratio == governance_scores()["CN"]
    assert stages_in(lived()[0], "dysprosium") == ("mining", "separation")


@pytest.mark.parametrize("row", load_table("usgs_2024_vintage_revision"), ids=lambda row: row["country"])
def test_both_editions_of_a_country_are_kept(row: dict[str, str]) -> None:
    """The comparison of the two editions is the state itself."""
    stream = view_of(lived()[0], REO, "mining")("global", "production")
    assert stream is not None
    code = next(
        e.data.country for e in SUPPLY
        if isinstance(e.data, SupplyObserved) and (e.data.provenance.row or "").endswith(f"/{row['country']}/2024")
    )  # fmt: skip
    tonnes = {t.vintage: t.figures[code].tonnes for t in stream.tables if t.period == "2024"}
    assert tonnes["MCS 2025"] == float(row["mine_2024_as_of_mcs2025_t"])
    assert tonnes["MCS 2026"] == float(row["mine_2024_as_of_mcs2026_t"])


def test_the_order_of_rows_does_not_matter_for_the_state() -> None:
    """Any order of the rows of an edition ends in the same tables."""
    rows = [e for e in SUPPLY if e.subject == "gallium" and "production" in e.id][:5]
    ends = set()
    for order in permutations(rows):
        store = InMemoryStateStore()
        AssessCore(partition=0, partitions=1, store=store).process(admitted(*order))
        ends.add(tuple(encode_state(store.get(key)) for key in index_entry_of(store, "gallium").supply))
    assert len(ends) == 1


def test_the_supply_state_of_a_material_is_small() -> None:
    """Every shipped table of a material fits into 16 KiB; the bound after ten years is 64."""
    store = lived()[0]
    for material in {event.subject for event in SUPPLY}:
        keys = index_entry_of(store, material).supply
        assert sum(len(encode_state(store.get(key))) for key in keys) < 16 * 1024, material


def test_the_state_agrees_with_the_published_method() -> None:
    """The same numbers by another way: the table alone through the method."""
    rows = [
        r for r in load_table("usgs_mcs2026_world_production") if r["chapter"] == "RARE EARTHS" and r["year"] == "2025"
    ]
    tonnes = {
        r["country"]: float(r["value"].replace(",", ""))
        for r in rows
        if r["value"] != "—" and r["country"] != "World total"
    }
    found = dependency_in(lived()[0], REO, "mining")
    assert found is not None
    assert found.hhi_ratio == pytest.approx(concentration(tonnes).hhi_ratio)
