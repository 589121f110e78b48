"""Which of the sets that a partition's state knows is in force: a set that is refused never leaves it without rules."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from alerts.engine.rules_state import RULES_BEFORE_KEY, RULES_KEY, RULES_REFUSED_KEY, RulesInForce
from alerts.rules.loader import RuleFileError, load_rule_set
from alerts.rules.ruleset import Rules
from streams.contracts.directive import DirectiveGiven
from streams.contracts.rule_sets import RefusedRuleSet, RuleSetStanding
from streams.runtime.stage_ports import StateStore

MAXIMUM_REASON_LENGTH = 500


class InForce(NamedTuple):
    """The rules of a partition, and how they came to be in force."""

    rules: Rules
    standing: RuleSetStanding


@lru_cache(maxsize=8)
def _load(text: str) -> Rules | str:
    """Load the text of a set; a set that this version refuses gives the reason. Once for all partitions of a worker."""
    try:
        return load_rule_set(text)
    except RuleFileError as error:
        return str(error)[:MAXIMUM_REASON_LENGTH]
    except Exception as error:  # noqa: BLE001 - a fault of the loader must not take the rules away
        return f"{type(error).__name__}: {error}"[:MAXIMUM_REASON_LENGTH]


def rule_set_in_force(get: Callable[[bytes], object], initial: Rules) -> InForce:
    """Return the rules that a partition's state puts in force: applied last, else the set before, else `initial`.

    A set that was taken once and that this version refuses (after an upgrade) gives way to the one before it.
    """
    refused = get(RULES_REFUSED_KEY)
    refusal = refused if isinstance(refused, RefusedRuleSet) else None
    for key in (RULES_KEY, RULES_BEFORE_KEY):
        kept = get(key)
        if not isinstance(kept, RulesInForce):
            continue
        rules = _load(kept.text)
        if isinstance(rules, Rules):
            standing = RuleSetStanding(
                source="applied" if key == RULES_KEY else "previous",
                content_hash=kept.content_hash,
                rule_count=len(rules.rules),
                by=kept.by,
                at=kept.at,
                refused=refusal,
            )
            return InForce(rules, standing)
        if key == RULES_KEY:
            refusal = RefusedRuleSet(content_hash=kept.content_hash, by=kept.by, at=kept.at, reason=rules)
    standing = RuleSetStanding(
        source="shipped", content_hash=initial.content_hash, rule_count=len(initial.rules), refused=refusal
    )
    return InForce(initial, standing)


def keep_refusal(store: StateStore, directive: DirectiveGiven, *, reason: str, at: datetime) -> None:
    """Keep that a set was refused, until another one is taken; those in force stay."""
    content_hash = directive.rule_set.content_hash if directive.rule_set is not None else ""
    refused = RefusedRuleSet(content_hash=content_hash, by=directive.by, at=at, reason=reason[:MAXIMUM_REASON_LENGTH])
    store.put(RULES_REFUSED_KEY, refused)


def store_rule_set(store: StateStore, directive: DirectiveGiven, *, at: datetime) -> None:
    """Keep which rules are in force from here on, and which were before."""
    store.delete(RULES_REFUSED_KEY)
    before = store.get(RULES_KEY)
    if directive.withdrawn or directive.rule_set is None:
        store.delete(RULES_KEY)
        store.delete(RULES_BEFORE_KEY)
        return
    if isinstance(before, RulesInForce) and isinstance(_load(before.text), Rules):
        store.put(RULES_BEFORE_KEY, before)
    given = directive.rule_set
    store.put(RULES_KEY, RulesInForce(text=given.text, content_hash=given.content_hash, by=directive.by, at=at))
