"""Trade: a month's tonnes join the flow that one reporter gives, and the flow is assessed."""

from datetime import datetime

from streams.adapters.subjects.findings import risk
from streams.adapters.subjects.material_page import enter
from streams.adapters.subjects.subject import Place, Result, Subject
from streams.contracts.capacity import TradeObserved
from streams.contracts.events import Event
from streams.domain.observations import digest_of, observation
from streams.domain.trade import TradeSeries, next_flow, trade_facts, trade_key, trade_labels


class Trade(Subject):
    """Take trade volumes; send the facts of the flow that a figure changed."""

    name = "trade"
    takes = (TradeObserved,)
    keeps = (TradeSeries,)

    def take(self, place: Place, event: Event, now: datetime) -> Result:
        """Enter a figure; a repeat or a superseded one says nothing."""
        trade = event.data
        assert isinstance(trade, TradeObserved)
        key = trade_key(trade)
        held: TradeSeries | None = place.store.get(key)
        seen = observation(
            period=trade.reference_period, value=trade.tonnes, recorded_at=event.recorded_at,
            digest=digest_of(source=event.source, event=event.id),
        )  # fmt: skip
        flow = next_flow(held, seen)
        if flow is None:
            return ()
        place.store.put(key, flow)
        if held is None:
            enter(place.store, trade.material, "flows", key)
        labels, facts = trade_labels(trade), trade_facts(flow)
        return (risk(event, provenance=trade.provenance, aspect="trade", labels=labels, facts=facts),)
