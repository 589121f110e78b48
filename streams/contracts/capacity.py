"""Supply-side events: capacity, production and supply shares, trade volumes, own stocks and use, licences."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from streams.contracts.identifiers import (
    Country,
    Identifier,
    LegalDate,
    MaterialId,
    Positive,
    Ratio,
    ReferencePeriod,
    ShortText,
    Stage,
    Tonnes,
    check_material,
    check_year,
    parse_legal_date,
)
from streams.contracts.periods import check_vintage
from streams.contracts.provenance import Provenance
from streams.contracts.reasons import FieldError, RejectReason


class CapacityReported(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a plant can make, is meant to make and did make: nameplate, target and actual are three fields.

    Rates are tonnes a year of product; `None` is unknown, never zero. `actual_tonnes` was made in `actual_period`.
    Promised dates stay as published (`first_target`, `current_target`: text such as "H2 2026").
    """

    plant: Identifier
    operator: ShortText
    country: Country
    material: MaterialId
    stage: Stage
    status: Literal["planned", "building", "ramping", "operating", "late", "outage", "cancelled", "reference"]
    nameplate_tonnes_per_year: Tonnes | None = None
    target_tonnes_per_year: Tonnes | None = None
    actual_tonnes: Tonnes | None = None
    actual_period: ReferencePeriod | None = None
    outage_tonnes_per_year: Tonnes | None = None
    first_target: ShortText | None = None
    current_target: ShortText | None = None
    note: ShortText | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        check_material(self.material)


class SupplyObserved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A country's production or share at a stage in a period, as one edition of a source states it.

    `tonnes` or the share interval `share_low_ratio`..`share_high_ratio` (0..1, equal for an exact figure); all `None`
    where the source withholds it. `published_as` keeps the letter of it ("W", ">95", "<0.1%", "-"). `country` is
    ISO 3166 alpha-2, or `ZZ` for "other countries". `trade_factor` is the EU study's `t`.

    `world_tonnes` is the world total of the same period as the same edition states it (rounded): without it nobody can
    tell whether the countries seen so far are all, so shares of tonnes stay unknown. `rows_count` is how many countries
    the table lists: where it is given, nothing is said of the table before all of them came. `flow`: `production`
    anywhere; `import_source` and `consumption` say where the imports or the whole supply of `market` come from; for
    `apparent_consumption` (tonnes) and `import_reliance` (a share) `country` is the home itself. `amends_vintage` names
    the edition that this one restates.
    """

    material: MaterialId
    stage: Stage
    country: Country
    reference_period: ReferencePeriod
    vintage: ShortText
    tonnes: Tonnes | None = None
    share_low_ratio: Ratio | None = None
    share_high_ratio: Ratio | None = None
    market: Literal["global", "EU", "US"] = "global"
    flow: Literal["production", "import_source", "consumption", "apparent_consumption", "import_reliance"] = (
        "production"
    )
    trade_factor: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)] | None = None
    published_as: ShortText | None = None
    world_tonnes: Positive | None = None
    rows_count: Annotated[int, msgspec.Meta(ge=1, le=300)] | None = None
    amends_vintage: ShortText | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        check_material(self.material)
        if self.amends_vintage is not None:
            check_vintage(self.vintage, amends=self.amends_vintage)
        if self.tonnes is not None and self.world_tonnes is not None and self.tonnes > self.world_tonnes * 1.5:
            raise FieldError(
                reason=RejectReason.INCONSISTENT,
                field="tonnes",
                detail=f"{self.tonnes:g} t of one country are more than the world total of {self.world_tonnes:g} t "
                "(half of it is allowed for rounding)",
            )
        low, high = self.share_low_ratio, self.share_high_ratio
        if (low is None) != (high is None):
            raise FieldError(
                reason=RejectReason.INCONSISTENT,
                field="share_high_ratio" if high is None else "share_low_ratio",
                detail="a share is an interval: give both ends (equal for an exact figure) or neither",
            )
        if low is not None and high is not None and low > high:
            raise FieldError(
                reason=RejectReason.INCONSISTENT, field="share_low_ratio", detail=f"{low} is above the high end {high}"
            )


class TradeObserved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Tonnes that went from `exporter` to `importer` (`None`: to all) in a reference period; published later."""

    material: MaterialId
    exporter: Country
    reference_period: ReferencePeriod
    tonnes: Tonnes
    importer: Country | None = None
    reported_by: Identifier
    derived: bool = False
    provenance: Provenance

    def __post_init__(self) -> None:
        check_material(self.material)


class StockReported(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a site of ours holds and uses of a material; `daily_use_tonnes` `None` is unknown."""

    site: Identifier
    material: MaterialId
    stock_tonnes: Tonnes
    daily_use_tonnes: Tonnes | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        check_material(self.material)


class LicenceDecided(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The state of one licence application; no answer is often a hold, not a refusal.

    `quantity_tonnes` is what it allows, or still allows where part of it was used. `expires_at` is its last day, a
    legal date on the wall of the measure's zone.
    """

    licence: Identifier
    material: MaterialId
    decision: Literal["applied", "granted", "refused", "held", "withdrawn", "expired"]
    exporter: ShortText | None = None
    site: Identifier | None = None
    quantity_tonnes: Tonnes | None = None
    applied_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    expires_at: LegalDate | None = None
    measure: ShortText | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        check_material(self.material)
        if self.expires_at is not None:
            parse_legal_date(self.expires_at, field="expires_at")
        if self.applied_at is not None:
            check_year(self.applied_at, field="applied_at")
