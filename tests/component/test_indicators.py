"""`monazite indicators` over the shipped history: nine claims, each with its data or with why there are none."""

import json
from typing import Any

from typer.testing import CliRunner

from deploy.cli.main import app
from streams.assess.assess_core import AssessCore
from streams.contracts.codec import decode_event
from streams.contracts.events import Event, subject_of
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.policy import StandardPublished
from streams.contracts.provenance import Provenance
from streams.contracts.topics import partition_of
from streams.domain.article_claims import CLAIMS
from streams.runtime.stage_ports import InMemoryStateStore
from tests.support.legal import admitted, at


def ask(*options: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["indicators", "--json", *options])
    assert done.exit_code == 0, done.output
    return {claim["indicator"]: claim for claim in json.loads(done.output)}


def about(claim: dict[str, Any], entity: str) -> dict[str, Any]:
    return next(each for each in claim["data"] if each["about"] == entity)


def test_each_claim_has_its_data_or_says_why_not() -> None:
    """A claim without data is no claim that fails: it is unknown, with the reason."""
    claims = ask("--as-of", "2026-10-08")
    assert list(claims) == list(CLAIMS)
    for claim in claims.values():
        assert claim["claim"]
        assert claim["says"]
        assert claim["data"] or claim["missing"]
        assert (claim["last_seen"] is not None) == bool(claim["data"])
    assert claims["purity"]["says"] == "unknown: grade: no table by supplier exists"


def test_the_delay_runs_until_its_legal_end_and_is_open_after_it() -> None:
    """2026-10-08 and 2026-11-11, with the claim beside it; before the announcement there is nothing to delay."""
    before, after = ask("--as-of", "2026-10-08"), ask("--as-of", "2026-11-11")
    assert about(before["one-year-delay"], "CN-2025-57")["verdict"] == "holds"
    lapsed = about(after["one-year-delay"], "CN-2025-57")
    assert lapsed["verdict"] == "open"
    assert "no instrument seen" in lapsed["summary"]
    assert "2027-01-10" in lapsed["summary"]
    assert ask("--as-of", "2025-06-01")["one-year-delay"]["data"] == []


def test_figures_carry_source_edition_and_age() -> None:
    """EU 2023: all dysprosium is processed in China; USGS: 69% of mines."""
    share = ask("--as-of", "2026-10-08")["processing-share"]
    dysprosium, mines = about(share, "dysprosium/separation"), about(share, "rare-earth-oxides/mining")
    assert (dysprosium["verdict"], dysprosium["figures"][0]["value"]) == ("holds", 1.0)
    assert dysprosium["figures"][0]["vintage"] == "EU CRM study 2023"
    assert mines["verdict"] == "does_not_hold"
    assert (mines["figures"][0]["reference_period"], mines["age_days"]) == ("2025", 221)
    assert mines["sources"][0].startswith("USGS")


def test_an_end_use_names_the_sources_behind_it_and_two_different_examples() -> None:
    """Exposures are spread from scores, which name events and not sources; homes alike say the same once."""
    uses = ask("--as-of", "2026-10-08")["end-uses"]
    assert all(each["sources"] for each in uses["data"] if each["causes"])
    examples = uses["says"].partition("(")[2].rpartition(")")[0].split("; ")
    assert len(set(examples)) == len(examples) == 2


def test_us_output_is_asked_as_known_on_a_day() -> None:
    """3.3% for compounds and 18.9% for mines in 2025; in 2025 the edition before said 0.5% and 16.7% of 2024."""
    now, then = ask("--as-of", "2026-10-08")["us-output"], ask("--known-at", "2025-12-31")["us-output"]
    words = [about(now, f"rare-earth-oxides/{stage}") for stage in ("separation", "mining")]
    assert [each["verdict"] for each in words] == ["holds", "does_not_hold"]
    assert [round(100 * each["figures"][0]["value"], 1) for each in words] == [3.3, 18.9]
    earlier = [about(then, f"rare-earth-oxides/{stage}")["figures"][0] for stage in ("separation", "mining")]
    assert [round(100 * each["value"], 1) for each in earlier] == [0.5, 16.7]
    assert {each["vintage"] for each in earlier} == {"MCS 2025"}


def test_the_only_western_heavy_circuit_makes_a_fifth_of_its_nameplate() -> None:
    """62 t of Dy and Tb in a year (docs/domain.md 2)."""
    plant = about(ask("--as-of", "2026-10-08")["no-progress"], "kuantan-hre-circuit/dysprosium-terbium")
    assert plant["verdict"] == "holds"
    assert {figure["name"]: figure["value"] for figure in plant["figures"]}["actual_tonnes"] == 62


def test_people_get_a_table() -> None:
    """Claim, what the data say, when last seen, age, editions."""
    done = CliRunner().invoke(app, ["indicators", "--as-of", "2026-10-08", "--known-at", "2026-10-08"])
    assert done.exit_code == 0, done.output
    assert "what the data say" in done.output
    assert "MCS 2026" in done.output


def test_a_standard_is_said_once_by_the_home_of_its_issuer() -> None:
    """Policy goes to every partition; one speaks, and a repeat says nothing."""
    data = StandardPublished(standard="GB-1", issuer="SAC", title="Magnets", provenance=Provenance(source="s"))
    event = Event(id="e", source="t", subject=subject_of(data), occurred_at=at(0), recorded_at=at(0), data=data)
    told = []
    for number in range(3):
        core = AssessCore(partition=number, partitions=3, store=InMemoryStateStore())
        outputs = [*core.process(admitted(event)).outputs, *core.process(admitted(event)).outputs]
        told.append([decoded for raw in outputs if isinstance(decoded := decode_event(raw).data, IndicatorAssessed)])
    home = partition_of("SAC", partitions=3)
    assert [len(each) for each in told] == [int(number == home) for number in range(3)]
    assert told[home][0].indicator == "standards"
