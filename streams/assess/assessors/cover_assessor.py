"""Cover: own stocks and licences, held against the time a licence takes, the next legal end and independence.

Aspects `stock` (one entity a site and material) and `licence` (one a licence). A site is assessed anew when its report,
a licence, a measure, a plant, a consumption or an export figure changes a fact of it. Licences run out, and pend a day
longer, by event time. A licence that names no site counts for the site of its material where there is only one.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result, TimerRequest
from streams.assess.assessors.capacity_assessor import outside_supply, plants_in
from streams.assess.assessors.dependency_assessor import HOMES, dependency_in
from streams.assess.assessors.material_index import enter, index_entry_of
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.contracts.capacity import CapacityReported, LicenceDecided, StockReported, SupplyObserved, TradeObserved
from streams.contracts.events import Event
from streams.domain.cover.cover import Controls, SiteStock, controls_on, next_stock, stock_facts, stock_key
from streams.domain.cover.own_licences import (
    PENDING,
    LicenceState,
    applied_on,
    decision_at,
    licence_facts,
    licence_key,
    licence_labels,
    next_licence,
    remaining_tonnes,
)
from streams.domain.supply.independence import Independence, IndependenceReason, independence_of
from streams.domain.supply.plant_capacity import dominant_of
from streams.domain.supply.supply_tables import key_of, known_tables
from streams.domain.supply.trade_flows import TradeSeries
from streams.runtime.stage_ports import StateStore

INDEX_KEY = b"cover"
DEFAULT_ZONE = "Asia/Shanghai"
"""Where a licence ends that names no measure we know: the licences of docs/domain.md 12 are Chinese."""
LONGEST_PENDING_DAYS = 400
"""After more than a year the count of days is no news any more."""


class CoverIndex(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Materials of which a stock is known in this partition, and the ids of all measures, each in order."""

    materials: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()


class Cover(Assessor):
    """Take stocks and licences; follow measures, plants and consumption; wake when licences end or pend on."""

    name = "cover"
    takes = (StockReported, LicenceDecided, CapacityReported, SupplyObserved, TradeObserved)
    keeps = (SiteStock, LicenceState, CoverIndex)

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Enter a report or a decision, or see what a plant or a figure changes for the sites of its material."""
        if isinstance(event.data, StockReported):
            return self._stock(context, event, event.data, now)
        if isinstance(event.data, LicenceDecided):
            return self._licence(context, event, event.data, now)
        return _stocks(context.store, event.subject, now, cause=event.id)

    def _stock(self, context: PartitionContext, event: Event, report: StockReported, now: datetime) -> Result:
        key = stock_key(report.material, report.site)
        held: SiteStock | None = context.store.get(key)
        stock = next_stock(held, event, report)
        if stock is None:
            return
        context.store.put(key, stock)
        if held is None:
            enter(context.store, report.material, "stocks", key)
            index = index_of(context.store)
            if report.material not in index.materials:
                materials = tuple(sorted((*index.materials, report.material)))
                context.store.put(INDEX_KEY, msgspec.structs.replace(index, materials=materials))
        yield from _stocks(context.store, report.material, now, cause=event.id, always=key)

    def _licence(self, context: PartitionContext, event: Event, decided: LicenceDecided, now: datetime) -> Result:
        key = licence_key(decided.material, decided.licence)
        held: LicenceState | None = context.store.get(key)
        licence = next_licence(held, event, decided, zone=_zone(context, decided.measure))
        if licence is None:
            return
        context.store.put(key, licence)
        if held is None:
            enter(context.store, decided.material, "licences", key)
        yield _licence_finding(licence, now, cause=event.id)
        yield from _wakes(licence, now)
        yield from _stocks(context.store, decided.material, now, cause=event.id)

    def on_measures_changed(
        self, context: PartitionContext, changed: Sequence[MeasureAssessed], now: datetime
    ) -> Result:
        """Assess the sites whose next legal end or need of a licence a measure changed."""
        index = index_of(context.store)
        measures = tuple(sorted({*index.measures, *(each.measure for each in changed)}))
        if measures != index.measures:
            context.store.put(INDEX_KEY, msgspec.structs.replace(index, measures=measures))
        for material in index.materials:
            cause = changed[-1].causes[-1] if changed[-1].causes else changed[-1].measure
            yield from _stocks(context.store, material, now, cause=cause)

    def on_timer(self, context: PartitionContext, name: str, at: datetime) -> Result:
        """Say that a licence ran out, or pends another day."""
        _, material, identifier = name.split("/", 2)
        licence: LicenceState = context.store.get(licence_key(material, identifier))
        yield _licence_finding(licence, at, cause=licence.event)
        yield from _wakes(licence, at)
        yield from _stocks(context.store, material, at, cause=licence.event)


def index_of(store: StateStore) -> CoverIndex:
    """Return the index of the partition; an empty one at first."""
    index: CoverIndex | None = store.get(INDEX_KEY)
    return index if index is not None else CoverIndex()


def _zone(context: PartitionContext, measure: str | None) -> str:
    own = context.book.page(measure).own if measure is not None else ()
    return own[-1].zone if own else DEFAULT_ZONE


def _wakes(licence: LicenceState, now: datetime) -> Iterator[TimerRequest]:
    """Ask for the end of the licence, and for the next midnight (UTC) while it pends."""
    name = f"{licence.material}/{licence.licence}"
    granted = decision_at(licence, now) == "granted"
    yield TimerRequest(name=f"end/{name}", at=licence.lapses_at if granted else None)
    since, today = applied_on(licence), now.astimezone(UTC).date()
    pends = decision_at(licence, now) in PENDING and since is not None
    if pends and since is not None and (today - since).days < LONGEST_PENDING_DAYS:
        midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
        yield TimerRequest(name=f"pending/{name}", at=midnight)
    else:
        yield TimerRequest(name=f"pending/{name}", at=None)


def _licence_finding(licence: LicenceState, at: datetime, *, cause: str) -> Assessment:
    facts, missing = licence_facts(licence, at=at)
    data = RiskAssessed(
        material=licence.material,
        aspect="licence",
        at=at,
        labels=licence_labels(licence),
        facts=facts,
        missing=missing,
        synthetic=licence.synthetic,
        causes=(cause,),
        sources=(licence.source,),
    )
    return Assessment(name="licence", data=data)


def _stocks(
    store: StateStore, material: str, now: datetime, *, cause: str, always: bytes | None = None
) -> Iterator[Assessment]:
    """Assess the sites of a material; send what changed, and the site `always` in any case."""
    page = index_entry_of(store, material)
    if not page.stocks:
        return
    today = now.astimezone(UTC).date()
    measures = [each.assessed for name in index_of(store).measures if (each := store.get(b"assessed/" + name.encode()))]
    controls = controls_on(material, measures)
    licences: list[LicenceState] = [store.get(key) for key in page.licences]
    independence = independence_in(store, material, today=today)
    for number, key in enumerate(page.stocks):
        stock: SiteStock = store.get(key)
        own = [each for each in licences if _is_for(each, stock.site, alone=len(page.stocks) == 1)]
        assessed = _assessed(stock, own, controls, independence, now, cause=cause)
        if assessed.facts != stock.sent or key == always:
            store.put(key, msgspec.structs.replace(stock, sent=assessed.facts))
            yield Assessment(name=f"stock/{material}/{number}", data=assessed)


def _is_for(licence: LicenceState, site: str, *, alone: bool) -> bool:
    named = licence.text("site")
    return named == site or (named is None and alone)


def _assessed(
    stock: SiteStock,
    licences: Iterable[LicenceState],
    controls: Controls,
    independence: Independence,
    now: datetime,
    *,
    cause: str,
) -> RiskAssessed:
    own = list(licences)
    allowed = [remaining_tonnes(each, now) for each in own]
    licensed = None if None in allowed else sum(sorted(tonnes for tonnes in allowed if tonnes is not None))
    facts, missing = stock_facts(
        stock, licensed_tonnes=licensed, controls=controls, independence=independence, today=now.astimezone(UTC).date()
    )
    return RiskAssessed(
        material=stock.material,
        aspect="stock",
        at=now,
        labels={"site": stock.site},
        facts=facts,
        missing=missing,
        synthetic=stock.synthetic or any(each.synthetic for each in own),
        causes=(cause,),
        sources=(stock.source,),
    )


def independence_in(store: StateStore, material: str, *, today: date) -> Independence:
    """Return when supply outside the dominant country meets demand at every stage whose demand is known.

    The latest of the stages counts; one that is never met leaves it unknown.
    """
    found = []
    for stage in sorted({key.rsplit(b"/", 1)[1].decode() for key in index_entry_of(store, material).plants}):
        plants = plants_in(store, material, stage)
        dependency = dependency_in(store, material, stage)
        dominant = dependency.top_country if dependency is not None else None
        dominant = dominant if dominant is not None else dominant_of(plants)
        demand = demand_in(store, material, stage, dominant=dominant)
        if demand is not None:
            supply, _ = outside_supply(store, material, stage)
            found.append(
                independence_of(plants, dominant=dominant, supply_tonnes=supply, demand_tonnes=demand, today=today)
            )
    if not found:
        return Independence(on=None, reason=IndependenceReason.NO_DEMAND)
    return max(found, key=lambda each: (each.on is None, each.on or today))


def demand_in(store: StateStore, material: str, stage: str, *, dominant: str | None) -> float | None:
    """Return the tonnes a year that are wanted outside the dominant country; `None` where nobody says.

    Apparent consumption of the homes that state it, added up; without any, supply outside and what the dominant country
    exported in the latest whole year.
    """
    stated = []
    for home in HOMES:
        stream = store.get(key_of(material=material, stage=stage, market=home, flow="apparent_consumption"))
        tonnes = [each.figures[home].tonnes for each in known_tables(stream) if home in each.figures]
        stated += [tonnes[-1]] if tonnes and tonnes[-1] is not None else []
    if stated:
        return sum(stated)
    prefix = f"trade/{material}/{dominant}/all/year/".encode()
    flows: list[TradeSeries] = [
        store.get(key) for key in index_entry_of(store, material).flows if key.startswith(prefix)
    ]
    exported = max(((f.ring[-1].period, f.ring[-1].recorded, f.ring[-1].value) for f in flows), default=None)
    supply, _ = outside_supply(store, material, stage)
    return None if exported is None or supply is None else supply + exported[2]
