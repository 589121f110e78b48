"""The price series of a material in memory, grouped by assessor panel and by market.

The index is a cache of the store: it is read once, updated quote by quote, and written back when a record ends
(`SeriesEntry.flush`). Panels and markets are worked out when a series is added, for its own panel and market only. The
core is rebuilt whenever its state is rolled back, and the index with it.
"""

from bisect import insort
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from streams.assess.assessors.assessor import PartitionContext
from streams.assess.assessors.material_index import index_entry_of
from streams.contracts.price import PriceQuoted
from streams.domain.observations import period_kind
from streams.domain.prices.assessor_panel import AssessorPanel
from streams.domain.prices.market_facts import Market
from streams.domain.prices.price_places import QuotePlace as Side
from streams.domain.prices.price_series import PriceIdentity, PriceSeries, series_labels
from streams.domain.prices.price_series_builder import PriceSeriesBuilder
from streams.domain.score.evidence import entity_name
from streams.runtime.stage_ports import StateStore


class SeriesEntry:
    """One series: its slot on the panel, its place in the market, and the labels of its assessments.

    `entity` names it as evidence. `dirty`: the series changed since it was written to the store.
    """

    __slots__ = ("beside", "dirty", "entity", "key", "labels", "market", "panel", "place", "series", "side", "slot")

    def __init__(self, key: bytes, series: PriceSeries) -> None:
        self.key = key
        self.series = PriceSeriesBuilder(series)
        self.side = series.identity.place
        self.labels = series_labels(series.identity)
        self.entity = entity_name(series.identity.material, "price", None, self.labels)
        self.dirty = False
        self.panel: AssessorPanel
        self.slot = 0
        self.market: Market
        self.beside: list[SeriesEntry] = []
        self.place = 0

    def flush(self, store: StateStore) -> None:
        """Write the series to the store."""
        store.put(self.key, self.series.series)
        self.dirty = False


class PriceSeriesIndex:
    """The entries of one material, by what tells its series apart."""

    def __init__(self, series: Mapping[bytes, PriceSeries]) -> None:
        entries = [SeriesEntry(key, each) for key, each in series.items()]
        self._entries = {_name_of(entry.series.identity, entry.series.identity.period): entry for entry in entries}
        self._panels = _grouped(entries, _panel_of)
        self._markets = _grouped(entries, _market_of)
        for panel in self._panels.values():
            _build_panel(panel)
        for market in self._markets.values():
            _build_market(market)

    def begin(self, key: bytes, series: PriceSeries) -> SeriesEntry:
        """Add a new series and rebuild its panel and its market; all others stay as they are."""
        entry = SeriesEntry(key, series)
        self._entries[_name_of(series.identity, series.identity.period)] = entry
        panel = self._panels.setdefault(_panel_of(entry), [])
        market = self._markets.setdefault(_market_of(entry), [])
        for entries in (panel, market):
            insort(entries, entry, key=lambda each: each.key)  # the order in which a store gives them
        _build_panel(panel)
        _build_market(market)
        return entry

    def entry_of(self, quote: PriceQuoted) -> SeriesEntry | None:
        """Return the entry of the series a quote belongs to; `None` for the first of its series."""
        return self._entries.get(_name_of(quote, period_kind(quote.reference_period)))

    def outside_of(self, entry: SeriesEntry) -> Sequence[SeriesEntry]:
        """Return the entries outside China whose premium a Chinese entry decides."""
        return entry.beside


def _build_panel(panel: list[SeriesEntry]) -> None:
    shared = AssessorPanel([entry.series for entry in panel])
    for slot, entry in enumerate(panel):
        entry.panel, entry.slot = shared, slot


def _build_market(market: list[SeriesEntry]) -> None:
    chinese, outside = ([entry for entry in market if entry.side is side] for side in (Side.CHINA, Side.OUTSIDE))
    held = Market(chinese=[entry.series for entry in chinese], outside=[entry.series for entry in outside])
    for entry in market:
        entry.market, entry.beside = held, outside
    for place, entry in (*enumerate(chinese), *enumerate(outside)):
        entry.place = place


def _panel_of(entry: SeriesEntry) -> Hashable:
    return entry.key[: -len(entry.series.identity.assessor)]


def _market_of(entry: SeriesEntry) -> Hashable:
    identity = entry.series.identity
    return identity.form, identity.content, identity.period


def index_of(context: PartitionContext, material: str) -> PriceSeriesIndex:
    """Return the index of a material, from memory or from the store."""
    index: PriceSeriesIndex | None = context.at_hand.get(material)
    return index if index is not None else reload_index(context, material)


def reload_index(context: PartitionContext, material: str) -> PriceSeriesIndex:
    """Read the index of a material from the store."""
    store = context.store
    index = PriceSeriesIndex({key: store.get(key) for key in index_entry_of(store, material).prices})
    context.at_hand[material] = index
    return index


def _name_of(of: PriceQuoted | PriceIdentity, period: str) -> Hashable:
    """Return what tells the series of a material apart; the length of the period is no field of a quote."""
    return (of.form, of.grade, of.basis, of.currency, of.per_unit, of.content, of.vat_included, of.assessor, period)


def _grouped(
    entries: Iterable[SeriesEntry], key: Callable[[SeriesEntry], Hashable]
) -> dict[Hashable, list[SeriesEntry]]:
    groups: dict[Hashable, list[SeriesEntry]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return groups
