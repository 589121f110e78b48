"""What a rule says about an entity at an instant, and what is remembered of its alert: plain immutable values."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from streams.contracts.alert import AlertState, Severity
from streams.contracts.assessments import Fact


class Verdict(StrEnum):
    """What an evaluation found. `hold`: neither met nor, by `resolve_when`, over. `unknown`: facts are missing.

    `stale`: the facts are older than the rule's `max_age`. `error`: they are known, but evaluating them failed.
    """

    MET = "met"
    CLEAR = "clear"
    HOLD = "hold"
    UNKNOWN = "unknown"
    STALE = "stale"
    ERROR = "error"


class MissingPolicy(StrEnum):
    """What missing or stale facts do to an alert that does not fire. One that fires goes on firing under all four."""

    MARK = "mark"
    KEEP = "keep"
    OK = "ok"
    ALERT = "alert"


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


class Flap(msgspec.Struct, frozen=True, kw_only=True):
    """Flap damping: an alert that fired `times` within `within` ends only after it was over for all of `within`."""

    times: int
    within: timedelta


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How a rule waits: `for_` before it fires, `keep_firing_for` before it ends; `resolve_after` ends news.

    `max_age`: older facts are stale, `None` for never. `missing`: what missing facts do, with `missing_level` as the
    level of the policy `alert`.
    """

    for_: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    resolve_after: timedelta | None = None
    max_age: timedelta | None = None
    flap: Flap | None = None
    missing: MissingPolicy = MissingPolicy.MARK
    missing_level: Level | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="alert"):
    """What is remembered of one alert (rule and entity).

    `waiting_since`: since when it is pending, clearing, or waiting to step down. `evaluation` is the last one that
    mattered; `due_at` the next instant at which time alone changes something. `seen_at`: when its facts were last
    assessed, kept for rules with a `max_age`. `fired`: the last instants at which it began to fire, kept for flap
    damping; `damped`: it is clearing for the time that flapping takes. `suppressed_from`: over the limit of its rule,
    so its firing is not published; the state that was published last. `None` for a published alert. `at`: the instant
    of its last change, and `nth` how many of that instant were before it: events of one batch have one instant.
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
    seen_at: datetime | None = None
    fired: tuple[datetime, ...] = ()
    damped: bool = False
    suppressed_from: AlertState | None = msgspec.field(default=None, name="held_from")
    at: datetime | None = None
    nth: int = 0
