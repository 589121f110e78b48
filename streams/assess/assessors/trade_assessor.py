"""Trade: a month's tonnes join the flow that one reporter gives, and the flow is assessed.

Where another reporter gives the same period, both figures stay and both flows are assessed: each says how far they
differ.
"""

from bisect import bisect_left
from datetime import datetime

from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result
from streams.assess.assessors.material_assessments import risk
from streams.assess.assessors.material_index import enter, index_entry_of
from streams.contracts.capacity import TradeObserved
from streams.contracts.events import Event
from streams.domain.observations import digest_of, observation
from streams.domain.supply.trade_flows import TradeSeries, flow_prefix, next_flow, trade_facts, trade_key


class Trade(Assessor):
    """Take trade volumes; send the facts of the flow that a figure changed, and of those it contradicts."""

    name = "trade"
    takes = (TradeObserved,)
    keeps = (TradeSeries,)

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Enter a figure; a repeat or a superseded one says nothing."""
        trade = event.data
        assert isinstance(trade, TradeObserved)
        key = trade_key(trade)
        held: TradeSeries | None = context.store.get(key)
        seen = observation(
            period=trade.reference_period,
            value=trade.tonnes,
            recorded_at=event.recorded_at,
            digest=digest_of(source=event.source, event=event.id),
        )
        flow = next_flow(held, trade, seen)
        if flow is None:
            return
        context.store.put(key, flow)
        if held is None:
            enter(context.store, trade.material, "flows", key)
        flows = _reporters(context, trade)
        yield _finding(event, now, trade, key, flows, name="trade")
        for number, (other_key, other) in enumerate(flows.items()):
            if other_key != key and other.ring[-1].period == trade.reference_period:
                yield _finding(event, now, trade, other_key, flows, name=f"trade/reporter/{number}")


def _finding(
    event: Event, now: datetime, trade: TradeObserved, key: bytes, flows: dict[bytes, TradeSeries], *, name: str
) -> Assessment:
    """Assess a flow beside the other reporters; a gap to made-up figures is made up."""
    others = [other for other_key, other in flows.items() if other_key != key]
    synthetic = any(flow.synthetic for flow in flows.values())
    return risk(
        event,
        now,
        provenance=trade.provenance,
        aspect="trade",
        labels=flows[key].labels,
        facts=trade_facts(flows[key], others),
        name=name,
        synthetic=synthetic,
    )


def _reporters(context: PartitionContext, trade: TradeObserved) -> dict[bytes, TradeSeries]:
    """Read the flow as each reporter gives it, in order of key."""
    keys, prefix = index_entry_of(context.store, trade.material).flows, flow_prefix(trade).encode()
    found, at = {}, bisect_left(keys, prefix)
    while at < len(keys) and keys[at].startswith(prefix):
        found[keys[at]] = context.store.get(keys[at])
        at += 1
    return found
