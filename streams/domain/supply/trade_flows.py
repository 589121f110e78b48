"""Trade volumes of one flow as one reporter gives it: against earlier months, and against other reporters."""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import isfinite
from statistics import median

import msgspec

from streams.contracts.assessments import Fact
from streams.contracts.capacity import TradeObserved
from streams.domain.observations import Observation, Ring, period_kind, ring_with

TRAILING_MONTHS = 12
TRADE_LIMIT = TRAILING_MONTHS + 1
MINIMUM_MONTHS = 6
"""A median of fewer than half of the trailing months says nothing: it stays unknown."""


class TradeSeries(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last 13 figures of one flow as one reporter gives it, in order of their reference period (under 1 KB).

    The labels and whether it is made up stand beside them, so that a flow can be assessed again when another reporter
    contradicts it.
    """

    ring: Ring = ()
    labels: dict[str, str] = {}
    synthetic: bool = False


def flow_prefix(trade: TradeObserved) -> str:
    """Return what the keys of all reporters of a flow start with; months and years never mix."""
    kind = period_kind(trade.reference_period)
    return f"trade/{trade.material}/{trade.exporter}/{trade.importer or 'all'}/{kind}/"


def trade_key(trade: TradeObserved) -> bytes:
    """Return the key of a flow as one reporter gives it: two reporters never mix, and are neighbours."""
    return f"{flow_prefix(trade)}{trade.reported_by}".encode()


def trade_labels(trade: TradeObserved) -> dict[str, str]:
    """Return the labels that identify a flow; importer `all` is the total."""
    return {
        "exporter": trade.exporter,
        "importer": trade.importer or "all",
        "reported_by": trade.reported_by,
        "period": period_kind(trade.reference_period),
    }


def next_flow(prior: TradeSeries | None, trade: TradeObserved, seen: Observation) -> TradeSeries | None:
    """Return the flow with a figure, `None` where it changes nothing (a repeat, or superseded)."""
    synthetic = trade.provenance.synthetic
    if prior is None:
        return TradeSeries(ring=(seen,), labels=trade_labels(trade), synthetic=synthetic)
    longer = ring_with(prior.ring, seen, limit=TRADE_LIMIT)
    if longer is prior.ring:
        return None
    newest = longer[-1] is seen
    return TradeSeries(ring=longer, labels=prior.labels, synthetic=synthetic if newest else prior.synthetic)


def trade_facts(flow: TradeSeries, others: Iterable[TradeSeries] = ()) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of the newest period of a flow and the names of those that are unknown.

    `month_on_month_ratio` is this month / the month before - 1; `to_trailing_median_ratio` this month / the median of
    the twelve months before it, of which at least six must be known. Both are `None` for figures that are not monthly.
    `year_on_year_ratio` is against the same month (quarter, half, year) of the year before. `published_on` is the UTC
    day on which the figure was recorded. `others` are other reporters of the flow: see `conflict_facts`.
    """
    last = flow.ring[-1]
    before = {each.period: each.value for each in flow.ring[:-1]}
    month_on_month: float | None = None
    to_median: float | None = None
    trailing: list[float] = []
    if period_kind(last.period) == "month":
        here = _month(last.period)
        months = {_month(period): value for period, value in before.items()}
        month_on_month = _change(last.value, months.get(here - 1))
        trailing = [value for month, value in months.items() if here - TRAILING_MONTHS <= month]
        to_median = _over(last.value, median(trailing)) if len(trailing) >= MINIMUM_MONTHS else None
    facts: dict[str, Fact] = {
        "tonnes": last.value,
        "month_on_month_ratio": month_on_month,
        "year_on_year_ratio": _change(last.value, before.get(f"{int(last.period[:4]) - 1:04}{last.period[4:]}")),
        "to_trailing_median_ratio": to_median,
        "trailing_months_count": float(len(trailing)),
        "reference_period": last.period,
        "published_on": datetime.fromtimestamp(last.recorded, UTC).date().isoformat(),
        **conflict_facts(flow, others),
    }
    return facts, tuple(name for name, value in facts.items() if value is None)


def conflict_facts(flow: TradeSeries, others: Iterable[TradeSeries]) -> dict[str, Fact]:
    """Return how far the newest figure is from what another reporter says of the same period; both stay.

    `source_gap_ratio` is the difference over the larger figure, 0..1, of the reporter that differs most (of two, the
    first by name); `conflicting_tonnes` is what it says and `conflicting_source` who it is, where they differ at all.
    Without another reporter of that period the gap is unknown.
    """
    last = flow.ring[-1]
    widest: tuple[float, float, str] | None = None
    for other in others:
        told = next((seen.value for seen in other.ring if seen.period == last.period), None)
        if told is None:
            continue
        larger = max(told, last.value)
        gap = abs(told - last.value) / larger if larger else 0.0
        who = other.labels["reported_by"]
        if widest is None or (-gap, who) < (-widest[0], widest[2]):
            widest = gap, told, who
    if widest is None:
        return {"source_gap_ratio": None}
    gap, told, who = widest
    facts: dict[str, Fact] = {"source_gap_ratio": gap}
    return {**facts, "conflicting_tonnes": told, "conflicting_source": who} if gap else facts


def _over(value: float, other: float) -> float | None:
    ratio = value / other if other > 0 else None
    return ratio if ratio is not None and isfinite(ratio) else None


def _change(value: float, before: float | None) -> float | None:
    ratio = _over(value, before) if before is not None else None
    return None if ratio is None else ratio - 1


def _month(period: str) -> int:
    return int(period[:4]) * 12 + int(period[5:7])
