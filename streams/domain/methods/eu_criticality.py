"""EU criticality 2017: supply risk, the criticality rule and the bottleneck stage.

European Commission, "Methodology for establishing the EU list of critical raw materials", 2017 (Blengini et al., doi
10.2873/769526; background report doi 10.2760/73303), used for the lists of 2017, 2020 and 2023:

    SR = [HHI_WGI,t(GS) * IR/2 + HHI_WGI,t(EU) * (1 - IR/2)] * (1 - EoL_RIR) * SI_SR
    IR = (imports - exports) / (domestic production + imports - exports)
    critical where SR >= 1.0 and EI >= 2.8

GS is global supply, EU the actual sourcing of the EU, `EoL_RIR` the end-of-life recycling input rate, `SI_SR` the
substitution index for supply risk, `EI` economic importance. The published scores of 2023 hold no rare-earth export
control in `t` (China 1.0): where they are shown, that is said.
"""

from collections.abc import Sequence

import msgspec

from streams.domain.methods.inputs import check_known, missing_of

SUPPLY_RISK_THRESHOLD = 1.0
ECONOMIC_IMPORTANCE_THRESHOLD = 2.8
_EXACT_DIGITS = 9
"""Sums of binary fractions miss a threshold by 1e-16; the study publishes one decimal."""
NOTE = "Published EU scores carry no rare-earth export control in the trade factor t (China 1.0)."


class EuSupplyRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Supply risk `SR` of a stage (0 to about 10, on the scale of HHI_WGI,t) and whether the material is critical.

    `critical` is `None` where it depends on what is missing: one value under its threshold alone settles it as false.
    `supply_used` says which supplies entered: `both`, `global` or `eu`.
    """

    supply_risk: float | None
    critical: bool | None
    supply_used: str | None = None
    missing: tuple[str, ...] = ()


def supply_risk(
    *,
    hhi_gs: float | None,
    hhi_eu: float | None,
    import_reliance_ratio: float | None,
    eol_rir_ratio: float | None,
    si_sr: float | None,
    economic_importance: float | None,
) -> EuSupplyRisk:
    """Return the supply risk of one stage; `None` for one HHI lets the other enter alone (then `IR` is not needed).

    `hhi_gs`, `hhi_eu`: HHI_WGI,t of global supply and of EU sourcing, 0..10; `import_reliance_ratio` and
    `eol_rir_ratio` 0..1; `si_sr` 0..1; `economic_importance` 0..10. Raises `FieldError` outside these ranges.
    """
    check_known({"hhi_gs": hhi_gs, "hhi_eu": hhi_eu, "ei": economic_importance})
    check_known({"ir": import_reliance_ratio, "eol_rir": eol_rir_ratio, "si_sr": si_sr}, high=1.0)
    concentration, used, needed = _concentration(hhi_gs, hhi_eu, import_reliance_ratio)
    missing = (*needed, *missing_of({"eol_rir": eol_rir_ratio, "si_sr": si_sr}))
    risk = None
    if concentration is not None and eol_rir_ratio is not None and si_sr is not None:
        risk = concentration * (1 - eol_rir_ratio) * si_sr
    return EuSupplyRisk(
        supply_risk=risk,
        critical=_critical(risk, economic_importance),
        supply_used=used,
        missing=(*missing, *missing_of({"ei": economic_importance})),
    )


def _concentration(
    hhi_gs: float | None, hhi_eu: float | None, ir: float | None
) -> tuple[float | None, str | None, tuple[str, ...]]:
    if hhi_gs is None and hhi_eu is None:
        return None, None, ("hhi_gs", "hhi_eu")
    if hhi_eu is None:
        return hhi_gs, "global", ()
    if hhi_gs is None:
        return hhi_eu, "eu", ()
    if ir is None:
        return None, None, ("ir",)
    return hhi_gs * ir / 2 + hhi_eu * (1 - ir / 2), "both", ()


def _critical(risk: float | None, importance: float | None) -> bool | None:
    reached = (
        None if risk is None else round(risk, _EXACT_DIGITS) >= SUPPLY_RISK_THRESHOLD,
        None if importance is None else importance >= ECONOMIC_IMPORTANCE_THRESHOLD,
    )
    if False in reached:
        return False
    return None if None in reached else True


def eu_import_reliance(
    *, imports_tonnes: float | None, exports_tonnes: float | None, production_tonnes: float | None
) -> tuple[float | None, tuple[str, ...]]:
    """Return `IR` clamped to 0..1 and what is missing; `None` where nothing is supplied at all. Tonnes a period."""
    inputs = {
        "imports_tonnes": imports_tonnes,
        "exports_tonnes": exports_tonnes,
        "production_tonnes": production_tonnes,
    }
    check_known(inputs)
    if imports_tonnes is None or exports_tonnes is None or production_tonnes is None:
        return None, missing_of(inputs)
    net = imports_tonnes - exports_tonnes
    if net <= 0:
        return 0.0, ()
    return net / (production_tonnes + net), ()


def bottleneck(stages: Sequence[EuSupplyRisk]) -> int | None:
    """Return the index of the stage whose supply risk counts: the highest known one (the first of equals).

    `None` where no stage is known. A stage that is not known may be higher: callers show its `missing`.
    """
    known = [(each.supply_risk, -index) for index, each in enumerate(stages) if each.supply_risk is not None]
    return -max(known)[1] if known else None
