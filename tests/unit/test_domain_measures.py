"""The measure book: legal states from sets of acts."""

from pathlib import Path

import pytest

from streams.contracts.assessments import LegalState, MeasureAssessed
from streams.contracts.events import Event
from streams.domain.policy.measure_book import InMemoryStore, MeasureRepository
from streams.domain.policy.measure_status import StatusQuestions, measure_status, measures_status
from streams.domain.policy.measure_transitions import TRANSITIONS, Trigger, mermaid_diagram, next_state
from tests.support.legal import act, at, claim, on

M = "M-1"
ANNOUNCED = act(
    "a", measure=M, action="announce", day=0, published_at=on(0), effective_at=on(30), materials=("holmium",)
)
IMPOSED = act("i", measure=M, action="impose", day=0, published_at=on(0), effective_at=on(0))
SUSPENDED = act(
    "s", measure="S-1", action="suspend", kind="suspension", day=20, amends=(M,), effective_at=on(20), ends_at=on(100)
)


def book(*events: Event) -> MeasureRepository:
    made = MeasureRepository(InMemoryStore())
    for event in events:
        made.record(event)
    return made


def state(day: float, *events: Event, measure: str = M) -> LegalState | None:
    found = book(*events).assess(measure, at=at(day))
    return found.state if found else None


def full(day: float, *events: Event) -> MeasureAssessed:
    found = book(*events).assess(M, at=at(day))
    assert found is not None
    return found


def test_the_table_of_transitions_is_total() -> None:
    """Every state answers every trigger; a hole would be an exception in the middle of a log."""
    for legal_state in LegalState:
        assert set(TRANSITIONS[legal_state]) == set(Trigger)
    assert next_state(LegalState.SUSPENDED, Trigger.SUSPENSION_PASSED) is LegalState.LAPSED_UNCONFIRMED


def test_the_diagram_in_the_readme_is_drawn_from_the_table() -> None:
    """A diagram that lies is worse than none."""
    readme = (Path(__file__).parents[2] / "streams" / "domain" / "README.md").read_text()
    assert mermaid_diagram() in readme


def test_a_measure_is_announced_then_in_force() -> None:
    """The day of effect needs no further event."""
    assert state(-1, ANNOUNCED) is None
    assert state(0, ANNOUNCED) is LegalState.ANNOUNCED
    assert state(30, ANNOUNCED) is LegalState.IN_FORCE
    assert full(29, ANNOUNCED).operated is False
    assert full(30, ANNOUNCED).operated is True


def test_an_announcement_without_a_day_of_effect_stays_one() -> None:
    """A letter of intent takes no effect by waiting; what is imposed without a day counts at once."""
    assert state(900, act("a", measure=M, action="announce")) is LegalState.ANNOUNCED
    assert state(0, act("i", measure=M, action="impose")) is LegalState.IN_FORCE


def test_a_suspension_before_the_day_of_effect_means_it_never_operated() -> None:
    """57 of 2025."""
    found = full(50, ANNOUNCED, SUSPENDED)
    assert (found.state, found.operated, found.ended_by) == (LegalState.SUSPENDED, False, "S-1")


def test_a_suspension_on_the_very_day_of_effect_counts_first() -> None:
    """Operating for no time at all is not operating."""
    same_day = act("s", measure="S-1", action="suspend", day=30, amends=(M,), effective_at=on(30), ends_at=on(100))
    assert full(40, ANNOUNCED, same_day).operated is False


def test_after_the_last_day_the_suspension_is_lapsed_unconfirmed() -> None:
    """The last day is still suspended; the instant after local midnight is not."""
    assert state(100.9, IMPOSED, SUSPENDED) is LegalState.SUSPENDED
    found = full(101, IMPOSED, SUSPENDED)
    assert found.state is LegalState.LAPSED_UNCONFIRMED
    assert found.lapse_at == at(101)
    assert found.operated is True


def test_a_suspension_without_an_end_never_lapses() -> None:
    """Unknown is no date."""
    endless = act("s", measure="S-1", action="suspend", day=20, amends=(M,))
    assert state(5000, IMPOSED, endless) is LegalState.SUSPENDED
    assert full(30, IMPOSED, endless).legal_end is None


@pytest.mark.parametrize(("measure", "amends"), [("E-1", (M,)), ("E-1", ("S-1",)), ("S-1", ()), ("S-1", (M,)), (M, ())])
def test_an_extension_may_name_the_measure_or_its_suspension(measure: str, amends: tuple[str, ...]) -> None:
    """Instruments amend instruments; each way reaches the measure, before and after the lapse."""
    for day in (50, 120):
        extended = act("e", measure=measure, action="extend", day=day, amends=amends, ends_at=on(200))
        found = full(150, IMPOSED, SUSPENDED, extended)
        assert (found.state, found.legal_end.isoformat()) == (LegalState.SUSPENDED, on(200))  # type: ignore[union-attr]
        assert state(201, IMPOSED, SUSPENDED, extended) is LegalState.LAPSED_UNCONFIRMED


def test_an_extension_recorded_after_the_lapse_leaves_the_gap_visible() -> None:
    """Between lapse and extension it was unconfirmed; with an earlier effect it is mended as of then."""
    late = act("e", measure="E-1", action="extend", day=120, amends=(M,), ends_at=on(200))
    assert state(110, IMPOSED, SUSPENDED, late) is LegalState.LAPSED_UNCONFIRMED
    back = act("e", measure="E-1", action="extend", day=120, amends=(M,), ends_at=on(200), effective_at=on(100))
    assert state(110, IMPOSED, SUSPENDED, back) is LegalState.SUSPENDED


def test_an_extension_at_the_instant_of_the_lapse_leaves_no_gap() -> None:
    """A seamless extension must not show a lapsed moment."""
    extended = act("e", measure="E-1", action="extend", day=101, amends=(M,), ends_at=on(200))
    assert state(101, IMPOSED, SUSPENDED, extended) is LegalState.SUSPENDED


def test_a_new_end_counts_from_its_publication() -> None:
    """The ladder must not count down to an end that is no longer one."""
    early = act("e", measure="E-1", action="extend", day=90, amends=(M,), effective_at=on(101), ends_at=on(200))
    assert full(95, IMPOSED, SUSPENDED, early).legal_end.isoformat() == on(200)  # type: ignore[union-attr]


def test_a_measure_imposed_again_is_in_force() -> None:
    """Re-armed: an act published after the suspension ends it; the old day of effect does not."""
    again = act("i2", measure=M, action="impose", day=60, published_at=on(60), effective_at=on(70))
    assert state(65, ANNOUNCED, SUSPENDED, again) is LegalState.SUSPENDED
    assert state(70, ANNOUNCED, SUSPENDED, again) is LegalState.IN_FORCE
    other = act("i3", measure="N-1", action="impose", day=120, amends=(M,))
    assert state(119, ANNOUNCED, SUSPENDED, other) is LegalState.LAPSED_UNCONFIRMED
    assert state(120, ANNOUNCED, SUSPENDED, other) is LegalState.IN_FORCE


def test_a_repealed_suspension_gives_back_what_was() -> None:
    """In force where its day of effect has passed, else announced."""
    lifted = act("r", measure="S-1", action="repeal", day=25)
    assert state(26, IMPOSED, SUSPENDED, lifted) is LegalState.IN_FORCE
    assert state(26, ANNOUNCED, SUSPENDED, lifted) is LegalState.ANNOUNCED
    assert state(30, ANNOUNCED, SUSPENDED, lifted) is LegalState.IN_FORCE


def test_only_extension_and_repeal_of_an_instrument_reach_its_measures() -> None:
    """A second word of the suspending instrument about itself is not one about the measure."""
    word = act("w", measure="S-1", action="announce", day=40)
    assert state(50, IMPOSED, SUSPENDED, word) is LegalState.SUSPENDED


def test_a_repeal_ends_a_measure_until_it_is_imposed_again() -> None:
    """Repealed has no end; a new act starts over."""
    repealed = act("r", measure=M, action="repeal", day=40)
    assert state(41, IMPOSED, repealed) is LegalState.REPEALED
    assert full(41, IMPOSED, repealed).legal_end is None
    again = act("i2", measure=M, action="announce", day=60, effective_at=on(70))
    assert state(65, IMPOSED, repealed, again) is LegalState.ANNOUNCED
    assert state(75, IMPOSED, repealed, again) is LegalState.IN_FORCE


def test_a_term_runs_out_and_can_be_extended() -> None:
    """A ten-year price floor ends by itself; also while suspended."""
    term = act("i", measure=M, action="impose", ends_at=on(50))
    assert state(50, term) is LegalState.IN_FORCE
    assert state(51, term) is LegalState.EXPIRED
    assert full(51, term).legal_end.isoformat() == on(50)  # type: ignore[union-attr]
    extended = act("e", measure=M, action="extend", day=40, ends_at=on(80))
    assert state(80, term, extended) is LegalState.IN_FORCE
    assert state(81, term, extended) is LegalState.EXPIRED
    assert state(60, term, SUSPENDED) is LegalState.EXPIRED


def test_an_extension_of_what_has_no_end_changes_nothing() -> None:
    """In force without a term stays so; an announced measure is not suspended by a new end."""
    extended = act("e", measure=M, action="extend", day=5, ends_at=on(80))
    assert full(10, IMPOSED, extended).legal_end is None
    assert state(10, ANNOUNCED, extended) is LegalState.ANNOUNCED


def test_a_measure_known_only_by_its_suspension_says_so() -> None:
    """US-301-PORT: whether it operated is unknown."""
    alone = act("s", measure=M, action="suspend", day=0, ends_at=on(10))
    assert full(5, alone).operated is None
    assert full(5, SUSPENDED.__class__(**{f: getattr(alone, f) for f in alone.__struct_fields__})).operated is None
    assert state(11, alone) is LegalState.LAPSED_UNCONFIRMED
    assert state(5, act("e", measure=M, action="extend", ends_at=on(10))) is LegalState.SUSPENDED


def test_an_amendment_before_the_measure_is_known_counts_when_it_comes() -> None:
    """Out of order: the suspension first, then the measure."""
    alone = full(50, SUSPENDED)
    assert (alone.state, alone.operated, alone.kind) == (LegalState.SUSPENDED, None, "suspension")
    both = full(50, SUSPENDED, ANNOUNCED)
    assert (both.operated, both.materials, both.instrument) == (False, ("holmium",), "Instrument of M-1")
    assert both == full(50, ANNOUNCED, SUSPENDED)


def test_one_limb_may_be_suspended_while_the_other_stays() -> None:
    """72 of 2025 suspends paragraph 2 of 46 of 2024."""
    other = act("o", measure="M-2", action="impose", day=0)
    assert state(50, IMPOSED, other, SUSPENDED, measure="M-2") is LegalState.IN_FORCE


def test_an_instrument_that_suspends_is_no_measure() -> None:
    """Announcement 70 is not in the list; an announcement with a limb of its own is."""
    assert state(50, IMPOSED, SUSPENDED, measure="S-1") is None
    limb = act("l", measure="S-1", action="impose", day=20)
    assert state(50, IMPOSED, SUSPENDED, limb, measure="S-1") is LegalState.IN_FORCE


def test_instruments_that_name_each_other_do_not_loop() -> None:
    """A mistake in `amends` must not hang a worker."""
    first = act("x", measure="S-1", action="suspend", day=1, amends=("S-2", M), ends_at=on(9))
    second = act("y", measure="S-2", action="suspend", day=1, amends=("S-1",), ends_at=on(9))
    assert state(5, IMPOSED, first, second) is LegalState.SUSPENDED


def test_the_same_event_again_changes_nothing() -> None:
    """Identity is source and id; the same id from another source is another event."""
    made = book(IMPOSED, SUSPENDED)
    assert made.record(IMPOSED) == frozenset()
    assert made.record(SUSPENDED) == frozenset()
    other = act("i", measure=M, action="impose", source="elsewhere")
    assert made.record(other) == {M}


def test_a_correction_of_one_legal_act_replaces_it() -> None:
    """Same measure, action, instrument and day of publication, recorded later: the date was corrected."""
    corrected = act("a2", measure=M, action="announce", day=5, published_at=on(0), effective_at=on(60))
    assert state(40, ANNOUNCED, corrected) is LegalState.ANNOUNCED
    assert state(60, ANNOUNCED, corrected) is LegalState.IN_FORCE
    known = StatusQuestions([ANNOUNCED, corrected]).assess(M, as_of=at(40), known_at=at(4))
    assert known is not None
    assert known.state is LegalState.IN_FORCE


def test_a_claim_stands_beside_the_state_and_never_changes_it() -> None:
    """Two speakers with the same end are two claims; a withdrawn one is gone."""
    one = claim("c1", claim_id="C-1", day=30, about=(M,), claimed_end_at=on(160))
    two = claim("c2", claim_id="C-2", day=31, about=(M,), claimed_end_at=on(160))
    vague = claim("c3", claim_id="C-3", day=31, about=(M,))
    found = full(101, IMPOSED, SUSPENDED, one, two, vague)
    assert found.state is LegalState.LAPSED_UNCONFIRMED
    assert [(end.claim, end.day.isoformat()) for end in found.claimed_ends] == [("C-1", on(160)), ("C-2", on(160))]
    assert {"c1", "c2", "c3"} <= set(found.causes)
    gone = claim("c4", claim_id="C-1", day=40, withdrawn=True)
    assert [end.claim for end in full(101, gone, IMPOSED, one, SUSPENDED, two).claimed_ends] == ["C-2"]
    assert full(29, IMPOSED, SUSPENDED, one).claimed_ends == ()
    assert book(one).record(one) == frozenset()


def test_a_withdrawal_reaches_the_measures_of_its_claim() -> None:
    """It names the claim, not the measures."""
    made = book(IMPOSED, claim("c1", claim_id="C-1", about=(M,), claimed_end_at=on(9)))
    assert made.record(claim("c2", claim_id="C-1", day=3, withdrawn=True)) == {M}


def test_a_claim_that_was_corrected_to_other_measures_no_longer_stands_here() -> None:
    """The newest telling of a claim counts."""
    first = claim("c1", claim_id="C-1", about=(M,), claimed_end_at=on(9))
    second = claim("c2", claim_id="C-1", day=3, about=("M-2",), claimed_end_at=on(9))
    assert full(5, IMPOSED, first, second).claimed_ends == ()


def test_a_claim_about_an_unknown_measure_makes_none() -> None:
    """A name somebody mentioned has no legal life."""
    assert state(5, claim("c1", claim_id="C-1", about=(M,), claimed_end_at=on(9))) is None
    assert measures_status([claim("c1", claim_id="C-1", about=(M,))], as_of=at(9)) == []


def test_the_next_change_is_known_beforehand() -> None:
    """The heap of the agent is built from it."""
    made = book(ANNOUNCED, SUSPENDED, claim("c1", claim_id="C-1", day=40, about=(M,), claimed_end_at=on(160)))
    assert made.next_change_after(M, at(0)) == at(20)
    assert made.next_change_after(M, at(30)) == at(40)
    assert made.next_change_after(M, at(40)) == at(101)
    assert made.next_change_after(M, at(101)) is None


def test_status_of_what_nobody_knows_is_none() -> None:
    """An unknown id is not "free"."""
    assert measure_status([IMPOSED], "M-9", as_of=at(5)) is None


def test_an_event_of_another_family_is_no_entry() -> None:
    """The book takes policy events only."""
    from streams.contracts.events import Tick

    tick = Event(id="t", source="s", subject="tick", occurred_at=at(0), recorded_at=at(0), data=Tick())
    assert book().record(tick) == frozenset()
