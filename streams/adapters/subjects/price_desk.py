"""The desk of a material: its price series as a partition has them at hand, beside those they are held against.

Everything here is read off the store once: the state is the series, into which quotes are entered once a record
(`Row.keep`), so that between two records a desk can be forgotten. What the identities of series decide (labels, who
else is on the panel, which Chinese quote a premium is against) is worked out when a series is new. A core is made anew
whenever its state is rolled back, and its desks with it.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from streams.adapters.subjects.material_page import page_of
from streams.adapters.subjects.subject import Place
from streams.contracts.price import PriceQuoted
from streams.domain.evidence import entity_name
from streams.domain.observations import period_kind
from streams.domain.price_at_hand import SeriesAtHand
from streams.domain.price_market import Market
from streams.domain.price_panel import Panel
from streams.domain.price_places import Place as Side
from streams.domain.prices import PriceIdentity, PriceSeries, series_labels
from streams.runtime.ports import StateStore


class Row:
    """One series: where it stands on its panel and in its market, and the labels of its assessments.

    `entity` names it as evidence. `waits`: what its quotes made of it is not in the store yet.
    """

    __slots__ = ("entity", "key", "labels", "market", "panel", "place", "series", "side", "slot", "waits")

    def __init__(self, key: bytes, series: PriceSeries) -> None:
        self.key = key
        self.series = SeriesAtHand(series)
        self.side = series.identity.place
        self.labels = series_labels(series.identity)
        self.entity = entity_name(series.identity.material, "price", None, self.labels)
        self.waits = False
        self.panel: Panel
        self.slot = 0
        self.market: Market
        self.place = 0

    def keep(self, store: StateStore) -> None:
        """Put the series into the store."""
        store.put(self.key, self.series.series)
        self.waits = False


class Desk:
    """The rows of one material, by what tells its series apart."""

    def __init__(self, series: Mapping[bytes, PriceSeries]) -> None:
        rows = [Row(key, each) for key, each in series.items()]
        self._rows = {_name_of(row.series.identity, row.series.identity.period): row for row in rows}
        self._outside: dict[Market, list[Row]] = {}
        for panel in _grouped(rows, lambda row: row.key[: -len(row.series.identity.assessor)]):
            seated = Panel([row.series for row in panel])
            for slot, row in enumerate(panel):
                row.panel, row.slot = seated, slot
        for market in _grouped(rows, _market_of):
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


def _market_of(row: Row) -> Hashable:
    identity = row.series.identity
    return identity.form, identity.content, identity.period


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
