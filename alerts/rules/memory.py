"""What kinds of rule remember between assessments, one value per rule and entity, each bounded."""

from datetime import datetime
from typing import TypeAlias

import msgspec

from alerts.rules.entities import KnownEntity

MAX_HOLDING = 256
"""Entities of one group whose `first` a sequence remembers to be true, the last in order of their names."""
MAX_SAMPLES = 401
"""Samples of a change: 400 observations and the present one, or a time cut into 256 parts."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One observation: when, the value, and the name of the observation (a corrected one has the same name)."""

    at: datetime
    value: float
    name: str


class Samples(msgspec.Struct, frozen=True, kw_only=True, tag="samples"):
    """Memory of a `change`: observations, oldest first, at most `MAX_SAMPLES`."""

    samples: tuple[Sample, ...] = ()


class LastSeen(msgspec.Struct, frozen=True, kw_only=True, tag="heard"):
    """Memory of an `absence`: when the entity was last heard of, and its last gaps in seconds, newest last."""

    at: datetime
    gaps_seconds: tuple[float, ...] = ()


class SequenceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="awaited"):
    """Memory of a `sequence`: since when `then` is awaited (`None`: it is not), and the assessment that began it.

    `holds`: `first` was true when last seen, so that only its beginning counts. `answered_at`: when `then` was last
    seen true, so that both in one instant are an answer whatever their order.

    Where several entities share the wait: `holding` are those whose `first` was true when last seen, by name, and for
    which occasion, at most `MAX_HOLDING`; `replaced` is the occasion awaited until the instant `since`, `None` where
    none was; `answer` is the assessment that answered last.
    """

    since: datetime | None = None
    first: KnownEntity | None = None
    occasion: str = ""
    holds: bool = False
    answered_at: datetime | None = None
    holding: dict[str, str] = msgspec.field(default_factory=dict)
    replaced: str | None = None
    answer: KnownEntity | None = None


RuleMemory: TypeAlias = Samples | LastSeen | SequenceState
