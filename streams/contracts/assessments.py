"""Assessments: the facts that rules may name. Written by assess, read by rules, the read view and people."""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from streams.contracts.policy import MeasureKind, Targets

Fact = float | str | bool | None
"""A value a rule may name; `None` is unknown, which is a state of its own."""


class LegalState(StrEnum):
    """Legal states of a measure (docs/domain.md 4)."""

    UNKNOWN = "unknown"
    ANNOUNCED = "announced"
    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    LAPSED_UNCONFIRMED = "lapsed_unconfirmed"
    REPEALED = "repealed"
    EXPIRED = "expired"


class ClaimedEnd(msgspec.Struct, frozen=True, kw_only=True):
    """An end that somebody claims, with who says so and by which event."""

    day: date
    speaker: str
    claim: str
    legal_force: str


class MeasureAssessed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """State of one measure at `at`, after an event or after an instant the law names.

    `legal_end` is the last day, `lapse_at` the instant after it in UTC; both `None` where no end is known.
    `claimed_ends` never mix with it. `operated`: it ever was in force (`None`: not known). `effective_on` and `due_on`
    are local dates in `zone`. `causes` are the ids of the events behind the state, newest last; `sources` are who says
    so (the provenance sources of these events, each once).
    """

    measure: str
    at: datetime
    state: LegalState
    previous_state: LegalState | None
    kind: MeasureKind
    instrument: str
    issuer: str
    zone: str
    limb: str | None = None
    materials: tuple[str, ...] = ()
    targets: Targets | None = None
    effective_on: date | None = None
    legal_end: date | None = None
    ends_inclusive: bool | None = None
    lapse_at: datetime | None = None
    due_on: date | None = None
    claimed_ends: tuple[ClaimedEnd, ...] = ()
    operated: bool | None = None
    ended_by: str | None = None
    causes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class FactorInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure or measure that a factor of a score read, with where it comes from and how much stress it is.

    `name` says the figure and its unit, `of` its entity; `low` and `high` are its ends in that unit (equal: exact),
    `stress_ratio` what it counts, 0..1. `None`: unknown. `published_at` gives its age, `event` is what brought it.
    """

    factor: str
    name: str
    of: str
    low: float | None = None
    high: float | None = None
    stress_ratio: float | None = None
    said: str | None = None
    source: str | None = None
    reference_period: str | None = None
    vintage: str | None = None
    published_at: datetime | None = None
    event: str | None = None
    synthetic: bool = False


class RiskAssessed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts about a material at `at`, by aspect; rules of that aspect name them.

    `labels` identify the entity (for a price: form, basis, assessor and so on) and `facts` are what is known of it;
    `missing` lists facts that are unknown and why. `home` is `None` for facts that hold for every home country.
    `causes` are the ids of the events behind it, `sources` who says so (their provenance sources, each once).
    `inputs` (of a score) are what each factor read, the weightiest of each factor first.
    """

    material: str
    aspect: Literal["price", "capacity", "supply", "trade", "stock", "licence", "score"]
    at: datetime
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    facts: dict[str, Fact] = msgspec.field(default_factory=dict)
    missing: tuple[str, ...] = ()
    home: str | None = None
    synthetic: bool = False
    causes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    inputs: tuple[FactorInput, ...] = ()


class ExposureAssessed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts about an end use that depends on materials; `path` explains the largest exposure.

    The entity is the end use through one `material` for one `home`: materials live in different partitions, and the
    exposure of the end use as a whole is the largest of these. `material` and `home` are `None` where it is the whole.
    """

    end_use: str
    at: datetime
    facts: dict[str, Fact] = msgspec.field(default_factory=dict)
    path: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    material: str | None = None
    home: str | None = None
    synthetic: bool = False
