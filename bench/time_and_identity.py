"""What time stated by intake and the identity window cost an event in batches of 500: pure functions, one core.

The statement: made and put on a record by intake, encoded with it, read by the scoring worker. The identity: looked up
and remembered, put into the state once a record.
"""

import json
import time
from collections.abc import Callable
from itertools import islice

import msgspec
from aiokafka import TopicPartition

from bench.events import price_events
from streams.assess.identity_window import IdentityWindow
from streams.contracts.codec import decode_event
from streams.contracts.records import SignalRecord, decode_signal, encode
from streams.contracts.topics import INPUTS
from streams.intake.statements import statement_of, with_statement
from streams.runtime.stage_ports import InMemoryStateStore
from streams.runtime.watermark import InputClock, after_statement

BATCH = 500
RECORDS = 200
COUNTS = dict(zip(INPUTS, (4, 4, 4, 1), strict=True))
PLACES = [TopicPartition(topic, partition) for topic, count in COUNTS.items() for partition in range(count)]
T0 = 1_800_000_000_000


def _best_us(work: Callable[[], object], *, events: int, rounds: int = 5) -> float:
    """Return the CPU time an event of the quickest round, in microseconds: what others do on the machine is no cost."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return round(best / events * 1e6, 3)


def state_time() -> None:
    """Make, write, read and apply the statement of every record."""
    clock = InputClock()
    for number in range(RECORDS):
        at = T0 + 10 * number
        statement = statement_of(at, PLACES, topics=list(INPUTS), counts=COUNTS)
        (record,) = with_statement([SignalRecord()], statement, said_at=at + 100)
        read = decode_signal(encode(msgspec.structs.replace(record, i="00000000", q=number)))
        assert read.w is not None
        clock = after_statement(clock, read.w, said_at=read.s)
    assert clock.now == T0 + 10 * (RECORDS - 1)


def main() -> None:
    """Print the cost an event as JSON."""
    events = [decode_event(value) for _, _, value in islice(price_events(BATCH * RECORDS), BATCH * RECORDS)]

    def know_identities() -> None:
        window = IdentityWindow(InMemoryStateStore())
        for number, event in enumerate(events, 1):
            window.take(event)
            if number % BATCH == 0:
                window.keep()

    statement_us = _best_us(state_time, events=BATCH * RECORDS)
    identity_us = _best_us(know_identities, events=BATCH * RECORDS)
    decode_us = _best_us(lambda: [decode_event(v) for _, _, v in price_events(20_000)], events=20_000)
    print(json.dumps({
        "statement_us_per_event": statement_us, "identity_us_per_event": identity_us,
        "sum_us_per_event": round(statement_us + identity_us, 3), "decoding_us_per_event_beside_it": decode_us,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
