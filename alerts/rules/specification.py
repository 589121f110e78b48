"""The shape of a rule file, for people and for the JSON Schema: Prometheus groups with kinds of our own."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.rules.facts import Entity
from streams.contracts.alert import Severity

Duration = Annotated[str, Field(pattern=r"^\d{1,5}(d|h|m|s)$", examples=["12h"])]
LeadText = Annotated[str, Field(pattern=r"^\d{1,3}(d|bd)$", examples=["90d", "45bd"])]
RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")]
Cel = Annotated[str, Field(min_length=1, max_length=2_000)]
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
    """One step of a threshold's ladder."""

    value: float
    severity: Severity


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


class DeadlineSpec(_RuleSpec):
    """Fires on the way to a legal date, and after it."""

    kind: Literal["deadline"]
    on: Literal["measure"]
    date: DateName
    ladder: tuple[StepSpec, ...] = Field(min_length=1, max_length=32)
    passed: PassedSpec | None = None


class ThresholdSpec(_RuleSpec):
    """Fires while a fact is beyond a limit (`fact` with `above` or `below`), or while a condition holds (`when`)."""

    kind: Literal["threshold"]
    on: Entity
    fact: str | None = None
    above: float | tuple[LimitSpec, ...] | None = None
    below: float | tuple[LimitSpec, ...] | None = None
    when: Cel | None = None
    severity: Severity | None = Field(default=None, description="severity of `when` or of a plain number")
    for_: Duration = Field(default="0s", alias="for")
    keep_firing_for: Duration = "0s"
    resolve_when: Cel | None = Field(default=None, description="while firing, only this ends it (hysteresis)")
    resolve_after: Duration | None = Field(default=None, description="news: ends by itself after this time")
    occasion: tuple[str, ...] = Field(default=(), description="facts whose change is news while firing")

    @model_validator(mode="after")
    def _one_condition(self) -> "ThresholdSpec":
        limits = [self.above, self.below]
        if (self.when is None) == (self.fact is None):
            raise ValueError("give either `when`, or `fact` with `above` or `below`")
        if self.fact is not None and sum(x is not None for x in limits) != 1:
            raise ValueError("give exactly one of `above` and `below` with `fact`")
        if self.when is not None and any(x is not None for x in limits):
            raise ValueError("`above` and `below` belong to `fact`, not to `when`")
        plain = self.when is not None or any(isinstance(x, float) for x in limits)
        if plain and self.severity is None:
            raise ValueError("give `severity`: info, warning or critical")
        if not plain and self.severity is not None:
            raise ValueError("a ladder carries the severity in each step: remove `severity`")
        if any(isinstance(x, tuple) and not x for x in limits):
            raise ValueError("the ladder is empty: give at least one {value, severity}")
        return self


RuleSpec: TypeAlias = Annotated[DeadlineSpec | ThresholdSpec, Field(discriminator="kind")]


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
