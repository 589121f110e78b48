"""Price events: a quote with its full basis, because a price means nothing without it (docs/domain.md 9)."""

from typing import Literal

import msgspec

from streams.contracts.identifiers import (
    CheckedIdentifier,
    CheckedPeriod,
    MaterialId,
    Positive,
    Ratio,
    ShortText,
    Tonnes,
    check_material,
    check_texts,
)
from streams.contracts.provenance import Provenance

Currency = Literal["USD", "CNY", "EUR", "JPY", "GBP", "AUD", "KRW"]
PriceUnit = Literal["kg", "lb", "t", "mtu"]
"""Unit that the amount buys: kilogram, pound, tonne, metric ton unit (10 kg of contained oxide)."""


class PriceQuoted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One quote of one assessor on one day or period.

    `amount` is in `currency` per `per_unit`, greater than zero. `basis` is the delivery term and place ("FOB China",
    "CIF Rotterdam"). `content`: per gross weight or per contained material. `vat_included`, `grade`: `None` where the
    source does not say. `volume_tonnes` and `volume_share_ratio` (share of the traded volume of the material that this
    quote stands for, 0..1) gate thin markets; `None` is unknown.
    """

    material: MaterialId
    form: ShortText
    basis: ShortText
    assessor: CheckedIdentifier
    amount: Positive
    currency: Currency
    per_unit: PriceUnit
    reference_period: CheckedPeriod
    grade: ShortText | None = None
    content: Literal["gross", "contained"] = "gross"
    vat_included: bool | None = None
    volume_tonnes: Tonnes | None = None
    volume_share_ratio: Ratio | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        check_material(self.material)
        check_texts(assessor=self.assessor, reference_period=self.reference_period)
