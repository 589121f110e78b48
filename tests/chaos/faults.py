"""What may befall a pipeline, and plans of it: fixed ones, and seeded ones for a soak."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.roads import Roads


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something done at a second of the run."""

    at: float
    what: str
    do: Callable[["Roads"], None]


def kill(kind: str, *, at: float) -> list[Step]:
    """Kill -9 a worker of the second road."""
    return [Step(at=at, what=f"kill {kind}", do=lambda roads: roads.second.slots[kind].kill())]


def stop(kind: str, *, at: float, seconds: float) -> list[Step]:
    """Stop a worker (SIGSTOP) and let it go on later."""
    return [
        Step(at=at, what=f"stop {kind}", do=lambda roads: roads.second.slots[kind].process.pause()),
        Step(at=at + seconds, what=f"go on {kind}", do=lambda roads: roads.second.slots[kind].process.resume()),
    ]


def join(*, at: float) -> list[Step]:
    """Let a second intake worker join."""
    return [Step(at=at, what="join intake-2", do=lambda roads: roads.join_intake())]


def leave(kind: str, *, at: float) -> list[Step]:
    """Let a worker leave cleanly."""
    return [Step(at=at, what=f"leave {kind}", do=lambda roads: roads.second.slots[kind].leave())]


def kill_broker(*, at: float, seconds: float) -> list[Step]:
    """Kill -9 the broker, and start it again later; both roads meet this one."""
    return [
        Step(at=at, what="kill broker", do=lambda roads: roads.broker.kill_node(1)),
        Step(at=at + seconds, what="start broker", do=lambda roads: roads.broker.nodes[0].process.start()),
    ]


def stop_broker(*, at: float, seconds: float) -> list[Step]:
    """Stop the broker (SIGSTOP) and let it go on later."""
    return [
        Step(at=at, what="stop broker", do=lambda roads: roads.broker.nodes[0].process.pause()),
        Step(at=at + seconds, what="go on broker", do=lambda roads: roads.broker.nodes[0].process.resume()),
    ]


def empty_redis(*, at: float) -> list[Step]:
    """Empty Redis."""
    return [Step(at=at, what="empty Redis", do=lambda roads: roads.empty_redis())]


def in_order(*parts: list[Step]) -> list[Step]:
    """Put the steps of a plan in order of their seconds."""
    return sorted((step for part in parts for step in part), key=lambda step: step.at)


def soak_plan(*, seed: int, seconds: float, count: int) -> list[Step]:
    """Draw a plan of `count` faults spread over a run, every kind of fault once and the rest by lot.

    Faults of one process do not overlap; between two faults is time to recover, or too little of it: the lot decides.
    """
    lot = random.Random(seed)
    kinds = [f"{verb} {target}" for verb in ("kill", "stop") for target in ("intake", "scoring", "alerts", "broker")]
    kinds += ["second intake", "empty redis", "long stop intake"]
    drawn = [*kinds, *(lot.choice(kinds[:-1]) for _ in range(count - len(kinds)))]
    lot.shuffle(drawn)
    free_at = dict.fromkeys(("intake", "scoring", "alerts", "broker", "redis"), 0.0)
    made: list[Step] = []
    room = seconds / (count + 2)
    for number, kind in enumerate(drawn):
        verb, _, target = kind.rpartition(" ")
        at = max(room * (number + 0.5 + lot.random() * 0.8), free_at[target])
        steps = _steps(verb, target, at=at, lot=lot)
        free_at[target] = max(step.at for step in steps) + 3.0
        made += steps
    return sorted(made, key=lambda step: step.at)


def _steps(verb: str, target: str, *, at: float, lot: random.Random) -> list[Step]:
    match verb, target:
        case "kill", "broker":
            return kill_broker(at=at, seconds=lot.uniform(1, 6))
        case "stop", "broker":
            return stop_broker(at=at, seconds=lot.uniform(2, 8))
        case "empty", _:
            return empty_redis(at=at)
        case "second", _:
            stays = lot.uniform(6, 15)
            return [*join(at=at), *leave("intake-2", at=at + stays)]
        case "long stop", _:
            return stop("intake", at=at, seconds=30)
        case "stop", _:
            return stop(target, at=at, seconds=lot.choice([1.5, 4.0, 9.0]))
        case _:
            return kill(target, at=at)
