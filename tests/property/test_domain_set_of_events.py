"""A measure's state is a function of the set of its events: order, repeats and knowledge cannot change it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.assessments import LegalState
from streams.contracts.dates import days_left
from streams.contracts.events import Event
from streams.domain.observations import Observation, Ring, ring_with
from streams.domain.policy.measure_book import InMemoryStore, MeasureRepository
from streams.domain.policy.measure_status import StatusQuestions
from streams.domain.policy.timeline import timeline
from tests.support.legal import act, at, claim, on

MEASURES = ("M-1", "M-2", "S-1")
DAYS = st.integers(min_value=0, max_value=40)


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Draw a handful of acts and claims about three ids that may name each other."""
    made: list[Event] = []
    for index in range(draw(st.integers(min_value=1, max_value=7))):
        day, measure = draw(DAYS), draw(st.sampled_from(MEASURES))
        if draw(st.integers(min_value=0, max_value=4)) == 0:
            about = tuple(draw(st.lists(st.sampled_from(MEASURES), unique=True, max_size=2)))
            end = draw(st.none() | DAYS)
            made.append(
                claim(
                    f"c{index}", claim_id=draw(st.sampled_from(("C-1", "C-2"))), day=day, about=about,
                    claimed_end_at=None if end is None else on(end), withdrawn=draw(st.booleans()),
                )
            )  # fmt: skip
            continue
        action = draw(st.sampled_from(("announce", "impose", "suspend", "extend", "repeal", "licence")))
        effective = draw(st.none() | DAYS)
        end = draw(DAYS) if action == "extend" else draw(st.none() | DAYS)
        if end is not None and effective is not None and end < effective:
            effective, end = end, effective
        amends = draw(st.lists(st.sampled_from(MEASURES), unique=True, max_size=2))
        made.append(
            act(
                f"e{index}", measure=measure, action=action, day=day, amends=tuple(m for m in amends if m != measure),
                effective_at=None if effective is None else on(effective), ends_at=None if end is None else on(end),
                published_at=on(day) if draw(st.booleans()) else None,
                ends_inclusive=draw(st.sampled_from((True, False, None))),
            )
        )  # fmt: skip
    return made


def book_of(told: list[Event]) -> MeasureRepository:
    book = MeasureRepository(InMemoryStore())
    for event in told:
        book.record(event)
    return book


@given(events(), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_any_order_with_repeats_gives_the_same_answers(told: list[Event], random: st.DataObject) -> None:
    """Events come late, twice and out of order."""
    mixed = [*told, *told[: len(told) // 2]]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    plain, other = book_of(told), book_of(mixed)
    for measure in MEASURES:
        for day in range(0, 45, 3):
            assert plain.assess(measure, at=at(day)) == other.assess(measure, at=at(day))


@given(events(), st.integers(min_value=0, max_value=44), st.integers(min_value=0, max_value=44))
@settings(max_examples=150, deadline=None)
def test_known_at_is_the_same_as_having_seen_only_that(told: list[Event], as_of: int, known: int) -> None:
    """Asking as known on a day equals asking a book that was closed on that day."""
    then = StatusQuestions([event for event in told if event.recorded_at <= at(known)])
    now = StatusQuestions(told)
    assert now.assess_all(as_of=at(as_of), known_at=at(known)) == then.assess_all(as_of=at(as_of))


@given(events())
@settings(max_examples=150, deadline=None)
def test_a_state_changes_only_at_the_instants_foreseen(told: list[Event]) -> None:
    """Between two of them nothing needs to be looked at, which is what makes a tick cheap."""
    book = book_of(told)
    for measure in MEASURES:
        now = at(-1)
        while (then := book.next_change_after(measure, now)) is not None:
            before, just_before = book.assess(measure, at=now), book.assess(measure, at=then - (then - now) / 1000)
            if before is not None and just_before is not None:
                assert before.state is just_before.state
                assert before.claimed_ends == just_before.claimed_ends
            assert then > now
            now = then


@given(events())
@settings(max_examples=150, deadline=None)
def test_a_timeline_is_in_order_and_a_lapse_is_never_early(told: list[Event]) -> None:
    """`lapsed_unconfirmed` means the end has passed, without exception."""
    book = book_of(told)
    for measure in MEASURES:
        points = timeline(book.bearings(measure))
        assert [point.at for point in points] == sorted(point.at for point in points)
        for point in points:
            if point.state is LegalState.LAPSED_UNCONFIRMED:
                assert point.end is not None
                assert point.end.lapse_at <= point.at
                assert days_left(point.end.last_day, at=point.at, zone="UTC") < 0


def test_of_two_figures_of_one_instant_the_later_in_the_log_counts() -> None:
    """Events of one batch have one instant; by their digests, as before, the later one lost every other time."""
    for digests in ((1, 2), (2, 1)):
        first, second = (Observation("2026-01", float(n), 5.0, digest) for n, digest in enumerate(digests))
        assert ring_with(ring_with((), first, limit=5), second, limit=5) == (second,)
        assert ring_with((second,), second, limit=5) == (second,)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.floats(1, 9), st.integers(0, 3), st.integers(0, 9)), max_size=25),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_a_ring_does_not_depend_on_the_order(figures: list[tuple[int, float, int, int]], random: object) -> None:
    """The same figures, shuffled and repeated, give the same ring within its limit, where no instant has two."""
    seen = [Observation(f"20{p:02}", v, float(r), d) for p, v, r, d in {(f[0], f[2]): f for f in figures}.values()]
    mixed = [*seen, *seen]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one: Ring = ()
    two: Ring = ()
    for each in seen:
        one = ring_with(one, each, limit=5)
    for each in mixed:
        two = ring_with(two, each, limit=5)
    assert one == two
    assert len(one) <= 5
