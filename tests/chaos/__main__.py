"""`python -m tests.chaos`: run one plan over two roads and print what was found."""

import argparse
import tempfile
from pathlib import Path

from tests.chaos import faults
from tests.chaos.faults import Step
from tests.chaos.roads import Roads, describe
from tests.support.brokers import KafkaCluster, RedisServer


def plan_of(name: str, *, seed: int, seconds: float) -> list[Step]:
    """Return a plan by its name."""
    f = faults
    plans: dict[str, list[Step]] = {
        "none": [],
        "intake-kill": f.kill("intake", at=5),
        "intake-stop": f.stop("intake", at=5, seconds=30),
        "two-intakes": f.in_order(f.join(at=3), f.leave("intake-2", at=12), f.join(at=18), f.kill("intake-2", at=26)),
        "scoring-kill": f.kill("scoring", at=5),
        "alerts-kill": f.kill("alerts", at=5),
        "broker-kill": f.kill_broker(at=6, seconds=3),
        "broker-stop": f.stop_broker(at=6, seconds=8),
        "soak": f.soak_plan(seed=seed, seconds=seconds, count=max(11, int(22 * seconds / 480))),
    }
    return plans[name]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("plan")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, default=None)
    asked = parser.parse_args()
    directory = asked.directory or Path(tempfile.mkdtemp(prefix="monazite-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    plan = plan_of(asked.plan, seed=asked.seed, seconds=asked.seconds)
    print(f"logs and report in {directory}", flush=True)
    with KafkaCluster(quick_start=False) as broker, RedisServer() as redis:
        with Roads(broker=broker, redis=redis, directory=directory) as roads:
            report = roads.run(plan, rate=asked.rate, seconds=asked.seconds, seed=asked.seed)
    report.write(directory / "report.json")
    print(report.text())
    print(describe(report))


if __name__ == "__main__":
    main()
