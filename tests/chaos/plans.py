"""The plans of single faults, by name; each leaves time to be seen working before and after."""

from types import MappingProxyType

from tests.chaos import faults

PLANS = MappingProxyType({
    "intake-kill": faults.kill("intake", at=5),
    "intake-stop": faults.stop("intake", at=5, seconds=30),
    "two-intakes": faults.in_order(
        faults.join(at=3), faults.leave("intake-2", at=12), faults.join(at=18), faults.kill("intake-2", at=26)
    ),
    "scoring-kill": faults.kill("scoring", at=5),
    "scoring-stop": faults.stop("scoring", at=5, seconds=9),
    "alerts-kill": faults.kill("alerts", at=5),
    "alerts-stop": faults.stop("alerts", at=5, seconds=9),
    "broker-kill": faults.kill_broker(at=6, seconds=3),
    "broker-stop": faults.stop_broker(at=6, seconds=8),
    "redis-emptied": faults.empty_redis(at=6),
})  # fmt: skip
