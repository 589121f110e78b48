"""What every compiled rule is, whatever its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from alerts.lifecycle.advance import FIRING_STATES
from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Timing, Verdict
from alerts.rules.entities import Assessed
from alerts.rules.expressions import Condition, Truth
from alerts.rules.fingerprint import Texts
from alerts.rules.memory import RuleMemory
from alerts.rules.rule_specification import AnyRuleSpec
from streams.contracts.alert import AlertState

CLEAR = Evaluation(verdict=Verdict.CLEAR)
HOLD = Evaluation(verdict=Verdict.HOLD)
UNKNOWN = Evaluation(verdict=Verdict.UNKNOWN)
STALE = Evaluation(verdict=Verdict.STALE)
FAILED = Evaluation(verdict=Verdict.ERROR)
OF_TRUTH: Mapping[Truth, Evaluation] = {Truth.FALSE: CLEAR, Truth.UNKNOWN: UNKNOWN, Truth.ERROR: FAILED}
"""What a condition that is not true says about a rule that needs it."""
OUTSIDE: Mapping[Truth, Evaluation] = {truth: Evaluation(verdict=said.verdict) for truth, said in OF_TRUTH.items()}
"""The same, said by `where` alone: objects of their own, so that they can be told apart by identity."""


def fires(prior: Alert | None) -> bool:
    """Tell whether an alert fires, for those who read it."""
    return prior is not None and prior.state in FIRING_STATES


def is_unchanged(prior: Alert, level: Level | None, occasion: str) -> bool:
    """Tell whether an alert that is met at a level, for an occasion, stays exactly as it is."""
    return (
        prior.state is AlertState.FIRING
        and prior.waiting_since is None
        and prior.level == level
        and prior.occasion == occasion
        and prior.evaluation is not None
        and prior.evaluation.verdict is Verdict.MET
    )


def is_noop(prior: Alert, now: Evaluation) -> bool:
    """Tell whether an evaluation leaves an alert as it is.

    What is ok and due at an instant is looked at then anyhow; that it is due later now is found out there.
    """
    state, verdict = prior.state, now.verdict
    if verdict is Verdict.CLEAR and state is AlertState.OK:
        return prior.due_at == now.next_at or (
            prior.due_at is not None and now.next_at is not None and prior.due_at < now.next_at
        )
    if verdict is Verdict.MET:
        return now.next_at is None and not now.repeat and is_unchanged(prior, now.level, now.occasion)
    return verdict is Verdict.HOLD and (
        state is AlertState.FIRING
        and prior.waiting_since is None
        and prior.evaluation is not None
        and prior.evaluation.verdict is Verdict.HOLD
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CompiledRule:
    """A checked rule. `spec` is what was written, `hash` its content; `timing` how its alerts wait.

    `keeps_memory`: it remembers what it saw (`observe`). `reads_time`: time alone can change its result.
    """

    id: str
    hash: str
    on: str
    labels: dict[str, str]
    texts: Texts
    timing: Timing
    limit: int
    spec: AnyRuleSpec = field(repr=False)
    where: Condition | None = None
    keeps_memory: ClassVar[bool] = False
    reads_time: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return self.spec.kind

    @property
    def reads(self) -> tuple[str, ...]:
        """Entity kinds whose assessments it reads; empty for one that reads other rules."""
        return (self.on,)

    @property
    def shared(self) -> bool:
        """Whether several entities may share its alert."""
        return self.on == "source"

    def named(self, known: Assessed | None, memory: RuleMemory | None) -> Assessed | None:
        """Return the assessment that is named for a shared alert; `known` is the last of the entity `on`."""
        return known

    def identity(self, labels: dict[str, str]) -> dict[str, str] | None:
        """Return the labels that identify its alert for an entity; `None`: the entity does not belong to one."""
        return labels

    def observe(self, memory: RuleMemory | None, assessed: Assessed, *, at: datetime) -> RuleMemory | None:
        """Return what is remembered after an assessment; the same object where nothing changed."""
        return memory

    def evaluate(
        self, assessed: Assessed | None, *, at: datetime, prior: Alert | None = None, memory: RuleMemory | None = None
    ) -> Evaluation:
        """Say what holds at an instant. `assessed` is the entity's last assessment, `None` where none is kept.

        `prior` is its alert so far (hysteresis depends on it), `memory` what `observe` returned last.
        """
        raise NotImplementedError

    def stale(self, assessed: Assessed, *, at: datetime) -> Evaluation:
        """Say that the facts of an entity are older than the rule's `max_age`."""
        return STALE


def common_fields(spec: AnyRuleSpec, **fields: Any) -> dict[str, Any]:
    """Return the fields that all kinds take from the specification; `fields` are added."""
    return {"id": spec.id, "labels": dict(spec.labels), "limit": spec.limit, "spec": spec, **fields}
