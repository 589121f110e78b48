"""Explicit, dated conversion of prices: units of weight, currencies, and nothing else.

Content (gross or contained), value-added tax and delivery terms are not converted: that would need an assay, a tax law
or a freight bill. A metric ton unit is 10 kg of *contained* oxide, so it converts where the content is contained only.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from types import MappingProxyType

import msgspec

from streams.contracts.price import Currency, PriceUnit

KILOGRAMS = MappingProxyType({"kg": 1.0, "lb": 0.45359237, "t": 1000.0, "mtu": 10.0})
"""Unit of a price to kilograms; the pound is exact (international pound of 1959)."""

MAX_RATE_AGE = timedelta(days=400)
"""A mean of a year serves until the next one is published, about a month after the next year ended."""


class CurrencyRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency was worth in US dollars, as the mean of the days `first_day`..`last_day`."""

    currency: Currency
    usd_per_unit: float
    first_day: date
    last_day: date
    source: str
    address: str | None = None


class Conversions(msgspec.Struct, frozen=True, kw_only=True):
    """The table of currency rates that comparisons may use; an empty one converts units only."""

    rates: tuple[CurrencyRate, ...] = ()

    def rate_of(self, currency: str, *, on: date) -> CurrencyRate | None:
        """Return the rate for a day: the shortest period that has it, else the last before it, at most 400 days old."""
        own = [rate for rate in self.rates if rate.currency == currency and rate.first_day <= on]
        covering = [rate for rate in own if on <= rate.last_day]
        if covering:
            return min(covering, key=lambda rate: (rate.last_day - rate.first_day, rate.last_day, rate.source))
        latest = max(own, key=lambda rate: (rate.last_day, rate.first_day, rate.source), default=None)
        return latest if latest is not None and on - latest.last_day <= MAX_RATE_AGE else None


class CurrencyFactor(msgspec.Struct, frozen=True, kw_only=True):
    """What an amount is multiplied with to change its currency; `steps` name each rate with its days and source."""

    factor: float
    steps: tuple[str, ...] = ()


def currency_factor(table: Conversions, *, currency: Currency, into: Currency, on: date) -> CurrencyFactor | None:
    """Return the factor from one currency into another on a day, `None` where a rate is not known or too old."""
    if currency == into:
        return CurrencyFactor(factor=1.0)
    factor, steps = 1.0, []
    for name, power in ((currency, 1), (into, -1)):
        if name == "USD":
            continue
        rate = table.rate_of(name, on=on)
        if rate is None:
            return None
        factor *= rate.usd_per_unit**power
        days = f"{rate.first_day.isoformat()} to {rate.last_day.isoformat()}"
        steps.append(f"1 {name} = {rate.usd_per_unit:g} USD, mean of {days}, {rate.source}")
    return CurrencyFactor(factor=factor, steps=tuple(steps))


def unit_factor(*, per: PriceUnit, into: PriceUnit, content: str) -> float | None:
    """Return what an amount per one unit is multiplied with to be per another; `None` for mtu of gross weight."""
    if per == into:
        return 1.0
    if "mtu" in (per, into) and content != "contained":
        return None
    return KILOGRAMS[into] / KILOGRAMS[per]


def conversions_of(rows: Iterable[dict[str, str]]) -> Conversions:
    """Read a table with the columns of `currency_rates.csv`; raises `msgspec.ValidationError` for a wrong row.

    A rate is dollars per unit of the currency, or, where `quoted` is `per_usd`, units per dollar.
    """
    rates = []
    for row in rows:
        figure = float(row["rate"])
        fields = {
            "currency": row["currency"],
            "first_day": row["first_day"],
            "last_day": row["last_day"],
            "source": row["source"],
            "address": row["address"] or None,
            "usd_per_unit": 1 / figure if row["quoted"] == "per_usd" else figure,
        }
        rates.append(msgspec.convert(fields, CurrencyRate))
    return Conversions(rates=tuple(rates))
