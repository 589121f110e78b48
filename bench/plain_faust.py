"""The reference: a Faust worker written as Faust's documentation teaches, doing the price rule of ours.

One agent, one table, one rule: a quote that stands 25% or more above the quote 30 observations ago sends an alert.
No batching, no barrier, no repair of recovery; every setting is Faust's default. Run as
`python -m bench.plain_faust worker -l info --without-web`.
"""

import os

import faust

PREFIX = os.environ.get("BENCH_PREFIX", "bench")
app = faust.App(
    f"{PREFIX}-plain",
    broker=f"kafka://{os.environ.get('BENCH_BOOTSTRAP', '127.0.0.1:9092')}",
    store="memory://",
    topic_partitions=4,
    datadir=os.environ.get("BENCH_DATA", ".bench-plain"),
)


class Quote(faust.Record):
    """The data of a price event."""

    material: str
    form: str
    basis: str
    assessor: str
    amount: float
    currency: str
    per_unit: str
    reference_period: str


class PriceEvent(faust.Record):
    """A price event as it stands on the topic."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    recordedtime: str
    data: Quote


class PriceAlert(faust.Record):
    """What the rule says."""

    material: str
    series: str
    change_ratio: float
    event: str


quotes = app.topic(f"{PREFIX}.price.v1", value_type=PriceEvent)
alerts = app.topic(f"{PREFIX}.plain-alerts", value_type=PriceAlert)
series = app.Table("series", default=list, partitions=4)


@app.agent(quotes)
async def watch(stream: faust.Stream[PriceEvent]) -> None:
    """Keep the last 31 amounts of each series and alert when the rise over them reaches 25%."""
    async for event in stream:
        quote = event.data
        name = f"{quote.material}|{quote.form}|{quote.basis}|{quote.assessor}|{quote.currency}|{quote.per_unit}"
        before = series[name]
        amounts = [*(before[0] if before else []), quote.amount][-31:]
        above = len(amounts) == 31 and amounts[-1] / amounts[0] - 1 >= 0.25
        series[name] = [amounts, above]
        if above and not (before and before[1]):
            await alerts.send(
                value=PriceAlert(
                    material=quote.material, series=name, change_ratio=amounts[-1] / amounts[0] - 1, event=event.id
                )
            )


if __name__ == "__main__":
    app.main()
