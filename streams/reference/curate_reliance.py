"""Make events of US apparent consumption and net import reliance from the USGS tables, each with its edition.

">95" is an interval, "E" (net exporter) a reliance of zero, "W" and blanks are unknown with their mark. What is
published for the heavy rare earths as one group holds for each of them where it is 100 percent: nothing of any is made.
"""

from types import MappingProxyType

from streams.contracts.capacity import SupplyObserved
from streams.contracts.events import Event
from streams.contracts.identifiers import Stage
from streams.contracts.materials import HEAVY_RARE_EARTHS
from streams.domain.intervals import exact, published_percent
from streams.reference.curate_prices import number
from streams.reference.editions import MCS_2025, MCS_2026, Edition, history_event, provenance_of
from streams.reference.loaders import load_table, newest_first

_STAGED: MappingProxyType[str, tuple[tuple[str, ...], Stage]] = MappingProxyType(
    {
        "ANTIMONY": (("antimony",), "refining"),
        "BISMUTH": (("bismuth",), "refining"),
        "GALLIUM": (("gallium",), "refining"),
        "GERMANIUM": (("germanium",), "refining"),
        "GRAPHITE (NATURAL)": (("natural-graphite",), "mining"),
        "INDIUM": (("indium",), "refining"),
        "RARE EARTHS": (("rare-earth-oxides",), "separation"),
        "RARE EARTHS (Heavy)": (tuple(m for m in HEAVY_RARE_EARTHS if m != "yttrium"), "separation"),
        "SCANDIUM": (("scandium",), "separation"),
        "TELLURIUM": (("tellurium",), "refining"),
        "TUNGSTEN": (("tungsten",), "refining"),
        "YTTRIUM": (("yttrium",), "separation"),
    }
)
"""Chapter to its materials, and the stage its consumption and reliance are about (yttrium has a chapter of its own)."""
_GROUP_NOTE = "Published for the heavy rare earths as a group: 100 percent of the group is 100 percent of each."


def _reliance(edition: Edition, *, material: str, stage: Stage, year: str, value: str, row: str, note: str) -> Event:
    share = exact(0.0) if value == "E" else published_percent(value)
    data = SupplyObserved(
        material=material,
        stage=stage,
        country="US",
        reference_period=year,
        vintage=edition.vintage,
        market="US",
        flow="import_reliance",
        share_low_ratio=share.low if share else None,
        share_high_ratio=share.high if share else None,
        published_as=value or "(blank)",
        provenance=provenance_of(edition, row=row, note=note or None),
    )
    event_id = f"{edition.vintage.lower().replace(' ', '-')}/import-reliance/{material}/{stage}/{year}"
    return history_event(event_id, data, at=edition.published_at)


def _consumption(*, material: str, stage: Stage, row: dict[str, str], name: str) -> Event:
    amount = number(row["value"])
    scale = 1000 if row["unit"] == "kilograms" else 1
    data = SupplyObserved(
        material=material,
        stage=stage,
        country="US",
        reference_period=row["year"],
        vintage=MCS_2026.vintage,
        market="US",
        flow="apparent_consumption",
        tonnes=None if amount is None else amount / scale,
        published_as=None if amount is not None else row["value"] or "(blank)",
        provenance=provenance_of(MCS_2026, row=name, note=row["notes"] or None),
    )
    event_id = f"mcs-2026/apparent-consumption/{material}/{stage}/{row['year']}"
    return history_event(event_id, data, at=MCS_2026.published_at)


def _mcs_2025() -> list[Event]:
    table = "usgs_mcs2025_ree"
    return [
        _reliance(
            MCS_2025,
            material="rare-earth-oxides",
            stage="separation",
            year=row["year"],
            value=row["value"],
            note="",
            row=f"{table}.csv#{row['table']}/{row['item']}/{row['year']}",
        )
        for row in newest_first(load_table(table))
        if row["item"].startswith("Net import reliance")
    ]


def _mcs_2026() -> list[Event]:
    table = "usgs_mcs2026_salient_us"
    consumption, reliance = [], []
    for row in newest_first(load_table(table)):
        statistic, chapter = row["statistic"], row["chapter"]
        if chapter not in _STAGED:
            continue
        name = f"{table}.csv#{chapter}/{statistic}/{row['year']}"
        materials, stage = _STAGED[chapter]
        if _is_consumption(statistic):
            consumption += [_consumption(material=m, stage=stage, row=row, name=name) for m in materials]
        elif statistic.startswith("Net import reliance"):
            at = "mining" if statistic.endswith("Mineral concentrates") else stage
            notes = " ".join(text for text in (_GROUP_NOTE if len(materials) > 1 else "", row["notes"]) if text)
            if len(materials) == 1 or row["value"] == "100":
                reliance += [
                    _reliance(
                        MCS_2026, material=m, stage=at, year=row["year"], value=row["value"], row=name, note=notes
                    )
                    for m in materials
                ]
    return [*consumption, *reliance]


def _is_consumption(statistic: str) -> bool:
    """Tell whether a row is the consumption that the chapter's reliance is a percentage of."""
    words = statistic.lower()
    return (words.startswith("consumption") and any(kind in words for kind in ("apparent", "estimated"))) or (
        words == "consumption, reported"
    )


def reliance_history() -> list[Event]:
    """Return apparent consumption and net import reliance of the United States, both editions."""
    return [*_mcs_2025(), *_mcs_2026()]
