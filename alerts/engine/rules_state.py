"""The state of the rules core: value types, store keys and MessagePack encoding."""

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from alerts.lifecycle.evaluation import Alert
from alerts.rules.entities import KnownEntity
from alerts.rules.memory import LastSeen, Samples, SequenceState
from streams.contracts.rule_sets import RefusedRuleSet

CLOCK_KEY = b"clock"
RULES_KEY = b"rules"
CHANGES_KEY = b"member-changes"
RULES_BEFORE_KEY = b"rules/before"
RULES_REFUSED_KEY = b"rules/refused"
ALERT_PREFIX = b"alert/"
KNOWN_PREFIX = b"known/"
MEMORY_PREFIX = b"memory/"
GROUP_PREFIX = b"group/"


class RulesClock(msgspec.Struct, frozen=True, kw_only=True, tag="clock"):
    """Event time of the partition."""

    now: datetime


class RulesInForce(msgspec.Struct, frozen=True, kw_only=True, tag="rules"):
    """The rule set applied last by a directive, as text, with the hash of the set and when and by whom."""

    text: str
    content_hash: str
    by: str
    at: datetime


class MemberChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert that became true, false or unknown to composites at an instant, as they read it from then on.

    `step` orders changes of one instant: those made by time first (0, 0), then by (offset in `signals`, number of the
    event within the record), both counted from 1.
    """

    at: datetime
    alert: Alert
    step: tuple[int, int] = (0, 0)


class MemberChanges(msgspec.Struct, frozen=True, kw_only=True, tag="member_changes"):
    """Member changes whose composites are not evaluated yet: the watermark has not passed them."""

    changes: tuple[MemberChange, ...]


class GroupMembers(msgspec.Struct, frozen=True, kw_only=True, tag="group"):
    """The alerts that are true or unknown in a group of a composite, as of its last evaluation."""

    composite: str
    labels: dict[str, str]
    members: tuple[Alert, ...]


class Settling(msgspec.Struct, frozen=True, kw_only=True, tag="settling"):
    """In state of version 0.1 only, where some decisions waited for the end of an instant; it is not read."""


RulesStateValue: TypeAlias = (
    RulesClock
    | RulesInForce
    | RefusedRuleSet
    | KnownEntity
    | Alert
    | Samples
    | LastSeen
    | SequenceState
    | MemberChanges
    | GroupMembers
    | Settling
)
STATE_TYPES = RulesStateValue
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RulesStateValue).decode


def encode_state(value: Any) -> bytes:
    """Encode one value of the state as MessagePack."""
    return _encode(value)


def decode_state(raw: bytes) -> RulesStateValue:
    """Decode one value of the state; raises `msgspec.ValidationError` for what is none."""
    value: RulesStateValue = _decode(raw)
    return value


def alert_key(fingerprint: str) -> bytes:
    """Return the key of an alert."""
    return ALERT_PREFIX + fingerprint.encode()


def memory_key(rule: str, fingerprint: str) -> bytes:
    """Return the key of what a rule remembers for an alert; without a fingerprint what all such keys begin with."""
    return MEMORY_PREFIX + f"{rule}/{fingerprint}".encode()


def group_key(group: str) -> bytes:
    """Return the key of the members of a group, named by the fingerprint of its composite's alert."""
    return GROUP_PREFIX + group.encode()


def known_key(kind: str, labels: dict[str, str]) -> bytes:
    """Return the key of an entity's last assessment."""
    named = "\0".join(f"{name}={labels[name]}" for name in sorted(labels))
    return KNOWN_PREFIX + f"{kind}/{named}".encode()
