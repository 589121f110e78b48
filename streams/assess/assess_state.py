"""What the assess core keeps in the store of its partition, and its MessagePack form."""

from datetime import datetime
from typing import Any, Union

import msgspec

from streams.assess.assessors.material_index import MaterialIndex
from streams.assess.assessors.registry import ASSESSORS
from streams.assess.identity_window import IdentityPage
from streams.contracts.assessments import MeasureAssessed
from streams.domain.policy.measure_book import ClaimPage, MeasurePage


class AssessClock(msgspec.Struct, frozen=True, kw_only=True, tag="Clock"):
    """How far time has come in the partition (`now`), and the last tick sent on."""

    now: datetime
    last_tick: datetime | None = None


class LastAssessed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last assessment of a measure that was sent on."""

    assessed: MeasureAssessed


class FollowedMeasure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last assessment of a measure that another partition speaks for: kept so that assessors here can follow it."""

    assessed: MeasureAssessed


class Due(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The instant at which a subject asked to be woken under a name of its own."""

    at: datetime
    subject: str
    name: str


class SeenDirectives(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Digests of the last directives about one target: in state of version 0.1, before the identity window."""

    digests: tuple[int, ...] = ()


_OWN = (
    MeasurePage,
    ClaimPage,
    LastAssessed,
    FollowedMeasure,
    AssessClock,
    Due,
    SeenDirectives,
    MaterialIndex,
    IdentityPage,
)
STATE_TYPES: Any = Union[(*_OWN, *dict.fromkeys(kept for assessor in ASSESSORS for kept in assessor.keeps))]
"""Union of all values; each carries its name as a tag, so one decoder reads them all."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(STATE_TYPES).decode


def encode_state(value: Any) -> bytes:
    """Encode one value of the state as MessagePack."""
    return _encode(value)


def decode_state(raw: bytes) -> Any:
    """Decode one value of the state; raises `msgspec.ValidationError` for what is none."""
    return _decode(raw)
