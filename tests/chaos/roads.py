"""Two pipelines over one input on one broker, the second with faults: driven, drained, compared."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import redis as redis_client

from alerts.backtest.signals_backtest import backtest_signals
from alerts.notify.directive_requests import build_rule_set, directive_event
from alerts.rules.loader import load_texts
from alerts.rules.ruleset import Rules
from deploy.kafka.topic_admin import ensure_topics
from deploy.stack.waiting import wait_until
from producers.publisher import Publisher
from streams.contracts.alert import AlertChanged
from streams.contracts.topics import ASSESSMENTS, SIGNALS, topic_name
from streams.runtime.clock import monotonic_seconds, utc_now
from tests.chaos.comparison import Comparison, compare, table
from tests.chaos.load import EventSource, Load
from tests.chaos.logs import (
    SignalsTail,
    assessments_done,
    dead_letter_count,
    ends_of,
    read_alerts,
    signals_done,
)
from tests.chaos.pipeline import Pipeline
from tests.support.brokers import KafkaCluster, RedisServer

if TYPE_CHECKING:
    from tests.chaos.faults import Step

INPUTS = "in"
RULES = Path(__file__).parent / "rules.yaml"
AFTERWARDS = timedelta(seconds=9)
"""Time after the last event that is compared too: longer than any wait of the rules, so that all timers ran."""


class Report(msgspec.Struct, kw_only=True):
    """What a run did and found."""

    rate: int
    seconds: float
    sent_count: int
    plan: list[str]
    exits: dict[str, dict[str, list[int]]]
    until: datetime
    drained_after_seconds: float
    dead_letters: dict[str, int]
    roads: Comparison
    backtests: dict[str, Comparison]

    def text(self) -> str:
        """Write it for people."""
        lines = [
            f"{self.sent_count} events at {self.rate}/s over {self.seconds:g} s, drained "
            f"{self.drained_after_seconds:g} s after the last; dead letters {self.dead_letters}; exits {self.exits}",
            *(f"  {step}" for step in self.plan), table("undisturbed and disturbed road", self.roads),
            *(table(f"live and backtest of road {name}", made) for name, made in self.backtests.items()),
        ]  # fmt: skip
        return "\n".join(lines)

    @property
    def fault_count(self) -> int:
        """Return how many faults happened; going on, starting again and leaving belong to the fault before."""
        return sum(step.split(" s ", 1)[1].split()[0] in ("kill", "stop", "join", "empty") for step in self.plan)

    def failures(self) -> list[str]:
        """Return what must not be: differences of what one input feeds, or of a log and its backtest, and losses."""
        found = []
        if count := self.roads.differing(single_input=True):
            found.append(f"{count} alert changes over one input differ between the roads")
        for name, made in self.backtests.items():
            if count := sum(each.differing for each in made.rules.values()):
                found.append(f"{count} alert changes of road {name} are not those of its backtest")
        if count := self.roads.doubled:
            found.append(f"{count} alert changes stand twice on a log")
        found += [f"{count} dead letters of road {name}" for name, count in self.dead_letters.items() if count]
        return found

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))


@dataclass(kw_only=True)
class Roads:
    """The roads `a` and `b` on a broker, with their rules in force."""

    broker: KafkaCluster
    redis: RedisServer
    directory: Path
    rules: Rules = field(default_factory=lambda: load_texts([("rules.yaml", RULES.read_text())]))
    first: Pipeline = field(init=False)
    second: Pipeline = field(init=False)
    tails: dict[str, SignalsTail] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first, self.second = (
            Pipeline(bootstrap=self.bootstrap, prefix=prefix, input_prefix=INPUTS, directory=self.directory,
                     redis=self.redis.url)
            for prefix in ("a", "b")
        )  # fmt: skip

    @property
    def bootstrap(self) -> str:
        """Return the address of the broker."""
        return self.broker.bootstrap

    @property
    def pipelines(self) -> tuple[Pipeline, Pipeline]:
        """Return both roads, the undisturbed one first."""
        return self.first, self.second

    def __enter__(self) -> "Roads":
        try:
            for prefix in (INPUTS, "a", "b"):
                ensure_topics(self.bootstrap, prefix=prefix)
            for each in self.pipelines:
                each.start()
                self.tails[each.prefix] = SignalsTail(self.bootstrap, prefix=each.prefix)
            self.wait(lambda: all(p.ready() for p in self.pipelines), seconds=120, what="both roads to be ready")
            self._apply_rules()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for each in self.pipelines:
            each.end()
        for tail in self.tails.values():
            tail.close()

    def keep_up(self) -> None:
        """Look after every worker once."""
        for each in self.pipelines:
            each.keep_up()

    def wait(self, condition: Callable[[], object], *, seconds: float, what: str) -> None:
        """Wait for a condition while workers that end are started again; the logs of all are part of a failure."""

        def kept_up() -> object:
            self.keep_up()
            return condition()

        def logs() -> str:
            return "\n".join(slot.log() for each in self.pipelines for slot in each.slots.values())

        wait_until(kept_up, timeout_seconds=seconds, what=what, detail=logs)

    def _apply_rules(self) -> None:
        """Put the rules in force and wait until time has passed that place in both logs: then nothing stands before."""
        directive = build_rule_set(RULES.read_text(), content_hash=self.rules.content_hash, by="chaos")
        publisher = Publisher(self.bootstrap, prefix=INPUTS, partitions=4, idempotent=False)
        try:
            publisher.publish(directive_event(directive, at=utc_now()))
        finally:
            publisher.close()
        self.wait_passed(utc_now(), seconds=30)

    def wait_passed(self, instant: datetime, *, seconds: float) -> None:
        """Wait until both signals logs state that all before an instant was admitted."""

        def passed() -> bool:
            for tail in self.tails.values():
                tail.read()
            return all(tail.up_to() > instant for tail in self.tails.values())

        self.wait(passed, seconds=seconds, what=f"time of both roads to pass {instant}")

    def join_intake(self) -> None:
        """Start a second intake worker of the disturbed road, or start it again."""
        slot = self.second.slots.get("intake-2") or self.second.add("intake", name="intake-2")
        if not slot.process.running:
            slot.start()

    def empty_redis(self) -> None:
        """Remove everything from Redis."""
        client = redis_client.Redis.from_url(self.redis.url)
        client.flushall()
        client.close()

    def drive(self, plan: Sequence["Step"], *, rate: int, seconds: float, seed: int = 1) -> tuple[int, list[str]]:
        """Send load for some seconds while the plan happens; return what was sent, and what was done when."""
        source = EventSource(seed=seed, rate=rate, today=utc_now().date())
        load = Load(source, bootstrap=self.bootstrap, prefix=INPUTS, rate=rate)
        left, done = list(plan), list[str]()
        load.start()
        began = monotonic_seconds()
        try:
            while (elapsed := monotonic_seconds() - began) < seconds or left:
                while left and left[0].at <= elapsed:
                    step = left.pop(0)
                    step.do(self)
                    done.append(f"{elapsed:6.1f} s {step.what}")
                self.keep_up()
                time.sleep(0.02)
        finally:
            sent_count = load.end()
        return sent_count, done

    def run(self, plan: Sequence["Step"], *, rate: int, seconds: float, seed: int = 1) -> Report:
        """Drive, drain, compare."""
        sent_count, done = self.drive(plan, rate=rate, seconds=seconds, seed=seed)
        until = utc_now() + AFTERWARDS
        began = monotonic_seconds()
        self.drain(until)
        drained = monotonic_seconds() - began
        alerts = {each.prefix: read_alerts(self.bootstrap, prefix=each.prefix) for each in self.pipelines}
        letters = {p.prefix: dead_letter_count(self.bootstrap, prefix=p.prefix) for p in self.pipelines}
        for tail in self.tails.values():
            tail.read()
        for each in self.pipelines:  # the machine is the backtests' from here on
            each.end()
        return Report(
            rate=rate, seconds=seconds, sent_count=sent_count, plan=done, until=until,
            exits={each.prefix: each.exits() for each in self.pipelines}, drained_after_seconds=round(drained, 1),
            dead_letters=letters,
            roads=compare(alerts["a"], alerts["b"], until=until),
            backtests={name: self._backtest(name, changes, until=until) for name, changes in alerts.items()},
        )  # fmt: skip

    def drain(self, until: datetime, *, seconds: float = 900) -> None:
        """Wait until both roads have told everything up to an instant."""
        self.wait_passed(until, seconds=seconds)
        for each in self.pipelines:
            for topic, done in ((SIGNALS, signals_done), (ASSESSMENTS, assessments_done)):
                ends = ends_of(self.bootstrap, topic_name(topic, prefix=each.prefix))
                self.wait(
                    lambda done=done, each=each, ends=ends: done(self.bootstrap, prefix=each.prefix, ends=ends),  # type: ignore[misc]
                    seconds=seconds, what=f"road {each.prefix} to work off {topic} up to {ends}",
                )  # fmt: skip

    def _backtest(self, name: str, live: list[AlertChanged], *, until: datetime) -> Comparison:
        told = backtest_signals(self.tails[name].log, until=until, rules=self.rules)
        return compare(live, told, until=until)
