"""The life of an alert as one table: state, verdict, guard -> state, reason. The first row that matches counts.

The diagram in the README is generated from it (`mermaid`), and a test compares them. No row leads from an unknown
verdict to ok: a gap never resolves an alert. What the policies `ok` and `alert` make of missing facts is decided
before the table is asked (`life.under_policy`); they never touch an alert that fires.
"""

from dataclasses import dataclass
from enum import StrEnum

from alerts.lifecycle.evaluation import Verdict
from streams.contracts.alert import AlertState

OK, PENDING, FIRING = AlertState.OK, AlertState.PENDING, AlertState.FIRING
CLEARING, NO_DATA = AlertState.CLEARING, AlertState.NO_DATA
STALE, ERROR = AlertState.STALE, AlertState.ERROR


GAPS = (Verdict.UNKNOWN, Verdict.STALE, Verdict.ERROR)
"""Verdicts that say nothing about the condition."""


class Guard(StrEnum):
    """What must hold besides state and verdict; all are about the alert, the evaluation and the instant."""

    ALWAYS = "always"
    WAITS = "the rule has a `for`"
    HELD = "met for all of `for`"
    KEEPS = "the rule has a `keep_firing_for`"
    KEPT = "over for all of `keep_firing_for`"
    EXPIRED = "news older than `resolve_after`"
    HIGHER = "a higher step"
    LOWER = "a lower step"
    LOWER_KEPT = "a lower step for all of `keep_firing_for`"
    NEW_OCCASION = "another occasion"
    FLAPS = "it flaps"
    KEEPS_MISSING = "`missing: keep`"
    REPEATS = "a repeat is due and nobody has acknowledged"


class Reason(StrEnum):
    """Why an alert went where it went."""

    CONDITION_MET = "condition_met"
    WAITING = "waiting_out_for"
    HELD_LONG_ENOUGH = "met_for_long_enough"
    NOT_MET = "not_met"
    STEPPED_UP = "stepped_up"
    STEPPED_DOWN = "stepped_down"
    WAITING_TO_STEP_DOWN = "waiting_to_step_down"
    OCCASION_CHANGED = "occasion_changed"
    REPEATED = "repeated"
    UNCHANGED = "unchanged"
    CONDITION_OVER = "condition_over"
    WAITING_TO_CLEAR = "waiting_to_clear"
    CLEAR_LONG_ENOUGH = "clear_for_long_enough"
    MET_AGAIN = "met_again"
    NEWS_AGED = "news_aged"
    FACTS_UNKNOWN = "facts_unknown"
    KEPT_THROUGH_GAP = "kept_through_gap"
    FACTS_STALE = "facts_stale"
    EVALUATION_FAILED = "evaluation_failed"
    DAMPED = "damped"
    RULE_REMOVED = "rule_removed"
    RULE_CHANGED = "rule_changed"
    OVER_LIMIT = "over_limit"
    WITHIN_LIMIT = "within_limit"


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One row of the table."""

    state: AlertState
    verdict: Verdict
    guard: Guard
    to: AlertState
    reason: Reason


def _starts(state: AlertState) -> tuple[TransitionRow, ...]:
    return (
        TransitionRow(state, Verdict.MET, Guard.WAITS, PENDING, Reason.WAITING),
        TransitionRow(state, Verdict.MET, Guard.ALWAYS, FIRING, Reason.CONDITION_MET),
    )


def _gaps(state: AlertState) -> tuple[TransitionRow, ...]:
    """What missing facts make of an alert that does not fire."""
    kept = [
        TransitionRow(state, v, Guard.KEEPS_MISSING, PENDING, Reason.KEPT_THROUGH_GAP)
        for v in (Verdict.UNKNOWN, Verdict.STALE)
        if state is PENDING
    ]
    return (
        *kept,
        TransitionRow(state, Verdict.UNKNOWN, Guard.ALWAYS, NO_DATA, Reason.FACTS_UNKNOWN),
        TransitionRow(state, Verdict.STALE, Guard.ALWAYS, STALE, Reason.FACTS_STALE),
        TransitionRow(state, Verdict.ERROR, Guard.ALWAYS, ERROR, Reason.EVALUATION_FAILED),
    )


def _after_gap(state: AlertState) -> tuple[TransitionRow, ...]:
    return (
        *_starts(state),
        TransitionRow(state, Verdict.CLEAR, Guard.ALWAYS, OK, Reason.NOT_MET),
        TransitionRow(state, Verdict.HOLD, Guard.ALWAYS, OK, Reason.NOT_MET),
        *_gaps(state),
    )


TRANSITIONS: tuple[TransitionRow, ...] = (
    *_starts(OK),
    TransitionRow(OK, Verdict.CLEAR, Guard.ALWAYS, OK, Reason.NOT_MET),
    TransitionRow(OK, Verdict.HOLD, Guard.ALWAYS, OK, Reason.NOT_MET),
    *_gaps(OK),
    TransitionRow(PENDING, Verdict.MET, Guard.HELD, FIRING, Reason.HELD_LONG_ENOUGH),
    TransitionRow(PENDING, Verdict.MET, Guard.ALWAYS, PENDING, Reason.WAITING),
    TransitionRow(PENDING, Verdict.CLEAR, Guard.ALWAYS, OK, Reason.NOT_MET),
    TransitionRow(PENDING, Verdict.HOLD, Guard.ALWAYS, OK, Reason.NOT_MET),
    *_gaps(PENDING),
    TransitionRow(FIRING, Verdict.MET, Guard.HIGHER, FIRING, Reason.STEPPED_UP),
    TransitionRow(FIRING, Verdict.MET, Guard.LOWER_KEPT, FIRING, Reason.STEPPED_DOWN),
    TransitionRow(FIRING, Verdict.MET, Guard.NEW_OCCASION, FIRING, Reason.OCCASION_CHANGED),
    TransitionRow(FIRING, Verdict.MET, Guard.EXPIRED, OK, Reason.NEWS_AGED),
    TransitionRow(FIRING, Verdict.MET, Guard.REPEATS, FIRING, Reason.REPEATED),
    TransitionRow(FIRING, Verdict.MET, Guard.LOWER, FIRING, Reason.WAITING_TO_STEP_DOWN),
    TransitionRow(FIRING, Verdict.MET, Guard.ALWAYS, FIRING, Reason.UNCHANGED),
    TransitionRow(FIRING, Verdict.CLEAR, Guard.FLAPS, CLEARING, Reason.DAMPED),
    TransitionRow(FIRING, Verdict.CLEAR, Guard.KEEPS, CLEARING, Reason.WAITING_TO_CLEAR),
    TransitionRow(FIRING, Verdict.CLEAR, Guard.ALWAYS, OK, Reason.CONDITION_OVER),
    TransitionRow(FIRING, Verdict.HOLD, Guard.EXPIRED, OK, Reason.NEWS_AGED),
    TransitionRow(FIRING, Verdict.HOLD, Guard.ALWAYS, FIRING, Reason.UNCHANGED),
    *(TransitionRow(FIRING, gap, Guard.ALWAYS, FIRING, Reason.KEPT_THROUGH_GAP) for gap in GAPS),
    TransitionRow(CLEARING, Verdict.MET, Guard.LOWER, FIRING, Reason.WAITING_TO_STEP_DOWN),
    TransitionRow(CLEARING, Verdict.MET, Guard.ALWAYS, FIRING, Reason.MET_AGAIN),
    TransitionRow(CLEARING, Verdict.CLEAR, Guard.KEPT, OK, Reason.CLEAR_LONG_ENOUGH),
    TransitionRow(CLEARING, Verdict.CLEAR, Guard.ALWAYS, CLEARING, Reason.WAITING_TO_CLEAR),
    TransitionRow(CLEARING, Verdict.HOLD, Guard.ALWAYS, FIRING, Reason.MET_AGAIN),
    *(TransitionRow(CLEARING, gap, Guard.ALWAYS, FIRING, Reason.KEPT_THROUGH_GAP) for gap in GAPS),
    *_after_gap(NO_DATA),
    *_after_gap(STALE),
    *_after_gap(ERROR),
)

ROWS_OF = {
    (state, verdict): tuple(r for r in TRANSITIONS if (r.state, r.verdict) == (state, verdict))
    for state in AlertState
    for verdict in Verdict
}


def mermaid() -> str:
    """Draw the table as a Mermaid state diagram; rows that stay where they are are left out unless they notify."""
    told = {Reason.STEPPED_UP, Reason.STEPPED_DOWN, Reason.OCCASION_CHANGED, Reason.REPEATED}
    lines = ["stateDiagram-v2", "    [*] --> ok"]
    for row in TRANSITIONS:
        if row.state != row.to or row.reason in told:
            guard = "" if row.guard is Guard.ALWAYS else f", {row.guard.value}"
            lines.append(f"    {row.state.value} --> {row.to.value}: {row.verdict.value}{guard}")
    return "\n".join(lines)
