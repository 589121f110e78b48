"""Single faults on a whole stack: a crossing while intake is away, and an event that comes again by another route."""

import itertools
import signal
import time
import urllib.request
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import redis as redis_client

from streams.contracts.alert import AlertChanged, AlertState
from streams.runtime.clock import utc_now
from tests.chaos.stack import LiveStack, quote_event

CROSSING_SECONDS = 3.0
"""Between the two crossings: three seconds of event time, which must be in the log whatever became of intake."""
QUIET = timedelta(seconds=2)
_numbers = itertools.count(1)
Mode = Literal["none", "stop", "kill"]


def collapse(stack: LiveStack, mode: Mode, *, crossing_seconds: float) -> tuple[list[AlertChanged], list[datetime]]:
    """Let a price cross its limit and return while intake is away.

    Return the alerts of the series and the instants at which the broker appended the two quotes.
    """
    series = f"collapse-{mode}-{next(_numbers)}-{int(utc_now().timestamp())}"
    stack.wait_passed(stack.send(quote_event(f"{series}-0", 60.0, assessor=series)), seconds=60)
    pid = stack.pid("intake")
    if mode == "kill":
        stack.send_signal("intake", signal.SIGKILL)
    if mode == "stop":
        stack.send_signal("intake", signal.SIGSTOP)
    try:
        first = stack.send(quote_event(f"{series}-1", 150.0, assessor=series))
        time.sleep(crossing_seconds)  # the pace of the load, not a wait for anything
        second = stack.send(quote_event(f"{series}-2", 50.0, assessor=series))
    finally:
        if mode == "stop" and stack.pid("intake") == pid:
            stack.send_signal("intake", signal.SIGCONT)
    stack.wait_alerts(series, 2, seconds=60)
    stack.wait_passed(utc_now() + QUIET, seconds=60)
    return stack.alerts_of(series), [first, second]


def check_collapse(stack: LiveStack, mode: Mode, *, crossing_seconds: float = CROSSING_SECONDS) -> str:
    """Fail unless both alerts were told at their instants; return what was seen."""
    alerts, appended = collapse(stack, mode, crossing_seconds=crossing_seconds)
    states = [(change.from_state, change.to_state) for change in alerts]
    assert states == [(AlertState.OK, AlertState.FIRING), (AlertState.FIRING, AlertState.OK)], alerts
    instants = [change.at for change in alerts]
    if stack.broker == "kafka":
        assert instants == appended
    else:
        assert instants == sorted(instants)
    return f"{stack.broker} {mode}: {instants}"


def check_again(stack: LiveStack) -> list[str]:
    """Send a crossing, its return, and the crossing again by three routes; fail where the last changes anything.

    Return the series, one a route.
    """
    series = [_direct(stack), _gateway_after_flush(stack), _gateway_then_direct(stack)]
    stack.wait_passed(utc_now() + QUIET, seconds=60)
    for name in series:
        alerts = stack.alerts_of(name)
        assert [change.to_state for change in alerts] == [AlertState.FIRING, AlertState.OK], (name, alerts)
    return series


def _pair(route: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    name = f"again-{route}-{int(utc_now().timestamp())}"
    return name, quote_event(f"{name}-A", 150.0, assessor=name), quote_event(f"{name}-B", 50.0, assessor=name)


def _direct(stack: LiveStack) -> str:
    name, a, b = _pair("direct")
    for event in (a, b, a):
        stack.wait_passed(stack.send(event), seconds=30)
    return name


def _gateway_after_flush(stack: LiveStack) -> str:
    """Let the gateway forget whom it has seen."""
    name, a, key = _told_by_gateway(stack, "flushed")
    assert stack.plan.redis_url is not None
    client = redis_client.Redis.from_url(stack.plan.redis_url)
    client.flushall()
    client.close()
    _post(stack, a, key=key)
    return name


def _gateway_then_direct(stack: LiveStack) -> str:
    name, a, _ = _told_by_gateway(stack, "both")
    stack.send(a)
    return name


def _told_by_gateway(stack: LiveStack, route: str) -> tuple[str, dict[str, Any], str]:
    """Send a crossing and its return through the gateway; return the series, the first event and the key."""
    name, a, b = _pair(route)
    key = stack.key()
    _post(stack, a, key=key)
    _post(stack, b, key=key)
    stack.wait_alerts(name, 2, seconds=30)
    return name, a, key


def _post(stack: LiveStack, event: dict[str, Any], *, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    request = urllib.request.Request(f"{stack.gateway}/v1/events", msgspec.json.encode(event), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 202), answer.read()
