"""Properties of the score: range, exact sum, monotone in each factor, and a gap never lowers it."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.score.readings import Input, Reading, worst_of
from streams.domain.score.score import Score, score_of
from streams.domain.score.score_parameters import Factor, Weight
from tests.support.legal import T0
from tests.support.scores import UNKNOWN

RATIOS = st.floats(min_value=0.0, max_value=1.0)
SLACK = 1e-12
OTHERS = [factor for factor in Factor if factor is not Factor.BLINDNESS]


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """Draw a reading: unknown, or a value in an interval with some staleness."""
    if draw(st.booleans()):
        return UNKNOWN
    low, value, high = sorted(draw(st.tuples(RATIOS, RATIOS, RATIOS)))
    return Reading(value=value, low=low, high=high, blind_ratio=draw(st.sampled_from((0.0, 0.5, 1.0))))


WEIGHTS = st.fixed_dictionaries(
    {f: st.floats(0.001, 0.999).map(lambda w: Weight(weight_ratio=w, because="drawn")) for f in Factor}
)
SETS = st.fixed_dictionaries({f: readings() for f in OTHERS})


@given(SETS, WEIGHTS)
def test_scores_and_contributions_stay_in_range_and_add_up(
    read: dict[Factor, Reading], w: dict[Factor, Weight]
) -> None:
    """0 <= low <= score <= high <= 1; contributions are not negative and add up to the score to 1e-12."""
    score: Score = score_of(read, w)
    assert -SLACK <= score.low_ratio <= score.score_ratio <= score.high_ratio <= 1.0
    assert all(share >= 0.0 for share in score.contributions.values())
    assert abs(sum(score.contributions.values()) - score.score_ratio) <= SLACK


@given(SETS, WEIGHTS, st.sampled_from(OTHERS), RATIOS)
def test_a_worse_factor_never_lowers_the_score(
    read: dict[Factor, Reading], w: dict[Factor, Weight], factor: Factor, value: float
) -> None:
    """With all else fixed; blindness is a factor of its own and held by its inputs."""
    if read[factor].value is None or value < (read[factor].value or 0.0):
        return
    worse = msgspec.structs.replace(read[factor], value=value, high=max(value, read[factor].high))
    assert score_of({**read, factor: worse}, w).score_ratio >= score_of(read, w).score_ratio - SLACK


@given(SETS, WEIGHTS, st.sampled_from(OTHERS))
def test_a_gap_in_a_calm_factor_never_lowers_the_score_nor_narrows_its_interval(
    read: dict[Factor, Reading], w: dict[Factor, Weight], factor: Factor
) -> None:
    """Not knowing a factor is never better than knowing that it is calm."""
    calm = Reading(value=0.0, low=0.0, high=0.0, blind_ratio=0.0)
    seen, gap = score_of({**read, factor: calm}, w), score_of({**read, factor: UNKNOWN}, w)
    assert gap.score_ratio >= seen.score_ratio - SLACK
    assert gap.high_ratio >= seen.high_ratio - SLACK
    assert gap.low_ratio <= seen.low_ratio + SLACK


INPUTS = st.lists(
    st.builds(
        lambda value, spread, age, known: Input(
            name="figure", of="series", low=value if known else None, high=value if known else None,
            low_stress_ratio=value * spread if known else None, stress_ratio=value if known else None,
            published_at=T0 - timedelta(days=age), rhythm=timedelta(days=30),
        ),
        RATIOS, RATIOS, st.integers(0, 90), st.booleans(),
    ),
    max_size=5,
)  # fmt: skip


@given(INPUTS, SETS, WEIGHTS, st.sampled_from(OTHERS), st.integers(0, 400))
def test_a_source_that_falls_silent_never_lowers_the_score(
    inputs: list[Input], read: dict[Factor, Reading], w: dict[Factor, Weight], factor: Factor, days: int
) -> None:
    """Time passes and nothing new comes: held values stand, staleness only adds."""
    now = score_of({**read, factor: worst_of(inputs, at=T0)}, w)
    later = score_of({**read, factor: worst_of(inputs, at=T0 + timedelta(days=days))}, w)
    assert later.score_ratio >= now.score_ratio - SLACK
    assert later.high_ratio >= now.high_ratio - SLACK


@given(INPUTS, SETS, WEIGHTS, st.sampled_from(OTHERS))
def test_a_figure_that_is_withheld_never_lowers_the_score(
    inputs: list[Input], read: dict[Factor, Reading], w: dict[Factor, Weight], factor: Factor
) -> None:
    """A newer edition that withholds a figure stands beside the figure that is held, and changes nothing."""
    withheld = Input(name="figure", of="series", said="withheld", published_at=T0, rhythm=timedelta(days=30))
    without = score_of({**read, factor: worst_of(inputs, at=T0)}, w)
    with_gap = score_of({**read, factor: worst_of([*inputs, withheld], at=T0)}, w)
    assert with_gap.score_ratio >= without.score_ratio - SLACK


@given(INPUTS)
def test_the_order_of_inputs_does_not_matter(inputs: list[Input]) -> None:
    """A reading is a function of the set of its inputs."""
    turned = worst_of(reversed(inputs), at=T0)
    straight = worst_of(inputs, at=T0)
    assert (turned.value, turned.low, turned.high, turned.blind_ratio) == (
        straight.value, straight.low, straight.high, straight.blind_ratio,
    )  # fmt: skip
