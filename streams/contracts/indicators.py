"""Indicators of the article: what was claimed, and what the data say of it, figure by figure."""

from datetime import datetime
from typing import Literal

import msgspec

from streams.contracts.assessments import Fact

Verdict = Literal["holds", "does_not_hold", "open", "unknown"]
"""`open`: the data neither bear the claim out nor contradict it; `unknown`: there are no data."""


class IndicatorFigure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure beside a claim: `value` in `unit` (`None`: unknown), of which period, in which edition."""

    name: str
    value: Fact
    unit: str
    reference_period: str | None = None
    vintage: str | None = None


class IndicatorAssessed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the data say, at `at`, about one claim for one entity (`about`: a stage of a material, a plant, a measure).

    `indicator` names the claim (`article_claims.CLAIMS`), `summary` says it in one sentence. Materials live
    in different partitions, so a claim about many of them is the set of the latest events about each. `missing` says
    what is not known and why; `causes` and `sources` are those of the assessment it was read off.
    """

    indicator: str
    about: str
    at: datetime
    claim: str
    verdict: Verdict
    summary: str
    figures: tuple[IndicatorFigure, ...] = ()
    missing: tuple[str, ...] = ()
    synthetic: bool = False
    causes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
