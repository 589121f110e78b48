"""Why a rule did not fire: for each entity a person may mean, what was short, unknown or false, and how near it was."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from alerts.backtest.episodes import episodes
from alerts.explain.entity_search import EntityHistory, Watch, nearest_names
from alerts.explain.shortfall import Explanation, of_composite, shortfall
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.kinds.composite import CompositeRule
from alerts.rules.ruleset import Rule, Rules
from streams.contracts.alert import AlertChanged, AlertState


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """A time at which it did fire; `ended_at` is `None` while it does."""

    started_at: datetime
    ended_at: datetime | None


class EntityAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one entity: state of its alert, when it was last assessed, why it does not fire."""

    labels: dict[str, str]
    fingerprint: str
    state: AlertState
    state_since: datetime | None
    assessed_at: datetime | None
    why: Explanation
    fired: tuple[Fired, ...] = ()


class WhyNot(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for a rule and what a person asked about; without entities `reason` says what is known instead."""

    rule: str
    kind: str
    on: str
    asked: str
    until: datetime
    reason: str
    entities: tuple[EntityAnswer, ...]


def kinds_read_by(rule: Rule, rules: Rules) -> frozenset[str]:
    """Return the entity kinds that a rule reads, through the rules under it where it is a composite."""
    if isinstance(rule, CompositeRule):
        return frozenset(kind for name in rule.of for kind in kinds_read_by(rules.by_id[name], rules))
    return frozenset(rule.reads)


def why_not(
    rule: Rule, rules: Rules, watch: Watch, log: Sequence[AlertChanged], *, asked: str, until: datetime
) -> WhyNot:
    """Answer from what was watched and the alert log, oldest change first, of the same history."""
    answers = []
    for labels, sighted in _by_alert(rule, watch):
        fingerprint = fingerprint_of(rule.id, labels)
        if isinstance(rule, CompositeRule):
            why = of_composite(rule, _inputs(rule, rules, labels, log))
        else:
            why = shortfall(rule, sighted, until=until)
        answers.append(_answer(rule, labels, fingerprint, sighted, why, log))
    ordered = sorted(answers, key=lambda a: (a.state is not AlertState.FIRING, _nearness(a), str(a.labels)))
    return WhyNot(
        rule=rule.id,
        kind=rule.kind,
        on=rule.on,
        asked=asked,
        until=until,
        entities=tuple(ordered),
        reason=_reason(rule, watch, ordered, asked),
    )


def _by_alert(rule: Rule, watch: Watch) -> Iterator[tuple[dict[str, str], EntityHistory]]:
    """Give the labels of each alert of a rule, and all that was assessed of the entities that share it."""
    groups: dict[str, tuple[dict[str, str], list[EntityHistory]]] = {}
    for sighted in watch.sighted.values():
        labels = rule.identity(sighted.labels)
        if labels is not None:
            groups.setdefault(fingerprint_of(rule.id, labels), (labels, []))[1].append(sighted)
    for labels, members in groups.values():
        if len(members) == 1:
            yield labels, members[0]
            continue
        seen = sorted((entry for member in members for entry in member.assessments), key=lambda entry: entry[0])
        yield labels, EntityHistory(kind=members[0].kind, labels=labels, assessments=seen)


def _nearness(answer: EntityAnswer) -> float:
    closest = answer.why.closest
    return closest.short_by / (abs(closest.limit) or 1.0) if closest else float("inf")


def _reason(rule: Rule, watch: Watch, answers: Sequence[EntityAnswer], asked: str) -> str:
    if not answers:
        some = ", ".join(nearest_names(watch.others)) or "nothing at all"
        return (
            f"nothing was assessed that rule {rule.id} could look at for {asked!r}: it is about {rule.on}; "
            f"assessed there: {some}"
        )
    firing = sum(a.state in (AlertState.FIRING, AlertState.CLEARING) for a in answers)
    if firing:
        return f"it does fire for {firing} of {len(answers)}: see `rules explain FINGERPRINT`"
    return f"it fires for none of {len(answers)}"


def _answer(
    rule: Rule,
    labels: dict[str, str],
    fingerprint: str,
    sighted: EntityHistory,
    why: Explanation,
    log: Iterable[AlertChanged],
) -> EntityAnswer:
    changes = [change for change in log if change.fingerprint == fingerprint]
    state = changes[-1].to_state if changes else AlertState.OK
    since = changes[-1].at if changes else None
    fired = tuple(Fired(started_at=e.started_at, ended_at=e.ended_at) for e in episodes(changes))
    if not why.reasons and (reason := _waiting(rule, state, since, fired=bool(fired))) is not None:
        why = msgspec.structs.replace(why, reasons=(reason,))
    return EntityAnswer(
        labels=labels,
        fingerprint=fingerprint,
        state=state,
        state_since=since,
        why=why,
        fired=fired,
        assessed_at=sighted.assessments[-1][0] if sighted.assessments else None,
    )


def _waiting(rule: Rule, state: AlertState, since: datetime | None, *, fired: bool) -> str | None:
    """Say why an alert whose condition holds does not fire, `None` where it does."""
    if state is AlertState.PENDING and since is not None:
        return f"it holds since {since:%Y-%m-%d %H:%M} UTC, and must hold for {rule.timing.for_} before it fires"
    if state is AlertState.STALE:
        return f"its facts are older than {rule.timing.max_age}: stale"
    if state is AlertState.OK and fired and rule.timing.resolve_after is not None:
        return f"it holds, but it is old news: it was closed after {rule.timing.resolve_after}"
    if state is AlertState.OK:
        return f"it holds, but it is held back: at most {rule.limit} are told at once"
    return None


def _inputs(
    rule: CompositeRule, rules: Rules, labels: dict[str, str], log: Iterable[AlertChanged]
) -> dict[str, list[str]]:
    """Return the states of the alerts a composite reads for one group, by rule."""
    last = {change.fingerprint: change for change in log if change.rule in rule.of}
    found: dict[str, list[str]] = {}
    for change in last.values():
        own = rules.by_id[change.rule].labels
        key = {k: v for k, v in change.labels.items() if k not in own}
        if (rule.identity(key) if rule.by else key) == labels:
            found.setdefault(change.rule, []).append(change.to_state.value)
    return found


def why_not_row(answer: WhyNot) -> dict[str, Any]:
    """Return an answer as plain data."""
    document: dict[str, Any] = msgspec.to_builtins(answer)
    return document
