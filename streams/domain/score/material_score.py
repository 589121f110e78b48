"""The scores of one material at an instant, from its evidence and the measures on it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from streams.contracts.assessments import Fact, FactorInput, MeasureAssessed
from streams.domain.score.evidence import FIGURE_FACTORS, Evidence, factor_inputs
from streams.domain.score.factor_policy import controls_on, next_pressure_at, policy_reading
from streams.domain.score.readings import Input, Reading, next_staling, worst_of
from streams.domain.score.score import Score, score_of
from streams.domain.score.score_parameters import FACTORS, Factor, ScoreParameters

SHOWN_INPUTS = 4
"""Inputs a factor shows on the log, the weightiest first; a question (`risk show`) shows all of them."""

_MISSING = {
    Factor.CONCENTRATION: "supply shares: none reported",
    Factor.IMPORT_RELIANCE: "import reliance: none reported for this home",
    Factor.PRICE_STRESS: "prices: no change over 30 observations, volatility or premium is known",
    Factor.SUPPLY_STRESS: "trade volumes, outages, slips: none reported",
    Factor.THIN_COVER: "own stocks and licences: none reported",
}


_NAMES = tuple((f, f"{f.value}_contribution_ratio", f"{f.value}_factor_ratio") for f in FACTORS)

SCORE_FACTS = ("score_ratio", "score_low_ratio", "score_high_ratio", *(n for _, *names in _NAMES for n in names))
"""Facts of a score, in their order."""


class MaterialScores:
    """The scores of one material at an instant; what does not depend on the home is read once.

    `measures` are assessed at `at`. `seen_any` false: no measure was ever seen, so policy is unknown rather than free.
    `told_at`: when a measure was last told of, by id.
    """

    def __init__(
        self,
        material: str,
        *,
        pieces: Iterable[Evidence],
        measures: Iterable[MeasureAssessed],
        parameters: ScoreParameters,
        at: datetime,
        seen_any: bool = True,
        told_at: Mapping[str, datetime] | None = None,
    ) -> None:
        self._parameters = parameters
        self._at = at
        self._seen_any = seen_any
        self._told_at = told_at
        self._controls = controls_on(material, measures, scale=parameters.policy)
        by_home: dict[str | None, list[Evidence]] = {}
        for piece in pieces:
            by_home.setdefault(piece.home, []).append(piece)
        self._inputs = factor_inputs(by_home.pop(None, ()), parameters=parameters)
        self._own = {home: factor_inputs(found, parameters=parameters) for home, found in by_home.items()}
        self._readings = {f: self._reading(f, self._inputs.get(f, [])) for f in FIGURE_FACTORS}
        self._alike: list[tuple[Reading, Score]] = []

    def _reading(self, factor: Factor, inputs: list[Input]) -> Reading:
        return worst_of(inputs, at=self._at, unseen=() if inputs else (_MISSING[factor],))

    def of(self, home: str) -> Score:
        """Return the score for a home; figures of other homes do not enter."""
        own = self._own.get(home, {})
        policy = policy_reading(
            self._controls,
            home=home,
            homes=self._parameters.homes,
            scale=self._parameters.policy,
            told_at=self._told_at,
            seen_any=self._seen_any,
        )
        if not own:  # homes of which nothing of their own is known differ by policy only, and mostly not by that
            for known, score in self._alike:
                if known == policy:
                    return score
        readings = {
            Factor.POLICY: policy,
            **self._readings,
            **{f: self._reading(f, [*self._inputs.get(f, []), *inputs]) for f, inputs in own.items()},
        }
        score = score_of(readings, self._parameters.weights)
        if not own:
            self._alike.append((policy, score))
        return score

    def next_change_at(self) -> datetime | None:
        """Return the next instant at which a score changes by time alone, `None` where none will.

        A midnight while an end is near, or an input that goes stale. Changes of legal states are not among them: who
        follows measures is told of those.
        """
        scale = self._parameters.policy
        instants = [next_pressure_at(each.measure, at=self._at, scale=scale) for each in self._controls]
        instants += [
            next_staling(found, after=self._at)
            for inputs in (self._inputs, *self._own.values())
            for found in inputs.values()
        ]
        return min((instant for instant in instants if instant is not None), default=None)


def score_facts(score: Score) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of a score and what is missing: names of unknown facts first, then the inputs unseen.

    Ratios in 0..1, unrounded, so that contributions add up to the score.
    """
    facts: dict[str, Fact] = {
        "score_ratio": score.score_ratio,
        "score_low_ratio": score.low_ratio,
        "score_high_ratio": score.high_ratio,
    }
    for factor, contribution, ratio in _NAMES:
        facts[contribution] = score.contributions[factor]
        facts[ratio] = score.readings[factor].value
    unseen = [
        text for factor, reading in score.readings.items() if factor is not Factor.BLINDNESS for text in reading.unseen
    ]
    return facts, (*(name for name, value in facts.items() if value is None), *unseen)


def shown_inputs(score: Score, *, most: int | None = SHOWN_INPUTS) -> tuple[FactorInput, ...]:
    """Return the inputs of each factor, the weightiest first, at most `most` of a factor (`None`: all)."""
    return tuple(
        FactorInput(
            factor=factor.value,
            name=each.name,
            of=each.of,
            low=each.low,
            high=each.high,
            stress_ratio=each.stress_ratio,
            said=each.said,
            source=each.source,
            reference_period=each.reference_period,
            vintage=each.vintage,
            published_at=each.published_at,
            event=each.event,
            synthetic=each.synthetic,
        )
        for factor, each in weightiest_inputs(score, most=most)
    )


def weightiest_inputs(score: Score, *, most: int | None = SHOWN_INPUTS) -> Iterator[tuple[Factor, Input]]:
    """Go through the inputs that are shown, in their order."""
    return ((factor, each) for factor in FACTORS for each in score.readings[factor].inputs[:most])
