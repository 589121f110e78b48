"""Make the price history from the annual mean prices of the USGS salient statistics, edition 2026.

A mean of a year is labelled as one (`reference_period` is a year, assessor `usgs`). A range ("890–1,000") is no price
and makes no event; `unread_prices` names those rows.
"""

import re
from types import MappingProxyType
from typing import Any

import msgspec

from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted
from streams.reference.editions import MCS_2026, history_event, provenance_of
from streams.reference.loaders import load_table

_TABLE = "usgs_mcs2026_salient_us"
_NUMBER = re.compile(r"\d{1,3}(,\d{3})*(\.\d+)?|\d+(\.\d+)?")
_OXIDE = re.compile(r"^Price, average, dollars per kilogram: (\w+) oxide, (99\.?\d*%),? minimum$")

_READINGS = MappingProxyType(
    {
        "Price, average, dollars per kilogram: Mischmetal, 65% cerium, 35% lanthanum": (
            "mischmetal",
            "metal",
            "65% Ce, 35% La",
            "FOB",
            "kg",
        ),
        "Price, average, dollars per kilogram: Neodymium-praseodymium (NdPr) oxide, 99% minimum": (
            "neodymium-praseodymium",
            "oxide",
            "99% minimum",
            "FOB",
            "kg",
        ),
        "Price, average, dollars per kilogram: Y2O3, minimum 99.999% purity": (
            "yttrium",
            "oxide",
            "99.999% minimum",
            "FOB China",
            "kg",
        ),
        "Price, average, dollars per kilogram: Yttrium metal, minimum 99.9% purity": (
            "yttrium",
            "metal",
            "99.9% minimum",
            "FOB China",
            "kg",
        ),
        "Price, global, dollars per kilogram, range of average values: Scandium oxide, powder, 99.99% purity, "
        "5- to 100-kilogram lot size": ("scandium", "oxide", "99.99%", "global", "kg"),
        "Price, global, dollars per kilogram, range of average values: Scandium metal, ingot, 99.999% purity, "
        "1- to 10-kilogram lot size": ("scandium", "metal", "99.999%", "global", "kg"),
        "Price, metal, average, dollars per pound": ("antimony", "metal", None, "United States", "lb"),
        "Price, average, dollars per pound": ("bismuth", "metal", None, "United States", "lb"),
        "Price, average unit value of imports, dollars per kilogram": (
            "gallium",
            "metal",
            None,
            "unit value of US imports",
            "kg",
        ),
        "Price, annual average, dollars per kilogram: Germanium metal": ("germanium", "metal", None, "unstated", "kg"),
        "Price, annual average, dollars per kilogram: Germanium dioxide": (
            "germanium",
            "oxide",
            None,
            "unstated",
            "kg",
        ),
        "Price, annual average, dollars per kilogram: U.S. warehouse, free on board": (
            "indium",
            "metal",
            None,
            "FOB US warehouse",
            "kg",
        ),
        "Price, annual average, dollars per kilogram: Rotterdam, duties unpaid": (
            "indium",
            "metal",
            None,
            "Rotterdam, duties unpaid",
            "kg",
        ),
        "Price, annual average, dollars per kilogram: United States": (
            "tellurium",
            "metal",
            None,
            "United States",
            "kg",
        ),
        "Price, annual average, dollars per kilogram: Europe": ("tellurium", "metal", None, "Europe", "kg"),
        "Price, concentrate, average in-warehouse Rotterdam, dollars per dry metric ton unit of tungsten trioxide": (
            "tungsten",
            "concentrate",
            None,
            "in warehouse Rotterdam",
            "mtu",
        ),
    }
)
"""Statistic to material, form, grade (`None`: not said), basis and unit."""


def number(text: str) -> float | None:
    """Read a published figure; `None` for anything but one number (a range, an inequality, a mark)."""
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else None


def _reading(statistic: str) -> tuple[str, str, str | None, str, str] | None:
    oxide = _OXIDE.match(statistic)
    if oxide:
        return oxide[1].lower(), "oxide", f"{oxide[2]} minimum", "FOB", "kg"
    return _READINGS.get(statistic)


def _rows() -> list[tuple[dict[str, str], tuple[str, str, str | None, str, str], float | None]]:
    read = ((row, _reading(row["statistic"])) for row in load_table(_TABLE))
    return [(row, reading, number(row["value"])) for row, reading in read if reading is not None]


def unread_prices() -> list[str]:
    """Return the rows that give a range instead of a price, as `statistic year: value`."""
    return [f"{row['statistic']} {row['year']}: {row['value']}" for row, _, amount in _rows() if amount is None]


def price_history() -> list[Event]:
    """Return one event a figure, in order of year, then of the table."""
    events = []
    for row, (material, form, grade, basis, unit), amount in sorted(_rows(), key=lambda each: each[0]["year"]):
        if amount is None:
            continue
        estimated = "Estimated by the USGS. " if row["estimated"] == "True" else ""
        note = f"Annual mean. {estimated}{row['notes'].removeprefix('Estimated. -- ')}".strip()
        fields: dict[str, Any] = {
            "material": material,
            "form": form,
            "grade": grade,
            "basis": basis,
            "assessor": "usgs",
            "amount": amount,
            "currency": "USD",
            "per_unit": unit,
            "reference_period": row["year"],
            "content": "contained" if unit == "mtu" else "gross",
            "provenance": provenance_of(
                MCS_2026,
                row=f"{_TABLE}.csv#{row['chapter']}/{row['statistic']}/{row['year']}"[:400],
                note=note,
            ),
        }
        place = re.sub(r"[^a-z0-9]+", "-", basis.lower()).strip("-")
        event_id = f"mcs2026/price/{material}/{form}/{place}/{row['year']}"
        events.append(history_event(event_id, msgspec.convert(fields, PriceQuoted), at=MCS_2026.published_at))
    return events
