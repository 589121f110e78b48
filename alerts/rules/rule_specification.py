"""The shape of a rule file, for people and for the JSON Schema: Prometheus groups with kinds of our own."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.rules.facts import Entity
from streams.contracts.alert import Severity

Duration = Annotated[str, Field(pattern=r"^\d{1,5}(d|h|m|s)$", examples=["12h"])]
LeadText = Annotated[str, Field(pattern=r"^\d{1,3}(d|bd)$", examples=["90d", "45bd"])]
RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")]
Cel = Annotated[str, Field(min_length=1, max_length=2_000)]
LabelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
MissingPolicy = Literal["mark", "keep", "ok", "alert"]
DateName = Literal["legal_end", "claimed_end", "effective_on", "due_on"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class StepSpec(_Strict):
    """One step of a deadline's ladder: begins at local midnight, `before` the day, in days or working days."""

    before: LeadText
    severity: Severity
    calendar: Literal["issuer"] = Field(default="issuer", description="whose working days `bd` counts")


class PassedSpec(_Strict):
    """What holds after the deadline, repeated until answered. `when` must be true for it to count as passed."""

    severity: Severity
    repeat: Duration | None = None
    when: Cel | None = None


class LimitSpec(_Strict):
    """One step of a ladder: reached beyond `value`; once reached it holds until the fact is back at `resolve`, or
    until `resolve_when` is true (each step its own)."""

    value: float
    severity: Severity
    resolve: float | None = Field(default=None, description="the step ends when the fact is no longer beyond this")
    resolve_when: Cel | None = Field(default=None, description="the step ends only when this is true")


class FlapSpec(_Strict):
    """Flap damping: fired `times` within `within`, it ends only after it was over for all of `within`."""

    times: int = Field(ge=2, le=16)
    within: Duration


class AnnotationSpec(_Strict):
    """Texts for people; `{name}` and `{name:format}` are facts. `resolved` is the summary once it is over,
    `passed` the one after a deadline."""

    summary: str = Field(min_length=1, max_length=600)
    description: str = Field(default="", max_length=2_000)
    resolved: str = Field(default="", max_length=600)
    passed: str = Field(default="", max_length=600, description="summary after a deadline has passed")
    runbook: str | None = Field(default=None, max_length=200)


class _RuleSpec(_Strict):
    id: RuleId
    where: Cel | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: AnnotationSpec
    limit: int = Field(
        default=1_000,
        ge=1,
        le=100_000,
        description="alerts told at a time, in each partition, the first to come; the "
        "others are held back until there is room, and one alert says how many",
    )


class DeadlineSpec(_RuleSpec):
    """Fires on the way to a legal date, and after it."""

    kind: Literal["deadline"]
    on: Literal["measure"]
    date: DateName
    ladder: tuple[StepSpec, ...] = Field(min_length=1, max_length=32)
    passed: PassedSpec | None = None


class _TimedSpec(_RuleSpec):
    """What every kind but `deadline` has: waits, news, missing data, damping, and the limit."""

    for_: Duration = Field(default="0s", alias="for")
    keep_firing_for: Duration = "0s"
    resolve_after: Duration | None = Field(default=None, description="news: ends by itself after this time")
    flap: FlapSpec | None = None


class _FactSpec(_TimedSpec):
    """What the kinds over facts of one entity share."""

    resolve_when: Cel | None = Field(default=None, description="while firing, only this ends it (hysteresis)")
    occasion: tuple[str, ...] = Field(default=(), max_length=16, description="facts whose change is news while firing")
    missing: MissingPolicy = Field(
        default="mark",
        description="what unknown facts do: mark (state no_data), keep, ok "
        "(count as not met) or alert (count as met); none of them ends a firing alert",
    )
    missing_severity: Severity = Field(default="warning", description="severity of `missing: alert`")
    max_age: Duration | None = Field(default=None, description="facts older than this are stale")


def _check_limits(spec: "ThresholdSpec | ChangeSpec") -> None:
    limits = [spec.above, spec.below]
    if sum(x is not None for x in limits) != 1:
        raise ValueError("give exactly one of `above` and `below` with `fact`")
    _check_severity(spec, plain=any(isinstance(x, float) for x in limits))
    if any(isinstance(x, tuple) and not x for x in limits):
        raise ValueError("the ladder is empty: give at least one {value, severity}")


def _check_severity(spec: "ThresholdSpec | ChangeSpec | AbsenceSpec | CompositeSpec", *, plain: bool) -> None:
    if plain and spec.severity is None:
        raise ValueError("give `severity`: info, warning or critical")
    if not plain and spec.severity is not None:
        raise ValueError("a ladder carries the severity in each step: remove `severity`")


Ladder = Annotated[tuple[LimitSpec, ...], Field(max_length=16)]


class ThresholdSpec(_FactSpec):
    """Fires while a fact is beyond a limit (`fact` with `above` or `below`), or while a condition holds (`when`)."""

    kind: Literal["threshold"]
    on: Entity
    fact: str | None = None
    above: float | Ladder | None = None
    below: float | Ladder | None = None
    when: Cel | None = None
    severity: Severity | None = Field(default=None, description="severity of `when` or of a plain number")

    @model_validator(mode="after")
    def _one_condition(self) -> "ThresholdSpec":
        if (self.when is None) == (self.fact is None):
            raise ValueError("give either `when`, or `fact` with `above` or `below`")
        if self.when is None:
            _check_limits(self)
            return self
        if self.above is not None or self.below is not None:
            raise ValueError("`above` and `below` belong to `fact`, not to `when`")
        _check_severity(self, plain=True)
        return self


class ChangeSpec(_FactSpec):
    """Fires while the change of a fact is beyond a limit: over a number of observations, or over a time."""

    kind: Literal["change"]
    on: Entity
    fact: str
    over: Annotated[int, Field(ge=1, le=400)] | Duration = Field(description="observations (30) or a time (30d)")
    as_: Literal["absolute", "ratio", "z_score"] = Field(
        default="ratio",
        alias="as",
        description="absolute: in the unit of the fact; ratio: relative, 0.25 is +25%; z_score: standard deviations "
        "from the mean of the observations before",
    )
    observation: str | None = Field(
        default=None,
        description="fact that names an observation, such as "
        "reference_period: the same one again is a correction, not another observation",
    )
    above: float | Ladder | None = None
    below: float | Ladder | None = None
    severity: Severity | None = None

    @model_validator(mode="after")
    def _limits(self) -> "ChangeSpec":
        _check_limits(self)
        return self


class SilenceSpec(_Strict):
    """One step of an absence: how long nothing was seen."""

    value: Duration
    severity: Severity


class LearnSpec(_Strict):
    """A rhythm learned from the entity itself: `times` the median of its last `gaps`, never less than `after`."""

    times: float = Field(ge=1, le=100)
    gaps: int = Field(default=8, ge=3, le=32)


class AbsenceSpec(_TimedSpec):
    """Fires when an entity, or a source (`on: source`), was not heard of for longer than its rhythm allows."""

    kind: Literal["absence"]
    on: Entity
    after: Duration | tuple[SilenceSpec, ...] = Field(description="silence allowed; a ladder for several severities")
    rhythms: dict[str, Duration] = Field(
        default_factory=dict, max_length=500, description="for `on: source`: the silence allowed by name of the source"
    )
    learn: LearnSpec | None = None
    severity: Severity | None = None

    @model_validator(mode="after")
    def _steps(self) -> "AbsenceSpec":
        _check_severity(self, plain=isinstance(self.after, str))
        if isinstance(self.after, tuple) and not self.after:
            raise ValueError("the ladder is empty: give at least one {value, severity}")
        if self.rhythms and self.on != "source":
            raise ValueError("`rhythms` are by name of the source: they belong to `on: source`")
        return self


class CountSpec(_Strict):
    """One step of a composite: at least `count` of the rules hold."""

    count: int = Field(ge=1, le=64)
    severity: Severity


class CompositeSpec(_TimedSpec):
    """Fires while all, any or some of other rules fire, for the same entity or the same values of labels (`by`)."""

    kind: Literal["composite"]
    of: tuple[RuleId, ...] = Field(min_length=1, max_length=64, description="ids of rules of this set")
    needs: Literal["all", "any"] | Annotated[int, Field(ge=1, le=64)] | tuple[CountSpec, ...]
    by: tuple[LabelName, ...] = Field(
        default=(),
        max_length=8,
        description="labels that group the alerts; must hold material or measure; none: alerts of the very same entity",
    )
    severity: Severity | None = None
    where: None = None

    @model_validator(mode="after")
    def _steps(self) -> "CompositeSpec":
        _check_severity(self, plain=not isinstance(self.needs, tuple))
        if isinstance(self.needs, tuple) and not self.needs:
            raise ValueError("the ladder is empty: give at least one {count, severity}")
        if len(set(self.of)) < len(self.of):
            raise ValueError("names a rule twice in `of`")
        return self


class SequenceSpec(_TimedSpec):
    """Fires when `first` came true and `then` did not come true within the time."""

    kind: Literal["sequence"]
    on: Entity
    first: Cel
    then: Cel
    then_on: Entity | None = Field(default=None, description="entity kind of `then`; with it `by` is needed")
    by: tuple[LabelName, ...] = Field(
        default=(),
        max_length=8,
        description="labels that `first` and `then` share; must hold material or measure; none: the very same entity",
    )
    within: Duration
    severity: Severity
    occasion: tuple[str, ...] = Field(default=(), max_length=16, description="facts whose change starts the wait anew")

    @model_validator(mode="after")
    def _grouped(self) -> "SequenceSpec":
        if self.then_on is not None and self.then_on != self.on and not self.by:
            raise ValueError("`then_on` another entity kind needs `by`: the labels both have, such as [material]")
        return self


AnyRuleSpec: TypeAlias = DeadlineSpec | ThresholdSpec | ChangeSpec | AbsenceSpec | CompositeSpec | SequenceSpec
RuleSpec: TypeAlias = Annotated[AnyRuleSpec, Field(discriminator="kind")]


class GroupSpec(_Strict):
    """A named group of rules."""

    name: str = Field(min_length=1, max_length=80)
    rules: tuple[RuleSpec, ...] = Field(min_length=1)


class RuleFileSpec(_Strict):
    """A rule file."""

    groups: tuple[GroupSpec, ...] = Field(min_length=1)


def rule_file_schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RuleFileSpec.model_json_schema()}
