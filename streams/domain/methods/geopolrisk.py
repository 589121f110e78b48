"""GeoPolRisk 2024: the geopolitical supply risk of one material for one economic unit.

`GeoPolRisk_Ac = HHI_A * sum_i(g_i * f_Aic) / (p_Ac + F_Ac)`: Koyamparambath, Loubet, Young, Sonnemann 2024, Resources,
Conservation and Recycling 209, 107801 (doi 10.1016/j.resconrec.2024.107801), equation 1. `HHI_A` is the normalised HHI
of world production (0..1), `g_i` the political instability of origin `i` (0..1, World Bank governance indicator
normalised), `f_Aic` imports from `i`, `F_Ac` their sum, `p_Ac` domestic production.
"""

from collections.abc import Sequence

import msgspec

from streams.domain.methods.inputs import checked


class GeoPolRisk(msgspec.Struct, frozen=True, kw_only=True):
    """`hhi` of world production 0..1, `import_risk` 0..1 (the second factor), `score` 0..1 their product."""

    hhi: float | None
    import_risk: float | None
    score: float | None
    missing: tuple[str, ...] = ()


def geopolrisk(
    *,
    production_tonnes: Sequence[float],
    imports: Sequence[tuple[float, float | None]],
    domestic_production_tonnes: float | None,
) -> GeoPolRisk:
    """Return the GeoPolRisk score from world production by country and imports as (tonnes, instability `g_i`).

    An origin whose `g_i` is `None` leaves the score unknown unless nothing comes from it. A country that imports
    nothing has no import risk (0). Raises `FieldError` for negative tonnes and for `g_i` outside 0..1.
    """
    total = sum(checked(value, field=f"production/{index}") for index, value in enumerate(production_tonnes))
    hhi = sum((value / total) ** 2 for value in production_tonnes) if total > 0 else None
    missing = [] if hhi is not None else ["production"]
    if domestic_production_tonnes is None:
        missing.append("domestic_production")
    risk = 0.0
    amount = checked(domestic_production_tonnes or 0.0, field="domestic_production")
    for index, (tonnes, instability) in enumerate(imports):
        amount += checked(tonnes, field=f"imports/{index}/tonnes")
        if instability is not None:
            risk += tonnes * checked(instability, field=f"imports/{index}/instability", high=1.0)
        elif tonnes > 0:
            missing.append(f"imports/{index}/instability")
    if amount <= 0 and domestic_production_tonnes is not None:
        missing.append("imports")
    unknown = [name for name in missing if name != "production"]
    import_risk = None if unknown else risk / amount
    score = None if hhi is None or import_risk is None else hhi * import_risk
    return GeoPolRisk(hhi=hhi, import_risk=import_risk, score=score, missing=tuple(missing))
