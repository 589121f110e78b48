"""`produce synthetic`: the same events for the same seed, labelled as made up, at their rate."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import fmean

from hypothesis import given, settings
from hypothesis import strategies as st

from producers.synthetic import SERIES, SyntheticSettings, produce_synthetic, synthetic_events
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.events import Event
from streams.contracts.price import PriceQuoted

T0 = datetime(2026, 1, 5, tzinfo=UTC)


class ManualTime:
    """Seconds that pass only when somebody waits, or sends."""

    def __init__(self, *, seconds_per_batch: float = 0.0) -> None:
        self.now = 100.0
        self.batches: list[int] = []
        self._seconds_per_batch = seconds_per_batch

    def clock(self) -> float:
        """Read the seconds."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let seconds pass."""
        assert seconds > 0
        self.now += seconds

    def publish_batch(self, events: Sequence[Event]) -> None:
        """Take a batch, which takes its time."""
        self.batches.append(len(events))
        self.now += self._seconds_per_batch


def settings_of(**more: object) -> SyntheticSettings:
    return SyntheticSettings(**{"starts_at": T0, "rate_per_second": 100.0, "seed": 7, **more})  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_events() -> None:
    """A load test must be repeatable."""
    first, second = (list(synthetic_events(settings_of(count=500))) for _ in range(2))
    assert first == second
    assert list(synthetic_events(settings_of(count=500, seed=8))) != first


def test_every_event_is_numbered_valid_and_says_that_it_is_made_up() -> None:
    """Made-up figures must never be taken for real ones."""
    events = list(synthetic_events(settings_of(count=400)))
    assert [event.id for event in events] == [f"7-{n}" for n in range(400)]
    assert all(decode_event(encode_event(event)) == event for event in events)
    assert all(isinstance(e.data, PriceQuoted) and e.data.provenance.synthetic for e in events)
    assert {event.source for event in events} == {"synthetic"}


def test_prices_stay_about_their_annual_means() -> None:
    """The walk goes back to its mean; otherwise a long run would end anywhere."""
    events = list(synthetic_events(settings_of(count=40_000)))
    for series in SERIES:
        amounts = [e.data.amount for e in events if isinstance(e.data, PriceQuoted) and e.subject == series.material]
        assert abs(fmean(amounts) / series.mean_usd_per_kg - 1) < 0.15


def test_the_instants_are_those_of_the_rate() -> None:
    """They are part of the events, so that the machine's speed does not show in them."""
    events = list(islice(synthetic_events(settings_of()), 201))
    assert events[200].occurred_at == T0 + timedelta(seconds=2)


def test_count_and_duration_end_it() -> None:
    """Whichever comes first; without either it goes on."""
    assert settings_of(count=10, duration=timedelta(seconds=1)).limit() == 10
    assert settings_of(count=1000, duration=timedelta(seconds=1)).limit() == 100
    assert settings_of().limit() is None


def test_the_rate_is_kept() -> None:
    """A thousand events at a hundred a second take ten seconds, less one event's time."""
    world = ManualTime()
    assert produce_synthetic(settings_of(count=1_000), publisher=world, clock=world.clock, pause=world.pause) == 1_000
    assert 9.9 <= world.now - 100.0 <= 10.1


@given(st.floats(0.001, 3.0), st.integers(1, 500))
@settings(max_examples=50)
def test_a_slow_broker_is_caught_up_with_in_larger_batches(seconds_per_batch: float, batch_size: int) -> None:
    """However slow, nothing is left out, and no batch is larger than allowed."""
    world = ManualTime(seconds_per_batch=seconds_per_batch)
    wanted = settings_of(count=300, batch_size=batch_size)
    assert produce_synthetic(wanted, publisher=world, clock=world.clock, pause=world.pause) == 300
    assert sum(world.batches) == 300
    assert max(world.batches) <= batch_size


def test_it_stops_when_told() -> None:
    """SIGTERM ends it between two batches."""
    world = ManualTime()
    sent = produce_synthetic(
        settings_of(),
        publisher=world,
        clock=world.clock,
        pause=world.pause,
        is_stopped=lambda: sum(world.batches) >= 50,
    )
    assert sent == 50
