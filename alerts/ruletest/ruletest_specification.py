"""The shape of a rule test file, for people and for its JSON Schema; in the spirit of promtool's test files."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.rules.rule_specification import GroupSpec, RuleId
from streams.contracts.alert import AlertState, Severity
from streams.contracts.events import PAYLOADS, PREFIX

Instant = Annotated[
    str | int, Field(description="offset from the start (5d, 1d12h, 0), date, or RFC 3339 instant", examples=["5d"])
]
Step = Annotated[str, Field(pattern=r"^\d{1,5}(mo|d|h|m|s)$", examples=["1d", "1mo"])]
Value: TypeAlias = str | float | bool | None
Samples = Annotated[
    str | float | bool | list[str | float | bool | None],
    Field(description="'1+2x5 _x3 stale' as in promtool, or a list", examples=["100x29 126 _x3 stale"]),
]
EventType = Annotated[
    str, Field(description="event type, with or without org.monazite. and .v1", examples=["price.quoted"])
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class EventSpec(_Strict):
    """One event from outside, short: `provenance` is added where the type needs it and none is given."""

    at: Instant = Field(description="when it is recorded, which is when the road sees it")
    type: EventType
    data: dict[str, Any]
    id: str | None = Field(default=None, description="default: its place in the test")
    source: str = "rule-test"
    time: Instant | None = Field(default=None, description="when it happened (default: when it is recorded)")


class CloudEventSpec(BaseModel):
    """One event from outside as it would be sent: a CloudEvent in structured mode, `recordedtime` included."""

    model_config = ConfigDict(extra="allow", frozen=True)
    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    recordedtime: str
    data: dict[str, Any]


class SeriesSpec(_Strict):
    """A series of events (`event`), or of facts as assess would state them (`on`), one sample a step."""

    event: EventType | None = None
    data: dict[str, Any] = Field(
        default_factory=dict, description="the rest of each event; {date}, {month} and {year} are those of the sample"
    )
    on: str | None = Field(default=None, description="kind of entity: price, trade, capacity, supply, ...")
    material: str = "dysprosium"
    home: str | None = None
    end_use: str | None = Field(default=None, description="with `on: exposure`")
    labels: dict[str, str] = Field(default_factory=dict)
    sources: tuple[str, ...] = Field(default=(), description="who says it, for rules of kind absence")
    synthetic: bool = False
    values: dict[str, Samples] = Field(min_length=1, description="field or fact to its samples")
    from_: Instant = Field(default=0, alias="from", description="instant of the first sample")
    interval: Step | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "SeriesSpec":
        if (self.event is None) == (self.on is None):
            raise ValueError("give either `event` (through assess) or `on` (facts, past assess)")
        if self.on is not None and self.data:
            raise ValueError("`data` belongs to `event`; facts are named in `values`, identity in `labels`")
        return self


class SubscriptionSpec(_Strict):
    """Who is told what; the same fields as `monazite subscriptions add`."""

    id: str
    at: Instant = 0
    materials: tuple[str, ...] = ()
    severity: Severity = "info"
    rules: tuple[str, ...] = ()
    withdrawn: bool = False


class SilenceCase(_Strict):
    """Notices of matching alerts are held between two instants."""

    id: str = "silence"
    at: Instant = 0
    matchers: dict[str, str] = Field(min_length=1)
    from_: Instant = Field(alias="from")
    to: Instant
    withdrawn: bool = False


class AcknowledgementSpec(_Strict):
    """Somebody takes the one open alert of a rule that has these labels."""

    at: Instant
    rule: RuleId
    labels: dict[str, str] = Field(default_factory=dict)
    by: str = "ada"
    withdrawn: bool = False


class ExpectedAlert(_Strict):
    """An open alert; what is not named is not compared, labels and values may be some of those it has."""

    rule: RuleId | None = None
    state: AlertState = AlertState.FIRING
    severity: Severity | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    step: str | None = None
    occasion: str | None = None
    summary: str | None = Field(default=None, description="the whole summary")
    says: tuple[str, ...] = Field(default=(), description="texts that summary or description hold")
    values: dict[str, Value] = Field(default_factory=dict)
    thresholds: dict[str, Value] = Field(default_factory=dict)


class AlertsCheck(_Strict):
    """All alerts that are open (not ok) at an instant, of one rule or of all; an empty list: none."""

    at: Instant
    rule: RuleId | None = None
    expect: tuple[ExpectedAlert, ...] = ()


class ExpectedChange(_Strict):
    """One line of the alert log."""

    at: Instant
    rule: RuleId | None = None
    from_: AlertState | None = Field(default=None, alias="from")
    to: AlertState
    severity: Severity | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    step: str | None = None
    occasion: str | None = None
    summary: str | None = None
    says: tuple[str, ...] = ()
    values: dict[str, Value] = Field(default_factory=dict)
    thresholds: dict[str, Value] = Field(default_factory=dict)


class ExpectedNotice(_Strict):
    """One notice to a subscription."""

    at: Instant
    to: str = Field(description="id of the subscription")
    rule: RuleId | None = None
    reason: Literal["firing", "resolved"] = "firing"
    severity: Severity | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    summary: str | None = None
    says: tuple[str, ...] = ()


class RuleTestSpec(_Strict):
    """One test: what comes in, and what must be seen."""

    name: str = Field(min_length=1, max_length=200, description="a sentence")
    why: str = Field(default="", description="the reason the test is there")
    start: str | int | None = Field(default=None, description="instant of the start (default 2026-01-01T00:00:00Z)")
    interval: Step | None = Field(default=None, description="step of series and ticks (default 1d)")
    until: Instant | None = Field(default=None, description="end of the test (default: the last thing it names)")
    events: tuple[EventSpec | CloudEventSpec, ...] = ()
    series: tuple[SeriesSpec, ...] = ()
    subscriptions: tuple[SubscriptionSpec, ...] = ()
    silences: tuple[SilenceCase, ...] = ()
    acknowledgements: tuple[AcknowledgementSpec, ...] = ()
    alerts: tuple[AlertsCheck, ...] = ()
    changes: tuple[ExpectedChange, ...] | None = Field(default=None, description="the whole alert log, in order")
    about: tuple[RuleId, ...] = Field(default=(), description="rules that the checks look at (default: as the file)")
    notifications: tuple[ExpectedNotice, ...] | None = Field(default=None, description="all notices, in order")

    @model_validator(mode="after")
    def _checks_something(self) -> "RuleTestSpec":
        if not self.alerts and self.changes is None and self.notifications is None:
            raise ValueError("checks nothing: give `alerts`, `changes` or `notifications`")
        return self


class RuleTestFileSpec(_Strict):
    """A rule test file: the rules under test, what is common to all tests, and the tests."""

    rule_files: tuple[str, ...] = Field(
        default=(), description="rule files or directories, relative to this file; `shipped` is the rules we ship"
    )
    about: tuple[RuleId, ...] = Field(default=(), description="rules that the checks look at (default: all)")
    groups: tuple[GroupSpec, ...] = Field(default=(), description="rules written here, as in a rule file")
    start: str | int = "2026-01-01T00:00:00Z"
    interval: Step = "1d"
    events: tuple[EventSpec | CloudEventSpec, ...] = ()
    series: tuple[SeriesSpec, ...] = ()
    tests: tuple[RuleTestSpec, ...] = Field(min_length=1, max_length=1_000)

    @model_validator(mode="after")
    def _has_rules(self) -> "RuleTestFileSpec":
        if not self.rule_files and not self.groups:
            raise ValueError("names no rules: give `rule_files` or `groups`")
        return self


def rule_test_schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule test file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RuleTestFileSpec.model_json_schema()}


def event_type(text: str) -> str:
    """Return the full name of an event type given in short. Raise `ValueError` with those that exist."""
    name = text if text.startswith(PREFIX) else PREFIX + text
    for candidate in (name, f"{name}.v1"):
        if candidate in PAYLOADS:
            return candidate
    known = ", ".join(n.removeprefix(PREFIX).removesuffix(".v1") for n in PAYLOADS)
    raise ValueError(f"{text!r} is no event type; they are: {known}")
