"""The desk of a material: its price series as a partition has them at hand, beside those they are held against.

Everything here is read off the store once: the state is the series, into which quotes are entered once a record
(`Row.keep`), so that between two records a desk can be forgotten. What the identities of series decide (labels, who
else is on the panel, who is in the market) is worked out when a series is new, for its own panel and market. A core is
made anew whenever its state is rolled back, and its desks with it.
"""

from bisect import insort
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from streams.assess.assessors.assessor import Place
from streams.assess.assessors.material_index import page_of
from streams.contracts.price import PriceQuoted
from streams.domain.observations import period_kind
from streams.domain.prices.assessor_panel import Panel
from streams.domain.prices.market_facts import Market
from streams.domain.prices.price_places import Place as Side
from streams.domain.prices.price_series import PriceIdentity, PriceSeries, series_labels
from streams.domain.prices.price_series_builder import SeriesAtHand
from streams.domain.score.evidence import entity_name
from streams.runtime.stage_ports import StateStore


class Row:
    """One series: where it stands on its panel and in its market, and the labels of its assessments.

    `entity` names it as evidence. `waits`: what its quotes made of it is not in the store yet.
    """

    __slots__ = ("beside", "entity", "key", "labels", "market", "panel", "place", "series", "side", "slot", "waits")

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
        self.beside: list[Row] = []
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
        self._panels = _grouped(rows, _panel_of)
        self._markets = _grouped(rows, _market_of)
        for panel in self._panels.values():
            _seat(panel)
        for market in self._markets.values():
            _open(market)

    def begin(self, key: bytes, series: PriceSeries) -> Row:
        """Enter a new series and work out its panel and its market anew; all others stay as they are at hand."""
        row = Row(key, series)
        self._rows[_name_of(series.identity, series.identity.period)] = row
        panel = self._panels.setdefault(_panel_of(row), [])
        market = self._markets.setdefault(_market_of(row), [])
        for rows in (panel, market):
            insort(rows, row, key=lambda each: each.key)  # the order in which a store gives them
        _seat(panel)
        _open(market)
        return row

    def row_of(self, quote: PriceQuoted) -> Row | None:
        """Return the row of the series a quote belongs to; `None` for the first of its series."""
        return self._rows.get(_name_of(quote, period_kind(quote.reference_period)))

    def outside_of(self, row: Row) -> Sequence[Row]:
        """Return the rows outside China whose premium a Chinese row decides."""
        return row.beside


def _seat(panel: list[Row]) -> None:
    seated = Panel([row.series for row in panel])
    for slot, row in enumerate(panel):
        row.panel, row.slot = seated, slot


def _open(market: list[Row]) -> None:
    chinese, outside = ([row for row in market if row.side is side] for side in (Side.CHINA, Side.OUTSIDE))
    held = Market(chinese=[row.series for row in chinese], outside=[row.series for row in outside])
    for row in market:
        row.market, row.beside = held, outside
    for place, row in (*enumerate(chinese), *enumerate(outside)):
        row.place = place


def _panel_of(row: Row) -> Hashable:
    return row.key[: -len(row.series.identity.assessor)]


def _market_of(row: Row) -> Hashable:
    identity = row.series.identity
    return identity.form, identity.content, identity.period


def desk_of(place: Place, material: str) -> Desk:
    """Return the desk of a material; read off the store where it is not at hand."""
    desk: Desk | None = place.at_hand.get(material)
    return desk if desk is not None else reread_desk(place, material)


def reread_desk(place: Place, material: str) -> Desk:
    """Read the desk of a material off the store."""
    store = place.store
    desk = Desk({key: store.get(key) for key in page_of(store, material).prices})
    place.at_hand[material] = desk
    return desk


def _name_of(of: PriceQuoted | PriceIdentity, period: str) -> Hashable:
    """Return what tells the series of a material apart; the length of the period is no field of a quote."""
    return (
        of.form, of.grade, of.basis, of.currency, of.per_unit, of.content, of.vat_included, of.assessor, period
    )  # fmt: skip


def _grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> dict[Hashable, list[Row]]:
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups
