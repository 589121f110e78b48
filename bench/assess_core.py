"""What the assess core costs on one core, no broker: `python -m bench.assess_core` prints one line of JSON.

`steady`: quotes that come 20 a second over 24 materials, two bases and two assessors, each a random walk of 1% a day.
`decade`: one quote a day of one series for ten years, so that nothing shares a minute with anything. `event_us` is what
a price event takes by itself (decode, enter into its series), `assessments_per_event` how many assessment events come
of it (its own, those of the premiums it moves, scores, exposures, indicators) and `assessment_us` what making, encoding
and hearing takes of each of them. `state_bytes` is what one material takes in the store at the end, as it is written to
the changelog: with nothing but one or ten daily series, and that of the largest material with the whole shipped history
and a daily series beside it. CPU time of the process, garbage collected as usual.
"""

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from streams.assess.assess_core import AssessCore, encode_state
from streams.assess.assessors.assessor import Assessor, TimerRequest
from streams.assess.assessors.price_assessor import Prices
from streams.assess.assessors.registry import ASSESSORS
from streams.assess.identity_window import IdentityPage
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.materials import RARE_EARTHS
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance
from streams.contracts.records import Segment
from streams.reference.loaders import load_history
from streams.runtime.stage_ports import Admitted, InMemoryStateStore

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MATERIALS = (*RARE_EARTHS, "gallium", "germanium", "antimony", "tungsten", "tellurium", "bismuth", "indium")
BASES = ("FOB China", "CIF Rotterdam")
ASSESSOR_NAMES = ("bench-a", "bench-b")
LARGEST = "neodymium"
"""The material with the most plants, measures and supply tables in the shipped history."""
AFTER = datetime(2026, 10, 9, tzinfo=UTC)
DAILY_SIGMA = 0.01
DECADE_DAYS = 3_650
BATCH = 500


def quotes(
    series: Sequence[tuple[str, str, str]], *, first_day: date, step: timedelta, at: datetime = T0
) -> Iterator[bytes]:
    """Yield structured CloudEvents: each series gives one quote a day, and `step` lies between two events."""
    source = random.Random(42)
    prices = dict.fromkeys(series, 100.0)
    day, number = first_day, 0
    while True:
        for each in series:
            material, basis, assessor = each
            prices[each] *= math.exp(DAILY_SIGMA * source.gauss(0.0, 1.0))
            data = PriceQuoted(
                material=material, form="oxide", basis=basis, assessor=assessor, amount=round(prices[each], 4),
                currency="USD", per_unit="kg", reference_period=day.isoformat(),
                provenance=Provenance(source="benchmark", synthetic=True),
            )  # fmt: skip
            event = Event(id=f"q{number}", source="bench", subject=material, occurred_at=at, recorded_at=at, data=data)
            yield encode_event(event)
            at += step
            number += 1
        day += timedelta(days=1)


class Run(NamedTuple):
    """CPU microseconds and assessments an event after the warm-up, and the bytes of the state at the end."""

    us_per_event: float
    assessments_per_event: float
    state_bytes: int


def run(events: Iterator[bytes], *, warm_up: int, count: int, assessors: Sequence[Assessor]) -> Run:
    """Take events in batches as they come off the log."""
    store = InMemoryStateStore()
    core = AssessCore(partition=0, partitions=1, store=store, assessors=assessors)
    used, sent = 0.0, 0
    for start in range(0, warm_up + count, BATCH):
        raws = [msgspec.Raw(raw) for raw in islice(events, BATCH)]
        segment = Segment(topic="bench", partition=0, offset=start, indexes=range(len(raws)), events=raws)
        began = time.process_time()
        outcome = core.process(Admitted(position=start, segments=[segment]))
        if start >= warm_up:
            used += time.process_time() - began
            sent += len(outcome.outputs)
    kept = ((key, value) for key, value in store.items() if not isinstance(value, IdentityPage))  # of the partition
    size = sum(len(key) + len(encode_state(value)) for key, value in kept)
    return Run(used / count * 1e6, sent / count, size)


def largest_state_bytes() -> int:
    """Return the bytes of the largest material after the shipped history and ten years of daily quotes."""
    store = InMemoryStateStore()
    core = AssessCore(partition=0, partitions=1, store=store)
    history = sorted(load_history(), key=lambda event: (event.recorded_at, event.id))
    known = [encode_event(event) for event in history]
    series = [(LARGEST, "FOB China", "bench")]
    daily = islice(quotes(series, first_day=date(2016, 1, 1), step=timedelta(days=1), at=AFTER), DECADE_DAYS)
    for number, raw in enumerate((*known, *daily)):
        segment = Segment(topic="bench", partition=0, offset=number, indexes=range(1), events=[msgspec.Raw(raw)])
        core.process(Admitted(position=number, segments=[segment]))
    own = [(key, value) for key, value in store.items() if LARGEST.encode() in key]
    return sum(len(key) + len(encode_state(value)) for key, value in own)


class KeptPrices(Prices):
    """Prices that enter quotes into their series and assess nothing: what an event costs without its assessment."""

    def _finding(self, *_: Any, **__: Any) -> Any:
        return _NOTHING_FOUND


_NOTHING_FOUND = TimerRequest(name="nothing", at=None)


def main() -> None:
    """Measure and print."""
    many = [(m, b, a) for m in MATERIALS for b in BASES for a in ASSESSOR_NAMES]
    start, soon = date(2016, 1, 1), timedelta(milliseconds=50)
    steady = run(quotes(many, first_day=start, step=soon), warm_up=10_000, count=20_000, assessors=ASSESSORS)
    event = run(quotes(many, first_day=start, step=soon), warm_up=10_000, count=20_000, assessors=[KeptPrices()])
    one = [("dysprosium", "FOB China", "bench-a")]
    ten = [("dysprosium", "FOB China", f"bench-{n}") for n in range(10)]
    daily = quotes(one, first_day=start, step=timedelta(days=1))
    decade = run(daily, warm_up=500, count=DECADE_DAYS - 650, assessors=ASSESSORS)
    ten_a_day = quotes(ten, first_day=start, step=timedelta(days=0.1))
    crowded = run(ten_a_day, warm_up=500, count=10 * DECADE_DAYS - 500, assessors=ASSESSORS)
    result: dict[str, float] = {"event_us": round(event.us_per_event, 1)}
    for name, found in (("steady", steady), ("decade", decade)):
        assessment = (found.us_per_event - event.us_per_event) / found.assessments_per_event
        result |= {
            f"{name}_us_per_event": round(found.us_per_event, 1),
            f"{name}_assessments_per_event": round(found.assessments_per_event, 2),
            f"{name}_assessment_us": round(assessment, 1),
        }
    result["state_bytes_largest_with_history"] = largest_state_bytes()
    result |= {"state_bytes_one_daily_series": decade.state_bytes, "state_bytes_ten_daily_series": crowded.state_bytes}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
