"""The evidence of one entity as a mutable accumulator: the newest assessment is kept aside and merged when read.

Nearly every assessment states the same figures as the one before, for a later day. Then all its figures replace the
earlier ones, and comparing the two assessments tells whether a figure left its step. Any other assessment (the first,
one with a figure more or less, a late one) is merged at once. Both paths give what `next_evidence` and
`moves_score` give assessment by assessment (`tests/property/test_evidence_at_hand.py`).
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

from streams.contracts.assessments import Fact, RiskAssessed
from streams.domain.score.evidence import (
    STRESS_STEPS,
    Evidence,
    Reading,
    figure_names,
    moves_score,
    next_evidence,
    period_of,
    read_figures,
    rhythm_of,
    stated_by,
)
from streams.domain.score.scales import step_edges
from streams.domain.score.score_parameters import ScoreParameters

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class EvidenceBuilder:
    """The evidence of one entity. `dirty`: the newest assessment is not in `held` yet; reading `held` merges it."""

    __slots__ = (
        "_at",
        "_edges",
        "_held",
        "_newest",
        "_parameters",
        "_period",
        "_readings",
        "_rhythm",
        "_synthetic",
        "_types",
        "_vintage",
        "dirty",
    )

    def __init__(self, held: Evidence | None, *, parameters: ScoreParameters) -> None:
        self.dirty = False
        self._held = held
        self._parameters = parameters
        self._newest: RiskAssessed | None = None  # told every figure that it knows; the rest is read off it
        self._at = _BEFORE_ALL
        self._period = ""
        self._vintage: Fact = None
        self._synthetic = False
        self._readings: tuple[Reading, ...] = ()
        self._types: list[type] = []
        self._rhythm = timedelta()
        self._edges: list[tuple[float, ...]] = []  # none for what is unknown

    @property
    def held(self) -> Evidence | None:
        """The evidence with every assessment merged; `None` where none counted."""
        if self.dirty:
            assert self._newest is not None
            self._held = next_evidence(self._held, self._newest) or self._held
            self.dirty = False
        return self._held

    def update(self, assessed: RiskAssessed, *, at: datetime, asked: bool = True) -> bool:
        """Add an assessment; return whether it can move a score, as `moves_score` does.

        With `asked` false the score is recomputed anyway, and the result means nothing.
        """
        newest, facts, told_at = self._newest, assessed.facts, assessed.at
        period, readings = period_of(facts), read_figures(assessed)
        if (
            newest is None
            or period is None
            or period < self._period
            or (told_at <= self._at and (period == self._period or assessed.causes == newest.causes))
            or list(map(type, readings)) != self._types
            or facts.get("vintage") != self._vintage
        ):
            return self._enter(assessed, at=at)
        moves = asked and (
            at - self._at >= self._rhythm
            or assessed.synthetic != self._synthetic
            or (readings != self._readings and self._steps_of(readings) != self._steps_of(self._readings))
        )
        self._newest, self._readings, self._period, self._at = assessed, readings, period, told_at
        self._synthetic = assessed.synthetic
        self.dirty = True
        return moves

    def _steps_of(self, readings: tuple[Reading, ...]) -> list[int]:
        return list(map(bisect_right, self._edges, readings))  # type: ignore[arg-type]

    def _enter(self, assessed: RiskAssessed, *, at: datetime) -> bool:
        held = self.held
        self._newest = None
        evidence = next_evidence(held, assessed)
        if evidence is None:
            return False
        self._held = evidence
        told, names, readings = stated_by(assessed), figure_names(assessed), read_figures(assessed)
        known = {name: reading for name, reading in zip(names, readings, strict=True) if reading is not None}
        exact = all(isinstance(reading, float) for reading in known.values())
        if known and exact and told.period is not None and all(evidence.figures[n].told == told for n in known):
            self._newest, self._readings, self._period, self._at = assessed, readings, told.period, told.at
            self._vintage, self._synthetic = assessed.facts.get("vintage"), assessed.synthetic
            self._types = list(map(type, readings))
            self._rhythm = rhythm_of(evidence, self._parameters, vintage=told.vintage)
            scales = [self._parameters.scales.get(name) if name in known else None for name in names]
            self._edges = [() if scale is None else step_edges(scale, STRESS_STEPS) for scale in scales]
        return moves_score(held, evidence, parameters=self._parameters, at=at)
