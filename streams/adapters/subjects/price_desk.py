"""The desk of a material: its price series as a partition has them at hand, beside those they are held against.

Everything here is read off the store once and can be forgotten: the state is the series. What the identities of series
decide (labels, who else is on the panel, which Chinese quote a premium is against) is worked out when a series is new.
A core is made anew whenever its state is rolled back, and its desks with it.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from streams.adapters.subjects.material_page import page_of
from streams.adapters.subjects.subject import Place
from streams.contracts.price import PriceQuoted
from streams.domain.observations import period_kind
from streams.domain.price_market import Market
from streams.domain.price_panel import Panel
from streams.domain.price_places import Place as Side
from streams.domain.prices import PriceIdentity, PriceSeries, series_labels


class Row:
    """One series: where it stands on its panel and in its market, and the labels of its assessments."""

    __slots__ = ("identity", "key", "labels", "market", "panel", "place", "side", "slot")

    def __init__(self, key: bytes, identity: PriceIdentity) -> None:
        self.key = key
        self.identity = identity
        self.side = identity.place
        self.labels = series_labels(identity)
        self.panel: Panel
        self.slot = 0
        self.market: Market
        self.place = 0

    @property
    def series(self) -> PriceSeries:
        """The series as the last quote left it."""
        return self.panel.series[self.slot]

    def put(self, series: PriceSeries) -> None:
        """Put the series that a quote made in place of the one before."""
        self.panel.put(self.slot, series)
        if self.side is Side.CHINA:
            self.market.chinese[self.place] = series
        elif self.side is Side.OUTSIDE:
            self.market.outside[self.place] = series


class Desk:
    """The rows of one material, by what tells its series apart."""

    def __init__(self, series: Mapping[bytes, PriceSeries]) -> None:
        rows = [Row(key, each.identity) for key, each in series.items()]
        self._rows = {_name_of(row.identity, row.identity.period): row for row in rows}
        self._outside: dict[Market, list[Row]] = {}
        for panel in _grouped(rows, lambda row: row.key[: -len(row.identity.assessor)]):
            seated = Panel([series[row.key] for row in panel])
            for slot, row in enumerate(panel):
                row.panel, row.slot = seated, slot
        for market in _grouped(rows, lambda row: (row.identity.form, row.identity.content, row.identity.period)):
            chinese, outside = ([row for row in market if row.side is side] for side in (Side.CHINA, Side.OUTSIDE))
            held = Market(chinese=[row.series for row in chinese], outside=[row.series for row in outside])
            self._outside[held] = outside
            for row in market:
                row.market = held
            for place, row in (*enumerate(chinese), *enumerate(outside)):
                row.place = place

    def row_of(self, quote: PriceQuoted) -> Row | None:
        """Return the row of the series a quote belongs to; `None` for the first of its series."""
        return self._rows.get(_name_of(quote, period_kind(quote.reference_period)))

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
    desk = Desk({key: store.get(key) for key in page_of(store, material).prices})
    place.at_hand[material] = desk
    return desk


def _name_of(of: PriceQuoted | PriceIdentity, period: str) -> Hashable:
    """Return what tells the series of a material apart; the length of the period is no field of a quote."""
    return (
        of.form, of.grade, of.basis, of.currency, of.per_unit, of.content, of.vat_included, of.assessor, period
    )  # fmt: skip


def _grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> Iterable[list[Row]]:
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups.values()
