"""Rule kind `sequence`: A, then no B within T."""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from alerts.engine.rules_core import decode_state
from alerts.engine.rules_state import memory_key
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.loader import RuleFileError
from alerts.rules.memory import MAX_HOLDING, SequenceState
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import RiskAssessed
from tests.support.rule_road import T0, RuleRoad, measure, price, rules_with

DAY = timedelta(days=1)
CLAIMED = [date(2027, 1, 10)]


def unanswered(**fields: Any) -> dict[str, Any]:
    rule = {"id": "unanswered", "kind": "sequence", "on": "measure", "first": "claimed_end != null",
            "then": 'legal_end == "2027-01-10"', "within": "30d", "severity": "warning",
            "annotations": {"summary": "{measure}: claimed since {awaited_since}, {claims}",
                            "resolved": "{measure}: {legal_end}"}, **fields}  # fmt: skip
    return {name: value for name, value in rule.items() if value is not None}


def states(road: RuleRoad) -> list[tuple[datetime, str]]:
    return [(c.at, c.to_state.value) for c in road.changes()]


def test_it_fires_when_no_answer_came_in_time_and_ends_with_one() -> None:
    """A claim of an end that no instrument followed."""
    road = RuleRoad(rules_with(unanswered()))
    road.take(measure(T0), measure(T0 + DAY, claimed=CLAIMED), T0 + 40 * DAY)
    (fired,) = road.changes()
    assert (fired.at, fired.to_state) == (T0 + 31 * DAY, AlertState.FIRING)
    assert fired.thresholds == {"within": "30d", "then": 'legal_end == "2027-01-10"'}
    (over,) = road.take(measure(T0 + 41 * DAY, legal_end=date(2027, 1, 10), claimed=CLAIMED, cause="e9"))
    assert (over.to_state, over.causes) == (AlertState.OK, ("e9",))


@pytest.mark.parametrize(("after", "fires"), [(30 * DAY - timedelta(seconds=1), False), (30 * DAY, True)])
def test_an_answer_at_the_very_end_comes_too_late(after: timedelta, *, fires: bool) -> None:
    """Windows are half-open: [A, A + T). Its timer runs before what comes at its instant, and both are told."""
    road = RuleRoad(rules_with(unanswered()))
    road.take(measure(T0, claimed=CLAIMED))
    road.take(measure(T0 + after, legal_end=date(2027, 1, 10), claimed=CLAIMED), T0 + 99 * DAY)
    assert (road.core.counts.transitions["unanswered", AlertState.FIRING] == 1) is fires
    assert [c.to_state.value for c in road.changes()] == (["firing", "ok"] if fires else [])


def test_the_wait_runs_from_the_beginning_and_not_from_each_repetition() -> None:
    """Whoever repeats a claim every week would put the question off for ever."""
    road = RuleRoad(rules_with(unanswered()))
    road.take(*(measure(T0 + n * 7 * DAY, claimed=CLAIMED) for n in range(10)))
    assert states(road) == [(T0 + 30 * DAY, "firing")]


def test_once_answered_only_a_new_beginning_waits_again() -> None:
    """`first` that stays true after its answer asks nothing."""
    road = RuleRoad(rules_with(unanswered(then="state == 'in_force'")))
    road.take(measure(T0, claimed=CLAIMED), measure(T0 + DAY, state="in_force", claimed=CLAIMED))
    road.take(measure(T0 + 2 * DAY, claimed=CLAIMED), T0 + 90 * DAY)
    assert road.changes() == []
    road.take(measure(T0 + 91 * DAY), measure(T0 + 92 * DAY, claimed=CLAIMED), T0 + 200 * DAY)
    assert states(road) == [(T0 + 122 * DAY, "firing")]


def test_another_occasion_begins_a_wait_of_its_own() -> None:
    """Another date claimed is another question."""
    road = RuleRoad(rules_with(unanswered(occasion=["claimed_end"])))
    road.take(measure(T0, claimed=CLAIMED), measure(T0 + 20 * DAY, claimed=[date(2027, 2, 10)]), T0 + 90 * DAY)
    assert states(road) == [(T0 + 50 * DAY, "firing")]


def by_material(**fields: Any) -> dict[str, Any]:
    return unanswered(
        on="price", first="change_previous_ratio > 0.2", then="month_on_month_ratio > 0.0", then_on="trade",
        by=["material"], annotations={"summary": "{material}"}, **fields,
    )  # fmt: skip


def shipped(at: datetime, *, material: str = "dysprosium") -> RiskAssessed:
    return RiskAssessed(material=material, aspect="trade", at=at, facts={"month_on_month_ratio": 0.1})


def jump(at: datetime) -> RiskAssessed:
    return RiskAssessed(material="dysprosium", aspect="price", at=at, facts={"change_previous_ratio": 0.3},
                        labels={"assessor": "SMM"})  # fmt: skip


def of(road: RuleRoad) -> list[AlertChanged]:
    return road.changes()


def test_first_and_then_may_be_about_different_kinds_that_share_a_label() -> None:
    """A price jump that no shipment followed."""
    road = RuleRoad(rules_with(by_material()))
    road.take(jump(T0), shipped(T0 + DAY, material="yttrium"), T0 + 40 * DAY)
    assert [(c.labels, c.at) for c in of(road)] == [({"material": "dysprosium"}, T0 + 30 * DAY)]
    assert of(RuleRoad(rules_with(by_material()))) == []


@pytest.mark.parametrize("order", [1, -1])
def test_an_answer_in_the_same_instant_counts_whatever_the_order(order: int) -> None:
    """Order within one instant must not decide."""
    road = RuleRoad(rules_with(by_material()))
    road.take(*[jump(T0), shipped(T0)][::order])
    assert road.take(T0 + 90 * DAY) == []


def test_unknown_neither_begins_nor_answers() -> None:
    """A gap is neither."""
    road = RuleRoad(rules_with(unanswered(on="price", first="last_amount > 10.0", then="last_amount < 5.0",
                                          annotations={"summary": "x"})))  # fmt: skip
    road.take(price(T0, None), T0 + 40 * DAY)
    assert road.changes() == []
    road.take(price(T0 + 41 * DAY, 11.0), price(T0 + 42 * DAY, None), T0 + 100 * DAY)
    assert states(road) == [(T0 + 71 * DAY, "firing")]


def test_what_is_awaited_survives_a_restart() -> None:
    """Kill and replay at any event gives the same log."""
    road = RuleRoad(rules_with(unanswered()))
    road.take(measure(T0, claimed=CLAIMED))
    road.restart()
    road.take(T0 + 40 * DAY)
    assert states(road) == [(T0 + 30 * DAY, "firing")]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"within": "0d"}, "no time"),
        ({"then": "nope == 1"}, "no fact"),
        ({"then_on": "trade", "then": "tonnes > 1.0"}, "needs `by`"),
        ({"by": ["issuer"]}, "must hold one of"),
        ({"occasion": ["nope"]}, "no fact of measure"),
    ],
)
def test_what_makes_no_sense_is_refused_at_load(fields: dict[str, Any], says: str) -> None:
    """The writer hears of it before the night it matters."""
    with pytest.raises(RuleFileError, match=says):
        rules_with(unanswered(**fields))


def rises(*materials: str, at: timedelta, basis: str = "a", amount: float | None = 250.0) -> list[RiskAssessed]:
    return [RiskAssessed(material=m, aspect="price", at=T0 + at, labels={"basis": basis}, facts={"last_amount": amount},
                         causes=(f"{basis}-{at.days}",)) for m in materials]  # fmt: skip


def together(**fields: Any) -> RuleRoad:
    return RuleRoad(rules_with(unanswered(
        on="price", first="last_amount > 200.0", then="last_amount < 60.0", by=["material"],
        annotations={"summary": "{material} {basis}", "resolved": "{basis} fell to {last_amount:number}"}, **fields,
    )))  # fmt: skip


def test_an_entity_that_says_the_contrary_begins_no_new_wait_for_another() -> None:
    """Each is remembered apart: only its own rise is the beginning of one."""
    road = together()
    road.take(*rises("gallium", at=0 * DAY), *rises("gallium", at=DAY, basis="b", amount=50.0))
    for n in range(2, 6):
        road.take(*rises("gallium", at=n * DAY), *rises("gallium", at=n * DAY, basis="b", amount=100.0))
    road.take(T0 + 99 * DAY)
    assert road.changes() == []


def test_a_rise_of_another_entity_begins_a_wait_of_its_own_after_the_answer() -> None:
    """That one stays high is no reason to overlook that another rises."""
    road = together()
    road.take(*rises("gallium", at=0 * DAY), *rises("gallium", at=DAY, basis="c", amount=50.0))
    road.take(*rises("gallium", at=2 * DAY), *rises("gallium", at=3 * DAY, basis="b"), T0 + 99 * DAY)
    assert [(c.at, c.causes, c.summary) for c in road.changes()] == [(T0 + 33 * DAY, ("b-3",), "gallium b")]


@pytest.mark.parametrize("turned", [False, True])
def test_of_those_that_begin_in_one_instant_the_last_is_named_and_the_first_answer_ends_it(*, turned: bool) -> None:
    """The order is that of the log; a wait that goes on names the last by its labels."""
    road = together()
    both = [*rises("gallium", at=0 * DAY), *rises("gallium", at=0 * DAY, basis="b")]
    answers = [*rises("gallium", at=40 * DAY, amount=40.0), *rises("gallium", at=40 * DAY, basis="b", amount=50.0)]
    road.take(*(both[::-1] if turned else both), T0 + 39 * DAY)
    road.take(*(answers[::-1] if turned else answers))
    assert [(c.to_state.value, c.causes, c.summary) for c in road.changes()] == [
        ("firing", ("b-0",), "gallium b"),
        ("ok", ("b-40",), "Resolved: b fell to 50") if turned else ("ok", ("a-40",), "Resolved: a fell to 40"),
    ]  # fmt: skip


def test_a_group_remembers_a_bounded_number_of_entities() -> None:
    """A label with endless values must not make a state without end."""
    road = together()
    for n in range(MAX_HOLDING + 9):
        road.take(*rises("gallium", at=0 * DAY, basis=f"{n:04}"))
    road.take(T0 + DAY)
    (memory,) = [value for _, value in road.store.items() if isinstance(value, SequenceState)]
    assert list(memory.holding) == [f"basis={n:04}" for n in range(9, MAX_HOLDING + 9)]


def test_a_memory_of_before_entities_were_told_apart_is_read_and_waits_on() -> None:
    """A state written by an earlier version is recovered; what held then is no beginning now."""
    road = together()
    written = {"type": "awaited", "occasion": "", "holds": True, "answered_at": T0}
    old = decode_state(msgspec.msgpack.encode(written))
    assert old == SequenceState(occasion="", holds=True, answered_at=T0)
    road.store.put(memory_key("unanswered", fingerprint_of("unanswered", {"material": "gallium"})), old)
    road.take(*rises("gallium", at=DAY), T0 + 99 * DAY)
    assert road.changes() == []
    road.take(*rises("gallium", at=100 * DAY, amount=100.0), *rises("gallium", at=101 * DAY), T0 + 199 * DAY)
    assert states(road) == [(T0 + 131 * DAY, "firing")]


@pytest.mark.parametrize("turned", [False, True])
def test_what_joins_a_wait_in_the_instant_of_its_replacement_does_not_bring_it_back(*, turned: bool) -> None:
    """Another occasion begins the wait anew, whether a further entity joins the old one before or after it."""
    road = together(occasion=["observations_count"])

    def counted(basis: str, count: float, at: timedelta) -> RiskAssessed:
        (rise,) = rises("gallium", at=at, basis=basis)
        return msgspec.structs.replace(rise, facts={**rise.facts, "observations_count": count})

    both = [counted("b", 2.0, 9 * DAY), counted("c", 1.0, 9 * DAY)]
    road.take(counted("a", 1.0, 0 * DAY), *(both[::-1] if turned else both), T0 + 50 * DAY)
    assert [(c.at, c.causes) for c in road.changes()] == [(T0 + 39 * DAY, ("b-9",))]


def test_beyond_the_bound_an_entity_replaces_no_wait_that_runs() -> None:
    """Each repetition of what it said would begin the wait anew, and it would never be over."""
    road = together(occasion=["observations_count"])
    entities = MAX_HOLDING + 40
    for day in range(35):
        for number in range(entities):
            (rise,) = rises("gallium", at=day * DAY + number * timedelta(seconds=1), basis=f"{number:04}")
            road.take(msgspec.structs.replace(rise, facts={**rise.facts, "observations_count": float(number)}))
    assert [c.to_state for c in road.changes()] == [AlertState.FIRING]
