"""The score of a material for a home: named factors in 0..1, and contributions that add up to it.

`score = 1 - prod(1 - w_i f_i)` with weights `w_i` in (0, 1) and factors `f_i` in 0..1: a factor at its worst takes its
weight of the distance to 1 that the others leave. It never falls when a factor rises, stays in 0..1 and needs no
normalising. The contribution of a factor is its share of the logarithm,
`score * ln(1 - w_i f_i) / sum_j ln(1 - w_j f_j)`, so contributions add up to the score (to 1e-12).
"""

from collections.abc import Iterable, Mapping
from math import expm1, log1p

import msgspec

from streams.domain.score.readings import Reading
from streams.domain.score.score_parameters import FACTORS, Factor, Weight


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A score with what it is made of.

    `low_ratio` is the score if all that is unknown turned out well, `high_ratio` if badly; both 0..1, with
    `score_ratio` between them. `contributions` add up to `score_ratio`; a factor that is unknown contributes 0 itself
    and enters through blindness.
    """

    score_ratio: float
    low_ratio: float
    high_ratio: float
    contributions: dict[Factor, float]
    readings: dict[Factor, Reading]


def blend(weighted: Iterable[float]) -> float:
    """Return `1 - prod(1 - x)` of weighted factors, each in 0 to below 1."""
    return 0.0 - expm1(sum([log1p(-x) for x in weighted]))


def contributions(weighted: Mapping[Factor, float]) -> dict[Factor, float]:
    """Return what each weighted factor contributes to the blend: shares of the logarithm, which add up to it."""
    logs = {factor: log1p(-x) for factor, x in weighted.items()}
    whole = sum(logs.values())
    if whole == 0.0:
        return dict.fromkeys(logs, 0.0)
    score = -expm1(whole)
    return {factor: score * log / whole for factor, log in logs.items()}


def blindness(readings: Mapping[Factor, Reading], weights: Mapping[Factor, Weight]) -> Reading:
    """Return the blindness factor: the weighted share of the other factors that is unknown or stale.

    An unknown factor counts in full, a stale one by its staleness. Each of its inputs names a blind factor.
    """
    others = [factor for factor in readings if factor is not Factor.BLINDNESS]
    whole = sum(weights[factor].weight_ratio for factor in others)
    blind = sum(weights[factor].weight_ratio * readings[factor].blind_ratio for factor in others)
    value = blind / whole if whole else 0.0
    names = tuple(f.value for f in others if readings[f].blind_ratio > 0.0)
    return Reading(value=value, low=value, high=value, blind_ratio=0.0, unseen=names)


def score_of(readings: Mapping[Factor, Reading], weights: Mapping[Factor, Weight]) -> Score:
    """Return the score of readings of every factor but blindness, which follows from them.

    Known interval ends enter at the worse end, so a wider interval never lowers the score; what is unknown enters as
    blindness, and as the ends of the interval.
    """
    read = {**readings, Factor.BLINDNESS: blindness(readings, weights)}
    known: dict[Factor, float] = {}
    best, worst = [], []
    for factor in FACTORS:
        reading, weight = read[factor], weights[factor].weight_ratio
        known[factor] = weight * (reading.value or 0.0)
        if factor is not Factor.BLINDNESS:
            best.append(weight * reading.low)
            worst.append(weight * reading.high)
    blind = known[Factor.BLINDNESS]
    shares = contributions(known)
    score = blend(known.values())
    return Score(
        score_ratio=score,
        low_ratio=min(score, blend(best)),
        high_ratio=max(score, blend((*worst, blind))),
        contributions=shares,
        readings=read,
    )
