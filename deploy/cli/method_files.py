"""Inputs of `monazite methods`: a CSV or JSON file to the arguments of a published method, and its result to JSON.

A blank, "W", "—" or an inequality such as ">95" is an unknown figure: the method says what is missing. Any other text
where a number belongs, and a figure that cannot be, is refused with the line and the column.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from streams.contracts.reasons import FieldError, RejectReason
from streams.domain.methods import (
    bottleneck,
    concentration,
    ewma_volatility,
    geopolrisk,
    import_reliance,
    risk_exposure_index,
    supply_risk,
    time_to_survive,
    usgs_supply_risk,
)
from streams.domain.methods.eu_criticality import NOTE, EuSupplyRisk
from streams.domain.methods.risk_exposure_index import Node
from streams.domain.methods.usgs_disruption import SupplierIndices

Row = Mapping[str, str]
_UNKNOWN = frozenset({"", "-", "—", "–", "W", "NA", "N/A", "unknown"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """A method on the command line: what it is, what its file holds and what it gives, and the function."""

    title: str
    shape: str
    run: Callable[[Path], Any]


def _rows(path: Path, *columns: str) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, skipinitialspace=True)
        found = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = found
        absent = [name for name in columns if name not in found]
        if absent:
            raise FieldError(
                reason=RejectReason.MISSING_FIELD,
                field=absent[0],
                detail=f"no column {', '.join(absent)}; the file has {', '.join(found) or 'no columns'}",
            )
        return [{name: (value or "").strip() for name, value in row.items() if name} for row in reader]


def _number(row: Row, column: str, *, line: int) -> float | None:
    text = row.get(column, "").replace(",", "")
    if text in _UNKNOWN or text[:1] in "<>":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise FieldError(
            reason=RejectReason.WRONG_TYPE, field=f"line {line}, {column}", detail=f"{text!r} is no number"
        ) from error


def _ratio(row: Row, column: str, *, line: int) -> float | None:
    percent = _number(row, column, line=line)
    return None if percent is None else percent / 100


def _at_line(line: int, run: Callable[[], Any]) -> Any:
    """Run one row; a refusal names the line of the file (the header is line 1)."""
    try:
        return run()
    except FieldError as error:
        raise FieldError(reason=error.reason, field=f"line {line}, {error.field}", detail=error.detail) from error


def eu_supply_risk_of(path: Path) -> list[dict[str, Any]]:
    """Rows of one material are its stages: the one with the higher supply risk counts and is named."""
    stages: dict[str, list[tuple[Row, EuSupplyRisk]]] = {}
    for line, row in enumerate(
        _rows(path, "material", "hhi_gs", "hhi_eu", "ir_percent", "eol_rir_percent", "si_sr", "ei"), 2
    ):
        result: EuSupplyRisk = _at_line(line, lambda row=row, line=line: _eu_stage(row, line=line))  # type: ignore[misc]
        stages.setdefault(row["material"], []).append((row, result))
    return [_bottleneck_row(material, found) for material, found in stages.items()]


def _eu_stage(row: Row, *, line: int) -> EuSupplyRisk:
    return supply_risk(
        hhi_gs=_number(row, "hhi_gs", line=line),
        hhi_eu=_number(row, "hhi_eu", line=line),
        import_reliance_ratio=_ratio(row, "ir_percent", line=line),
        eol_rir_ratio=_ratio(row, "eol_rir_percent", line=line),
        si_sr=_number(row, "si_sr", line=line),
        economic_importance=_number(row, "ei", line=line),
    )


def _bottleneck_row(material: str, stages: list[tuple[Row, EuSupplyRisk]]) -> dict[str, Any]:
    chosen = bottleneck([result for _, result in stages]) or 0
    row, result = stages[chosen]
    answer = {
        "material": material,
        "supply_risk": result.supply_risk,
        "critical": result.critical,
        "supply_used": result.supply_used,
        "missing": result.missing,
        "note": NOTE,
    }
    return {**answer, "stage": row["stage"]} if "stage" in row else answer


def import_reliance_of(path: Path) -> list[dict[str, Any]]:
    """One answer a period."""
    answers = []
    for line, row in enumerate(_rows(path, "period", "production_tonnes", "apparent_consumption_tonnes"), 2):
        production = _number(row, "production_tonnes", line=line)
        consumption = _number(row, "apparent_consumption_tonnes", line=line)
        result = _at_line(
            line,
            lambda p=production, c=consumption: import_reliance(production_tonnes=p, apparent_consumption_tonnes=c),  # type: ignore[misc]
        )
        ratio = result.reliance_ratio
        answers.append(
            {
                "period": row["period"],
                "reliance_percent": None if ratio is None else 100 * ratio,
                "net_exporter": result.net_exporter,
                "missing": result.missing,
            }
        )
    return answers


def concentration_of(path: Path) -> dict[str, Any]:
    """Rows of one country are added up."""
    tonnes: dict[str, float | None] = {}
    for line, row in enumerate(_rows(path, "country", "tonnes"), 2):
        value, country = _number(row, "tonnes", line=line), row["country"]
        if value is not None and value < 0:
            raise FieldError(
                reason=RejectReason.OUT_OF_RANGE, field=f"line {line}, tonnes", detail=f"{value} is not 0 or more"
            )
        before = tonnes.get(country, 0.0)
        tonnes[country] = None if value is None or before is None else before + value
    result = concentration(tonnes)
    return {
        "hhi": result.hhi_ratio,
        "hhi_points": result.hhi_points,
        "top_share": result.top_share_ratio,
        "top_country": result.top_country,
        "missing": result.missing,
    }


class _GeoPolRiskFile(msgspec.Struct, kw_only=True):
    production: list[float]
    imports: list[tuple[float, float | None]]
    domestic_production: float | None = None


def geopolrisk_of(path: Path) -> dict[str, Any]:
    """A JSON object."""
    given = msgspec.json.decode(path.read_bytes(), type=_GeoPolRiskFile)
    result = geopolrisk(
        production_tonnes=given.production,
        imports=given.imports,
        domestic_production_tonnes=given.domestic_production,
    )
    return msgspec.structs.asdict(result)


class _SupplierFile(msgspec.Struct, kw_only=True):
    country: str
    production_share: float | None = None
    ability: float | None = None
    willingness: float | None = None


class _UsgsFile(msgspec.Struct, kw_only=True):
    suppliers: Annotated[list[_SupplierFile], msgspec.Meta(min_length=1)]
    trade_exposure: float | None = None
    economic_vulnerability: float | None = None


def usgs_supply_risk_of(path: Path) -> dict[str, Any]:
    """A JSON object."""
    given = msgspec.json.decode(path.read_bytes(), type=_UsgsFile)
    result = usgs_supply_risk(
        suppliers=[
            SupplierIndices(
                country=each.country,
                production_share_ratio=each.production_share,
                ability_to_supply_index=each.ability,
                willingness_to_supply_index=each.willingness,
            )
            for each in given.suppliers
        ],
        trade_exposure_ratio=given.trade_exposure,
        economic_vulnerability_ratio=given.economic_vulnerability,
    )
    return msgspec.structs.asdict(result)


def ewma_volatility_of(path: Path) -> dict[str, Any]:
    """Rows in order of time; a row without a price is a gap."""
    rows = _rows(path, "period", "price")
    result = ewma_volatility(_number(row, "price", line=line) for line, row in enumerate(rows, 2))
    return msgspec.structs.asdict(result)


def time_to_survive_of(path: Path) -> list[dict[str, Any]]:
    """One answer a site."""
    answers = []
    for line, row in enumerate(_rows(path, "site", "stock_tonnes", "daily_use_tonnes", "time_to_recover_days"), 2):
        figures = {
            "stock_tonnes": _number(row, "stock_tonnes", line=line),
            "daily_use_tonnes": _number(row, "daily_use_tonnes", line=line),
            "time_to_recover_days_count": _number(row, "time_to_recover_days", line=line),
            "licensed_tonnes": _number(row, "licensed_tonnes", line=line),
        }
        result = _at_line(line, lambda figures=figures: time_to_survive(**figures))  # type: ignore[misc]
        answers.append({"site": row["site"], **msgspec.structs.asdict(result)})
    return answers


def risk_exposure_index_of(path: Path) -> list[dict[str, Any]]:
    """One answer a node."""
    rows = _rows(path, "node", "loss_per_day", "time_to_recover_days", "time_to_survive_days")
    nodes = [
        Node(
            node=row["node"],
            loss_per_day=_number(row, "loss_per_day", line=line),
            time_to_recover_days_count=_number(row, "time_to_recover_days", line=line),
            time_to_survive_days_count=_number(row, "time_to_survive_days", line=line),
        )
        for line, row in enumerate(rows, 2)
    ]
    return [msgspec.structs.asdict(each) for each in risk_exposure_index(nodes)]


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "eu-supply-risk": Method(
            title="EU criticality 2017: supply risk, and critical where SR >= 1.0 and EI >= 2.8",
            run=eu_supply_risk_of,
            shape="CSV material, hhi_gs, hhi_eu, ir_percent, eol_rir_percent, si_sr, ei [, stage] -> "
            "[{material, supply_risk, critical, supply_used, missing, note}]",
        ),
        "geopolrisk": Method(
            title="GeoPolRisk 2024: HHI * sum(g f) / (p + F)",
            run=geopolrisk_of,
            shape="JSON {production: [t], imports: [[t, instability]], domestic_production: t} -> "
            "{hhi, import_risk, score, missing}",
        ),
        "import-reliance": Method(
            title="USGS net import reliance: 1 - production / apparent consumption",
            run=import_reliance_of,
            shape="CSV period, production_tonnes, apparent_consumption_tonnes -> "
            "[{period, reliance_percent, net_exporter, missing}]",
        ),
        "concentration": Method(
            title="Herfindahl-Hirschman index and largest share of production",
            run=concentration_of,
            shape="CSV country, tonnes -> {hhi (0..1), hhi_points (0..10,000), top_share (0..1), top_country, missing}",
        ),
        "usgs-supply-risk": Method(
            title="USGS (Nassar 2020): (DP * TE * EV)^(1/3)",
            run=usgs_supply_risk_of,
            shape="JSON {suppliers: [{country, production_share, ability, willingness}], trade_exposure, "
            "economic_vulnerability} -> {supply_risk, disruption_potential, missing}",
        ),
        "ewma-volatility": Method(
            title="RiskMetrics 1996: v = 0.94 v + 0.06 r^2, annualised with sqrt(252)",
            run=ewma_volatility_of,
            shape="CSV period, price (blank is a gap) -> {variance, annualised_ratio, returns_count, missing}",
        ),
        "time-to-survive": Method(
            title="Simchi-Levi: time to survive against time to recover",
            run=time_to_survive_of,
            shape="CSV site, stock_tonnes, daily_use_tonnes, time_to_recover_days [, licensed_tonnes] -> "
            "[{site, time_to_survive_days_count, effective_cover_days_count, exposed, gap_days_count, missing}]",
        ),
        "risk-exposure-index": Method(
            title="Simchi-Levi 2015: impact of each node over the largest",
            run=risk_exposure_index_of,
            shape="CSV node, loss_per_day, time_to_recover_days, time_to_survive_days -> "
            "[{node, performance_impact, risk_exposure_index, missing}]",
        ),
    }
)
"""Name on the command line to the method."""
