"""Benchmarks of the rule engine: `python -m bench.rules` prints one JSON object.

`load`: 10,000 rules read and checked. `scale`: what an assessment costs that matches 10 rules, with 10 and with 10,000
loaded. `cel`: one evaluation of a condition. `backtest`: price events through the assess and rules cores on one core,
and what of it each of the two takes; garbage is collected as usual. Times are CPU times of the process.
"""

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.rules_core import RulesCore
from alerts.rules.expressions import Condition
from alerts.rules.facts import CATALOGUE
from alerts.rules.loader import load_texts, shipped_rules
from alerts.rules.ruleset import Rules
from bench.events import price_events
from streams.assess.assess_core import AssessCore
from streams.contracts.assessments import RiskAssessed
from streams.contracts.codec import encode_event
from streams.contracts.events import Event
from streams.contracts.records import Segment
from streams.runtime.stage_ports import Admitted, InMemoryStateStore

T0 = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 500
_RULES_A_FILE = 700
_RULE = """      - id: r-{number}
        kind: threshold
        on: price
        where: material == "m{group}" && basis == "FOB China"
        fact: last_amount
        above: {limit}
        severity: warning
        resolve_when: last_amount < {low}.0
        labels: {{topic: price}}
        annotations:
          summary: "{{material}}: {{value:number}} over {{threshold:number}}, {{basis}}, {{assessor}}"
          description: "Series: {{labels}}"
"""


def rule_texts(count: int) -> list[tuple[str, str]]:
    """Write `count` rules as files; ten each are about one material."""
    texts = []
    for start in range(0, count, _RULES_A_FILE):
        body = "".join(
            _RULE.format(number=n, group=n // 10, limit=150 + n % 10, low=140 + n % 10)
            for n in range(start, min(count, start + _RULES_A_FILE))
        )
        texts.append((f"rules-{start}.yaml", f"groups:\n  - name: bench\n    rules:\n{body}"))
    return texts


def assessments(count: int) -> list[msgspec.Raw]:
    """Make price assessments of one material that ten rules are about; a limit is crossed now and then."""
    made = []
    for number in range(count):
        at = T0 + timedelta(seconds=number)
        data = RiskAssessed(
            material="m0", aspect="price", at=at, causes=(f"q{number}",),
            labels={"form": "oxide", "basis": "FOB China", "assessor": f"a{number % 50}", "currency": "USD"},
            facts={"last_amount": 100.0 + number % 60, "change_previous_ratio": 0.01, "observations_count": 31.0},
        )  # fmt: skip
        event = Event(id=f"q{number}", source="bench", subject="m0", occurred_at=at, recorded_at=at, data=data)
        made.append(msgspec.Raw(encode_event(event)))
    return made


def seconds_of_rules(rules: Rules, items: Sequence[msgspec.Raw]) -> float:
    """Run a rules core over assessments; return the time it took."""
    core = RulesCore(partition=0, rules=rules, store=InMemoryStateStore())
    started = time.process_time()
    for start in range(0, len(items), BATCH):
        core.process(Admitted(position=start, items=items[start : start + BATCH]))
    return time.process_time() - started


def measure_load(count: int) -> tuple[Rules, dict[str, float]]:
    """Load `count` rules."""
    texts = rule_texts(count)
    started = time.process_time()
    rules = load_texts(texts)
    return rules, {"rules": count, "seconds": round(time.process_time() - started, 2)}


def measure_scale(many: Rules, count: int) -> dict[str, float]:
    """Compare an assessment that matches ten rules, with ten and with all of them loaded; the best of three each."""
    few, items = load_texts(rule_texts(10)), assessments(count)
    best = [min(seconds_of_rules(rules, items) for _ in range(3)) / count * 1e6 for rules in (few, many)]
    return {
        "us_with_10_rules": round(best[0], 2),
        f"us_with_{len(many.rules)}_rules": round(best[1], 2),
        "ratio": round(best[1] / best[0], 3),
    }


def measure_cel(count: int) -> dict[str, float]:
    """Time the evaluation of conditions over facts."""
    facts = {"last_amount": 120.0, "assessor": "SMM", "change_previous_ratio": 0.1, "form": "oxide", "vat": "included"}
    found = {}
    texts = {"one_name": "last_amount < 100.0",
             "three_names": 'assessor == "SMM" && change_previous_ratio > 0.2 && last_amount > 1.0'}  # fmt: skip
    for name, text in texts.items():
        condition = Condition(text, CATALOGUE["price"])
        started = time.process_time()
        for _ in range(count):
            condition.evaluate(facts)
        found[f"us_{name}"] = round((time.process_time() - started) / count * 1e6, 2)
    return found


def measure_backtest(count: int) -> dict[str, float]:
    """Send price events through both cores in batches, as `rules backtest` does, and time each."""
    assess = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
    counts = EngineMetrics()
    rules = RulesCore(partition=0, rules=shipped_rules(), store=InMemoryStateStore(), counts=counts)
    spent, changes, assessed_count = [0.0, 0.0], 0, 0
    for start in range(0, count, BATCH):
        raws = [msgspec.Raw(raw) for _, _, raw in price_events(min(BATCH, count - start), start=start)]
        segment = Segment(topic="bench", partition=0, offset=start, indexes=range(len(raws)), events=raws)
        before = time.process_time()
        items = [msgspec.Raw(raw) for raw in assess.process(Admitted(position=start, segments=[segment])).outputs]
        between = time.process_time()
        changes += len(rules.process(Admitted(position=start, items=items)).outputs)
        spent = [spent[0] + between - before, spent[1] + time.process_time() - between]
        assessed_count += len(items)
    total = sum(spent)
    return {
        "events": count, "assessments": assessed_count, "alert_changes": changes, "seconds": round(total, 2),
        "events_per_second": round(count / total), "assess_us_per_event": round(spent[0] / count * 1e6, 2),
        "rules_us_per_event": round(spent[1] / count * 1e6, 2),
        "rules_events_per_second": round(count / spent[1]),
        "evaluations_per_event": round(counts.evaluations_count / count, 3),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--assessments", type=int, default=20_000)
    given = parser.parse_args()
    many, load = measure_load(given.rules)
    result = {
        "load": load,
        "scale": measure_scale(many, given.assessments),
        "cel": measure_cel(200_000),
        "backtest": measure_backtest(given.events),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
