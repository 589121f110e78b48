"""One series beside others: premium outside China, thin markets, assessors that disagree."""

from typing import Any

import pytest

from streams.contracts.assessments import Fact
from streams.domain.prices.comparable_series import counterpart
from streams.domain.prices.conversions import Conversions
from streams.domain.prices.market_facts import Market, assessor_gap, thin_of
from streams.domain.prices.price_series import PriceSeries
from tests.support.prices import day, facts_of, quote, series, walk

TABLE = Conversions()
EUROPE: dict[str, Any] = {"basis": "CIF Rotterdam", "material": "yttrium"}
CHINA: dict[str, Any] = {"basis": "FOB China", "material": "yttrium"}


def europe(amount: float = 320.0, *, number: int = 0, **fields: Any) -> PriceSeries:
    return series(quote(number, amount, **{**EUROPE, **fields}))


def china(amount: float = 8.0, *, number: int = 0, **fields: Any) -> PriceSeries:
    return series(quote(number, amount, **{**CHINA, **fields}))


def premium(own: PriceSeries, *chinese: PriceSeries, others: tuple[PriceSeries, ...] = ()) -> dict[str, Fact]:
    return Market(chinese=chinese, outside=(own, *others)).premium_facts(0, table=TABLE)


def test_the_premium_is_the_price_outside_over_the_chinese_one() -> None:
    """European yttrium at forty times the Chinese price (docs/domain.md 2)."""
    found = premium(europe(), china())
    assert found["premium_ratio"] == pytest.approx(39.0)
    assert facts_of(europe(), found)[0]["premium_ratio"] == found["premium_ratio"]
    assert str(found["premium_against"]).startswith("yttrium oxide (grade unknown), FOB China, USD per kg gross")


def test_without_a_chinese_quote_the_premium_is_unknown() -> None:
    """No quote is no premium of zero."""
    found = premium(europe())
    assert found["premium_ratio"] is None
    assert found["premium_weighted_ratio"] is None
    assert "premium_refused" not in found


def test_a_premium_that_cannot_be_computed_says_why() -> None:
    """The refusal is carried to whoever asks."""
    found = premium(europe(vat_included=False), china(vat_included=True))
    assert found["premium_ratio"] is None
    assert str(found["premium_refused"]).startswith("vat_differs: yttrium oxide")


def test_where_no_chinese_quote_compares_the_refusal_is_that_of_the_most_like() -> None:
    """One reason is shown, and it is about the quote that a person would have held it against."""
    own = europe(vat_included=False, assessor="b")
    found = premium(own, china(vat_included=True, assessor="a"), china(vat_included=True, assessor="b", number=40))
    assert found["premium_ratio"] is None
    assert str(found["premium_refused"]) == str(
        premium(own, china(vat_included=True, assessor="b", number=40))["premium_refused"]
    )


def test_the_chinese_quote_that_is_most_like_is_taken() -> None:
    """The same grade goes before the same assessor, that before the nearer day, and what compares before a refusal."""
    own = europe(grade="99.999%", assessor="b")
    same_grade = china(8.0, grade="99.999%", assessor="a", number=3)
    same_assessor = china(16.0, grade="99.99%", assessor="b")
    far = china(32.0, grade="99.999%", assessor="b", number=40)
    assert premium(own, same_assessor, far, same_grade)["premium_ratio"] == pytest.approx(39.0)
    assert premium(own, china(4.0, assessor="a"), same_assessor)["premium_ratio"] == pytest.approx(19.0)


def test_premiums_are_weighted_by_the_volume_they_stand_for() -> None:
    """European dysprosium at 800 on 1% of the volume while most traded at 224 lifts the whole market by 2.6%."""
    own = europe(800.0, volume_share_ratio=0.01)
    korea = europe(448.0, basis="CIF Korea", volume_share_ratio=0.03)
    unknown = europe(9999.0, basis="FOB Japan")
    old = europe(9999.0, basis="FOB India", volume_share_ratio=0.5, number=40)
    found = premium(own, china(224.0), others=(korea, unknown, old))
    assert found["premium_weighted_ratio"] == pytest.approx(0.01 * (800 / 224 - 1) + 0.03)
    assert found["premium_volume_share_ratio"] == 0.01


@pytest.mark.parametrize(
    ("share", "premium_ratio", "thin"),
    [
        (0.008, 39.0, True), (0.05, 39.0, False), (0.96, 0.0, False), (None, 39.0, None), (0.008, 0.2, None),
        (0.008, None, None),
    ],
)  # fmt: skip
def test_a_premium_on_little_volume_is_thin(
    share: float | None, premium_ratio: float | None, thin: bool | None
) -> None:
    """Under 5% of the volume the same move is a notice; without the share nobody knows."""
    assert thin_of(europe(volume_share_ratio=share), premium_ratio=premium_ratio) is thin


def test_a_move_on_little_volume_is_thin_too() -> None:
    """The move of thirty observations counts as the premium does, up or down, inside China and out."""
    small = {"volume_share_ratio": 0.01}
    assert thin_of(walk([100.0 + 4 * n for n in range(31)], **EUROPE, **small), premium_ratio=0.0) is True
    assert thin_of(walk([300.0 - 4 * n for n in range(31)], **CHINA, **small), premium_ratio=None) is True
    assert thin_of(walk([100.0] * 31, **EUROPE, **small), premium_ratio=0.1) is False
    assert thin_of(walk([100.0] * 31, **EUROPE, **small), premium_ratio=None) is None
    assert thin_of(walk([100.0] * 31, **CHINA, **small), premium_ratio=None) is False
    assert thin_of(walk([100.0] * 30, **CHINA, **small), premium_ratio=None) is None


def test_assessors_that_differ_twofold_are_a_conflict() -> None:
    """Yttrium in November 2025: two assessors a fortnight apart in price as in time."""
    own = europe(126.0)
    gap_ratio, who = assessor_gap(own, [own, europe(270.0, assessor="b"), europe(130.0, assessor="c")])
    assert gap_ratio == pytest.approx(270 / 126 - 1)
    assert who == "b"


def test_only_the_same_series_of_another_assessor_counts() -> None:
    """Another basis, grade, currency, unit or VAT is another price, and a quote of a month ago is no contradiction."""
    unlike: list[dict[str, Any]] = [
        {"basis": "CIF Korea"}, {"grade": "1%"}, {"currency": "EUR"}, {"per_unit": "lb"}, {"vat_included": True},
        {"form": "metal"}, {"number": 20},
    ]  # fmt: skip
    twins = [europe(270.0, **{"assessor": "b", **each}) for each in unlike]
    assert assessor_gap(europe(126.0), twins) == (None, None)
    month, other = europe(reference_period="2025-01"), europe(9.0, reference_period="2025-02", assessor="b")
    assert assessor_gap(month, [other]) == (None, None)
    assert assessor_gap(europe(1e12), [europe(5e-324, assessor="b")]) == (None, None)


def test_the_latest_prices_of_days_and_the_same_longer_period_are_compared() -> None:
    """The spread of today is that of the prices that stand today; a mean of 2024 is held against that of 2024."""
    held = series(*(quote(n, 100.0 + n, **CHINA) for n in (0, 4, 10)))
    assert counterpart(held, day(3)).period == day(10)
    years = series(*(quote(0, 100.0 + n, reference_period=str(2023 + n), **CHINA) for n in range(3)))
    assert counterpart(years, "2024").value == 101.0
    assert counterpart(years, "2020").period == "2025"
    own = europe(202.0, reference_period="2024")
    assert premium(own, years)["premium_ratio"] == pytest.approx(1.0)
    assert premium(europe(1.0, reference_period="2020"), years)["premium_ratio"] is None


def test_of_chinese_quotes_as_like_as_each_other_the_nearest_day_is_taken() -> None:
    """Then the same currency, and at last the first of them."""
    own = europe(assessor="x", number=20)
    older, newer = china(4.0, assessor="a", number=10), china(8.0, assessor="b", number=19)
    assert premium(own, older, newer)["premium_ratio"] == pytest.approx(39.0)
    assert premium(own, newer, china(4.0, assessor="c", number=19))["premium_ratio"] == pytest.approx(39.0)
    yuan = china(4.0, assessor="a", number=19, currency="CNY")
    assert premium(own, yuan, newer)["premium_ratio"] == pytest.approx(39.0)
