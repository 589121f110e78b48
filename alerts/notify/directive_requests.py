"""Subscriptions, silences and acknowledgements as directives that go down the road."""

import hashlib
from datetime import datetime

import msgspec

from streams.contracts.alert import Severity
from streams.contracts.directive import Acknowledgement, DirectiveGiven, RuleSet, Silence, Subscription
from streams.contracts.events import Event

SOURCE = "monazite/directives"


def directive_event(directive: DirectiveGiven, *, at: datetime) -> Event:
    """Wrap a directive given at `at` as an event; its id is made of content and instant."""
    content = hashlib.sha256(msgspec.json.encode(directive, order="sorted")).hexdigest()[:16]
    return Event(
        id=f"{directive.kind}/{directive.target}/{content}/{at.isoformat()}",
        source=SOURCE,
        subject=f"{directive.kind}/{directive.target}",
        occurred_at=at,
        recorded_at=at,
        data=directive,
    )


def subscription_id(*, materials: tuple[str, ...], severity: Severity, rules: tuple[str, ...], url: str | None) -> str:
    """Name a subscription by what it asks for, so that asking twice is asking once."""
    asked = "\0".join([*sorted(materials), "|", severity, "|", *sorted(rules), "|", url or "log"])
    return f"subscription-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def build_subscription(
    *,
    by: str,
    materials: tuple[str, ...] = (),
    severity: Severity = "info",
    rules: tuple[str, ...] = (),
    url: str | None = None,
    secret_ref: str | None = None,
    target: str | None = None,
) -> DirectiveGiven:
    """Build the directive of a subscription: to a webhook at `url`, or to the structured log where it is `None`.

    The secret is named `secret_ref`, or like the subscription. Raises `FieldError` for an unknown material.
    """
    name = target or subscription_id(materials=materials, severity=severity, rules=rules, url=url)
    subscription = Subscription(
        materials=materials,
        severity=severity,
        rules=rules,
        channel="webhook" if url else "log",
        url=url,
        secret_ref=(secret_ref or name) if url else None,
    )
    return DirectiveGiven(kind="subscription", target=name, by=by, subscription=subscription)


def withdraw_subscription(target: str, *, by: str) -> DirectiveGiven:
    """Build the directive that ends a subscription."""
    return DirectiveGiven(kind="subscription", target=target, by=by, withdrawn=True)


def build_acknowledgement(fingerprint: str, *, by: str, comment: str | None = None) -> DirectiveGiven:
    """Build the directive that takes an alert: its repeats stop until it changes."""
    taken = Acknowledgement(fingerprint=fingerprint, by=by, comment=comment)
    return DirectiveGiven(kind="acknowledgement", target=fingerprint, by=by, acknowledgement=taken)


def build_silence(silence: Silence, *, target: str) -> DirectiveGiven:
    """Build the directive of a silence."""
    return DirectiveGiven(kind="silence", target=target, by=silence.by, silence=silence)


RULE_SET_TARGET = "rules"
"""Target of the directive that puts a rule set in force; there is one set, and the newest counts."""


def build_rule_set(text: str, *, content_hash: str, by: str) -> DirectiveGiven:
    """Build the directive that puts a whole rule set in force."""
    rule_set = RuleSet(text=text, content_hash=content_hash)
    return DirectiveGiven(kind="rule_set", target=RULE_SET_TARGET, by=by, rule_set=rule_set)


def withdraw_rule_set(*, by: str) -> DirectiveGiven:
    """Build the directive that goes back to the rules the workers began with."""
    return DirectiveGiven(kind="rule_set", target=RULE_SET_TARGET, by=by, withdrawn=True)
