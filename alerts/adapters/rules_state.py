"""What the rules core keeps in the store of its partition, and its MessagePack form."""

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from alerts.lifecycle.evaluation import Alert
from streams.contracts.assessments import MeasureAssessed


class RulesClock(msgspec.Struct, frozen=True, kw_only=True, tag="clock"):
    """How far time has come in the partition."""

    now: datetime


class KnownMeasure(msgspec.Struct, frozen=True, kw_only=True, tag="measure"):
    """The last assessment of a measure, which deadlines are evaluated on when time passes."""

    assessed: MeasureAssessed


RulesStateValue: TypeAlias = RulesClock | KnownMeasure | Alert
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
