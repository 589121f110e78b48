"""What the assess core keeps in the store of its partition, and its MessagePack form."""

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from streams.contracts.assessments import MeasureAssessed
from streams.domain.capacity import PlantState
from streams.domain.measures import ClaimPage, MeasurePage
from streams.domain.prices import PriceSeries
from streams.domain.trade import TradeSeries


class Clock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How far time has come in the partition (`now`), and the last tick sent on."""

    now: datetime
    last_tick: datetime | None = None


class LastAssessed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last assessment of a measure that was sent on."""

    assessed: MeasureAssessed


class SeenDirectives(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Digests of the last directives about one target, oldest first."""

    digests: tuple[int, ...] = ()


StateValue: TypeAlias = (
    MeasurePage | ClaimPage | LastAssessed | Clock | PriceSeries | PlantState | TradeSeries | SeenDirectives
)
STATE_TYPES = StateValue
"""Union of all values; each carries its name as a tag, so one decoder reads them all."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StateValue).decode


def encode_state(value: Any) -> bytes:
    """Encode one value of the state as MessagePack."""
    return _encode(value)


def decode_state(raw: bytes) -> StateValue:
    """Decode one value of the state; raises `msgspec.ValidationError` for what is none."""
    value: StateValue = _decode(raw)
    return value
