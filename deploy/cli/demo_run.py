"""The demonstration: a stack of its own, the history through it, and what it said, as plain data."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from alerts.delivery.ledger import alert_row
from deploy.cli.pipeline_logs import read_alert_changes, read_deliveries
from deploy.stack.children import plan_stack
from deploy.stack.fetch import prepare_broker
from deploy.stack.plan import BrokerKind, StackPlan, free_ports
from deploy.stack.stack_control import down, up
from deploy.stack.waiting import wait_until
from producers.log_watch import NotAdmittedError
from producers.replay import ReplayReport, ReplaySettings, replay
from streams.contracts.alert import AlertChanged, DeliveryChanged
from streams.reference.loaders import HISTORY_DIRECTORY, load_history

KNOWN_UNTIL = date(2026, 10, 8)
NOTE = (
    f"The shipped history ends on {KNOWN_UNTIL}: what happened after it is not known, and states after it are what the "
    "law says when nothing new is seen. Annual prices and supply figures are statistics of USGS and the registers."
)
Progress = Callable[[str, float], None]


class DemoFailedError(RuntimeError):
    """The demonstration could not be completed; the message says where the logs are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoSettings:
    """What to show. `run_directory` `None` uses a folder that is removed at the end."""

    until: date
    broker: str = "embedded"
    java: str | None = None
    run_directory: Path | None = None


def run_demo(settings: DemoSettings, *, progress: Progress) -> dict[str, Any]:
    """Run the demonstration and return measures, alerts, deliveries and figures; everything started is ended."""
    folder = settings.run_directory or Path(tempfile.mkdtemp(prefix="monazite-demo-"))
    try:
        plan = plan_stack(
            run_directory=folder, ports=free_ports(), broker=settings.broker, tick_seconds=0, java=settings.java
        )
        prepare_broker(plan, lambda line: progress(line, 0.0))
        progress("starting the stack", 0.0)
        up(folder, plan)
        try:
            return _play(plan, settings, progress)
        finally:
            down(folder)
    except (NotAdmittedError, TimeoutError, httpx.HTTPError, RuntimeError, OSError) as error:
        raise DemoFailedError(f"{type(error).__name__}: {error}") from error
    finally:
        if settings.run_directory is None:
            shutil.rmtree(folder, ignore_errors=True)


def _play(plan: StackPlan, settings: DemoSettings, progress: Progress) -> dict[str, Any]:
    assert plan.bootstrap is not None and plan.ports is not None
    report = _replay_history(plan, until=settings.until, progress=progress)
    progress("reading what it said", 1.0)
    measures = _measures(f"http://127.0.0.1:{plan.ports.console}", until=report.until)
    prefix = plan.topic_prefix or "monazite"
    alerts, _ = read_alert_changes(plan.bootstrap, prefix=prefix)
    return _result(report, measures, alerts, _settled_deliveries(plan.bootstrap, prefix=prefix))


def _replay_history(plan: StackPlan, *, until: date, progress: Progress) -> ReplayReport:
    assert plan.bootstrap is not None
    first = min(event.recorded_at for event in load_history())
    settings = ReplaySettings(
        directory=HISTORY_DIRECTORY,
        until=until,
        bootstrap=plan.bootstrap,
        prefix=plan.topic_prefix or "monazite",
        idempotent=plan.broker_kind is not BrokerKind.EMBEDDED,
    )
    span_seconds = (settings.end - first).total_seconds()

    def moved(at: datetime) -> None:
        progress(f"replaying {at:%Y-%m}", max(0.0, (at - first).total_seconds() / span_seconds))

    return replay(settings, progress=moved)


def _measures(console_url: str, *, until: datetime) -> list[dict[str, Any]]:
    """Read the measures from the console once its view has reached the end of the replay."""
    found: dict[str, Any] = {}

    def reached() -> bool:
        answer = httpx.get(f"{console_url}/v1/measures", timeout=5.0)
        if answer.status_code != httpx.codes.OK:
            return False
        found.update(answer.json())
        clock = found.get("view", {}).get("clock_at")
        return clock is not None and datetime.fromisoformat(clock) >= until

    wait_until(reached, timeout_seconds=30, what="the read view to reach the end of the replay")
    return [{**row, "days_left": _days_left(row["legal_end"], day=until.date())} for row in found["measures"]]


def _days_left(legal_end: str | None, *, day: date) -> int | None:
    """Count from the day of the demonstration, not from the clock of the console."""
    return None if legal_end is None else (date.fromisoformat(legal_end) - day).days


def _settled_deliveries(bootstrap: str, *, prefix: str) -> list[DeliveryChanged]:
    entries: list[DeliveryChanged] = []

    def settled() -> bool:
        entries[:] = read_deliveries(bootstrap, prefix=prefix)
        ended = {e.delivery for e in entries if e.state in ("delivered", "gave_up")}
        return {e.delivery for e in entries} == ended

    wait_until(settled, timeout_seconds=30, what="every delivery to end")
    return entries


def _result(
    report: ReplayReport, measures: list[dict[str, Any]], alerts: list[AlertChanged], entries: list[DeliveryChanged]
) -> dict[str, Any]:
    states = Counter(entry.state for entry in entries)
    delivered = Counter(entry.channel for entry in entries if entry.state == "delivered")
    return {
        "until": report.until.astimezone(UTC).date(),
        "known_until": KNOWN_UNTIL,
        "note": NOTE,
        "measures": measures,
        "alerts": [msgspec.to_builtins(alert_row(alert)) for alert in alerts],
        "deliveries": {
            "requested": states["requested"],
            "delivered": states["delivered"],
            "gave_up": states["gave_up"],
            "by_channel": dict(delivered),
        },
        "replay": {"events": report.events, "ticks": report.ticks, "seconds": round(report.seconds, 2)},
    }
