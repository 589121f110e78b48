"""Scores as of any day, as known on any day: the answer of `risk show`, from a list of events.

Figures count when they were published by the day asked about and recorded by the day of knowledge; measures are
assessed as `measures status` does, at noon of their own zone. Figures go through the assessors of the assess core, so
what they find here is what they find live.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any

import msgspec

from streams.assess.assess_core import AssessCore
from streams.assess.assessors.assessor import Assessor, Result
from streams.assess.assessors.registry import ASSESSORS
from streams.assess.assessors.score_assessor import ScoreBasis, Scores
from streams.contracts.assessments import MeasureAssessed
from streams.contracts.codec import encode_event
from streams.contracts.events import Event, Tick, family_of
from streams.contracts.materials import MATERIALS
from streams.contracts.records import Segment
from streams.domain.policy.measure_status import StatusQuestions, When
from streams.domain.score.exposure import ComponentGraph, Exposure
from streams.domain.score.material_score import MaterialScores, score_facts, shown_inputs
from streams.domain.score.score import Score
from streams.domain.score.score_parameters import ScoreParameters
from streams.reference.component_graph import load_component_graph
from streams.reference.score_parameter_file import load_score_parameters
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from streams.view.risk_document import risk_document


class RiskQuestionError(ValueError):
    """A question that has no answer, or an event that the road would refuse; the message says which."""


class _EvidenceOnly(Scores):
    """Keeps evidence and scores nothing: who asks wants one instant."""

    def _ask_for_minute(self, context: Any, material: str, now: datetime) -> Result:
        return ()

    def on_measures_changed(self, context: Any, changed: Sequence[MeasureAssessed], now: datetime) -> Result:
        """Follow nothing: measures are asked for at their own noon."""
        return ()


_ASSESSORS: tuple[Assessor, ...] = (*(s for s in ASSESSORS if not isinstance(s, Scores)), _EvidenceOnly())


def instant_of(when: When) -> datetime:
    """Return the instant that a day means for figures: noon UTC; an instant means itself."""
    return when if isinstance(when, datetime) else datetime.combine(when, time(12), tzinfo=UTC)


def end_of(day: date) -> datetime:
    """Return the last instant of a day, UTC."""
    return datetime.combine(day, time.max, tzinfo=UTC)


def _by(at: datetime, when: When | None) -> bool:
    """Tell whether something was there on a day (all of it, UTC) or at an instant; `None`: always."""
    if when is None:
        return True
    return at <= when if isinstance(when, datetime) else at.astimezone(UTC).date() <= when


class RiskQuestions:
    """Events folded once, as known on a day, that can be asked about scores and exposures as of a day.

    `known_at` `None`: everything counts that the events tell. Raises `RiskQuestionError` for an event that the road
    would refuse.
    """

    def __init__(
        self,
        events: Iterable[Event],
        *,
        as_of: When,
        known_at: When | None = None,
        parameters: ScoreParameters | None = None,
        graph: ComponentGraph | None = None,
    ) -> None:
        told = sorted((e for e in events if not isinstance(e.data, Tick)), key=lambda event: event.recorded_at)
        self.as_of = as_of
        self.known_at = known_at
        self.parameters = parameters or load_score_parameters()
        self.graph = graph or load_component_graph()
        self._status = StatusQuestions(told)
        self._store = _folded([e for e in told if _by(e.recorded_at, known_at)], as_of)

    @cached_property
    def measures(self) -> list[MeasureAssessed]:
        """Every measure that had begun, as of the day, as known on the day."""
        return self._status.assess_all(as_of=self.as_of, known_at=self.known_at)

    @cached_property
    def _told_at(self) -> Mapping[str, datetime]:
        return {
            measure.measure: told
            for measure in self.measures
            if (told := self._status.told_at(measure.measure, known_at=self.known_at)) is not None
        }

    def scores(self, material: str) -> MaterialScores:
        """Return the scores of a material, home by home. Raises `RiskQuestionError` for what is no material."""
        if material not in MATERIALS:
            raise RiskQuestionError(f"{material!r} is no material")
        at = instant_of(self.as_of)
        return MaterialScores(
            material,
            pieces=ScoreBasis(self._store, material, at=at).pieces,
            parameters=self.parameters,
            at=at,
            measures=[m for m in self.measures if material in m.materials],
            seen_any=bool(self.measures),
            told_at=self._told_at,
        )

    def score(self, material: str, *, home: str) -> Score:
        """Return the score of a material for a home. Raises `RiskQuestionError` for an unknown one of either."""
        if home not in self.parameters.homes:
            raise RiskQuestionError(f"{home!r} is no home; there are {', '.join(self.parameters.homes)}")
        return self.scores(material).of(home)

    def exposures(self, *, home: str) -> dict[str, Exposure]:
        """Return the exposure of each end use through the material that exposes it most."""
        worst: dict[str, Exposure] = {}
        for material in MATERIALS:
            for found in self.graph.exposures(material, score_ratio=self.score(material, home=home).score_ratio):
                held = worst.get(found.node)
                if held is None or found.exposure_ratio > held.exposure_ratio:
                    worst[found.node] = found
        return worst


def _folded(told: Sequence[Event], as_of: When) -> InMemoryStateStore:
    """Live through the figures, and the measures known by then, up to the instant asked about."""
    store = InMemoryStateStore()
    core = AssessCore(partition=0, partitions=1, store=store, assessors=_ASSESSORS)
    chosen = [
        event
        for event in told
        if _by(event.recorded_at if family_of(event.type) == "policy" else event.occurred_at, as_of)
        and family_of(event.type) in ("policy", "price", "capacity")
    ]
    raws = [msgspec.Raw(encode_event(event)) for event in chosen]
    segment = Segment(topic="recorded", partition=0, offset=0, indexes=range(len(raws)), events=raws)
    outcome = core.process(Admitted(position=0, segments=[segment], ticks=[instant_of(as_of)]))
    for refused in outcome.dead_letters:
        raise RiskQuestionError(f"{refused.reason} at {refused.field}: {refused.detail}")
    return store


def score_document(questions: RiskQuestions, material: str, *, home: str) -> dict[str, Any]:
    """Return the JSON of `risk show` for a material and a home, with every input and the exposures it causes."""
    score = questions.score(material, home=home)
    facts, missing = score_facts(score)
    inputs = shown_inputs(score, most=None)
    document = risk_document(
        material,
        home=home,
        facts=facts,
        inputs=inputs,
        missing=missing,
        at=instant_of(questions.as_of),
        synthetic=any(each.synthetic for each in inputs),
    )
    document["as_of"] = _text(questions.as_of)
    document["known_at"] = _text(questions.known_at)
    document["exposures"] = [
        {"end_use": each.node, "exposure": each.exposure_ratio, "path": list(each.path)}
        for each in questions.graph.exposures(material, score_ratio=score.score_ratio)
    ]
    return document


def _text(when: date | datetime | None) -> str | None:
    return None if when is None else when.isoformat()
