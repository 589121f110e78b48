"""Dependency state: shares as they are published, editions side by side, unknown as a state."""

from datetime import UTC, datetime
from typing import Any

import pytest

from streams.contracts.capacity import SupplyObserved
from streams.contracts.events import Event
from streams.contracts.provenance import Provenance
from streams.domain.intervals import Interval, exact
from streams.domain.supply.dependency import dependency_facts, dependency_of, output_ratio
from streams.domain.supply.reliance import HomeStreams, home_facts, reliance_of
from streams.domain.supply.shares import shares_of
from streams.domain.supply.supply_tables import (
    FIGURES_KEPT,
    TABLES_KEPT,
    SupplyStream,
    figure_of,
    half_unit_of,
    known_tables,
    next_stream,
    stream_key,
)

GOVERNANCE = {"CN": 0.6, "US": 0.2, "AU": 0.1}
PUBLISHED = {"A 2025": datetime(2025, 1, 31, tzinfo=UTC), "A 2026": datetime(2026, 2, 28, tzinfo=UTC)}


def row(country: str, *, period: str = "2024", vintage: str = "A 2025", name: str = "", **fields: Any) -> Event:
    data = SupplyObserved(
        material="gallium", stage="refining", country=country, reference_period=period, vintage=vintage,
        provenance=Provenance(source="A"), **fields,
    )  # fmt: skip
    at = PUBLISHED.get(vintage, datetime(2024, 1, 1, tzinfo=UTC))
    return Event(
        id=name or f"{vintage}/{period}/{country}/{fields.get('flow', '')}", source="t", subject="gallium",
        occurred_at=at, recorded_at=at, data=data,
    )  # fmt: skip


def stream(*events: Event) -> SupplyStream:
    made: SupplyStream | None = None
    for event in events:
        assert isinstance(event.data, SupplyObserved)
        made = next_stream(made, event, event.data) or made
    assert made is not None
    return made


def produced(amounts: dict[str, float | None], *, world: float | None = None, **where: str) -> list[Event]:
    return [row(c, tonnes=t, world_tonnes=world, published_as=None if t else "W", **where) for c, t in amounts.items()]


def shared(texts: dict[str, str], **where: Any) -> list[Event]:
    rows = []
    for country, text in texts.items():
        value = round(float(text.strip("<%")) / 100, 6)
        low = 0.0 if text.startswith("<") else value
        rows.append(row(country, share_low_ratio=low, share_high_ratio=value, published_as=text, **where))
    return rows


def test_a_whole_table_of_tonnes_has_exact_shares() -> None:
    """The rows add up to the published total within its rounding: 391 of 390 rounded to tens."""
    it = dependency_of(stream(*produced({"CN": 300.0, "US": 91.0}, world=390.0)), governance=GOVERNANCE)
    assert it is not None
    assert it.shares == {"CN": exact(300 / 391), "US": exact(91 / 391)}
    assert it.top_country == "CN"
    assert it.outside_share_ratio == pytest.approx(91 / 391)
    assert it.hhi_points == pytest.approx(1e4 * (300**2 + 91**2) / 391**2)
    assert it.hhi_governance_ratio == pytest.approx((300**2 * 0.6 + 91**2 * 0.2) / 391**2)
    assert (it.unaccounted_ratio, it.missing) == (0.0, ())


def test_a_lone_row_is_no_monopoly() -> None:
    """Rows come one by one: until the table is whole, shares are intervals and the index is unknown."""
    it = dependency_of(stream(*produced({"US": 45_000.0}, world=390_000.0)), governance=GOVERNANCE)
    assert it is not None
    assert (it.top_country, it.hhi_ratio, it.hhi_points, it.hhi_governance_ratio) == (None, None, None, None)
    assert it.shares["US"].low < 45 / 390 < it.shares["US"].high
    assert it.hhi.high > 0.7
    assert it.missing == ("shares: countries add up to 45000 t of 390000 t",)


def test_tonnes_without_a_world_total_have_no_shares() -> None:
    """Nobody can tell whether these are all."""
    shares = shares_of(stream(*produced({"US": 4300.0})).tables[0])
    assert (shares.by_country, shares.unaccounted_ratio, shares.hhi) == ({}, 1.0, Interval(0.0, 1.0))
    assert shares.missing == ("shares: the edition states no world total",)
    assert shares.top is None


def test_countries_over_the_total_are_a_contradiction_kept_as_bounds() -> None:
    """500 t of a world of 390 t: neither figure is dropped."""
    it = dependency_of(stream(*produced({"CN": 400.0, "US": 100.0}, world=390.0)), governance=GOVERNANCE)
    assert it is not None
    assert it.shares["CN"] == Interval(400 / 500, 1.0)
    assert it.hhi_ratio is None
    assert "add up to 500 t of 390 t" in it.missing[0]


def test_what_is_withheld_has_no_share_and_is_named() -> None:
    """ "W" is not zero."""
    it = dependency_of(stream(*produced({"CN": 390.0, "US": None}, world=390.0)), governance=GOVERNANCE)
    assert it is not None
    assert "US" not in it.shares
    assert it.missing == ("share of US: published as W",)
    assert it.hhi_ratio == 1.0


def test_a_table_of_marks_only_has_no_shares() -> None:
    """A dash for all says nothing of anybody."""
    shares = shares_of(stream(row("US", published_as="—"), row("AU")).tables[0])
    assert (shares.by_country, shares.whole) == ({}, False)
    assert shares.missing[1:] == ("share of AU: published as blank", "share of US: published as —")


def test_shares_that_add_up_within_rounding_are_whole() -> None:
    """Each is right to half a unit of its last digit, so three may miss 1 by three halves."""
    whole = shares_of(stream(*shared({"CN": "68.2%", "US": "21.0%", "AU": "10.9%"})).tables[0])
    assert (whole.whole, whole.unaccounted_ratio) == (True, 0.0)
    short = shares_of(stream(*shared({"CN": "68%", "US": "20%"})).tables[0])
    assert not short.whole
    assert short.unaccounted_ratio == pytest.approx(0.12)
    assert short.missing == ("shares: they add up to 0.88..0.88 of supply",)
    assert short.hhi_ratio is None
    assert tuple(short.hhi) == pytest.approx((0.68**2 + 0.2**2, 0.68**2 + 0.2**2 + 0.12**2))


def test_an_inequality_stays_an_interval() -> None:
    """ "<0.1%" is between nothing and a thousandth; the index is known to far less than a point."""
    shares = shares_of(stream(*shared({"CN": "99.9%", "US": "<0.1%"})).tables[0])
    assert shares.by_country["US"] == Interval(0.0, 0.001)
    assert shares.hhi.low < shares.hhi.high
    assert shares.hhi_ratio == pytest.approx(0.998, abs=1e-4)


def test_the_top_country_is_known_only_where_no_other_can_be_larger() -> None:
    """Other countries are never the top; what is not accounted for may be anybody."""
    assert shares_of(stream(*shared({"CN": "40%", "ZZ": "60%"})).tables[0]).top == ("CN", exact(0.4))
    assert shares_of(stream(*shared({"CN": "40%"})).tables[0]).top is None
    assert shares_of(stream(*shared({"ZZ": "100%"})).tables[0]).top is None


def test_other_countries_count_as_one_producer_in_a_whole_table() -> None:
    """As in the published index; in a table with gaps they may be many."""
    assert shares_of(stream(*shared({"CN": "90%", "ZZ": "10%"})).tables[0]).hhi_ratio == pytest.approx(0.82)
    assert shares_of(stream(*shared({"CN": "80%", "ZZ": "10%"})).tables[0]).hhi.low == pytest.approx(0.64)


def test_the_trade_factor_weights_the_index() -> None:
    """sum S^2 g t, where the source states t."""
    rows = [
        row("CN", share_low_ratio=0.8, share_high_ratio=0.8, trade_factor=1.1, published_as="80%"),
        row("US", share_low_ratio=0.2, share_high_ratio=0.2, trade_factor=0.8, published_as="20%"),
    ]
    it = dependency_of(stream(*rows), governance=GOVERNANCE)
    assert it is not None
    assert it.hhi_governance_trade_ratio == pytest.approx(0.64 * 0.6 * 1.1 + 0.04 * 0.2 * 0.8)
    without = dependency_of(stream(*rows), governance={"CN": 0.6})
    assert without is not None
    assert (without.hhi_governance_ratio, without.missing) == (None, ("governance of US: no score",))


EDITIONS = stream(
    *produced({"CN": 60.0, "US": 40.0}, world=100.0, period="2023"),
    *produced({"CN": 70.0, "US": 30.0}, world=100.0),
    *produced({"CN": 80.0, "US": 20.0}, world=100.0, vintage="A 2026"),
    *produced({"CN": 50.0, "US": 50.0}, world=100.0, vintage="A 2026", period="2025"),
)


def test_a_later_vintage_supersedes_and_both_stay_answerable() -> None:
    """As known on its day: 2024 is one thing in the edition of 2025 and another in that of 2026."""

    def top(**question: Any) -> tuple[Any, ...]:
        it = dependency_of(EDITIONS, governance=GOVERNANCE, **question)
        assert it is not None
        return it.reference_period, it.vintage, it.hhi_change_points, it.changed_from

    assert top() == ("2025", "A 2026", pytest.approx(-1800), "2024 in A 2026")
    assert top(reference_period="2024") == ("2024", "A 2026", pytest.approx(1000), "2024 in A 2025")
    assert top(known_at=datetime(2025, 6, 1, tzinfo=UTC)) == ("2024", "A 2025", pytest.approx(600), "2023 in A 2025")
    assert top(reference_period="2024", vintage="A 2025")[1] == "A 2025"
    assert top(reference_period="2023") == ("2023", "A 2025", None, None)
    assert dependency_of(EDITIONS, governance=GOVERNANCE, reference_period="2019") is None
    assert dependency_of(EDITIONS, governance=GOVERNANCE, known_at=datetime(2024, 1, 1, tzinfo=UTC)) is None
    assert dependency_of(None, governance=GOVERNANCE) is None


def test_the_newest_known_table_counts_until_a_newer_one_is_whole() -> None:
    """A half-read edition does not make what was known unknown."""
    half = produced({"CN": 90.0, "US": 10.0}, world=100.0, vintage="A 2026", period="2026")[:1]
    begun = stream(*produced({"CN": 70.0, "US": 30.0}, world=100.0), *half)
    it = dependency_of(begun, governance=GOVERNANCE)
    assert it is not None
    assert it.reference_period == "2024"


def test_facts_give_unknown_as_none() -> None:
    """A rule on what is not known is undecided."""
    it = dependency_of(stream(*produced({"US": 5.0})), governance=GOVERNANCE)
    assert it is not None
    facts = dependency_facts(it)
    assert facts["hhi_points"] is None
    assert (facts["hhi_low_ratio"], facts["hhi_high_ratio"]) == (0.0, 1.0)


def test_a_repeat_and_an_older_telling_change_nothing() -> None:
    """Identity needs no memory: what changes no table says nothing; the telling recorded last counts."""
    first, again = row("CN", tonnes=5.0), row("CN", tonnes=5.0)
    late = Event(
        id="x", source="t", subject="gallium", data=row("CN", tonnes=9.0).data,
        occurred_at=first.occurred_at, recorded_at=datetime(2024, 6, 1, tzinfo=UTC),
    )  # fmt: skip
    one = stream(first)
    assert isinstance(again.data, SupplyObserved)
    assert next_stream(one, again, again.data) is None
    both, turned = stream(first, late), stream(late, first)
    assert both == turned
    assert figure_of(both, "CN", period="2024", vintage="A 2025").tonnes == 5.0  # type: ignore[union-attr]
    assert both.tables[0].known == datetime(2024, 6, 1, tzinfo=UTC).timestamp()


def test_state_is_bounded() -> None:
    """The newest tables are kept; an older one is not brought back; a table holds so many countries."""
    events = [row("CN", period=str(1990 + n), tonnes=1.0) for n in range(30)]
    for order in (events, events[::-1]):
        assert [table.period for table in stream(*order).tables] == [
            str(2020 - TABLES_KEPT + n) for n in range(TABLES_KEPT)
        ]
    codes = [f"{a}{b}" for a in "ABCDEFGHIJK" for b in "ABCDEFGHIJKLMNOPQRST"]
    assert len(stream(*(row(code, tonnes=1.0) for code in codes)).tables[0].figures) == FIGURES_KEPT


@pytest.mark.parametrize(
    ("total", "half"), [(390_000.0, 5000.0), (376_000.0, 500.0), (981.0, 0.5), (1000.0, 50.0), (80.0, 4.0), (3.0, 0.15)]
)
def test_the_rounding_of_a_total_is_half_its_last_digit(total: float, half: float) -> None:
    """And at most five percent of it."""
    assert half_unit_of(total) == pytest.approx(half)


def test_a_figure_is_found_by_its_table() -> None:
    """None where the stream, the table or the country is not there."""
    assert figure_of(None, "CN", period="2024", vintage="A 2025") is None
    assert figure_of(EDITIONS, "CN", period="2019", vintage="A 2025") is None
    assert figure_of(EDITIONS, "FR", period="2024", vintage="A 2025") is None
    assert known_tables(None) == []


def test_the_output_of_two_countries_is_compared_within_one_edition() -> None:
    """The newest edition that states both; unknown where none does or the other made nothing."""
    mines = EDITIONS
    compounds = stream(*produced({"US": 8.0}, vintage="A 2025"), *produced({"US": 4.0}, vintage="A 2026"))

    def ratio(**question: Any) -> tuple[Any, ...]:
        asked = {"of": "US", "to": "CN", "period": "2024", **question}
        return output_ratio(compounds, mines, **asked)

    assert ratio() == (pytest.approx(4 / 80), "A 2026")
    assert ratio(vintage="A 2025") == (pytest.approx(8 / 70), "A 2025")
    assert ratio(known_at=datetime(2025, 6, 1, tzinfo=UTC)) == (pytest.approx(8 / 70), "A 2025")
    assert ratio(period="2023") == (None, "no edition states US and CN for 2023")
    assert ratio(of="FR")[0] is None
    assert ratio(to="FR")[0] is None
    assert output_ratio(None, None, of="US", to="CN", period="2024")[0] is None


def home(flow: str, amounts: dict[str, Any], *, vintage: str = "A 2026") -> SupplyStream:
    rows = []
    for period, value in amounts.items():
        fields: dict[str, Any] = {"flow": flow, "market": "US", "period": period, "vintage": vintage}
        if isinstance(value, Interval):
            fields |= {"share_low_ratio": value.low, "share_high_ratio": value.high, "published_as": ">95"}
        rows.append(row("US", **fields, **({} if isinstance(value, Interval) else {"tonnes": value})))
    return stream(*rows)


US = HomeStreams(
    production=stream(
        *(row("US", period=p, vintage="A 2026", tonnes=t) for p, t in (("2023", 10.0), ("2025", 20.0), ("2022", 200.0)))
    ),
    consumption=home("apparent_consumption", {"2022": 100.0, "2023": 100.0, "2024": 100.0, "2025": 100.0}),
    published=home("import_reliance", {"2021": Interval(0.95, 1.0), "2024": exact(0.53), "2025": exact(0.7)}),
)


def test_reliance_is_computed_where_it_can_be_and_as_published_where_not() -> None:
    """An inequality is no number; a net exporter relies on nothing; what is computed beats what is rounded."""
    by_year = {
        year: reliance_of(US, home="US", reference_period=year) for year in ("2021", "2022", "2023", "2024", "2025")
    }
    assert {year: r.ratio for year, r in by_year.items() if r} == {
        "2021": Interval(0.95, 1.0), "2022": exact(0.0), "2023": exact(0.9), "2024": exact(0.53), "2025": exact(0.8),
    }  # fmt: skip
    assert [r.computed for r in by_year.values() if r] == [False, True, True, False, True]
    assert next(r.ratio_known for r in by_year.values() if r) is None
    assert reliance_of(US, home="US") == by_year["2025"]
    assert reliance_of(US, home="JP") is None
    assert reliance_of(US, home="US", vintage="A 2025") is None


def test_a_change_of_reliance_is_against_the_edition_before_else_the_period_before() -> None:
    """In percentage points; unknown where either is only a bound."""
    newest = reliance_of(US, home="US")
    assert newest is not None
    assert newest.change_points == pytest.approx(27)
    assert reliance_of(US, home="US", reference_period="2022").change_points is None  # type: ignore[union-attr]
    older = home("import_reliance", {"2025": exact(0.6)}, vintage="A 2025")
    assert US.published is not None
    restated = HomeStreams(production=US.production, consumption=US.consumption, published=SupplyStream(
        tables=(*older.tables, *US.published.tables)))  # fmt: skip
    assert reliance_of(restated, home="US").change_points == pytest.approx(20)  # type: ignore[union-attr]


def test_a_home_without_production_and_a_published_figure_has_no_reliance() -> None:
    """Consumption alone says nothing; a withheld reliance neither."""
    alone = HomeStreams(consumption=home("apparent_consumption", {"2024": 100.0}))
    assert reliance_of(alone, home="US") is None
    withheld = HomeStreams(published=home("import_reliance", {"2024": None}))
    assert reliance_of(withheld, home="US") is None


def test_the_facts_of_a_home_are_its_reliance_and_its_suppliers() -> None:
    """Each with its own period; what is missing is said."""
    reliance, sourcing = reliance_of(US, home="US"), dependency_of(EDITIONS, governance=GOVERNANCE)
    facts, missing = home_facts(reliance, sourcing)
    assert facts["import_reliance_ratio"] == 0.8
    assert (facts["reference_period"], facts["sourcing_reference_period"]) == ("2025", "2025")
    facts, missing = home_facts(None, sourcing)
    assert (facts["import_reliance_low_ratio"], facts["reference_period"], facts["vintage"]) == (None, "2025", "A 2026")
    facts, missing = home_facts(reliance, None)
    assert "sourcing: no table" in missing
    assert "sourcing_vintage" in missing


def test_markets_and_flows_are_kept_apart() -> None:
    """Who produces and who supplies a home are two questions."""
    made, sourced = row("CN"), row("CN", market="EU", flow="consumption")
    assert isinstance(made.data, SupplyObserved)
    assert isinstance(sourced.data, SupplyObserved)
    assert stream_key(made.data) == b"supply/gallium/refining/global/production"
    assert stream_key(sourced.data) == b"supply/gallium/refining/EU/consumption"


def test_nothing_is_said_of_a_table_before_all_its_rows_came() -> None:
    """Rounded totals are met early: a table that lists three countries is not read after two."""
    rows = [row(c, tonnes=t, world_tonnes=100.0, rows_count=3) for c, t in (("CN", 60.0), ("US", 39.0), ("AU", 4.0))]
    assert dependency_of(stream(*rows[:2]), governance=GOVERNANCE) is None
    it = dependency_of(stream(*rows), governance=GOVERNANCE)
    assert it is not None
    assert it.top_share_ratio == pytest.approx(60 / 103)
