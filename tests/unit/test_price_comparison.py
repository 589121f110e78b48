"""Comparing quotes: explicit dated conversion, and refusals that name both sides."""

from datetime import date
from typing import Any

import msgspec
import pytest

from streams.contracts.price import Currency
from streams.domain.prices.conversions import Conversions, CurrencyRate, conversions_of, currency_factor, unit_factor
from streams.domain.prices.price_comparison import Compared, Comparison, Refused, Unlike, compare, days_apart
from streams.domain.prices.price_places import QuotePlace, place_of
from streams.domain.prices.price_series import identity_of
from streams.reference import load_table
from streams.reference.loaders import load_conversions
from tests.support.prices import quote, seen

YEAR = CurrencyRate(
    currency="CNY", usd_per_unit=0.14, first_day=date(2025, 1, 1), last_day=date(2025, 12, 31), source="a bank"
)
JANUARY = msgspec.structs.replace(YEAR, usd_per_unit=0.137, last_day=date(2025, 1, 31))
EURO = msgspec.structs.replace(YEAR, currency="EUR", usd_per_unit=1.10)
TABLE = Conversions(rates=(YEAR, JANUARY, EURO))


def against(
    left: dict[str, Any], right: dict[str, Any], *, across: frozenset[str] = frozenset(), table: Conversions = TABLE
) -> Comparison:
    one, other = quote(**left), quote(**right)
    return compare(identity_of(one), seen(one), identity_of(other), seen(other), table=table, across=across)


@pytest.mark.parametrize(
    ("left", "right", "change"),
    [
        ({"amount": 150.0}, {"amount": 100.0}, 0.5),
        ({"amount": 1000.0, "currency": "CNY"}, {"amount": 100.0}, 0.37),
        ({"amount": 1000.0, "currency": "CNY", "number": 60}, {"amount": 100.0, "number": 60}, 0.40),
        ({"amount": 110.0}, {"amount": 100.0, "currency": "EUR"}, 0.0),
        ({"amount": 1.37, "currency": "CNY"}, {"amount": 0.137 / 1.1, "currency": "EUR"}, 0.37),
        ({"amount": 45.359237, "per_unit": "lb"}, {"amount": 100.0}, 0.0),
        ({"amount": 100_000.0, "per_unit": "t"}, {"amount": 100.0}, 0.0),
        ({"amount": 300.0, "per_unit": "mtu", "content": "contained"}, {"amount": 30.0, "content": "contained"}, 0.0),
    ],
)
def test_units_and_currencies_are_converted(left: dict[str, Any], right: dict[str, Any], change: float) -> None:
    """The rate is that of the day: the mean of the month where there is one, else that of the year."""
    found = against(left, right)
    assert isinstance(found, Compared)
    assert found.change_ratio == pytest.approx(change, rel=1e-9, abs=1e-9)


def test_a_comparison_names_its_conversions() -> None:
    """A number that can be taken apart: rate, its days, its source, and the weight of a unit."""
    found = against({"amount": 1.0, "currency": "CNY", "per_unit": "lb"}, {"amount": 1.0})
    assert isinstance(found, Compared)
    assert found.steps == ("1 lb = 0.453592 kg", "1 CNY = 0.137 USD, mean of 2025-01-01 to 2025-01-31, a bank")


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ({"material": "terbium"}, Unlike.MATERIAL), ({"form": "metal"}, Unlike.FORM),
        ({"grade": "99.5%"}, Unlike.GRADE),
        ({"basis": "CIF Rotterdam"}, Unlike.BASIS), ({"assessor": "b"}, Unlike.ASSESSOR),
        ({"content": "contained"}, Unlike.CONTENT), ({"vat_included": True}, Unlike.VAT),
        ({"reference_period": "2025-01"}, Unlike.PERIOD), ({"number": 15}, Unlike.FAR_APART),
        ({"per_unit": "mtu"}, Unlike.UNIT), ({"currency": "JPY"}, Unlike.RATE),
        ({"amount": 1e12, "per_unit": "kg"}, Unlike.RANGE),
    ],
)  # fmt: skip
def test_unlike_quotes_are_refused_with_both_sides_named(left: dict[str, Any], reason: Unlike) -> None:
    """Refuse to compare across bases (docs/domain.md 9): the refusal is a result that a person can read."""
    right = {"amount": 5e-324} if reason is Unlike.RANGE else {}
    found = against(left, right)
    assert isinstance(found, Refused)
    assert found.reason is reason
    assert "by a" in found.right
    assert found.left != found.right
    assert f"{reason.value}: {found.left} against {found.right}" == str(found)


def test_value_added_tax_that_terms_of_delivery_exclude_is_alike() -> None:
    """FOB and CIF are prices without VAT; a domestic quote that does not say is unknown."""
    across = frozenset({"basis"})
    assert isinstance(against({"basis": "CIF Rotterdam"}, {"vat_included": False}, across=across), Compared)
    domestic = {"basis": "EXW China"}
    assert isinstance(against({"basis": "CIF Rotterdam"}, domestic, across=across), Compared)
    refused = against({"basis": "CIF Rotterdam", "vat_included": False}, domestic, across=across)
    assert isinstance(refused, Refused)
    assert "VAT unknown" in refused.right


def test_an_old_rate_is_no_rate() -> None:
    """A mean of a year serves until the next is published; after 400 days the conversion is unknown."""
    table = Conversions(rates=(YEAR, JANUARY))

    def on(day: date, currency: Currency = "CNY") -> float | None:
        found = currency_factor(table, currency=currency, into="USD", on=day)
        return found.factor if found else None

    assert on(date(2026, 11, 24)) == 0.14
    assert on(date(2027, 2, 5)) is None
    assert on(date(2024, 12, 31)) is None
    assert on(date(2025, 6, 1), "GBP") is None
    assert currency_factor(table, currency="USD", into="GBP", on=date(2025, 6, 1)) is None
    same = currency_factor(table, currency="GBP", into="GBP", on=date(2025, 6, 1))
    assert same is not None and (same.factor, same.steps) == (1.0, ())


def test_the_shipped_rates_are_dated_and_have_a_source() -> None:
    """Federal Reserve G.5A: 7.0809 yuan a dollar and 1.0817 dollars a euro in 2023."""
    table = load_conversions()
    yuan = table.rate_of("CNY", on=date(2023, 7, 1))
    euro = table.rate_of("EUR", on=date(2023, 7, 1))
    assert yuan is not None
    assert euro is not None
    assert 1 / yuan.usd_per_unit == pytest.approx(7.0809)
    assert euro.usd_per_unit == 1.0817
    assert all(rate.source and rate.address and rate.first_day < rate.last_day for rate in table.rates)
    assert {rate.currency for rate in table.rates} == {"CNY", "EUR", "JPY", "GBP", "AUD", "KRW"}


def test_a_wrong_row_of_rates_is_refused() -> None:
    """An unknown currency in the table is a mistake of the table."""
    row = {**load_table("currency_rates")[0], "currency": "XAU"}
    with pytest.raises(msgspec.ValidationError):
        conversions_of([row])


def test_a_metric_ton_unit_is_of_contained_oxide() -> None:
    """10 kg of WO3; without the content there is nothing to convert."""
    assert unit_factor(per="mtu", into="kg", content="gross") is None
    assert unit_factor(per="kg", into="mtu", content="contained") == 10.0
    assert unit_factor(per="mtu", into="mtu", content="gross") == 1.0


@pytest.mark.parametrize(
    ("basis", "place"),
    [
        ("FOB China", QuotePlace.CHINA), ("EXW Baotou", QuotePlace.CHINA), ("Chinese domestic", QuotePlace.CHINA),
        ("CIF Rotterdam", QuotePlace.OUTSIDE), ("Europe", QuotePlace.OUTSIDE), ("FOB US warehouse", QuotePlace.OUTSIDE),
        ("outside China", QuotePlace.OUTSIDE), ("delivered non-China", QuotePlace.OUTSIDE), ("FOB", QuotePlace.UNNAMED),
        ("global", QuotePlace.UNNAMED), ("unstated", QuotePlace.UNNAMED), ("made up", QuotePlace.UNNAMED),
        ("", QuotePlace.UNNAMED),
    ],
)  # fmt: skip
def test_the_side_of_the_border_is_read_from_the_basis(basis: str, place: QuotePlace) -> None:
    """A basis that names no place takes part in no premium."""
    assert place_of(basis) is place


def test_distance_of_periods_is_measured_at_their_ends() -> None:
    """Two months are a month apart."""
    assert days_apart("2025-01", "2025-02") == 28
    assert days_apart("2025", "2025") == 0
    assert days_apart("2025-Q1", "2025-H1") == 91
