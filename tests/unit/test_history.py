"""The shipped history: every row read once, dates as in the tables, nothing invented."""

import json
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from streams.contracts.capacity import SupplyObserved, TradeObserved
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.dates import local_day
from streams.contracts.policy import ClaimMade, MeasureChanged
from streams.contracts.price import PriceQuoted
from streams.reference import HISTORIES, HistoryKind, curate, load_history, load_table
from streams.reference.curate_policy import policy_history
from streams.reference.curate_prices import unread_prices
from streams.reference.curate_supply import register_history, trade_history
from streams.reference.digests import broken_promises, digest_of, read_digests, render_digests, with_new
from streams.reference.loaders import HISTORY_DIRECTORY

SEVEN = ("CN-2025-55", "CN-2025-56", "CN-2025-57", "CN-2025-58", "CN-2025-61a", "CN-2025-61b", "CN-2025-62")
POLICY = {event.id: event for event in load_history("policy")}


@pytest.mark.parametrize("kind", HISTORIES)
def test_the_committed_history_is_the_generated_one(kind: HistoryKind) -> None:
    """A table or a reading that changes without the history would ship two truths."""
    assert (HISTORY_DIRECTORY / f"{kind}.jsonl").read_bytes() == curate.render(kind)


def test_the_check_of_the_generator_agrees() -> None:
    """The command that a person runs says the same as the test."""
    assert curate.main(["--check"]) == 0


@pytest.mark.parametrize("kind", HISTORIES)
def test_each_line_decodes_and_encodes_to_itself(kind: HistoryKind) -> None:
    """The history is fed in as it is."""
    for line in (HISTORY_DIRECTORY / f"{kind}.jsonl").read_bytes().splitlines():
        assert encode_event(decode_event(line)) == line


def test_every_row_of_the_policy_table_is_one_event() -> None:
    """49 rows, 49 events, each naming its row."""
    rows = [row["event_id"] for row in load_table("policy_events")]
    assert len(rows) == 49
    assert sorted(POLICY) == sorted(rows)
    for name, event in POLICY.items():
        assert event.data.provenance.row == f"policy_events.csv#{name}"  # type: ignore[union-attr]


def test_dates_source_and_confidence_are_those_of_the_row() -> None:
    """The reading adds words, never dates."""
    for row in load_table("policy_events"):
        event = POLICY[row["event_id"]]
        data = event.data
        assert isinstance(data, MeasureChanged | ClaimMade)
        assert data.provenance.source == row["source"]
        assert data.provenance.address == (row["address"] or None)
        assert data.provenance.confidence == row["confidence"]
        assert local_day(event.recorded_at, zone=data.zone) == date.fromisoformat(row["published"])
        if isinstance(data, ClaimMade):
            assert (data.claimed_end_at or "") == row["end_date"]
            continue
        assert data.published_at == row["published"]
        assert (data.effective_at or "") == row["effective"]
        end = data.ends_at or data.due_at or ""
        assert end[:10] == ("" if row["event_id"] == "CN-GL-2025-12" else row["end_date"])


def test_announcement_70_names_the_seven_limbs() -> None:
    """Its scope is prose in the table ("55,56,57,58,61,62"); whether its end is inclusive is not said."""
    data = POLICY["CN-2025-70"].data
    assert isinstance(data, MeasureChanged)
    assert data.amends == SEVEN
    assert data.ends_inclusive is None


def test_the_affiliates_suspension_has_a_last_day_in_new_york() -> None:
    """The row says "last suspended day"."""
    data = POLICY["US-BIS-50-SUSP"].data
    assert isinstance(data, MeasureChanged)
    assert (data.ends_at, data.ends_inclusive, data.zone) == ("2026-11-09", True, "America/New_York")


def test_benchmarks_and_reports_are_due_but_do_not_end() -> None:
    """A missed report ends nothing."""
    for name, day in (("EU-2024-1252", "2030-12-31"), ("US-PROC-11001", "2026-07-13")):
        data = POLICY[name].data
        assert isinstance(data, MeasureChanged)
        assert (data.ends_at, data.due_at) == (None, day)


def test_statements_are_claims() -> None:
    """What has no legal force never becomes a measure."""
    claims = {name for name, event in POLICY.items() if isinstance(event.data, ClaimMade)}
    assert claims == {"US-CN-BUSAN", "US-WH-FS", "US-CN-BEIJING", "US-CN-WASH", "CN-MOFCOM-STMT"}


def test_codes_are_those_of_the_control_list() -> None:
    """Each code of the table is on the event of its measure (a range is one entry)."""
    for row in load_table("control_codes"):
        data = POLICY[row["event_id"]].data
        assert isinstance(data, MeasureChanged)
        assert row["china_control_code"] in data.codes


def test_a_forgotten_row_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new row of the table must be read by a person."""
    rows = load_table("policy_events")
    monkeypatch.setattr("streams.reference.curate_policy.load_table", lambda _: rows[1:])
    with pytest.raises(ValueError, match="CN-2023-23"):
        policy_history()


def test_annual_means_are_labelled_as_such() -> None:
    """Dy 257 and 239 USD/kg in 2024 and 2025 (docs/domain.md 9)."""
    means = {
        event.data.reference_period: event.data
        for event in load_history("price")
        if isinstance(event.data, PriceQuoted) and event.data.material == "dysprosium"
    }
    assert [means[year].amount for year in ("2024", "2025")] == [257, 239]
    assert means["2025"].assessor == "usgs"
    assert means["2025"].provenance.vintage == "MCS 2026"
    assert "Annual mean" in (means["2025"].provenance.note or "")


def test_a_price_range_is_no_price() -> None:
    """890-1,000 is not 945."""
    assert len(unread_prices()) == 4
    assert all("Scandium oxide" in name for name in unread_prices())


def test_marks_stay_marks() -> None:
    """A dash or W is unknown, kept as published; it is not zero."""
    seen = [json.loads(encode_event(e))["data"] for e in load_history("capacity")]
    marked = [d for d in seen if d.get("published_as") in ("—", "W")]
    assert marked
    assert not any("tonnes" in d for d in marked)
    small = [d for d in seen if d.get("published_as") == "<0.1%"]
    assert small
    assert all((d["share_low_ratio"], d["share_high_ratio"]) == (0.0, 0.001) for d in small)


def test_a_month_is_known_about_three_weeks_after_it() -> None:
    """April 2025 was published in May; a replay must not know it in April."""
    april = next(e for e in trade_history() if e.id == "customs/rare-earth-magnets/all/2025-04/customs-via-reuters")
    assert local_day(april.recorded_at, zone="Asia/Shanghai") == date(2025, 5, 20)
    assert april.data.derived  # type: ignore[union-attr]


def test_two_sources_of_one_month_stay_two() -> None:
    """Japan in December 2025: 280 t against 411.3 t; neither overwrites the other."""
    japan = [e.data.tonnes for e in trade_history() if "/JP/2025-12/" in e.id and isinstance(e.data, TradeObserved)]
    assert sorted(japan) == [280, 411.3]


def test_the_heavy_circuit_made_62_of_300_tonnes() -> None:
    """The one plant whose actual and nameplate are both known (docs/domain.md 2)."""
    joint = [e.data for e in register_history() if e.id.endswith("kuantan-hre-circuit/dysprosium-terbium")]
    assert len(joint) == 1
    assert (joint[0].actual_tonnes, joint[0].nameplate_tonnes_per_year) == (62, 300)  # type: ignore[union-attr]


def test_all_history_is_in_the_order_it_became_known() -> None:
    """A replay publishes it as it is; ids are unique within the source."""
    events = load_history()
    assert [e.recorded_at for e in events] == sorted(e.recorded_at for e in events)
    assert len({(e.source, e.id) for e in events}) == len(events)


def test_an_unknown_table_is_an_error() -> None:
    """A name nobody ships must not read as an empty table."""
    with pytest.raises(FileNotFoundError):
        load_table("nothing")


def supply_rows() -> set[str]:
    """Return the rows that supply events were made from, as the events name them."""
    return {e.data.provenance.row or "" for e in load_history("capacity") if isinstance(e.data, SupplyObserved)}


def test_every_row_of_world_production_is_an_event_a_total_or_named_as_left_out() -> None:
    """A chapter that is forgotten would be a market nobody watches; capacity by country is left out, and said so."""
    table, made = "usgs_mcs2026_world_production", supply_rows()
    left = [
        row for row in load_table(table)
        if f"{table}.csv#{row['chapter']}/{row['statistic']}/{row['country']}/{row['year']}" not in made
        and f"{table}.csv#{row['chapter']}/{row['statistic']}/{row['year']}" not in made
    ]  # fmt: skip
    assert {row["statistic"].split(":")[0] for row in left if row["country"] != "World total"} == {
        "Production capacity"
    }
    assert all(row["country"] == "World total" for row in left if "capacity" not in row["statistic"])


@pytest.mark.parametrize("table", ["eu2023_global_supply_shares", "eu2023_eu_supply_shares"])
def test_every_share_of_the_eu_study_is_an_event(table: str) -> None:
    """With its letter and its trade factor."""
    made = supply_rows()
    for row in load_table(table):
        assert f"{table}.csv#{row['Material']}/{row['Stage']}/{row['Country']}" in made


def test_imports_of_mixed_kinds_are_the_only_sources_left_out() -> None:
    """Beside single kinds of the same material they would count twice."""
    table, made = "usgs_mcs2026_us_import_sources", supply_rows()
    left = {
        row["statistic"] for row in load_table(table)
        if f"{table}.csv#{row['chapter']}/{row['statistic']}/{row['country']}" not in made
    }  # fmt: skip
    assert left == {"Total metal and oxide", "Combined total"}


def test_every_published_reliance_is_an_event() -> None:
    """>95, E and 100 alike; heavy rare earths each, where the group is at 100 percent."""
    table, made = "usgs_mcs2026_salient_us", supply_rows()
    for row in load_table(table):
        if row["statistic"].startswith("Net import reliance"):
            assert f"{table}.csv#{row['chapter']}/{row['statistic']}/{row['year']}" in made, row
    dysprosium = [
        e.data for e in load_history("capacity")
        if isinstance(e.data, SupplyObserved) and e.data.material == "dysprosium" and e.data.flow == "import_reliance"
    ]  # fmt: skip
    assert [(d.reference_period, d.share_low_ratio) for d in dysprosium] == [
        (str(year), 1.0) for year in range(2025, 2020, -1)
    ]
    assert all("as a group" in (d.provenance.note or "") for d in dysprosium)


def test_what_was_shipped_is_there_word_for_word() -> None:
    """A stack that has an event is never sent it again: a changed body would reach new stacks only."""
    assert broken_promises(read_digests(), load_history()) == []


def test_a_changed_body_a_lost_event_and_a_second_use_of_an_id_are_red() -> None:
    """The three ways in which two stacks would disagree for ever."""
    first, second, third = load_history("price")[:3]
    committed = with_new({}, [first, second])
    changed = msgspec.structs.replace(first, recorded_at=first.recorded_at + timedelta(days=1))
    assert broken_promises(committed, [changed, second]) == [
        f"{first.id}: was shipped with another body: keep that, and say what is right in a new event"
    ]
    (gone,) = broken_promises(committed, [second])
    assert gone.startswith(f"{first.id}: was shipped and is gone")
    assert f"{first.id}: stands twice" in broken_promises(committed, [first, first, second])[0]
    assert broken_promises(committed, [first, second, third]) == [
        f"{third.id}: is new and has no digest: run `python -m streams.reference.curate`"
    ]


def test_new_events_get_a_digest_and_old_ones_keep_theirs() -> None:
    """Writing the file must not bless a change."""
    first, second = load_history("price")[:2]
    committed = {first.id: "0" * 16}
    assert with_new(committed, [first, second]) == {first.id: "0" * 16, second.id: digest_of(second)}


def test_the_digest_file_reads_back_and_names_a_bad_line(tmp_path: Path) -> None:
    """A merge that leaves an id twice must not let the last one win."""
    path = tmp_path / "digests.txt"
    path.write_text(render_digests({"b": "1" * 16, "a": "2" * 16}))
    assert path.read_text() == f"{'2' * 16} a\n{'1' * 16} b\n"
    assert read_digests(path) == {"b": "1" * 16, "a": "2" * 16}
    path.write_text(f"{'2' * 16} a\n{'1' * 16} a\n")
    with pytest.raises(ValueError, match=r"digests.txt:2"):
        read_digests(path)
