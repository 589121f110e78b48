"""Policy events: measures and their changes, claims about them, standards."""

from typing import Literal

import msgspec

from streams.contracts.identifiers import (
    Country,
    LegalDate,
    LegalForce,
    LongText,
    MaterialId,
    MeasureId,
    ShortText,
    Stage,
    check_materials,
    parse_legal_date,
    zone_of,
)
from streams.contracts.provenance import Provenance
from streams.contracts.reasons import FieldError, RejectReason

MeasureAction = Literal["announce", "impose", "suspend", "extend", "repeal", "licence"]
MeasureKind = Literal[
    "licence_requirement",
    "export_ban",
    "technology_ban",
    "entity_listing",
    "watch_listing",
    "domestic_regime",
    "benchmark",
    "price_floor",
    "tariff",
    "procurement_ban",
    "programme",
    "stockpile",
    "alliance",
    "negotiation_mandate",
    "enforcement",
    "general_licence",
    "suspension",
    "other",
]


class Targets(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whom a measure aims at.

    `scope`: `all` destinations, the named `countries`, listed `entities` (of `countries` where known), or
    `military_end_use` (in `countries` where named). An empty `countries` with a scope other than `all` means that the
    source does not say which.
    """

    scope: Literal["all", "countries", "entities", "military_end_use"] = "all"
    countries: tuple[Country, ...] = ()
    entities: tuple[ShortText, ...] = ()
    extraterritorial: bool = False
    described_as: ShortText | None = None


class MeasureChanged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An instrument announces, imposes, suspends, extends or repeals a measure (one limb of an instrument).

    `amends` names the measures acted upon; empty means the measure itself. `effective_at` and `ends_at` are legal dates
    in `zone`; `ends_at` ends the suspension (`suspend`, `extend`) or the term of the measure (other actions).
    `ends_inclusive`: the end date is the last day (true), is not (false), the source does not say (`None`).
    `due_at` is a date by which something is due under the measure, without ending it. Empty `materials` or `stages`:
    the source does not say. `legal_force` can only be `instrument`: what has no legal force is a claim.
    """

    measure: MeasureId
    action: MeasureAction
    instrument: ShortText
    issuer: ShortText
    zone: ShortText
    kind: MeasureKind = "other"
    limb: ShortText | None = None
    amends: tuple[MeasureId, ...] = ()
    materials: tuple[MaterialId, ...] = ()
    stages: tuple[Stage, ...] = ()
    goods: tuple[Literal["material", "technology", "equipment", "magnet", "battery", "other"], ...] = ()
    codes: tuple[ShortText, ...] = ()
    targets: Targets | None = None
    published_at: LegalDate | None = None
    effective_at: LegalDate | None = None
    ends_at: LegalDate | None = None
    ends_inclusive: bool | None = None
    due_at: LegalDate | None = None
    legal_force: LegalForce = "instrument"
    summary: LongText | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        zone_of(self.zone)
        check_materials(self.materials, field="materials")
        if self.legal_force != "instrument":
            raise FieldError(
                reason=RejectReason.LEGAL_FORCE,
                field="legal_force",
                detail="only an instrument changes a measure; send a statement or press report as policy.claim-made",
            )
        days = {
            name: parse_legal_date(value, field=name)[0]
            for name in ("published_at", "effective_at", "ends_at", "due_at")
            if (value := getattr(self, name)) is not None
        }
        if "effective_at" in days and "ends_at" in days and days["ends_at"] < days["effective_at"]:
            raise FieldError(
                reason=RejectReason.DATE_ORDER,
                field="ends_at",
                detail=f"ends on {self.ends_at}, before it takes effect on {self.effective_at}",
            )
        if self.action in ("suspend", "extend") and self.ends_at is None and self.action == "extend":
            raise FieldError(
                reason=RejectReason.MISSING_FIELD, field="ends_at", detail="an extension must name the new end"
            )


class ClaimMade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody says something about measures without an instrument; it never changes a legal state.

    `claimed_end_at` is a legal date in `zone`, `None` where the claim names no end. `withdrawn` takes an earlier claim
    with the same `claim` id back. `legal_force` is `statement` or `press`.
    """

    claim: MeasureId
    speaker: ShortText
    zone: ShortText
    legal_force: LegalForce
    about: tuple[MeasureId, ...] = ()
    materials: tuple[MaterialId, ...] = ()
    countries: tuple[Country, ...] = ()
    claimed_end_at: LegalDate | None = None
    withdrawn: bool = False
    summary: LongText | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        zone_of(self.zone)
        check_materials(self.materials, field="materials")
        if self.claimed_end_at is not None:
            parse_legal_date(self.claimed_end_at, field="claimed_end_at")
        if self.legal_force == "instrument":
            raise FieldError(
                reason=RejectReason.LEGAL_FORCE,
                field="legal_force",
                detail="a claim has no legal force; send the instrument itself as policy.measure-changed",
            )


class StandardPublished(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A standard is published; `scope` lists the materials it covers (empty: the source does not say)."""

    standard: MeasureId
    issuer: ShortText
    title: ShortText
    scope: tuple[MaterialId, ...] = ()
    published_at: LegalDate | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        check_materials(self.scope, field="scope")
        if self.published_at is not None:
            parse_legal_date(self.published_at, field="published_at")
