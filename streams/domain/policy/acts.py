"""What the measure book keeps: legal acts and claims, cut down from events to what a state depends on."""

from datetime import date, datetime

import msgspec

from streams.contracts.dates import lapse_instant, last_day, legal_day, legal_instant
from streams.contracts.events import Event
from streams.contracts.identifiers import Stage
from streams.contracts.policy import ClaimMade, MeasureAction, MeasureChanged, MeasureKind, Targets


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One legal act: what one `MeasureChanged` event says, without its prose. Dates are legal dates in `zone`.

    `source` and `id` identify the event; `told_by` is its provenance source, "" in state written before it was kept.
    """

    source: str
    id: str
    occurred_at: datetime
    recorded_at: datetime
    measure: str
    action: MeasureAction
    kind: MeasureKind
    instrument: str
    issuer: str
    zone: str
    limb: str | None = None
    materials: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    codes: tuple[str, ...] = ()
    targets: Targets | None = None
    published_at: str | None = None
    effective_at: str | None = None
    ends_at: str | None = None
    ends_inclusive: bool | None = None
    due_at: str | None = None
    told_by: str = ""

    @property
    def published_instant(self) -> datetime:
        """Start of the day of publication; where the source does not give it, when the event happened."""
        return legal_instant(self.published_at, zone=self.zone) if self.published_at else self.occurred_at

    @property
    def effective_instant(self) -> datetime | None:
        """Instant from which the act counts; `None` where the act names none."""
        return legal_instant(self.effective_at, zone=self.zone) if self.effective_at else None

    @property
    def order(self) -> tuple[datetime, str, str]:
        """What decides between acts of one instant: the later recorded one counts, then the larger id."""
        return self.recorded_at, self.id, self.source


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement without legal force: what one `ClaimMade` event says, without its prose."""

    source: str
    id: str
    occurred_at: datetime
    recorded_at: datetime
    claim: str
    speaker: str
    zone: str
    legal_force: str
    about: tuple[str, ...] = ()
    claimed_end_at: str | None = None
    withdrawn: bool = False
    told_by: str = ""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """An end that an act names: its last day, the instant after it in UTC, and the measure id of the act."""

    last_day: date
    inclusive: bool | None
    lapse_at: datetime
    named_by: str


def act_of(event: Event, data: MeasureChanged) -> Act:
    """Cut an event about a measure down to what its state depends on."""
    return Act(
        source=event.source,
        id=event.id,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        measure=data.measure,
        action=data.action,
        kind=data.kind,
        instrument=data.instrument,
        issuer=data.issuer,
        zone=data.zone,
        limb=data.limb,
        materials=data.materials,
        stages=data.stages,
        codes=data.codes,
        targets=data.targets,
        published_at=data.published_at,
        effective_at=data.effective_at,
        ends_at=data.ends_at,
        ends_inclusive=data.ends_inclusive,
        due_at=data.due_at,
        told_by=data.provenance.source,
    )


def claim_of(event: Event, data: ClaimMade) -> Claim:
    """Cut an event about a claim down to what is shown beside a state."""
    return Claim(
        source=event.source,
        id=event.id,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        claim=data.claim,
        speaker=data.speaker,
        zone=data.zone,
        legal_force=data.legal_force,
        about=data.about,
        claimed_end_at=data.claimed_end_at,
        withdrawn=data.withdrawn,
        told_by=data.provenance.source,
    )


def end_of(act: Act) -> End | None:
    """Return the end an act names, `None` where it names none."""
    if act.ends_at is None:
        return None
    return End(
        last_day=last_day(act.ends_at, ends_inclusive=act.ends_inclusive),
        inclusive=act.ends_inclusive,
        lapse_at=lapse_instant(act.ends_at, ends_inclusive=act.ends_inclusive, zone=act.zone),
        named_by=act.measure,
    )


def claimed_day(claim: Claim) -> date | None:
    """Return the end a claim names, `None` where it names none."""
    return legal_day(claim.claimed_end_at) if claim.claimed_end_at else None
