"""Prices through the assess core and the rules core: thin markets, premiums, assessors, made-up data."""

from typing import Any

import msgspec
import pytest

from alerts.rules.ruleset import Rules
from streams.assess.assess_core import AssessCore, encode_state
from streams.assess.identity_window import IdentityPage
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import RiskAssessed
from streams.contracts.codec import decode_event
from streams.contracts.events import Event
from streams.contracts.provenance import Provenance
from streams.runtime.stage_ports import InMemoryStateStore
from tests.support.legal import admitted
from tests.support.prices import quote, quoted
from tests.support.rule_road import RuleRoad, rules_from

PREMIUM = """
groups:
  - name: premium
    rules:
      - id: premium
        kind: threshold
        on: price
        when: premium_ratio >= 0.5 && premium_volume_share_ratio >= 0.05
        severity: warning
        annotations: {summary: "{material} {premium_ratio:percent}"}
      - id: thin
        kind: threshold
        on: price
        when: thin
        severity: info
        annotations: {summary: "{material} {premium_ratio:percent} on {premium_volume_share_ratio:share}"}
      - id: assessors
        kind: threshold
        on: price
        fact: assessor_gap_ratio
        above: 0.2
        severity: warning
        annotations: {summary: "{material} {value:percent} from {assessor_gap_with}"}
"""


def yttrium(number: int, amount: float, *, name: str, **fields: Any) -> Event:
    return quoted(quote(number, amount, material="yttrium", **fields), name=name, number=number)


class Road:
    def __init__(self, rules: Rules) -> None:
        self.assess = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
        self.rules = RuleRoad(rules)
        self.assessed: list[RiskAssessed] = []

    def take(self, *events: Event) -> list[AlertChanged]:
        outcome = self.assess.process(admitted(*events))
        assert not outcome.dead_letters
        told = [decode_event(raw).data for raw in outcome.outputs]
        prices = [each for each in told if isinstance(each, RiskAssessed) and each.aspect == "price"]
        self.assessed += prices
        return self.rules.take(*prices)


def fired(changes: list[AlertChanged]) -> list[tuple[str, str]]:
    return [(each.rule, each.labels["basis"]) for each in changes if each.to_state == "firing"]


EUROPE = {"basis": "CIF Rotterdam", "volume_share_ratio": 0.008}


@pytest.mark.parametrize("chinese_first", [True, False])
def test_european_yttrium_on_under_one_percent_of_volume_is_a_thin_notice(chinese_first: bool) -> None:
    """Forty times the Chinese price is no premium alert where hardly anything is traded, whichever comes first."""
    quotes = [yttrium(0, 8.0, name="cn"), yttrium(0, 320.0, name="eu", **EUROPE)]
    road = Road(rules_from(PREMIUM))
    found = road.take(*(quotes if chinese_first else reversed(quotes)))
    assert fired(found) == [("thin", "CIF Rotterdam")]
    last = road.assessed[-1]
    assert last.facts["premium_ratio"] == pytest.approx(39.0)
    assert last.facts["premium_weighted_ratio"] == pytest.approx(0.312)
    assert last.facts["thin"] is True


def test_the_same_premium_on_real_volume_is_an_alert() -> None:
    """The gate is the volume, not the size of the premium."""
    road = Road(rules_from(PREMIUM))
    traded = {**EUROPE, "volume_share_ratio": 0.2}
    found = road.take(yttrium(0, 8.0, name="cn"), yttrium(0, 320.0, name="eu", **traded))
    assert fired(found) == [("premium", "CIF Rotterdam")]


def test_without_a_known_volume_neither_fires() -> None:
    """Unknown is not thin and not thick."""
    road = Road(rules_from(PREMIUM))
    found = road.take(yttrium(0, 8.0, name="cn"), yttrium(0, 320.0, name="eu", basis="CIF Rotterdam"))
    assert fired(found) == []
    assert {"thin", "premium_volume_share_ratio"} <= set(road.assessed[-1].missing)


def test_a_chinese_quote_assesses_the_premium_outside_again() -> None:
    """The premium falls when China's price rises, and names the Chinese event as its cause."""
    road = Road(rules_from(PREMIUM))
    road.take(yttrium(0, 8.0, name="cn"), yttrium(0, 320.0, name="eu", **EUROPE))
    road.assessed.clear()
    road.take(yttrium(1, 300.0, name="cn2"))
    assert [(each.labels["basis"], each.causes) for each in road.assessed] == [
        ("FOB China", ("cn2",)),
        ("CIF Rotterdam", ("cn2",)),
    ]
    assert road.assessed[-1].facts["premium_ratio"] == pytest.approx(320 / 300 - 1)
    assert road.assessed[-1].facts["last_amount"] == 320.0
    road.assessed.clear()
    road.take(yttrium(40, 8.0, name="cn3"))
    assert [each.labels["basis"] for each in road.assessed] == ["FOB China"]


def test_two_assessors_that_differ_are_a_conflict_alert() -> None:
    """A gap over 20% (docs/domain.md 9), raised by whoever quotes second."""
    road = Road(rules_from(PREMIUM))
    found = road.take(yttrium(0, 126.0, name="a", assessor="a"), yttrium(3, 270.0, name="b", assessor="b"))
    assert fired(found) == [("assessors", "FOB China")]
    assert road.assessed[-1].facts["assessor_gap_with"] == "a"


def test_a_premium_over_made_up_data_is_made_up() -> None:
    """Labelled synthetic wherever it is shown."""
    made = {"provenance": Provenance(source="synthetic", synthetic=True)}
    road = Road(rules_from(PREMIUM))
    road.take(yttrium(0, 8.0, name="cn", **made), yttrium(0, 320.0, name="eu", **EUROPE))
    assert [each.synthetic for each in road.assessed] == [True, True]


def test_a_series_of_ten_years_stays_small() -> None:
    """Bounded rings: under 4 KB for a quote on every day of ten years."""
    store = InMemoryStateStore()
    core = AssessCore(partition=0, partitions=1, store=store)
    for number in range(3653):
        core.process(admitted(yttrium(number, 100.0 + number % 17, name=f"q{number}")))
    sizes = [len(msgspec.msgpack.encode(value)) for key, value in store.items() if key.startswith(b"price/")]
    assert len(sizes) == 1
    assert sizes[0] < 4 * 1024


def test_a_material_that_ten_assessors_quote_daily_stays_within_its_size() -> None:
    """64 KiB a material, whatever a decade brings: two years fill every ring, and what is full stays as it is."""
    store = InMemoryStateStore()
    core = AssessCore(partition=0, partitions=1, store=store)
    sizes = []
    for number in range(900):
        amounts = [(n, 100.0 + (number * (n + 3)) % 37) for n in range(10)]
        core.process(admitted(*(yttrium(number, a, name=f"q{number}-{n}", assessor=f"a{n}") for n, a in amounts)))
        if number in (700, 899):
            kept = [(k, v) for k, v in store.items() if not isinstance(v, IdentityPage)]  # of the partition, not of it
            sizes.append(sum(len(key) + len(encode_state(value)) for key, value in kept))
    assert max(sizes) < 64 * 1024
    assert sizes[1] < sizes[0] + 512
