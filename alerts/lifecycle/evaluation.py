"""What a rule says about an entity at an instant, and what is remembered of its alert: plain immutable values."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from streams.contracts.alert import AlertState, Severity
from streams.contracts.assessments import Fact


class Verdict(StrEnum):
    """What an evaluation found. `hold`: neither met nor, by `resolve_when`, over. `unknown`: facts are missing."""

    MET = "met"
    CLEAR = "clear"
    HOLD = "hold"
    UNKNOWN = "unknown"


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a ladder: its name, severity, and its rank within the ladder, higher is worse."""

    step: str
    severity: Severity
    rank: int


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Result of one rule for one entity.

    `level` is set when the verdict is met. `occasion` names what it is about (an end, a value of the `occasion`
    facts); a new one is news. `repeat` counts the daily repeats after a passed deadline. `next_at` is when time alone
    changes this result, `None` for never. The rest explains it.
    """

    verdict: Verdict
    level: Level | None = None
    occasion: str = ""
    repeat: int = 0
    next_at: datetime | None = None
    values: dict[str, Fact] = msgspec.field(default_factory=dict)
    thresholds: dict[str, Fact] = msgspec.field(default_factory=dict)
    materials: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    texts: dict[str, str] = msgspec.field(default_factory=dict)
    synthetic: bool = False


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of a rule: `for_` before it fires, `keep_firing_for` before it ends, `resolve_after` ends news."""

    for_: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    resolve_after: timedelta | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="alert"):
    """What is remembered of one alert (rule and entity).

    `waiting_since`: since when it is pending, clearing, or waiting to step down. `evaluation` is the last one that
    mattered; `due_at` the next instant at which time alone changes something.
    """

    fingerprint: str
    rule: str
    labels: dict[str, str]
    state: AlertState = AlertState.OK
    level: Level | None = None
    occasion: str = ""
    repeat: int = 0
    fired_at: datetime | None = None
    waiting_since: datetime | None = None
    acknowledged_by: str | None = None
    evaluation: Evaluation | None = None
    due_at: datetime | None = None
