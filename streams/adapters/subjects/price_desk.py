"""The desk of a material: its price series as a partition has them at hand, beside those they are held against.

Everything here is read off the store once and can be forgotten: the state is the series. What the identities of series
decide (labels, who else is on the panel, which Chinese quote a premium is against) is worked out when a series is new.
A core is made anew whenever its state is rolled back, and its desks with it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from streams.adapters.subjects.material_page import page_of
from streams.adapters.subjects.subject import Place
from streams.contracts.price import PriceQuoted
from streams.domain.observations import period_kind
from streams.domain.price_market import Market
from streams.domain.price_panel import Panel
from streams.domain.price_places import Place as Side
from streams.domain.prices import PriceSeries, series_labels


class Row:
    """One series: where it stands on its panel and in its market, and the labels of its assessments."""

    __slots__ = ("key", "labels", "market", "panel", "place", "series", "side", "slot")

    def __init__(self, key: bytes, series: PriceSeries) -> None:
        self.key = key
        self.series = series
        self.side = series.identity.place
        self.labels = series_labels(series.identity)
        self.panel: Panel
        self.slot = 0
        self.market: Market
        self.place = 0

    def put(self, series: PriceSeries) -> None:
        """Put the series that a quote made in place of the one before."""
        self.series = series
        self.panel.put(self.slot, series)
        if self.side is Side.CHINA:
            self.market.chinese[self.place] = series
        elif self.side is Side.OUTSIDE:
            self.market.outside[self.place] = series


class Desk:
    """The rows of one material, by what tells its series apart."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {_named(row): row for row in rows}
        self._outside: dict[Market, list[Row]] = {}
        for panel in _grouped(rows, lambda row: row.key[: -len(row.series.identity.assessor)]):
            seated = Panel([row.series for row in panel])
            for slot, row in enumerate(panel):
                row.panel, row.slot = seated, slot
        for market in _grouped(rows, lambda row: (_form(row), row.series.identity.period)):
            sides = {side: [row for row in market if row.side is side] for side in (Side.CHINA, Side.OUTSIDE)}
            chinese, outside = sides[Side.CHINA], sides[Side.OUTSIDE]
            held = Market(chinese=[row.series for row in chinese], outside=[row.series for row in outside])
            self._outside[held] = outside
            for row in market:
                row.market = held
            for place, row in (*enumerate(chinese), *enumerate(outside)):
                row.place = place

    def row_of(self, quote: PriceQuoted) -> Row | None:
        """Return the row of the series a quote belongs to; `None` for the first of its series."""
        return self._rows.get(
            (
                quote.form, quote.grade, quote.basis, quote.currency, quote.per_unit, quote.content, quote.vat_included,
                quote.assessor, period_kind(quote.reference_period),
            )
        )  # fmt: skip

    def outside_of(self, row: Row) -> Sequence[Row]:
        """Return the rows outside China whose premium a Chinese row decides."""
        return self._outside[row.market]


def desk_of(place: Place, material: str) -> Desk:
    """Return the desk of a material; read off the store where it is not at hand."""
    desk: Desk | None = place.at_hand.get(material)
    return desk if desk is not None else reread_desk(place, material)


def reread_desk(place: Place, material: str) -> Desk:
    """Read the desk of a material off the store. Call it when a series is new."""
    store = place.store
    desk = Desk([Row(key, store.get(key)) for key in page_of(store, material).prices])
    place.at_hand[material] = desk
    return desk


def _form(row: Row) -> tuple[str, str]:
    return row.series.identity.form, row.series.identity.content


def _named(row: Row) -> tuple[Any, ...]:
    own = row.series.identity
    return (
        own.form, own.grade, own.basis, own.currency, own.per_unit, own.content, own.vat_included, own.assessor,
        own.period,
    )  # fmt: skip


def _grouped(rows: Iterable[Row], key: Any) -> list[list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())
