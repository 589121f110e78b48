"""Make trade and capacity events from the customs tables and the capacity register; join them with production."""

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from streams.contracts.capacity import CapacityReported, TradeObserved
from streams.contracts.dates import noon_of
from streams.contracts.events import Event
from streams.contracts.provenance import Provenance
from streams.reference.countries import country_code
from streams.reference.curate_prices import number
from streams.reference.curate_production import production_history, slug
from streams.reference.editions import REGISTER_2026, history_event, provenance_of
from streams.reference.loaders import load_table

_PERIOD = re.compile(r"\d{4}(-(\d{2}|H[12]|Q[1-4]))?")
_LAST_MONTH = MappingProxyType({"H1": 6, "H2": 12, "Q1": 3, "Q2": 6, "Q3": 9, "Q4": 12})
PUBLISHED_DAY = 20
"""China's customs publish the figures of a month on about the 20th of the next (docs/domain.md 10: three weeks)."""

_PUBLICATION_NOTE = "Published about three weeks after the period; the 20th of the next month is used."


def _published(period: str) -> date:
    """Return the day on which we take the figure of a period as known: the 20th of the month after it."""
    part = period[5:] or "12"
    month = _LAST_MONTH.get(part) or int(part)
    first_after = (date(int(period[:4]), month, 28) + timedelta(days=4)).replace(day=1)
    return first_after.replace(day=PUBLISHED_DAY)


def _traded(
    *, table: str, material: str, period: str, tonnes: str, importer: str | None, note: str, source: str, address: str
) -> Event:
    reporter = "customs-via-reuters" if "Reuters" in source else slug(source.split(" ", maxsplit=1)[0]) or "press"
    derived = "derived" in note
    notes = " ".join(text for text in (note if note != "published" else "", _PUBLICATION_NOTE) if text)
    data = TradeObserved(
        material=material,
        exporter="CN",
        importer=importer,
        reference_period=period,
        tonnes=float(tonnes),
        reported_by=reporter,
        derived=derived,
        provenance=Provenance(
            source=source[:400],
            address=address or None,
            row=f"{table}.csv#{importer or 'all'}/{period}",
            note=notes[:400],
        ),
    )
    at = noon_of(_published(period), zone="Asia/Shanghai")
    return history_event(f"customs/{material}/{importer or 'all'}/{period}/{reporter}", data, at=at)


def trade_history() -> list[Event]:
    """Return the export figures of periods our contracts can name; sums such as "2025-01..07" make no event."""
    months, flows, elements = (
        [(table, row) for row in load_table(table) if _PERIOD.fullmatch(row["period"])]
        for table in (
            "china_magnet_exports_monthly",
            "china_magnet_exports_by_destination",
            "china_ree_exports_monthly",
        )
    )
    return [
        *(
            _traded(
                table=table,
                material="rare-earth-magnets",
                period=row["period"],
                tonnes=row["tonnes"],
                importer=None,
                note=row["kind"],
                source=row["source"],
                address=row["address"],
            )
            for table, row in months
        ),
        *(
            _traded(
                table=table,
                material="rare-earth-magnets",
                period=row["period"],
                tonnes=row["tonnes"],
                importer=country_code(row["destination"]),
                note=row["note"] or "",
                source=row["source"],
                address="",
            )
            for table, row in flows
        ),
        *_element_exports(elements),
    ]


def _element_exports(rows: Iterable[tuple[str, dict[str, str]]]) -> Iterator[Event]:
    """Give the exports of all 17 elements together, month by month."""
    for table, row in rows:
        yield _traded(
            table=table,
            material="rare-earths",
            period=row["period"],
            tonnes=row["tonnes_all_17_elements"],
            importer=None,
            note=row["source_or_derivation"],
            source="Press on customs data",
            address="",
        )


_PRODUCTS = MappingProxyType(
    {
        "NdPr oxide": "neodymium-praseodymium",
        "NdPr then Dy/Tb": "neodymium-praseodymium",
        "Dy oxide": "dysprosium",
        "Tb oxide": "terbium",
        "Sm oxide": "samarium",
        "Gd oxide": "gadolinium",
        "Y oxide": "yttrium",
        "Lu oxide": "lutetium",
        "Dy+Tb oxide": "dysprosium-terbium",
        "heavy REE": "heavy-rare-earths",
        "HREO": "heavy-rare-earths",
        "LREO": "light-rare-earths",
        "total REO": "rare-earth-oxides",
        "TREO": "rare-earth-oxides",
        "TREO throughput": "rare-earth-oxides",
        "REO (NdPr only separated)": "rare-earth-oxides",
        "xenotime concentrate": "rare-earth-oxides",
        "NdFeB": "neodymium-magnets",
        "NdFeB (company total)": "neodymium-magnets",
    }
)

_HEAVY_CIRCUIT: MappingProxyType[str, Any] = MappingProxyType(
    {
        "plant": "kuantan-hre-circuit",
        "operator": "Lynas",
        "country": "MY",
        "material": "dysprosium-terbium",
        "stage": "separation",
        "status": "ramping",
        "nameplate_tonnes_per_year": 300.0,
        "actual_tonnes": 62.0,
        "actual_period": "2026",
    }
)
"""The register gives the output of Dy and Tb together (62 t in fiscal year 2026) and the nameplates apart (250, 50)."""


def _report(row: dict[str, str]) -> dict[str, Any]:
    amount = number(row["nameplate"].replace(",", ""))
    actual = "actual" in row["unit"]
    return {
        "plant": slug(row["plant"]),
        "operator": row["owner"],
        "country": country_code(row["country"]),
        "material": _PRODUCTS[row["product"]],
        "stage": {"mine": "mining"}.get(row["stage"], row["stage"]),
        "status": row["status"],
        "nameplate_tonnes_per_year": None if actual else amount,
        "actual_tonnes": amount if actual else None,
        "actual_period": "2025" if actual else None,
        "first_target": row["first_target"] or None,
        "current_target": row["current_target"] or None,
        "note": row["slip_or_note"] or None,
    }


def register_history() -> list[Event]:
    """Return one event a row of the capacity register, and one for the joint output of the heavy circuit."""
    events = []
    for row in load_table("capacity_register"):
        fields = _report(row)
        fields["provenance"] = provenance_of(
            REGISTER_2026, row=f"capacity_register.csv#{row['plant']}/{row['product']}", source=row["source"]
        )
        data = msgspec.convert(fields, CapacityReported)
        event_id = f"register-2026/{data.plant}/{data.material}"
        events.append(history_event(event_id, data, at=REGISTER_2026.published_at))
    note = "Output of fiscal year 2026 (to June 2026) as the note of the row gives it; nameplates of two rows added."
    fields = {
        **_HEAVY_CIRCUIT,
        "provenance": provenance_of(REGISTER_2026, row="capacity_register.csv#Kuantan HRE circuit/Dy oxide", note=note),
    }
    joint = msgspec.convert(fields, CapacityReported)
    event_id = f"register-2026/{joint.plant}/{joint.material}"
    return [*events, history_event(event_id, joint, at=REGISTER_2026.published_at)]


def capacity_history() -> list[Event]:
    """Return the supply side in event-time order: production, shares, trade, plants."""
    events = [*production_history(), *trade_history(), *register_history()]
    return sorted(events, key=lambda event: event.occurred_at)
