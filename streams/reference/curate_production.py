"""Make production and supply-share events from the USGS and EU tables, each with its edition.

"W" (withheld), "—" and blanks are unknown: the mark is kept in `published_as`, never turned into a number. Rows of
world totals are not observations of a country and make no event: the rows of countries carry the total.
"""

import re
from collections import Counter
from types import MappingProxyType
from typing import Any

import msgspec

from streams.contracts.capacity import SupplyObserved
from streams.contracts.events import Event
from streams.contracts.identifiers import Stage
from streams.reference.countries import OTHER, country_code
from streams.reference.curate_prices import number
from streams.reference.curate_reliance import reliance_history
from streams.reference.editions import EU_2023, MCS_2025, MCS_2026, Edition, history_event, provenance_of
from streams.reference.loaders import load_table, newest_first

_CHAPTERS = MappingProxyType(
    {
        "ANTIMONY": "antimony",
        "BISMUTH": "bismuth",
        "GALLIUM": "gallium",
        "GERMANIUM": "germanium",
        "GRAPHITE (NATURAL)": "natural-graphite",
        "INDIUM": "indium",
        "RARE EARTHS": "rare-earth-oxides",
        "SCANDIUM": "scandium",
        "TELLURIUM": "tellurium",
        "TUNGSTEN": "tungsten",
        "YTTRIUM": "yttrium",
    }
)
_STAGES: MappingProxyType[str, Stage] = MappingProxyType(
    {"Mine production": "mining", "Refinery production": "refining", "Primary production": "refining"}
)
_IMPORTED: MappingProxyType[tuple[str, str], Stage] = MappingProxyType(
    {
        ("ANTIMONY", "Ore and concentrates"): "concentrate",
        ("ANTIMONY", "Oxide"): "refining",
        ("ANTIMONY", "Unwrought metal and powder"): "metal",
        ("BISMUTH", "All"): "refining",
        ("GALLIUM", "Metal"): "refining",
        ("GERMANIUM", "Germanium metal"): "metal",
        ("GERMANIUM", "Germanium dioxide (Ge content)"): "refining",
        ("GRAPHITE (NATURAL)", "All"): "mining",
        ("INDIUM", "All"): "refining",
        ("RARE EARTHS", "Rare-earth compounds and metals"): "separation",
        ("SCANDIUM", "All"): "separation",
        ("TELLURIUM", "All"): "refining",
        ("TUNGSTEN", "Ores, concentrates, and other forms"): "refining",
        ("YTTRIUM", "All"): "separation",
    }
)
"""Kinds of imports that are one stage, named as the stage of the same material's production; of mixed kinds only
tungsten's counts (its reliance is on all forms too), "Combined total" and "Total metal and oxide" are left out."""


def slug(text: str) -> str:
    """Return lower-case words joined by dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _tonnes(value: str, unit: str) -> tuple[float | None, str | None]:
    amount = number(value)
    if amount is None:
        return None, value or "(blank)"
    return (amount / 1000 if unit == "kilograms" else amount), None


def _produced(
    edition: Edition,
    *,
    row: str,
    material: str,
    stage: Stage,
    country: str,
    year: str,
    value: str,
    unit: str,
    note: str | None = None,
    world: float | None = None,
) -> Event:
    tonnes, published_as = _tonnes(value, unit)
    data = SupplyObserved(
        material=material,
        stage=stage,
        country=country,
        reference_period=year,
        vintage=edition.vintage,
        tonnes=tonnes,
        published_as=published_as,
        world_tonnes=world,
        provenance=provenance_of(edition, row=row, note=note),
    )
    event_id = f"{slug(edition.vintage)}/production/{material}/{stage}/{country}/{year}"
    return history_event(event_id, data, at=edition.published_at)


def _production_2025() -> list[Event]:
    table, events = "usgs_mcs2025_ree", []
    rows = load_table(table)
    worlds = {row["year"]: number(row["value"]) for row in rows if row["item"].startswith("World total")}
    compounds = [row for row in rows if row["item"] == "US compounds and metals production"]
    for row in [*(row for row in rows if row not in compounds), *newest_first(compounds)]:
        name = f"{table}.csv#{row['table']}/{row['item']}/{row['year']}"
        stage: Stage = "mining"
        world = None
        if row["table"] == "mine production" and not row["item"].startswith("World"):
            country, world = country_code(row["item"]), worlds[row["year"]]
        elif row in compounds:
            stage, country = "separation", "US"
        else:
            continue
        events.append(
            _produced(
                MCS_2025,
                row=name,
                material="rare-earth-oxides",
                stage=stage,
                country=country,
                year=row["year"],
                value=row["value"],
                unit=row["unit"],
                world=world,
            )
        )
    return events


def _produced_in_world(row: dict[str, str]) -> tuple[str, str] | None:
    """Return chapter and statistic of a row of world production; `None` for capacity and what we do not follow.

    "Refinery production: concentrate" and "Mine production: rounded" belong to the table of their first words.
    """
    statistic = row["statistic"].split(":", maxsplit=1)[0]
    return (row["chapter"], statistic) if statistic in _STAGES and row["chapter"] in _CHAPTERS else None


def _production_2026() -> list[Event]:
    table, events = "usgs_mcs2026_world_production", []
    rows = load_table(table)
    worlds = {
        (_produced_in_world(row), row["year"]): _tonnes(row["value"], row["unit"])[0]
        for row in rows
        if row["country"] == "World total"
    }
    for row in rows:
        kind = _produced_in_world(row)
        if kind is None or row["country"] == "World total":
            continue
        events.append(
            _produced(
                MCS_2026,
                row=f"{table}.csv#{row['chapter']}/{row['statistic']}/{row['country']}/{row['year']}",
                material=_CHAPTERS[row["chapter"]],
                stage=_STAGES[kind[1]],
                country=country_code(row["country"]),
                year=row["year"],
                value=row["value"],
                unit=row["unit"],
                note=row["notes"] or None,
                world=worlds.get((kind, row["year"])),
            )
        )
    events += [_world_only(row) for row in rows if row["chapter"] in ("SCANDIUM", "YTTRIUM")]
    table = "usgs_mcs2026_salient_us"
    for row in newest_first(load_table(table)):
        if row["statistic"] == "Production: Compounds and metals" and row["chapter"] == "RARE EARTHS":
            name = f"{table}.csv#{row['chapter']}/{row['statistic']}/{row['year']}"
            events.append(
                _produced(
                    MCS_2026,
                    row=name,
                    material="rare-earth-oxides",
                    stage="separation",
                    country="US",
                    year=row["year"],
                    value=row["value"],
                    unit=row["unit"],
                    note=row["notes"] or None,
                )
            )
    return events


def _world_only(row: dict[str, str]) -> Event:
    """Make the event of a world total without countries: filed under "other countries", of whom nothing is said."""
    material = _CHAPTERS[row["chapter"]]
    data = SupplyObserved(
        material=material,
        stage="mining" if material == "yttrium" else "separation",
        country=OTHER,
        reference_period=row["year"],
        vintage=MCS_2026.vintage,
        world_tonnes=number(row["value"]),
        published_as=f"world: {row['value']}",
        provenance=provenance_of(
            MCS_2026,
            row=f"usgs_mcs2026_world_production.csv#{row['chapter']}/{row['statistic']}/{row['year']}",
            note="World total only; the source names no countries.",
        ),
    )
    return history_event(f"mcs-2026/world/{material}/{row['year']}", data, at=MCS_2026.published_at)


def _shares_of_imports() -> list[Event]:
    table, events = "usgs_mcs2026_us_import_sources", _shares_of_imports_2025()
    for row in load_table(table):
        stage = _IMPORTED.get((row["chapter"], row["statistic"]))
        percent = number(row["value"])
        if stage is None or percent is None:
            continue
        material, country = _CHAPTERS[row["chapter"]], country_code(row["country"])
        data = SupplyObserved(
            material=material,
            stage=stage,
            country=country,
            reference_period="2024",
            vintage=MCS_2026.vintage,
            share_low_ratio=percent / 100,
            share_high_ratio=percent / 100,
            market="US",
            flow="import_source",
            published_as=f"{row['value']} percent, {row['year']}",
            provenance=provenance_of(
                MCS_2026,
                row=f"{table}.csv#{row['chapter']}/{row['statistic']}/{row['country']}",
                note=f"A mean of {row['year']}, filed under its last year.",
            ),
        )
        event_id = f"mcs-2026/import-source/{material}/{stage}/{country}"
        events.append(history_event(event_id, data, at=MCS_2026.published_at))
    return events


def _shares_of_imports_2025() -> list[Event]:
    table, events = "usgs_mcs2025_ree", []
    for row in load_table(table):
        percent = number(row["value"])
        if not row["table"].startswith("import sources") or percent is None:
            continue
        country = country_code(row["item"])
        data = SupplyObserved(
            material="rare-earth-oxides",
            stage="separation",
            country=country,
            reference_period="2023",
            vintage=MCS_2025.vintage,
            share_low_ratio=percent / 100,
            share_high_ratio=percent / 100,
            market="US",
            flow="import_source",
            published_as=f"{row['value']} percent, {row['year']}",
            provenance=provenance_of(
                MCS_2025,
                row=f"{table}.csv#{row['table']}/{row['item']}",
                note=f"A mean of {row['year']}, filed under its last year.",
            ),
        )
        event_id = f"mcs-2025/import-source/rare-earth-oxides/separation/{country}"
        events.append(history_event(event_id, data, at=MCS_2025.published_at))
    return events


def _eu_share(text: str) -> tuple[float, float]:
    if text.startswith("<"):
        return 0.0, round(float(text[1:-1]) / 100, 6)
    share = round(float(text[:-1]) / 100, 6)
    return share, share


def _eu_stage(material: str, stage: str) -> Stage:
    if stage == "E":
        return "mining"
    return "refining" if material in _CHAPTERS.values() and material not in ("scandium", "yttrium") else "separation"


def _eu_shares() -> list[Event]:
    events = []
    for table, market in (("eu2023_global_supply_shares", "global"), ("eu2023_eu_supply_shares", "EU")):
        for row in load_table(table):
            material = slug(row["Material"])
            low, high = _eu_share(row["Share"])
            stage, country = _eu_stage(material, row["Stage"]), country_code(row["Country"])
            data = SupplyObserved(
                material=material,
                stage=stage,
                country=country,
                reference_period="2020",
                vintage=EU_2023.vintage,
                share_low_ratio=low,
                share_high_ratio=high,
                market="EU" if market == "EU" else "global",
                flow="production" if market == "global" else "consumption",
                trade_factor=float(row["t"]),
                published_as=row["Share"],
                provenance=provenance_of(EU_2023, row=f"{table}.csv#{row['Material']}/{row['Stage']}/{row['Country']}"),
            )
            event_id = f"eu2023/{market.lower()}/{material}/{stage}/{country}"
            events.append(history_event(event_id, data, at=EU_2023.published_at))
    return events


def _with_counts(events: list[Event]) -> list[Event]:
    """Tell each row how many rows its table has; a lone producer of tonnes without a world total is no table."""
    counts = Counter(_table_of(event.data) for event in events)
    return [
        msgspec.structs.replace(
            event, data=msgspec.structs.replace(event.data, rows_count=counts[_table_of(event.data)])
        )
        if _is_of_table(event.data)
        else event
        for event in events
    ]


def _table_of(data: Any) -> tuple[str, ...]:
    return (data.material, data.stage, data.market, data.flow, data.reference_period, data.vintage)


def _is_of_table(data: Any) -> bool:
    return data.share_low_ratio is not None or (data.world_tonnes is not None and data.tonnes is not None)


def production_history() -> list[Event]:
    """Return production, shares and reliance of all editions; "other countries" are `ZZ`."""
    assert country_code("Other countries") == OTHER
    events = [*_eu_shares(), *_production_2025(), *_production_2026(), *_shares_of_imports()]
    return [*_with_counts(events), *reliance_history()]
