"""`python -m tests.chaos`: run one plan over two roads and print what was found."""

import argparse
import tempfile
from pathlib import Path

from tests.chaos.faults import Step, soak_plan
from tests.chaos.plans import PLANS
from tests.chaos.roads import Roads
from tests.support.brokers import KafkaCluster, RedisServer


def plan_of(name: str, *, seed: int, seconds: float) -> list[Step]:
    """Return a plan by its name."""
    if name == "soak":
        return soak_plan(seed=seed, seconds=seconds, count=max(11, int(22 * seconds / 480)))
    return PLANS[name] if name != "none" else []


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("plan", choices=["none", "soak", *PLANS])
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, default=None)
    asked = parser.parse_args()
    directory = asked.directory or Path(tempfile.mkdtemp(prefix="monazite-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    plan = plan_of(asked.plan, seed=asked.seed, seconds=asked.seconds)
    print(f"logs and report in {directory}", flush=True)
    with (
        KafkaCluster(quick_start=False) as broker,
        RedisServer() as redis,
        Roads(broker=broker, redis=redis, directory=directory) as roads,
    ):
        report = roads.run(plan, rate=asked.rate, seconds=asked.seconds, seed=asked.seed)
    report.write(directory / "report.json")
    print(report.text())
    print("\n".join(report.failures()) or "equal")


if __name__ == "__main__":
    main()
