"""The legal state machine of a measure as a table; the diagram in the README is drawn from it."""

from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from streams.contracts.assessments import LegalState

S = LegalState


class Trigger(StrEnum):
    """What can happen to a measure. Every pair of state and trigger has an entry in `TRANSITIONS`."""

    PUBLISHED = "published"
    """An act that announces or imposes it is published."""
    TAKES_EFFECT = "takes_effect"
    """The day of effect of an act that was published before any suspension or repeal."""
    REIMPOSED = "reimposed"
    """The day of effect of an act that was published after the suspension or the repeal."""
    SUSPENDED = "suspended"
    EXTENDED = "extended"
    """A suspension, or a term, gets a new end."""
    LIFTED = "lifted"
    """The suspending instrument is repealed after the measure's day of effect."""
    LIFTED_EARLY = "lifted_early"
    """The suspending instrument is repealed before the measure's day of effect."""
    SUSPENSION_PASSED = "suspension_passed"
    """The suspension's last day is over and no instrument that follows it has been seen."""
    TERM_PASSED = "term_passed"
    """The last day of the measure's own term is over."""
    REPEALED = "repealed"


T = Trigger

TRANSITIONS: MappingProxyType[LegalState, MappingProxyType[Trigger, LegalState]] = MappingProxyType(
    {
        state: MappingProxyType(row)
        for state, row in {
            S.UNKNOWN: {
                T.PUBLISHED: S.ANNOUNCED,
                T.TAKES_EFFECT: S.IN_FORCE,
                T.REIMPOSED: S.IN_FORCE,
                T.SUSPENDED: S.SUSPENDED,
                T.EXTENDED: S.SUSPENDED,
                T.LIFTED: S.IN_FORCE,
                T.LIFTED_EARLY: S.UNKNOWN,
                T.SUSPENSION_PASSED: S.LAPSED_UNCONFIRMED,
                T.TERM_PASSED: S.EXPIRED,
                T.REPEALED: S.REPEALED,
            },
            S.ANNOUNCED: {
                T.PUBLISHED: S.ANNOUNCED,
                T.TAKES_EFFECT: S.IN_FORCE,
                T.REIMPOSED: S.IN_FORCE,
                T.SUSPENDED: S.SUSPENDED,
                T.EXTENDED: S.ANNOUNCED,
                T.LIFTED: S.ANNOUNCED,
                T.LIFTED_EARLY: S.ANNOUNCED,
                T.SUSPENSION_PASSED: S.ANNOUNCED,
                T.TERM_PASSED: S.EXPIRED,
                T.REPEALED: S.REPEALED,
            },
            S.IN_FORCE: {
                T.PUBLISHED: S.IN_FORCE,
                T.TAKES_EFFECT: S.IN_FORCE,
                T.REIMPOSED: S.IN_FORCE,
                T.SUSPENDED: S.SUSPENDED,
                T.EXTENDED: S.IN_FORCE,
                T.LIFTED: S.IN_FORCE,
                T.LIFTED_EARLY: S.IN_FORCE,
                T.SUSPENSION_PASSED: S.IN_FORCE,
                T.TERM_PASSED: S.EXPIRED,
                T.REPEALED: S.REPEALED,
            },
            S.SUSPENDED: {
                T.PUBLISHED: S.SUSPENDED,
                T.TAKES_EFFECT: S.SUSPENDED,
                T.REIMPOSED: S.IN_FORCE,
                T.SUSPENDED: S.SUSPENDED,
                T.EXTENDED: S.SUSPENDED,
                T.LIFTED: S.IN_FORCE,
                T.LIFTED_EARLY: S.ANNOUNCED,
                T.SUSPENSION_PASSED: S.LAPSED_UNCONFIRMED,
                T.TERM_PASSED: S.EXPIRED,
                T.REPEALED: S.REPEALED,
            },
            S.LAPSED_UNCONFIRMED: {
                T.PUBLISHED: S.LAPSED_UNCONFIRMED,
                T.TAKES_EFFECT: S.LAPSED_UNCONFIRMED,
                T.REIMPOSED: S.IN_FORCE,
                T.SUSPENDED: S.SUSPENDED,
                T.EXTENDED: S.SUSPENDED,
                T.LIFTED: S.IN_FORCE,
                T.LIFTED_EARLY: S.ANNOUNCED,
                T.SUSPENSION_PASSED: S.LAPSED_UNCONFIRMED,
                T.TERM_PASSED: S.EXPIRED,
                T.REPEALED: S.REPEALED,
            },
            S.REPEALED: {
                T.PUBLISHED: S.ANNOUNCED,
                T.TAKES_EFFECT: S.REPEALED,
                T.REIMPOSED: S.IN_FORCE,
                T.SUSPENDED: S.REPEALED,
                T.EXTENDED: S.REPEALED,
                T.LIFTED: S.REPEALED,
                T.LIFTED_EARLY: S.REPEALED,
                T.SUSPENSION_PASSED: S.REPEALED,
                T.TERM_PASSED: S.REPEALED,
                T.REPEALED: S.REPEALED,
            },
            S.EXPIRED: {
                T.PUBLISHED: S.ANNOUNCED,
                T.TAKES_EFFECT: S.EXPIRED,
                T.REIMPOSED: S.IN_FORCE,
                T.SUSPENDED: S.EXPIRED,
                T.EXTENDED: S.IN_FORCE,
                T.LIFTED: S.EXPIRED,
                T.LIFTED_EARLY: S.EXPIRED,
                T.SUSPENSION_PASSED: S.EXPIRED,
                T.TERM_PASSED: S.EXPIRED,
                T.REPEALED: S.REPEALED,
            },
        }.items()
    }
)
"""State and trigger to the next state; a state that maps to itself is not moved by that trigger."""


def next_state(state: LegalState, trigger: Trigger) -> LegalState:
    """Return the state that follows."""
    return TRANSITIONS[state][trigger]


def mermaid_diagram(direction: Literal["TB", "LR"] = "LR") -> str:
    """Draw the table as a Mermaid state diagram; entries that move nothing are left out."""
    moves: dict[tuple[LegalState, LegalState], list[str]] = {}
    for state, row in TRANSITIONS.items():
        for trigger, target in row.items():
            if target is not state:
                moves.setdefault((state, target), []).append(trigger.value.replace("_", " "))
    lines = ["stateDiagram-v2", f"    direction {direction}"]
    lines += [f"    {a} --> {b}: {', '.join(triggers)}" for (a, b), triggers in moves.items()]
    return "\n".join(lines) + "\n"
