"""Trade volumes: a month against the month before and against the trailing twelve months."""

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
    """The last 13 figures of one flow as one reporter gives it, in order of their reference period."""

    ring: Ring = ()


def trade_key(trade: TradeObserved) -> bytes:
    """Return the key of a flow: two reporters, and months and years, never mix."""
    kind = period_kind(trade.reference_period)
    return f"trade/{trade.material}/{trade.exporter}/{trade.importer or 'all'}/{trade.reported_by}/{kind}".encode()


def trade_labels(trade: TradeObserved) -> dict[str, str]:
    """Return the labels that identify a flow; importer `all` is the total."""
    return {
        "exporter": trade.exporter,
        "importer": trade.importer or "all",
        "reported_by": trade.reported_by,
        "period": period_kind(trade.reference_period),
    }


def next_flow(prior: TradeSeries | None, seen: Observation) -> TradeSeries | None:
    """Return the flow with a figure, `None` where it changes nothing (a repeat, or superseded)."""
    ring = prior.ring if prior is not None else ()
    longer = ring_with(ring, seen, limit=TRADE_LIMIT)
    return None if longer is ring else TradeSeries(ring=longer)


def trade_facts(flow: TradeSeries) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the facts of the newest period of a flow and the names of those that are unknown.

    `month_on_month_ratio` is this month / the month before - 1; `to_trailing_median_ratio` this month / the median of
    the twelve months before it, of which at least six must be known. Both are `None` for figures that are not monthly.
    """
    last = flow.ring[-1]
    month_on_month: float | None = None
    to_median: float | None = None
    trailing: list[float] = []
    if period_kind(last.period) == "month":
        here = _month(last.period)
        before = {_month(each.period): each.value for each in flow.ring[:-1]}
        previous = before.get(here - 1)
        if previous:
            month_on_month = last.value / previous - 1
        trailing = [value for month, value in before.items() if here - TRAILING_MONTHS <= month]
        middle = median(trailing) if len(trailing) >= MINIMUM_MONTHS else 0.0
        if middle > 0:
            to_median = last.value / middle
    facts: dict[str, Fact] = {
        "tonnes": last.value,
        "month_on_month_ratio": month_on_month,
        "to_trailing_median_ratio": to_median,
        "trailing_months_count": float(len(trailing)),
        "reference_period": last.period,
    }
    return facts, tuple(name for name, value in facts.items() if value is None)


def _month(period: str) -> int:
    return int(period[:4]) * 12 + int(period[5:7])
