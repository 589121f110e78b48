"""What a scoring worker shows of scores: rows of the read view, gauges, and the console's document of a material."""

from datetime import UTC, datetime

from alerts.console.shapes import material_rows
from streams.agents.scoring_worker import supply_figures, view_slice
from streams.assess.assess_core import AssessCore, decode_state, encode_state
from streams.assess.assessors.last_scores import last_scores
from streams.reference import load_history
from streams.runtime.owned_partitions import OwnedPartition
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from streams.runtime.watermark import InputClock
from tests.support.legal import admitted
from tests.support.stores import recovered

STORE = InMemoryStateStore()
CORE = AssessCore(partition=0, partitions=1, store=STORE)
CORE.process(admitted(*load_history()))
CORE.process(Admitted(position=1, ticks=[datetime(2026, 10, 8, 12, tzinfo=UTC)]))
OWNED = OwnedPartition(
    stage="assess", partition=0, state=STORE, position=1, progress=1, key_count=1, clock=InputClock()
)


def test_the_read_view_has_the_last_score_of_every_material_and_home() -> None:
    """One row an entity: it is replaced, not added to."""
    shown = view_slice(OWNED)
    gallium = shown.risks["score|gallium|US|"]
    of_gallium = [r for r in last_scores(OWNED.state) if (r.material, r.home) == ("gallium", "US")]
    assert gallium.facts["score_ratio"] == max(of_gallium, key=lambda r: r.at).facts["score_ratio"]
    assert {r.aspect for r in shown.risks.values()} == {"score"}


def test_scores_read_back_from_the_changelog_are_those_that_were_sent() -> None:
    """They are kept compactly, with the inputs that homes share kept once."""
    restored = recovered(STORE, encode=encode_state, decode=decode_state)
    sent = {(each.material, each.home): each for each in last_scores(STORE)}
    assert len(sent) > 200
    assert {(each.material, each.home): each for each in last_scores(restored)} == sent


def test_the_console_gives_a_score_in_the_shape_of_risk_show() -> None:
    """`risk show --from live` prints what the console answers."""
    rows = {row["material"]: row for row in material_rows(view_slice(OWNED).risks.values())}
    score = next(each for each in rows["gallium"]["scores"] if each["home"] == "US")
    assert abs(sum(score["contributions"].values()) - score["score"]) <= 1e-12
    assert score["factors"]["concentration"]["inputs"][0]["vintage"] == "MCS 2026"
    assert score["interval"][0] <= score["score"] <= score["interval"][1]
    assert score["causes"]


def test_supply_figures_are_those_held_as_evidence() -> None:
    """World shares and concentration by stage, reliance by home."""
    figures = {(each.material, each.stage, each.home): each for each in supply_figures(OWNED)}
    world = figures["gallium", "refining", None]
    assert world.hhi_ratio is not None
    assert world.hhi_ratio > 0.9
    assert world.top_share_ratio is not None
    assert figures["gallium", "refining", "US"].import_reliance_ratio == 1.0
    assert figures["tungsten", "refining", "US"].import_reliance_ratio is None, "known as more than 50% only"
