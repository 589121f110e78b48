"""USGS supply risk: the mean of disruption potential, trade exposure and economic vulnerability.

Nassar, Brainard, Gulley, Manley, Matos, Lederer, Bird, Pineault, Alonso, Gambogi, Fortier 2020, "Evaluating the mineral
commodity supply risk of the U.S. manufacturing sector", Science Advances 6, eaay8647:

    SR = (DP * TE * EV)^(1/3),   DP = sum_c PS_c^2 * ASI_c * WSI_c

`PS_c` is the production share of country c, `ASI_c` its ability and `WSI_c` its willingness to supply (each 0..1,
1 is worst), `TE` trade exposure (net import reliance), `EV` economic vulnerability, all 0..1.
"""

from collections.abc import Sequence

import msgspec

from streams.contracts.reasons import FieldError, RejectReason
from streams.domain.methods.inputs import check_known, missing_of

_ROUNDING = 1e-9


class SupplierIndices(msgspec.Struct, frozen=True, kw_only=True):
    """A producing country: its share `PS_c`, and its ability and willingness indices; each 0..1, `None` unknown."""

    country: str
    production_share_ratio: float | None
    ability_to_supply_index: float | None
    willingness_to_supply_index: float | None


class UsgsSupplyRisk(msgspec.Struct, frozen=True, kw_only=True):
    """`SR`, and the disruption potential `DP` it rests on, both 0..1; `None` with `missing` where an input lacks."""

    supply_risk: float | None
    disruption_potential: float | None
    missing: tuple[str, ...] = ()


def usgs_supply_risk(
    *,
    suppliers: Sequence[SupplierIndices],
    trade_exposure_ratio: float | None,
    economic_vulnerability_ratio: float | None,
) -> UsgsSupplyRisk:
    """Return the supply risk of a commodity. Raises `FieldError` for an index outside 0..1 or shares over 1 in sum."""
    disruption, missing = _disruption_potential(suppliers)
    others = {"trade_exposure": trade_exposure_ratio, "economic_vulnerability": economic_vulnerability_ratio}
    check_known(others, high=1.0)
    risk = None
    if disruption is not None and trade_exposure_ratio is not None and economic_vulnerability_ratio is not None:
        risk = (disruption * trade_exposure_ratio * economic_vulnerability_ratio) ** (1 / 3)
    return UsgsSupplyRisk(supply_risk=risk, disruption_potential=disruption, missing=(*missing, *missing_of(others)))


def _disruption_potential(suppliers: Sequence[SupplierIndices]) -> tuple[float | None, tuple[str, ...]]:
    potential, accounted = 0.0, 0.0
    missing: list[str] = [] if suppliers else ["suppliers"]
    for each in suppliers:
        indices = {
            f"{each.country}/production_share": each.production_share_ratio,
            f"{each.country}/ability_to_supply": each.ability_to_supply_index,
            f"{each.country}/willingness_to_supply": each.willingness_to_supply_index,
        }
        check_known(indices, high=1.0)
        missing += missing_of(indices)
        share, ability, willingness = indices.values()
        accounted += share or 0.0
        potential += (share or 0.0) ** 2 * (ability or 0.0) * (willingness or 0.0)
    if accounted > 1 + _ROUNDING:
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE, field="production_share", detail=f"shares add up to {accounted:g}"
        )
    return (None if missing else potential), tuple(missing)
