"""Scores as of any day, as known on any day, over the shipped history; and what hypothetical events would change."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from alerts.backtest.what_if import decode_hypothetical, read_hypothetical, what_if
from alerts.rules.loader import shipped_rules
from deploy.cli.main import app
from streams.contracts.codec import encode_event
from streams.contracts.events import Event, subject_of
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.queries.risk_queries import RiskQuestionError, RiskQuestions, instant_of, score_document
from streams.reference import load_history
from tests.support.legal import T0, act, at

HISTORY = load_history()


@lru_cache(maxsize=64)
def asked(as_of: str, known_at: str | None = None) -> RiskQuestions:
    known = date.fromisoformat(known_at) if known_at else None
    return RiskQuestions(HISTORY, as_of=date.fromisoformat(as_of), known_at=known)


def score(material: str, home: str, day: str) -> float:
    return asked(day, day).score(material, home=home).score_ratio


def test_dysprosium_rises_on_2025_04_04_and_does_not_fall_in_the_truce() -> None:
    """As of each day, as known on it."""
    assert score("dysprosium", "US", "2025-04-04") > score("dysprosium", "US", "2025-04-03") + 0.1
    truce = ["2025-11-06", "2025-11-07", "2025-11-12", "2026-02-28", "2026-05-31", "2026-07-14", "2026-10-08"]
    found = [score("dysprosium", "US", day) for day in truce]
    assert found == sorted(found)


def test_holmium_goes_the_way_of_57_of_2025() -> None:
    """Announced, suspended but above September, nearing its end, lapsed with nothing seen."""
    days = [
        "2025-09-30",
        "2025-10-08",
        "2025-10-09",
        "2025-11-06",
        "2025-11-07",
        "2026-08-10",
        "2026-11-10",
        "2026-11-11",
    ]
    september, eve, announced, last, truce, august, end, lapsed = (score("holmium", "US", day) for day in days)
    assert september == eve < announced <= last
    assert september < truce < last
    assert truce < august < end < lapsed


def test_gallium_for_the_us_falls_by_less_than_it_rose() -> None:
    """46 of 2024 paragraph 2, imposed and suspended."""
    rise = score("gallium", "US", "2024-12-03") - score("gallium", "US", "2024-12-02")
    fall = score("gallium", "US", "2025-11-08") - score("gallium", "US", "2025-11-09")
    assert 0 < fall < rise


def test_samarium_rises_for_japan_and_not_for_brazil() -> None:
    """Announcement 1 of 2026 names Japan."""
    assert score("samarium", "JP", "2026-01-06") > score("samarium", "JP", "2026-01-05")
    assert score("samarium", "BR", "2026-01-06") == score("samarium", "BR", "2026-01-05")


def test_what_was_not_known_on_the_day_does_not_count() -> None:
    """The suspension of 7 November 2025 was not known on the 6th; the editions of 2026 were not in 2025."""
    day = "2025-11-20"
    ignorant = asked(day, "2025-11-06").score("holmium", home="US").score_ratio
    assert ignorant > score("holmium", "US", day)
    vintages = {each.vintage for each in document("gallium", "US", "2025-11-20")["factors"]["concentration"]["inputs"]}
    assert vintages == {"EU CRM study 2023"}
    later = {each.vintage for each in document("gallium", "US", "2026-11-20")["factors"]["concentration"]["inputs"]}
    assert later == {"MCS 2026"}


class _Row(dict[str, Any]):
    def __getattr__(self, name: str) -> Any:
        return self[name]


def document(material: str, home: str, day: str) -> dict[str, Any]:
    made = score_document(asked(day, day), material, home=home)
    for factor in made["factors"].values():
        factor["inputs"] = [_Row(row) for row in factor["inputs"]]
    return made


def test_the_document_has_the_shape_others_rely_on() -> None:
    """docs/surface.md 2, and contributions that add up to the score."""
    made = document("dysprosium", "US", "2026-10-08")
    assert {"material", "home", "score", "interval", "contributions", "factors"} <= made.keys()
    assert abs(sum(made["contributions"].values()) - made["score"]) <= 1e-12
    assert made["interval"][0] <= made["score"] <= made["interval"][1]
    assert made["factors"].keys() == made["contributions"].keys()
    concentration = made["factors"]["concentration"]["inputs"][0]
    assert (concentration.of, concentration.reference_period, concentration.vintage) == (
        "separation",
        "2020",
        "EU CRM study 2023",
    )
    assert concentration.age_days > 1000
    assert concentration.source
    assert made["factors"]["thin_cover"]["value"] is None
    assert any(text.startswith("own stocks") for text in made["missing"])
    assert {each["end_use"] for each in made["exposures"]} >= {"electric-vehicle-motors", "missile-guidance"}


def test_a_question_without_an_answer_says_why() -> None:
    """A group, an unknown home, and an event that the road would refuse."""
    with pytest.raises(RiskQuestionError, match="heavy-rare-earths"):
        asked("2026-10-08").score("heavy-rare-earths", home="US")
    with pytest.raises(RiskQuestionError, match="US, EU, JP"):
        asked("2026-10-08").score("holmium", home="XX")
    assert instant_of(T0) == T0


def hypothetical(end: str = "2027-11-10") -> list[Event]:
    extended = act(
        "hyp", measure="CN-2026-99", action="extend", kind="suspension", amends=("CN-2025-70",), zone="Asia/Shanghai",
        published_at="2026-11-12", ends_at=end, day=315,
    )  # fmt: skip
    assert extended.recorded_at.date() == date(2026, 11, 12)
    return [extended]


@lru_cache(maxsize=1)
def extended() -> dict[str, Any]:
    return what_if(HISTORY, hypothetical(), as_of=date(2026, 11, 20), rules=shipped_rules())


def test_an_extension_would_take_seven_limbs_back_into_suspension() -> None:
    """States with both ends; scores and exposures fall; what did not change is not there."""
    found = extended()
    states = {row["measure"]: row for row in found["states"]}
    assert set(states) == {f"CN-2025-{limb}" for limb in ("55", "56", "57", "58", "61a", "61b", "62")}
    assert states["CN-2025-57"]["from"]["state"] == "lapsed_unconfirmed"
    assert states["CN-2025-57"]["to"]["state"] == "suspended"
    assert states["CN-2025-57"]["to"]["legal_end"] == "2027-11-10"
    changes = {(row["material"], row["home"]): row["change"] for row in found["scores"]}
    assert changes["holmium", "US"] < 0
    assert ("dysprosium", "US") not in changes
    ceramics = next(row for row in found["exposures"] if row["end_use"] == "ceramics")
    assert ceramics["to"] < ceramics["from"]
    assert ceramics["path"][0] in ("holmium", "thulium", "ytterbium")


def test_an_extension_would_end_the_alerts_that_nothing_followed() -> None:
    """The daily alert after the end would not come, and would be resolved when the instrument is known."""
    alerts = extended()["alerts"]
    lost = {(row["rule"], row["labels"]["measure"]) for row in alerts["lost"] if row["at"] > "2026-11-12"}
    assert ("suspension-end", "CN-2025-57") in lost
    assert any(row["to"] == "ok" and row["labels"]["measure"] == "CN-2025-57" for row in alerts["gained"])
    assert any(row["rule"] == "suspension-end" for row in alerts["open_lost"])


def test_a_hypothesis_that_changes_nothing_has_no_differences() -> None:
    """Nothing in, nothing out."""
    found = what_if(HISTORY[:60], [], as_of=date(2024, 1, 1), rules=shipped_rules(), homes=["US"])
    assert (found["states"], found["scores"], found["exposures"]) == ([], [], [])
    assert found["alerts"] == {"gained": [], "lost": [], "open_gained": [], "open_lost": []}


def test_an_event_without_a_recorded_time_is_recorded_when_it_happens() -> None:
    """A supposition has no recorder."""
    row = msgspec.json.decode(encode_event(hypothetical()[0]))
    del row["recordedtime"]
    assert decode_hypothetical(msgspec.json.encode(row)).recorded_at == hypothetical()[0].occurred_at


def test_a_line_that_is_no_event_is_named() -> None:
    """Line 2 of the file, with the reason."""
    good = encode_event(hypothetical()[0])
    assert len(read_hypothetical([good, b"  "])) == 1
    with pytest.raises(ValueError, match="line 2"):
        read_hypothetical([good, b"{"])
    with pytest.raises(ValueError, match="line 1"):
        read_hypothetical([good.replace(b"extend", b"expand")])


def test_a_price_known_to_be_made_up_is_said_to_be() -> None:
    """Synthetic data are labelled wherever they are shown."""
    first = datetime(2025, 12, 1, tzinfo=UTC)
    quotes = [
        PriceQuoted(
            material="terbium", form="oxide", basis="FOB China", assessor="maker", amount=100.0 + n, currency="USD",
            per_unit="kg", reference_period=str((first + timedelta(days=n)).date()),
            provenance=Provenance(source="synthetic", synthetic=True),
        )
        for n in range(31)
    ]  # fmt: skip
    events = [
        Event(id=f"q{n}", source="t", subject=subject_of(q), data=q, occurred_at=first + timedelta(days=n),
              recorded_at=first + timedelta(days=n))
        for n, q in enumerate(quotes)
    ]  # fmt: skip
    made = score_document(RiskQuestions(events, as_of=at(0)), "terbium", home="US")
    assert made["synthetic"] is True
    assert made["factors"]["price_stress"]["value"] is not None
    assert made["factors"]["policy"]["value"] is None, "no measure was ever seen"


RUNNER = CliRunner()


def test_risk_show_prints_the_document_or_bars_and_a_table() -> None:
    """The command line over the shipped history."""
    arguments = ["risk", "show", "holmium", "--home", "JP", "--as-of", "2026-11-20", "--known-at", "2026-11-20"]
    made = msgspec.json.decode(RUNNER.invoke(app, [*arguments, "--json"]).stdout)
    assert made["score"] == score("holmium", "JP", "2026-11-20")
    shown = RUNNER.invoke(app, arguments)
    assert shown.exit_code == 0
    for text in ("holmium for JP", "█", "CN-2025-57", "lapsed", "blindness", "unknown"):
        assert text in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [["risk", "show", "kryptonite"], ["risk", "show", "graphite"], ["risk", "show", "holmium", "--home", "XX"],
     ["risk", "show", "holmium", "--from", "live", "--as-of", "2026-01-01"],
     ["risk", "show", "holmium", "--as-of", "x"], ["what-if", "nothing.jsonl"]],
)  # fmt: skip
def test_wrong_usage_ends_with_two(arguments: list[str]) -> None:
    """Exit codes are part of the surface."""
    assert RUNNER.invoke(app, arguments).exit_code == 2


def test_what_if_prints_the_differences_and_sends_nothing(tmp_path: Any) -> None:
    """As tables and as JSON; a broken line is a finding."""
    file, recorded = tmp_path / "events.jsonl", tmp_path / "recorded.jsonl"
    file.write_bytes(encode_event(hypothetical()[0]))
    recorded.write_bytes(b"\n".join(encode_event(event) for event in load_history("policy")))
    arguments = ["what-if", str(file), "--as-of", "2026-11-20", "--home", "US", "--from", str(recorded)]
    made = msgspec.json.decode(RUNNER.invoke(app, [*arguments, "--json"]).stdout)
    assert {row["home"] for row in made["scores"]} == {"US"}
    shown = RUNNER.invoke(app, arguments).stdout
    for text in ("nothing was sent", "lapsed_unconfirmed", "holmium", "Alerts that would not come"):
        assert text in shown
    assert RUNNER.invoke(app, ["what-if", str(file), "--home", "XX"]).exit_code == 2
    file.write_bytes(b"{")
    assert RUNNER.invoke(app, arguments).exit_code == 1
