"""Edits of a rule: which keep the state of its alerts, which begin anew. One table, field by field.

An edit keeps the state where the alert still answers the same question about the same entity, with other limits, words
or waits: it is evaluated again at once. It begins anew where what was remembered answers another question: the alerts
are closed with the reason `rule_changed`, and the rule starts as if it were new.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from alerts.rules.ruleset import Rule, Rules


class Effect(StrEnum):
    """What an edit of a field does to the alerts of the rule."""

    KEEPS = "keeps"
    ANEW = "anew"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldEdit:
    """What an edit of a field does, and why."""

    effect: Effect
    why: str


def _keeps(why: str) -> FieldEdit:
    return FieldEdit(effect=Effect.KEEPS, why=why)


def _anew(why: str) -> FieldEdit:
    return FieldEdit(effect=Effect.ANEW, why=why)


_LIMIT = "the same question with another limit; evaluated again at once"
_WAIT = "timers that run are counted anew from when they began"
_ENTITY = "other entities, so other alerts"

FIELD_EDITS: Mapping[str, FieldEdit] = MappingProxyType(
    {
        "id": _anew("the id is the identity: another id is another rule, the old one is removed"),
        "kind": _anew("another kind asks another question"),
        "on": _anew(_ENTITY),
        "by": _anew(_ENTITY),
        "date": _anew("another deadline"),
        "fact": _anew("another fact"),
        "over": _anew("what is remembered was measured over another span"),
        "as": _anew("what is remembered was measured in another unit"),
        "observation": _anew("what is remembered was told apart in another way"),
        "first": _anew("what is awaited began with another event"),
        "then_on": _anew("the answer comes from elsewhere"),
        "then": _keeps("the wait runs on for another answer"),
        "within": _keeps(_WAIT),
        "where": _keeps("an entity it leaves out now is over; evaluated again at once"),
        "when": _keeps(_LIMIT),
        "above": _keeps(_LIMIT),
        "below": _keeps(_LIMIT),
        "ladder": _keeps(_LIMIT),
        "passed": _keeps(_LIMIT),
        "after": _keeps(_LIMIT),
        "rhythms": _keeps(_LIMIT),
        "learn": _keeps("gaps seen so far go on counting"),
        "of": _keeps("other inputs of the same group; decided again at once"),
        "needs": _keeps(_LIMIT),
        "severity": _keeps("told when the step next changes, or at once where it is worse"),
        "for": _keeps(_WAIT),
        "keep_firing_for": _keeps(_WAIT),
        "resolve_when": _keeps(_LIMIT),
        "resolve_after": _keeps(_WAIT),
        "flap": _keeps("firings counted so far go on counting"),
        "occasion": _keeps("told once more, where the occasion reads differently now"),
        "missing": _keeps("an alert in no_data or stale stays there until facts come"),
        "missing_severity": _keeps(_LIMIT),
        "max_age": _keeps(_WAIT),
        "limit": _keeps("what is told and held back is decided again at once"),
        "labels": _keeps("they are added to alerts, they do not identify them"),
        "annotations": _keeps("words; told with the next change"),
    }
)
"""Every field of every kind, as written in a rule file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleEdit:
    """What becomes of one rule: added, removed, or changed in `fields`; `anew`: its alerts begin anew."""

    rule: str
    what: str
    fields: tuple[str, ...] = ()
    anew: bool = False

    def __str__(self) -> str:
        if self.what != "changed":
            return f"{self.what} {self.rule}" + ("; its alerts are closed" if self.what == "removed" else "")
        fate = "its alerts are closed and begin anew" if self.anew else "its alerts are kept"
        return f"changed {self.rule}: {', '.join(self.fields)}; {fate}"


def changed_fields(old: Rule, new: Rule) -> tuple[str, ...]:
    """Return the fields in which two rules differ, as written, in order."""
    before, after = (r.spec.model_dump(mode="json", by_alias=True) for r in (old, new))
    missing = object()
    return tuple(sorted(n for n in {*before, *after} if before.get(n, missing) != after.get(n, missing)))


def edit_of(old: Rule, new: Rule) -> RuleEdit | None:
    """Say what an edit of a rule does, `None` where it says the same."""
    if old.hash == new.hash:
        return None
    fields = ("kind",) if old.kind != new.kind else changed_fields(old, new)
    anew = any(FIELD_EDITS[name].effect is Effect.ANEW for name in fields)
    return RuleEdit(rule=new.id, what="changed", fields=fields, anew=anew)


def edits_between(old: Rules, new: Rules) -> Iterator[RuleEdit]:
    """Say what becomes of every rule that is not the same in both sets, in order of id."""
    for rule in sorted({*old.by_id, *new.by_id}):
        if rule not in new.by_id:
            yield RuleEdit(rule=rule, what="removed")
        elif rule not in old.by_id:
            yield RuleEdit(rule=rule, what="added")
        elif (edit := edit_of(old.by_id[rule], new.by_id[rule])) is not None:
            yield edit


def edits_table() -> str:
    """Return the table for the documentation."""
    lines = ["| Field | An edit | Why |", "|---|---|---|"]
    words = {Effect.KEEPS: "keeps the state", Effect.ANEW: "begins anew"}
    lines += [f"| `{name}` | {words[e.effect]} | {e.why} |" for name, e in FIELD_EDITS.items()]
    return "\n".join(lines)
