"""Score: what the other assessors found and the measures on a material become its score, and the exposure of end uses.

When a material is scored anew depends on events and event time only:
- a measure that changes its state, by an event or by time: at once;
- any other finding whose stress leaves its step of a twentieth, that is the first of its kind, or that answers a stale
  one: at the next full minute of event time, so that a price costs one entry and not a score;
- time alone: at the next midnight of the measure's zone while an end is near, and when an input goes stale.

A score is sent when it leaves its step of a hundredth, when an end of its interval or a factor leaves its step of a
twentieth, when a factor becomes known, or with an exposure that leaves its step of a fiftieth; the edges of the steps
include the thresholds 0.6 and 0.8. What is sent is not rounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from math import floor

import msgspec

from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result, TimerRequest
from streams.assess.assessors.evidence_cache import (
    EvidenceCache,
    ScoredMaterial,
    held_evidence,
    scored_key,
    scored_material,
)
from streams.assess.assessors.last_scores import LastScore, LastScores, ScoreInputs
from streams.contracts.assessments import ExposureAssessed, Fact, MeasureAssessed, RiskAssessed
from streams.contracts.materials import MATERIALS
from streams.domain.score.evidence import Evidence, StatedFigures
from streams.domain.score.exposure import ComponentGraph
from streams.domain.score.factor_policy import act_behind
from streams.domain.score.material_score import MaterialScores, score_facts, shown_inputs
from streams.domain.score.score import Score
from streams.domain.score.score_parameters import FACTORS, ScoreParameters
from streams.reference.component_graph import load_component_graph
from streams.reference.score_parameter_file import load_score_parameters
from streams.runtime.stage_ports import StateStore

SCORE_STEPS = 100
OTHER_STEPS = 20
EXPOSURE_STEPS = 50
CAUSES_KEPT = 20
_MINUTE = timedelta(minutes=1)
_EDGE = 1e-9
"""A value within this of the edge of a step counts as having reached it: 0.6 must not fall short by a rounding."""


class MeasureReach(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The materials that a measure named when it was last followed."""

    materials: tuple[str, ...]


class RescoreDue(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A material waits for the full minute to be scored anew."""

    at: datetime


_ANY_MEASURE = b"scored-any"


def step_of(value: float | None, *, steps: int) -> int | None:
    """Return the number of the step that a ratio lies in, of `steps` to 1; `None` for an unknown one."""
    return None if value is None else floor(value * steps + _EDGE)


def _steps_of(score: Score) -> tuple[int | None, ...]:
    rest = [score.low_ratio, score.high_ratio, *[score.readings[factor].value for factor in FACTORS]]
    return (step_of(score.score_ratio, steps=SCORE_STEPS), *[step_of(value, steps=OTHER_STEPS) for value in rest])


class Scores(Assessor):
    """Keep evidence and scores of the materials of a partition."""

    name = "score"
    takes = ()
    keeps = (Evidence, ScoredMaterial, MeasureReach, RescoreDue, LastScore, ScoreInputs)

    def __init__(self, *, parameters: ScoreParameters | None = None, graph: ComponentGraph | None = None) -> None:
        self._given = parameters, graph

    @cached_property
    def parameters(self) -> ScoreParameters:
        """The weights and scales; read when they are first needed, since importing does nothing."""
        return self._given[0] or load_score_parameters()

    @cached_property
    def graph(self) -> ComponentGraph:
        """The component graph; read when it is first needed."""
        return self._given[1] or load_component_graph()

    def on_assessment(self, context: PartitionContext, finding: Assessment, now: datetime) -> Result:
        """Keep what counts of a finding and ask for the next full minute."""
        if self._evidence(context).update(finding, now):
            assert isinstance(finding.data, RiskAssessed)
            return self._ask_for_minute(context, finding.data.material, now)
        return ()

    def flush(self, context: PartitionContext) -> None:
        """Put what was heard into the store."""
        self._evidence(context).flush()

    def _evidence(self, context: PartitionContext) -> EvidenceCache:
        desk: EvidenceCache | None = context.at_hand.get(EvidenceCache)
        if desk is None:
            desk = context.at_hand[EvidenceCache] = EvidenceCache(context.store, parameters=self.parameters)
        return desk

    def _ask_for_minute(self, context: PartitionContext, material: str, now: datetime) -> Result:
        key, asked = b"rescore/" + material.encode(), self._evidence(context).asked
        due: RescoreDue | None = context.store.get(key)
        if due is not None and due.at > now:
            asked[material] = due.at
            return ()
        at = asked[material] = now.replace(second=0, microsecond=0) + _MINUTE
        context.store.put(key, RescoreDue(at=at))
        return (TimerRequest(name=f"minute/{material}", at=at),)

    def on_measures_changed(
        self, context: PartitionContext, changed: Sequence[MeasureAssessed], now: datetime
    ) -> Result:
        """Score the materials here that the changed measures name, or named before."""
        touched: set[str] = set()
        store = context.store
        if store.get(_ANY_MEASURE) is None:
            store.put(_ANY_MEASURE, MeasureReach(materials=()))
        for measure in changed:
            key = b"reach/" + measure.measure.encode()
            before: MeasureReach | None = store.get(key)
            materials = tuple(m for m in measure.materials if m in MATERIALS and context.is_home_of(m))
            if before is None or before.materials != materials:
                store.put(key, MeasureReach(materials=materials))
            touched |= {*materials, *(before.materials if before else ())}
            for material in materials:
                known = scored_material(store, material)
                if measure.measure not in known.measures:
                    entries = tuple(sorted({*known.measures, measure.measure}))
                    store.put(scored_key(material), msgspec.structs.replace(known, measures=entries))
        causes = tuple(dict.fromkeys(cause for each in changed if (cause := act_behind(each)) is not None))
        for material in sorted(touched):
            yield from self._rescore(context, material, now, causes)

    def on_timer(self, context: PartitionContext, name: str, at: datetime) -> Result:
        """Score the material whose minute is full, or for which time has come."""
        kind, _, material = name.partition("/")
        if kind == "minute":
            context.store.delete(b"rescore/" + material.encode())
        return self._rescore(context, material, at, ())

    def _rescore(
        self, context: PartitionContext, material: str, at: datetime, causes: tuple[str, ...]
    ) -> Iterator[Assessment | TimerRequest]:
        self._evidence(context).flush()
        basis = ScoreBasis(context.store, material, at=at)
        scores = basis.scores(self.parameters)
        memory = LastScores(context.store, material)
        made = [(home, scores.of(home)) for home in self.parameters.homes]
        for home, score in made:
            yield from self._found(memory, home, score, basis, causes)
        memory.close(tuple(self.parameters.homes))
        yield TimerRequest(name=f"time/{material}", at=scores.next_change_at())

    def _found(
        self, memory: LastScores, home: str, score: Score, basis: "ScoreBasis", causes: tuple[str, ...]
    ) -> Iterator[Assessment]:
        material, last = basis.material, memory.last(home)
        steps, exposures = _steps_of(score), self._exposures(material, score)
        if last is not None and last.steps == steps and last.exposures == exposures:
            return
        at = basis.at
        told = basis.told_since(last.at if last else None, home=home)
        inputs = shown_inputs(score)
        # What time alone changed has no new event behind it: then the events that it was read off are named.
        behind = (*causes, *told) or tuple(each.event for each in inputs if each.event is not None)
        causes = tuple(dict.fromkeys(behind))[:CAUSES_KEPT]
        facts, missing = score_facts(score)
        data = RiskAssessed(
            material=material,
            aspect="score",
            at=at,
            home=home,
            facts=facts,
            missing=missing,
            causes=causes,
            synthetic=basis.is_synthetic(home),
            inputs=inputs,
        )
        yield Assessment(name=f"score/{material}/{home}", data=data)
        for reached in self.graph.reach(material):
            if last is None or last.exposures.get(reached.node) != exposures[reached.node]:
                exposure_ratio = score.score_ratio * reached.exposure_ratio
                facts = exposure_facts(self.graph, reached.node, material, exposure_ratio)
                found = ExposureAssessed(
                    end_use=reached.node,
                    at=at,
                    facts=facts,
                    path=reached.path,
                    causes=causes,
                    material=material,
                    home=home,
                    synthetic=data.synthetic,
                )
                yield Assessment(name=f"exposure/{reached.node}/{material}/{home}", data=found)
        memory.keep(data, score, steps=steps, exposures=exposures)

    def _exposures(self, material: str, score: Score) -> dict[str, int]:
        """Return the steps that the exposures of end uses through a material lie in."""
        return {
            reached.node: floor(score.score_ratio * reached.exposure_ratio * EXPOSURE_STEPS + _EDGE)
            for reached in self.graph.reach(material)
        }


def exposure_facts(graph: ComponentGraph, end_use: str, material: str, exposure_ratio: float) -> dict[str, Fact]:
    """Return the facts of an exposure through a material; `materials_count` is of all that reach the end use."""
    return {
        "exposure_ratio": exposure_ratio,
        "top_material": material,
        "materials_count": float(len(graph.materials_of(end_use))),
    }


class ScoreBasis:
    """What a material is scored from at an instant, read off a store: its evidence, and the measures on it."""

    def __init__(self, store: StateStore, material: str, *, at: datetime) -> None:
        self.at = at
        self.material = material
        self.pieces = held_evidence(store, material)
        names = scored_material(store, material).measures
        assessed = (store.get(b"assessed/" + name.encode()) for name in names)
        self.measures = [msgspec.structs.replace(each.assessed, at=at) for each in assessed if each is not None]
        self.seen_any = store.get(_ANY_MEASURE) is not None

    def scores(self, parameters: ScoreParameters) -> MaterialScores:
        """Return the scores, home by home."""
        return MaterialScores(
            self.material,
            pieces=self.pieces,
            measures=self.measures,
            parameters=parameters,
            at=self.at,
            seen_any=self.seen_any,
        )

    def _told(self, home: str) -> Iterable[StatedFigures]:
        for piece in self.pieces:
            if piece.home in (None, home):
                for held in piece.figures.values():
                    yield held.told

    def told_since(self, since: datetime | None, *, home: str) -> list[str]:
        """Return the events of the figures recorded after an instant (`None`: all), the newest first.

        Who says so stands with each input: a score is nobody's word, so it names no sources of its own.
        """
        found = sorted({(told.at, told.event) for told in self._told(home) if told.event}, reverse=True)
        return [event for at, event in found if since is None or at > since]

    def is_synthetic(self, home: str) -> bool:
        """Tell whether made-up figures are among the evidence."""
        return any(told.synthetic for told in self._told(home))
