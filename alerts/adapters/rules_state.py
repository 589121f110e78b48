"""What the rules core keeps in the store of its partition, and its MessagePack form."""

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from alerts.lifecycle.evaluation import Alert
from alerts.rules.entities import KnownEntity
from alerts.rules.memory import Awaited, LastHeard, Samples
from streams.contracts.rule_sets import RefusedRuleSet

CLOCK_KEY = b"clock"
RULES_KEY = b"rules"
RULES_BEFORE_KEY = b"rules/before"
RULES_REFUSED_KEY = b"rules/refused"
ALERT_PREFIX = b"alert/"
KNOWN_PREFIX = b"known/"
MEMORY_PREFIX = b"memory/"


class RulesClock(msgspec.Struct, frozen=True, kw_only=True, tag="clock"):
    """How far time has come in the partition."""

    now: datetime


class RulesInForce(msgspec.Struct, frozen=True, kw_only=True, tag="rules"):
    """The rule set applied last by a directive, as text, with the hash of the set and when and by whom."""

    text: str
    content_hash: str
    by: str
    at: datetime


RulesStateValue: TypeAlias = (
    RulesClock | RulesInForce | RefusedRuleSet | KnownEntity | Alert | Samples | LastHeard | Awaited
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


def known_key(kind: str, labels: dict[str, str]) -> bytes:
    """Return the key of an entity's last assessment."""
    named = "\0".join(f"{name}={labels[name]}" for name in sorted(labels))
    return KNOWN_PREFIX + f"{kind}/{named}".encode()
