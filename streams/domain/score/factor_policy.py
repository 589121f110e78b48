"""Policy factor: the legal state of every measure on a material, whom it aims at, and how near its next change is.

Each export control is a stress: severity of its kind x what its legal state leaves of it x how much of the home's
demand its targets reach. Controls add up as `1 - prod(1 - stress)`, so a second control never lowers the factor and a
ban that is suspended still weighs something. The near end of a suspension raises the factor day by day (days of the
instrument's own zone); `lapsed_unconfirmed` weighs more than the last day of a suspension, as a risk of its own: what
holds then is not known, so its interval reaches from "still suspended" to "in force".
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from math import prod

import msgspec

from streams.contracts.assessments import LegalState, MeasureAssessed
from streams.contracts.dates import days_left, instant_at
from streams.contracts.policy import Targets
from streams.domain.policy.licences import STRICTER_CHECKS_ONLY
from streams.domain.score.readings import Input, Reading
from streams.domain.score.score_parameters import Home, PolicyScale


def reach_ratio(targets: Targets | None, *, home: str, homes: Mapping[str, Home], scale: PolicyScale) -> float:
    """Return the share of a home's demand that targets hit, 0..1.

    Targets the source does not give count as all; a scope without countries may mean this home, so it counts as naming
    it. A ban that names other countries only is 0 here.
    """
    if targets is None or targets.scope == "all":
        return scale.reach["all"].ratio
    hit = not targets.countries or any(_is_home(code, home, homes) for code in targets.countries)
    return scale.reach[targets.scope].ratio if hit else 0.0


def _is_home(code: str, home: str, homes: Mapping[str, Home]) -> bool:
    """Tell whether a code means the home: itself, a member of it, or a union that it is a member of."""
    if code == home:
        return True
    own, other = homes.get(home), homes.get(code)
    return (own is not None and code in own.members) or (other is not None and home in other.members)


def next_change_on(measure: MeasureAssessed) -> date | None:
    """Return the day on which the legal state changes by itself, `None` where none is named."""
    if measure.state is LegalState.ANNOUNCED:
        return measure.effective_on
    return measure.legal_end if measure.state is LegalState.SUSPENDED else None


def _weeks_or_days(left: int, scale: PolicyScale) -> int:
    """Return days left as they count: whole weeks begun, and days in the last fortnight."""
    return left if left <= scale.daily_days_count else -(-left // 7) * 7


def pressure_ratio(measure: MeasureAssessed, *, at: datetime, scale: PolicyScale) -> float:
    """Return how near the next change is: 0 at the horizon and beyond, 1 on its day and after it."""
    day = next_change_on(measure)
    if day is None:
        return 0.0
    left = _weeks_or_days(days_left(day, at=at, zone=measure.zone), scale)
    return min(1.0, max(0.0, 1.0 - left / scale.horizon_days_count))


def next_pressure_at(measure: MeasureAssessed, *, at: datetime, scale: PolicyScale) -> datetime | None:
    """Return the next local midnight at which the pressure of a measure changes, UTC; `None` where none will."""
    day = next_change_on(measure)
    if day is None:
        return None
    left = days_left(day, at=at, zone=measure.zone)
    if left <= 0:
        return None
    if left > scale.horizon_days_count:
        following = scale.horizon_days_count // 7 * 7
    elif left > scale.daily_days_count:
        following = max((left - 1) // 7 * 7, scale.daily_days_count)
    else:
        following = left - 1
    return instant_at(day - timedelta(days=following), time.min, zone=measure.zone)


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """An export control on a material as it stands, before it is asked whom it reaches.

    `severity_ratio` is that of its kind; `left_ratio`, and its ends, what its legal state leaves of it.
    """

    measure: MeasureAssessed
    severity_ratio: float
    left_ratio: float
    low_ratio: float
    high_ratio: float
    said: str


def act_behind(measure: MeasureAssessed) -> str | None:
    """Return the id of the newest act behind a state; statements stand beside a state and are not behind it."""
    claims = {end.claim for end in measure.claimed_ends}
    return next((cause for cause in reversed(measure.causes) if cause not in claims), None)


def _severity_ratio(measure: MeasureAssessed, material: str, scale: PolicyScale) -> float | None:
    if (measure.measure, material) in STRICTER_CHECKS_ONLY:
        return scale.stricter_checks.ratio
    severity = scale.kinds.get(measure.kind)
    return None if severity is None else severity.ratio


def controls_on(material: str, measures: Iterable[MeasureAssessed], *, scale: PolicyScale) -> list[Control]:
    """Return the measures that control a material, each as it stands at its `at`, in order of their ids."""
    found = []
    for measure in sorted(measures, key=lambda each: each.measure):
        severity = _severity_ratio(measure, material, scale)
        state = scale.states.get(measure.state.value)
        if severity is None or state is None or material not in measure.materials:
            continue
        left = state.far + (state.near - state.far) * pressure_ratio(measure, at=measure.at, scale=scale)
        found.append(
            Control(
                measure=measure,
                severity_ratio=severity,
                left_ratio=left,
                said=_said(measure),
                low_ratio=left if state.low is None else state.low,
                high_ratio=left if state.high is None else state.high,
            )
        )
    return found


def _input(
    control: Control, *, home: str, homes: Mapping[str, Home], scale: PolicyScale, told_at: datetime | None
) -> Input | None:
    """Return the stress of a control for a home; `None` where it does not reach it."""
    measure = control.measure
    reach = reach_ratio(measure.targets, home=home, homes=homes, scale=scale)
    if reach == 0.0 or _is_home(measure.measure.partition("-")[0], home, homes):
        return None
    known = measure.targets is not None and (measure.targets.scope == "all" or bool(measure.targets.countries))
    whole = control.severity_ratio * reach
    return Input(
        name="measure",
        of=measure.measure,
        low=control.severity_ratio,
        high=control.severity_ratio,
        low_stress_ratio=whole * control.low_ratio if known else 0.0,
        stress_ratio=whole * control.left_ratio,
        high_stress_ratio=whole * control.high_ratio,
        said=control.said,
        source=f"{measure.issuer}, {measure.instrument}",
        reference_period=measure.effective_on.isoformat() if measure.effective_on else None,
        published_at=told_at,
        event=act_behind(measure),
    )


def _said(measure: MeasureAssessed) -> str:
    """Say in words what holds, until when, and for whom."""
    day = next_change_on(measure)
    words = [measure.kind.replace("_", " "), measure.state.value.replace("_", " ")]
    if day is not None:
        left = days_left(day, at=measure.at, zone=measure.zone)
        words.append(f"{'until' if measure.state is LegalState.SUSPENDED else 'effective'} {day} ({left} days)")
    elif measure.state is LegalState.LAPSED_UNCONFIRMED and measure.legal_end is not None:
        words.append(f"suspension ended {measure.legal_end}, nothing seen since")
    aimed = measure.targets
    if aimed is not None and aimed.scope != "all":
        words.append(f"{aimed.scope.replace('_', ' ')} {', '.join(aimed.countries)}".strip())
    return ", ".join(words)


def policy_reading(
    controls: Iterable[Control],
    *,
    home: str,
    homes: Mapping[str, Home],
    scale: PolicyScale,
    told_at: Mapping[str, datetime] | None = None,
    seen_any: bool = True,
) -> Reading:
    """Read the policy factor of a home off the controls on a material.

    No control reads 0; `seen_any` false (the measure book is empty) reads unknown. `told_at`: when a measure was last
    told of, by id.
    """
    if not seen_any:
        return Reading(value=None, low=0.0, high=1.0, blind_ratio=1.0, unseen=("measures: none has been seen",))
    told = told_at or {}
    inputs = [
        found
        for each in controls
        if (found := _input(each, home=home, homes=homes, scale=scale, told_at=told.get(each.measure.measure)))
    ]
    value, low, high = (
        1.0 - prod([1.0 - (getattr(each, end) or 0.0) for each in inputs])
        for end in ("stress_ratio", "low_stress_ratio", "high_stress_ratio")
    )
    inputs.sort(key=lambda each: (-(each.stress_ratio or 0.0), each.of))
    return Reading(value=value, low=min(low, value), high=max(high, value), blind_ratio=0.0, inputs=tuple(inputs))
