"""Comparing two quotes: converted explicitly, or refused with both sides named. A refusal is a result."""

from enum import StrEnum

import msgspec

from streams.contracts.periods import days_of
from streams.domain.observations import Observation
from streams.domain.prices.conversions import KILOGRAMS, Conversions, currency_factor, unit_factor
from streams.domain.prices.price_series import PriceIdentity, relative_change

NEAR_DAYS = 14
"""Quotes of days are compared within a fortnight; in longer, assessors drift twofold (docs/domain.md 9)."""


class Unlike(StrEnum):
    """Why two quotes do not compare."""

    MATERIAL = "material_differs"
    FORM = "form_differs"
    GRADE = "grade_differs"
    BASIS = "basis_differs"
    ASSESSOR = "assessor_differs"
    CONTENT = "content_differs"
    VAT = "vat_differs"
    PERIOD = "period_differs"
    FAR_APART = "periods_far_apart"
    UNIT = "unit_not_convertible"
    RATE = "no_currency_rate"
    RANGE = "ratio_out_of_range"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The left price over the right one, minus 1, after the conversions in `steps`."""

    change_ratio: float
    steps: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """No comparison: the reason, and both sides in words."""

    reason: Unlike
    left: str
    right: str

    def __str__(self) -> str:
        """Spell the refusal out."""
        return f"{self.reason.value}: {self.left} against {self.right}"


Comparison = Compared | Refused

_ALWAYS = (("material", Unlike.MATERIAL), ("form", Unlike.FORM), ("content", Unlike.CONTENT), ("period", Unlike.PERIOD))
_UNLESS_TOLD = (("grade", Unlike.GRADE), ("basis", Unlike.BASIS), ("assessor", Unlike.ASSESSOR))
_TRADE_TERMS = ("FOB", "CIF", "CFR", "CIP", "CPT", "FCA", "FAS", "DAP")


def vat_of(identity: PriceIdentity) -> bool | None:
    """Read VAT: international terms of delivery are without it where the source does not say otherwise."""
    if identity.vat_included is None and identity.basis.upper().startswith(_TRADE_TERMS):
        return False
    return identity.vat_included


def _unlike(left: PriceIdentity, right: PriceIdentity, *, across: frozenset[str]) -> Unlike | None:
    for name, reason in _ALWAYS:
        if getattr(left, name) != getattr(right, name):
            return reason
    for name, reason in _UNLESS_TOLD:
        if name not in across and getattr(left, name) != getattr(right, name):
            return reason
    if left.vat_included != right.vat_included and vat_of(left) != vat_of(right):
        return Unlike.VAT
    return None


def days_apart(one: str, other: str) -> int:
    """Return the distance of two reference periods in days, measured at their last days."""
    return 0 if one == other else abs((days_of(one).last - days_of(other).last).days)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What two identities decide by themselves about comparing their quotes: the factor of the units, or a refusal."""

    left: PriceIdentity
    right: PriceIdentity
    unlike: Unlike | None
    unit: float | None = None
    steps: tuple[str, ...] = ()


def terms_of(left: PriceIdentity, right: PriceIdentity, *, across: frozenset[str] = frozenset()) -> Terms:
    """Return the terms on which quotes of two series compare; `across` names what may differ (see `compare`)."""
    unlike = _unlike(left, right, across=across)
    if unlike is not None:
        return Terms(left=left, right=right, unlike=unlike)
    unit = unit_factor(per=left.per_unit, into=right.per_unit, content=left.content)
    steps: tuple[str, ...] = ()
    if unit is not None and left.per_unit != right.per_unit:
        steps = (
            ", ".join(f"1 {unit} = {KILOGRAMS[unit]:g} kg" for unit in (left.per_unit, right.per_unit) if unit != "kg"),
        )
    return Terms(left=left, right=right, unlike=None, unit=unit, steps=steps)


def compare(
    left: PriceIdentity,
    left_seen: Observation,
    right: PriceIdentity,
    right_seen: Observation,
    *,
    table: Conversions,
    across: frozenset[str] = frozenset(),
) -> Comparison:
    """Compare two quotes; the left one is converted into the currency and unit of the right one.

    Everything but currency and unit must be alike; `across` names what may differ: `basis`, `grade`, `assessor`.
    Quotes of days lie within a fortnight of each other, quotes of longer periods are of the same period. The rate is
    that of the left quote's period.
    """
    terms = terms_of(left, right, across=across)
    found = compare_on(terms, left_seen, right_seen, table=table)
    return found if isinstance(found, Compared) else refused(terms, left_seen, right_seen, found)


def refused(terms: Terms, left_seen: Observation, right_seen: Observation, reason: Unlike) -> Refused:
    """Return a refusal in words, both sides named."""
    return Refused(
        reason=reason,
        left=f"{terms.left}, {left_seen.period} at {left_seen.value:g}",
        right=f"{terms.right}, {right_seen.period} at {right_seen.value:g}",
    )


def compare_on(
    terms: Terms, left_seen: Observation, right_seen: Observation, *, table: Conversions
) -> Compared | Unlike:
    """Compare two quotes on known terms, or say why they do not compare."""
    if terms.unlike is not None:
        return terms.unlike
    left, right = terms.left, terms.right
    apart = days_apart(left_seen.period, right_seen.period)
    if apart > (NEAR_DAYS if left.period == "day" else 0):
        return Unlike.FAR_APART
    if terms.unit is None:
        return Unlike.UNIT
    money = currency_factor(table, currency=left.currency, into=right.currency, on=days_of(left_seen.period).last)
    if money is None:
        return Unlike.RATE
    change = relative_change(left_seen.value * terms.unit * money.factor, old=right_seen.value)
    return Unlike.RANGE if change is None else Compared(change_ratio=change, steps=(*terms.steps, *money.steps))
