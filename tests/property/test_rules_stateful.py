"""The rules core as a machine: whatever comes in whatever order, waits, gaps, ladders, ends and replays hold."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.engine.rules_core import decode_state, encode_state
from alerts.lifecycle.advance import FIRING_STATES
from alerts.lifecycle.evaluation import Alert
from alerts.notify.directive_requests import build_acknowledgement, withdraw_rule_set
from alerts.rules.ruleset import OVER_LIMIT
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.events import Payload
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.rule_road import T0, RuleRoad, alerts_in, as_item, measure, price, rule_set, rules_with

FOR, KEEP, MAX_AGE, FLAP = timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=60), timedelta(minutes=50)
WAITS = {"for": "10m", "keep_firing_for": "20m"}
HIGH: dict[str, Any] = {"kind": "threshold", "on": "price", "fact": "last_amount", "above": 100, "severity": "warning"}
LADDER = {**HIGH, **WAITS, "id": "ladder", "severity": None,
          "above": [{"value": 100, "severity": "warning", "resolve": 80},
                    {"value": 200, "severity": "critical", "resolve": 180}]}  # fmt: skip
POLICIES = [{**HIGH, **WAITS, "id": f"missing-{policy}", "missing": policy, "max_age": "60m"}
            for policy in ("mark", "keep", "ok", "alert")]  # fmt: skip
FLAPPING = {**HIGH, "id": "flapping", "keep_firing_for": "5m", "flap": {"times": 2, "within": "50m"}}
FEW = {**HIGH, "id": "few", "limit": 1}
EDITED = {**HIGH, **WAITS, "id": "edited", "above": 120}
EXTRA = {**HIGH, "id": "extra"}
SILENT = {**WAITS, "id": "silent", "kind": "absence", "on": "price", "after": "30m", "severity": "warning"}
UNANSWERED = {**WAITS, "id": "unanswered", "kind": "sequence", "on": "price", "first": "last_amount > 200.0",
              "then": "last_amount < 60.0", "within": "45m", "severity": "warning"}  # fmt: skip
MOVE = {**WAITS, "id": "move", "kind": "change", "on": "price", "fact": "last_amount", "over": 1, "above": 0.2,
        "severity": "info"}  # fmt: skip
BOTH = {**WAITS, "id": "both", "kind": "composite", "of": ["ladder", "move"], "needs": "all", "severity": "critical"}
ENDS = {"id": "ends", "kind": "deadline", "on": "measure", "date": "legal_end",
        "where": 'state in ["suspended", "lapsed_unconfirmed"]',
        "ladder": [{"before": "3d", "severity": "info"}, {"before": "1d", "severity": "warning"},
                   {"before": "0d", "severity": "critical"}],
        "passed": {"severity": "critical", "repeat": "1d", "when": 'state == "lapsed_unconfirmed"'}}  # fmt: skip


def _cards(*rules: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in card.items() if value is not None} for card in rules]


FIRST = _cards(LADDER, *POLICIES, FLAPPING, FEW, EDITED, EXTRA, SILENT, UNANSWERED, MOVE, BOTH, ENDS)
SECOND = _cards(LADDER, *POLICIES, FLAPPING, FEW, {**EDITED, "above": 160}, SILENT, UNANSWERED, MOVE, BOTH, ENDS,
                {**EXTRA, "id": "added"})  # fmt: skip
RULES = rules_with(*FIRST)
WAITING = {"ladder", "edited", "silent", "unanswered", "move", "both", *(r["id"] for r in POLICIES)}
BY_HAND = {"rule_removed", "rule_changed", "over_limit", "within_limit"}
"""Reasons of changes that people or limits make, not facts or time."""
AFTER_A_GAP: dict[str, set[AlertState | None]] = {
    "missing-mark": {None, AlertState.NO_DATA, AlertState.STALE, AlertState.FIRING},
    "missing-keep": {None, AlertState.OK, AlertState.PENDING, AlertState.FIRING},
    "missing-ok": {None, AlertState.OK, AlertState.FIRING},
    "missing-alert": {AlertState.PENDING, AlertState.FIRING},
}
"""States in which the four policies may leave an alert whose facts are unknown or stale."""

MATERIALS = st.sampled_from(["dysprosium", "gallium"])
MINUTES = st.integers(1, 25)
AMOUNTS = st.sampled_from([50.0, 90.0, 110.0, 150.0, 190.0, 250.0, None])
Amount: TypeAlias = float | None


def _unbroken(seen: list[tuple[datetime, Amount]], at: datetime, holds: Callable[[float], bool]) -> timedelta:
    """For how long, up to `at`, every amount seen was known and fitted; negative where the last one did not."""
    since = None
    for seen_at, amount in reversed(seen):
        if amount is None or not holds(amount):
            break
        since = seen_at
    return at - since if since is not None else timedelta(-1)


class RulesMachine(RuleBasedStateMachine):
    """Feeds one partition; what was seen is remembered apart, in the plainest form, and the promises read off it."""

    def __init__(self) -> None:
        super().__init__()
        self.road = RuleRoad(RULES)
        self.now = T0
        self.log: list[msgspec.Raw] = []
        self.seen: dict[str, list[tuple[datetime, Amount]]] = {}
        self.told: dict[str, AlertChanged] = {}
        self.began: dict[str, datetime] = {}
        self.fired: dict[str, list[datetime]] = {}
        self.acknowledged: set[str] = set()
        self.legal: tuple[str, date] | None = None
        self.by_hand_at: datetime | None = None

    @initialize()
    def stored(self) -> None:
        self.kept = self._encoded()
        self.kept_at = len(self.log), len(self.road.outputs)

    def _encoded(self) -> list[tuple[bytes, bytes]]:
        return [(key, encode_state(value)) for key, value in self.road.store.items()]

    def _take(self, data: Payload | datetime) -> None:
        item = as_item(data, at=self.now)
        self.log.append(item)
        outcome = self.road.core.process(Admitted(position=0, items=[item]))
        assert not outcome.dead_letters
        self.road.outputs += outcome.outputs
        for change in alerts_in(outcome.outputs):
            self._check(change)

    # what comes

    @rule(material=MATERIALS, moves=st.lists(st.tuples(MINUTES, AMOUNTS), min_size=1, max_size=10))
    def prices(self, material: str, moves: list[tuple[int, Amount]]) -> None:
        for minutes, amount in moves:
            self._price(material, minutes=minutes, amount=amount)

    @rule(material=MATERIALS, calm=st.integers(6, 15), high=st.sampled_from([110.0, 250.0]), times=st.integers(2, 4))
    def a_price_flaps(self, material: str, calm: int, high: float, times: int) -> None:
        for _ in range(times):
            self._price(material, minutes=1, amount=high)
            self._price(material, minutes=calm, amount=50.0)

    def _price(self, material: str, *, minutes: int, amount: Amount) -> None:
        self.now += timedelta(minutes=minutes)
        self.seen.setdefault(material, []).append((self.now, amount))
        cause = f"{material}-{self.now.isoformat()}"
        self._take(msgspec.structs.replace(price(self.now, amount), material=material, causes=(cause,)))
        if amount is None:
            for name, states in AFTER_A_GAP.items():
                assert self._state(name, material) in states
        level = self._alert("ladder", material)
        if amount == 250.0 and level is not None and level.state is AlertState.FIRING:
            assert level.level is not None  # up at once
            assert level.level.severity == "critical"

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self._take(self.now)

    @rule(hours=st.integers(1, 40))
    def a_long_time_passes(self, hours: int) -> None:
        self.time_passes(minutes=60 * hours)

    @rule(
        minutes=MINUTES,
        state=st.sampled_from(["suspended", "lapsed_unconfirmed", "in_force"]),
        ahead=st.integers(-1, 5),
    )
    def a_measure(self, minutes: int, state: str, ahead: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.legal = (state, self._today() + timedelta(days=ahead))
        self._take(measure(self.now, state=state, legal_end=self.legal[1], cause=f"m-{self.now.isoformat()}"))

    @rule(minutes=MINUTES, second=st.booleans())
    def rules_are_applied(self, minutes: int, second: bool) -> None:
        self.now += timedelta(minutes=minutes)
        self._take(rule_set(*SECOND) if second else withdraw_rule_set(by="ada"))
        gone = {"extra"} if second else {"added"}
        assert not {alert.rule for alert in self._alerts()} & gone

    @precondition(lambda self: self._firing())
    @rule(minutes=MINUTES, data=st.data(), withdrawn=st.booleans())
    def somebody_acknowledges(self, minutes: int, data: st.DataObject, withdrawn: bool) -> None:
        fingerprint = data.draw(st.sampled_from(self._firing()))
        self.now += timedelta(minutes=minutes)
        given = build_acknowledgement(fingerprint, by="ada")
        if withdrawn:
            self.acknowledged.discard(fingerprint)
        self._take(msgspec.structs.replace(given, withdrawn=withdrawn))
        alert = next((a for a in self._alerts() if a.fingerprint == fingerprint), None)
        if not withdrawn and alert is not None and alert.state is AlertState.FIRING:
            self.acknowledged.add(fingerprint)

    @rule(hours=st.integers(30, 60))
    def a_passed_end_is_acknowledged_and_days_pass(self, hours: int) -> None:
        self.now += timedelta(minutes=1)
        self.legal = ("lapsed_unconfirmed", self._today() - timedelta(days=1))
        self._take(measure(self.now, state=self.legal[0], legal_end=self.legal[1], cause=f"m-{self.now.isoformat()}"))
        alert = self._alert("ends")
        assert alert is not None
        self.now += timedelta(minutes=1)
        self._take(build_acknowledgement(alert.fingerprint, by="ada"))
        self.acknowledged.add(alert.fingerprint)
        self.time_passes(minutes=60 * hours)

    # kills

    @rule()
    def a_checkpoint(self) -> None:
        self.stored()

    @rule()
    def a_kill(self) -> None:
        """From the last checkpoint the log is read again, and says the same bytes; the life goes on from there."""
        start, said = self.kept_at
        store = InMemoryStateStore()
        for key, value in self.kept:
            store.put(key, decode_state(value))
        self.road.store = store
        self.road.restart()
        again: list[bytes] = []
        for item in self.log[start:]:
            again += self.road.core.process(Admitted(position=0, items=[item])).outputs
        assert again == self.road.outputs[said:]

    def teardown(self) -> None:
        """One record or many, killed or not: the same bytes and the same state."""
        whole = RuleRoad(RULES)
        outcome = whole.core.process(Admitted(position=0, items=self.log))
        assert list(outcome.outputs) == self.road.outputs
        assert dict(whole.store.items()) == dict(self.road.store.items())

    # what must hold

    def _alerts(self) -> list[Alert]:
        return [value for _, value in self.road.store.items() if isinstance(value, Alert)]

    def _alert(self, name: str, material: str | None = None) -> Alert | None:
        return next((a for a in self._alerts()
                     if a.rule == name and (material is None or a.labels["material"] == material)), None)  # fmt: skip

    def _state(self, name: str, material: str) -> AlertState | None:
        alert = self._alert(name, material)
        return alert.state if alert is not None else None

    def _firing(self) -> list[str]:
        return sorted(a.fingerprint for a in self._alerts() if a.state is AlertState.FIRING)

    def _today(self) -> date:
        return (self.now + timedelta(hours=8)).date()  # Shanghai keeps one time all year

    def _check(self, change: AlertChanged) -> None:
        before = self.told.get(change.fingerprint)
        assert change.from_state is (before.to_state if before is not None else AlertState.OK)
        assert before is None or before.at <= change.at
        assert change.at <= self.now
        if change.rule in WAITING and change.reason not in BY_HAND:
            self._check_waits(change)
        if change.rule == "ladder" and change.reason not in BY_HAND:
            self._check_ladder(change)
        if change.rule == "flapping":
            self._check_flapping(change)
        if change.reason == "repeated":
            assert change.fingerprint not in self.acknowledged
        else:
            self.acknowledged.discard(change.fingerprint)
        if change.from_state is not change.to_state:
            self.began[change.fingerprint] = change.at
        self.told[change.fingerprint] = change

    def _check_waits(self, change: AlertChanged) -> None:
        waited = change.at - self.began.get(change.fingerprint, T0)
        match change.from_state, change.to_state:
            case AlertState.PENDING, AlertState.FIRING:
                assert waited >= FOR
            case AlertState.CLEARING, AlertState.OK:
                assert waited >= KEEP
            case AlertState.FIRING, to:
                assert to in FIRING_STATES  # it ends only through clearing
            case from_state, AlertState.FIRING:
                assert from_state is AlertState.CLEARING  # it begins only through pending

    def _check_ladder(self, change: AlertChanged) -> None:
        material = change.labels["material"]
        match change.from_state, change.to_state, change.reason:
            case AlertState.PENDING, AlertState.FIRING, _:
                assert self._held(material, change.at, lambda amount: amount > 100) >= FOR
            case AlertState.FIRING, AlertState.CLEARING, _:
                assert self._held(material, change.at, lambda amount: amount <= 80) >= timedelta(0)
            case AlertState.CLEARING, AlertState.OK, _:
                assert self._held(material, change.at, lambda amount: amount <= 80) >= KEEP
            case _, _, "stepped_down":
                assert self._held(material, change.at, lambda amount: amount <= 180) >= KEEP

    def _held(self, material: str, at: datetime, holds: Callable[[float], bool]) -> timedelta:
        """For how long a condition had been known to hold, without a gap; negative where it did not.

        What is due at an instant comes before what arrives at it, so both readings count.
        """
        earlier = [s for s in self.seen[material] if s[0] < at]
        until = [s for s in self.seen[material] if s[0] <= at]
        return max(_unbroken(until, at, holds), _unbroken(earlier, at, holds))

    def _known_for(self, material: str, holds: Callable[[float], bool]) -> timedelta:
        return _unbroken(self.seen[material], self.now, holds)

    def _check_flapping(self, change: AlertChanged) -> None:
        fired = self.fired.setdefault(change.fingerprint, [])
        if change.to_state is AlertState.OK and change.from_state is AlertState.CLEARING:
            began = self.began[change.fingerprint]
            flapped = len(fired) >= 2 and began - fired[-2] <= FLAP
            assert change.at - began >= (FLAP if flapped else timedelta(minutes=5))
        begins = change.to_state is AlertState.FIRING and change.from_state is not AlertState.FIRING
        if begins and change.reason != "kept_through_gap":
            fired.append(change.at)

    @invariant()
    def stale_facts_leave_an_alert_where_the_policy_says(self) -> None:
        for material, seen in self.seen.items():
            if self.now - seen[-1][0] >= MAX_AGE:
                for name, states in AFTER_A_GAP.items():
                    assert self._state(name, material) in states

    @invariant()
    def what_was_known_for_long_enough_has_had_its_effect(self) -> None:
        """The waits end by time alone: nothing is left pending, firing or on too high a step for want of an event."""
        for material in self.seen:
            alert = self._alert("ladder", material)
            if self._known_for(material, lambda amount: amount > 100) >= FOR:
                assert alert is not None
                assert alert.state is AlertState.FIRING
            if self._known_for(material, lambda amount: amount <= 80) >= KEEP:
                assert alert is None or alert.state is AlertState.OK
            if self._known_for(material, lambda amount: 80 < amount <= 180) >= KEEP and alert is not None:
                assert alert.level is None or alert.level.severity == "warning"

    @invariant()
    def a_limit_holds(self) -> None:
        assert (
            sum(a.rule == "few" and a.state in FIRING_STATES and a.suppressed_from is None for a in self._alerts()) <= 1
        )
        assert all(a.rule == "few" for a in self._alerts() if a.suppressed_from is not None)
        assert OVER_LIMIT not in RULES.by_id

    @invariant()
    def the_ladder_of_an_end_stands_where_the_calendar_says(self) -> None:
        alert = self._alert("ends")
        step = alert.level.step if alert is not None and alert.level is not None else None
        if self.legal is None or self.legal[0] == "in_force":
            assert step is None
            return
        left = (self.legal[1] - self._today()).days
        if left < 0:
            assert step == ("passed" if self.legal[0] == "lapsed_unconfirmed" else "0d")
        else:
            assert step == next((name for name, days in (("0d", 0), ("1d", 1), ("3d", 3)) if left <= days), None)


TestRulesMachine = RulesMachine.TestCase
TestRulesMachine.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
