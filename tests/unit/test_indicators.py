"""What one assessment says about a claim of the article: the line of the claim, and unknown as a word of its own."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from streams.contracts.assessments import (
    ClaimedEnd,
    ExposureAssessed,
    Fact,
    LegalState,
    MeasureAssessed,
    RiskAssessed,
)
from streams.contracts.events import Tick
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.policy import StandardPublished
from streams.contracts.provenance import Provenance
from streams.domain.article_claims import CLAIMS, indicators_of, standards_set, us_output
from streams.domain.policy.issued_standards import next_standards, standards_key

AT = datetime(2026, 10, 8, tzinfo=UTC)


def risk(aspect: Any, facts: dict[str, Fact], **fields: Any) -> RiskAssessed:
    return RiskAssessed(material="yttrium", aspect=aspect, at=AT, facts=facts, **fields)


def said(assessed: Any, indicator: str) -> IndicatorAssessed:
    return next(each for each in indicators_of(assessed) if each.indicator == indicator)


def measure(state: LegalState, previous: LegalState | None = None, **fields: Any) -> MeasureAssessed:
    usual: dict[str, Any] = {"issuer": "MOFCOM+GAC", "legal_end": date(2026, 11, 10)}
    return MeasureAssessed(
        measure="CN-2025-57", at=AT, state=state, previous_state=previous, kind="licence_requirement",
        instrument="Announcement 57 of 2025", zone="Asia/Shanghai", **{**usual, **fields},
    )  # fmt: skip


def test_there_are_nine_claims() -> None:
    """The table of docs/domain.md 2."""
    assert len(CLAIMS) == 9


@pytest.mark.parametrize(
    ("state", "previous", "verdict", "words"),
    [
        (LegalState.SUSPENDED, None, "holds", "suspended until 2026-11-10"),
        (
            LegalState.LAPSED_UNCONFIRMED,
            LegalState.SUSPENDED,
            "open",
            "legal end 2026-11-10 passed, no instrument seen",
        ),
        (LegalState.IN_FORCE, LegalState.SUSPENDED, "does_not_hold", "in force"),
    ],
)
def test_the_delay_holds_while_a_suspension_runs(
    state: LegalState, previous: LegalState | None, verdict: str, words: str
) -> None:
    """After the legal end with nothing seen it is open, whatever anybody claims."""
    claim = ClaimedEnd(day=date(2027, 1, 10), speaker="US Treasury", claim="C", legal_force="statement")
    found = said(measure(state, previous, claimed_ends=(claim,)), "one-year-delay")
    assert found.verdict == verdict
    assert words in found.summary
    assert "claimed: 2027-01-10 (US Treasury)" in found.summary
    assert {figure.name: figure.value for figure in found.figures}["legal_end"] == "2026-11-10"


def test_the_delay_is_about_suspended_controls_of_china() -> None:
    """Others say nothing of the claim; an end that is not named is missing."""
    assert indicators_of(measure(LegalState.IN_FORCE)) == ()
    assert indicators_of(measure(LegalState.SUSPENDED, issuer="BIS")) == ()
    open_end = said(measure(LegalState.SUSPENDED, legal_end=None), "one-year-delay")
    assert open_end.missing == ("legal_end: the instrument names none",)
    assert "no date given" in open_end.summary


@pytest.mark.parametrize(
    ("stage", "country", "share", "verdict"),
    [
        ("separation", "CN", 0.91, "holds"),
        ("separation", "CN", 0.9, "does_not_hold"),
        ("separation", "US", 0.99, "does_not_hold"),
        ("mining", "CN", 0.69, "does_not_hold"),
        ("mining", None, None, "unknown"),
    ],
)
def test_control_of_processing_is_a_share_per_stage(
    stage: str, country: str | None, share: float | None, verdict: str
) -> None:
    """Over 90% and China's; a table that is not whole is unknown, with the reason."""
    facts: dict[str, Fact] = {
        "top_share_ratio": share,
        "top_country": country,
        "reference_period": "2025",
        "vintage": "V",
    }
    found = said(risk("supply", facts, labels={"stage": stage}, missing=("a", "shares: none")), "processing-share")
    assert found.verdict == verdict
    assert ("not a processing stage" in found.summary) == (stage == "mining" and share is not None)
    assert (found.figures[0].reference_period, found.figures[0].vintage) == ("2025", "V")
    assert found.missing == ("shares: none",)
    assert indicators_of(risk("supply", facts, labels={"stage": stage}, home="US")) == ()


@pytest.mark.parametrize(("ratio", "verdict"), [(0.033, "holds"), (0.189, "does_not_hold")])
def test_us_output_is_a_ratio_of_one_edition(ratio: float, verdict: str) -> None:
    """True for separated compounds, false for mines."""
    found = us_output(
        material="rare-earth-oxides", stage="separation", ratio=ratio, period="2025", vintage="MCS 2026", at=AT,
        causes=("e",), sources=("USGS",),
    )  # fmt: skip
    assert found.verdict == verdict
    assert f"{ratio:.1%} of China's mine output" in found.summary


PLANT = {"plant": "kuantan", "operator": "Lynas", "country": "MY", "stage": "separation"}


@pytest.mark.parametrize(
    ("ratio", "slip", "verdict"),
    [(0.21, None, "holds"), (0.9, 7.0, "holds"), (0.9, 6.0, "does_not_hold"), (None, 0.0, "does_not_hold"),
     (None, None, "unknown")],
)  # fmt: skip
def test_progress_is_output_against_nameplate_and_dates_that_hold(
    ratio: float | None, slip: float | None, verdict: str
) -> None:
    """Under half of nameplate or over six months late is no progress; neither known is unknown."""
    facts: dict[str, Fact] = {"actual_to_nameplate_ratio": ratio, "slip_months_count": slip}
    found = said(risk("capacity", facts, labels=PLANT), "no-progress")
    assert found.verdict == verdict
    assert "nameplate_tonnes_per_year: not reported" in found.missing


def test_plants_of_china_are_no_progress_elsewhere_and_no_plant_has_a_grade() -> None:
    """Purity is carried as an attribute and never guessed."""
    found = indicators_of(risk("capacity", {}, labels={**PLANT, "country": "CN"}))
    assert [each.indicator for each in found] == ["purity"]
    assert (found[0].verdict, found[0].missing) == ("unknown", ("grade: no table by supplier exists",))


@pytest.mark.parametrize(
    ("premium", "share", "verdict"),
    [(39.0, 0.005, "open"), (0.6, 0.2, "holds"), (0.6, None, "open"), (0.1, 0.2, "does_not_hold")],
)
def test_a_premium_counts_with_its_volume(premium: float, share: float | None, verdict: str) -> None:
    """European yttrium at 40 times the Chinese price on under 1% of volume is a thin market, not a proof."""
    facts: dict[str, Fact] = {"premium_ratio": premium, "premium_volume_share_ratio": share, "thin": True}
    found = said(risk("price", facts, labels={"basis": "CIF Rotterdam"}), "price-influence")
    assert found.verdict == verdict
    assert bool(found.missing) == (share is None)


def test_a_quote_without_a_premium_says_nothing() -> None:
    """Most quotes: no Chinese one to compare with."""
    assert indicators_of(risk("price", {"premium_ratio": None})) == ()
    assert indicators_of(risk("trade", {"tonnes": 1.0})) == ()
    assert indicators_of(Tick()) == ()


@pytest.mark.parametrize(("gap", "verdict"), [(400.0, "holds"), (-10.0, "does_not_hold"), (None, "unknown")])
def test_the_year_is_too_short_where_independence_comes_after_its_end(gap: float | None, verdict: str) -> None:
    """The buffer gap in days; unknown where the build-out is flat."""
    facts: dict[str, Fact] = {"buffer_gap_days_count": gap}
    found = said(risk("stock", facts, labels={"stage": "separation"}, missing=("flat",)), "one-year-is-a-warning")
    assert (found.verdict, found.about) == (verdict, "yttrium/separation")
    assert found.missing == (("flat",) if gap is None else ())
    assert said(risk("stock", facts), "one-year-is-a-warning").about == "yttrium"
    assert indicators_of(risk("stock", {})) == ()


@pytest.mark.parametrize(("value", "verdict"), [(0.3, "holds"), (0.0, "does_not_hold"), (None, "unknown")])
def test_an_end_use_is_exposed_through_a_path(value: float | None, verdict: str) -> None:
    """Any exposure is dependence; how much stands beside it."""
    exposure = ExposureAssessed(
        end_use="missile-guidance", at=AT, facts={"exposure_ratio": value}, path=("dysprosium", "magnet")
    )
    found = said(exposure, "end-uses")
    assert found.verdict == verdict
    assert "through dysprosium > magnet" in found.summary
    bare = said(ExposureAssessed(end_use="smartphones", at=AT), "end-uses")
    assert "through" not in bare.summary
    assert bare.missing == ("exposure_ratio: not known",)
    assert indicators_of(ExposureAssessed(end_use="glass", at=AT, facts={"exposure_ratio": value})) == ()


def test_standards_are_counted_and_their_influence_is_not() -> None:
    """No figures exist on who follows a standard."""
    one = StandardPublished(
        standard="GB-1", issuer="SAC", title="t", scope=("terbium",), provenance=Provenance(source="s")
    )
    known = next_standards(None, one)
    assert known is not None
    assert next_standards(known, one) is None
    assert standards_key("SAC") == b"standards/SAC"
    found = standards_set(issuer="SAC", at=AT, titles=known.standards, scope=known.scope, causes=("e",), sources=("s",))
    assert (found.verdict, found.summary) == ("open", "SAC: 1 published (terbium)")
    assert "no material named" in standards_set(issuer="x", at=AT, titles=(), scope=(), causes=(), sources=()).summary
