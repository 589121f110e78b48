"""Reports and diffs of alert logs: what counts as fired, as a flap, as gained, lost or moved."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerts.backtest.backtest_report import report, report_row
from alerts.backtest.diff import diff, diff_row
from alerts.backtest.episodes import episodes
from streams.contracts.alert import AlertChanged, AlertState, Severity

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def change(day: float, before: str, to: str, severity: Severity | None = None, **fields: Any) -> AlertChanged:
    if to == "firing" and severity is None:
        severity = "warning"
    known: dict[str, Any] = {"fingerprint": "f", "rule": "r", "labels": {"material": "dysprosium"}}
    return AlertChanged(
        alert=f"{day}", rule_hash="h", at=T0 + DAY * day, from_state=AlertState(before), to_state=AlertState(to),
        severity=severity, occasion="", summary="", **{**known, **fields},
    )  # fmt: skip


LOG = [
    change(0, "ok", "firing"),
    change(1, "firing", "firing", "critical"),
    change(2, "firing", "clearing"),
    change(3, "clearing", "firing", "critical"),
    change(4, "firing", "ok"),
    change(9, "ok", "firing"),
    change(10, "firing", "ok"),
    change(30, "ok", "pending"),
    change(31, "pending", "firing"),
    change(32, "ok", "no_data", fingerprint="g", labels={"material": "yttrium"}),
]


def test_an_episode_goes_from_firing_to_ok_through_steps_and_clearing() -> None:
    """One interruption of somebody's day is one episode."""
    found = episodes(LOG)
    assert [(e.started_at, e.ended_at, e.told, e.worst) for e in found] == [
        (T0, T0 + 4 * DAY, 2, "critical"),
        (T0 + 9 * DAY, T0 + 10 * DAY, 1, "warning"),
        (T0 + 31 * DAY, None, 1, "warning"),
    ]


def test_a_report_counts_firings_flaps_gaps_and_time_and_names_rules_that_were_quiet() -> None:
    """A rule that never fires is a finding too."""
    made = report(LOG, rules=["quiet", "r"], since=T0, until=T0 + 41 * DAY)
    loud, quiet = made.rules
    assert (loud.rule, loud.fired_count, loud.entities_count, loud.critical_count) == ("r", 3, 1, 1)
    assert (loud.told_count, loud.flaps_count, loud.open_count, loud.no_data_count) == (4, 1, 1, 1)
    assert loud.open_days == 4 + 1 + 10
    assert loud.open_share_ratio == round(15 / 41, 4)
    assert (loud.first_at, loud.last_at) == (T0, T0 + 31 * DAY)
    assert (quiet.rule, quiet.fired_count, quiet.first_at) == ("quiet", 0, None)
    assert report_row(made)["rules"][0]["first_at"] == "2026-01-01T00:00:00Z"


def test_time_in_which_two_alerts_are_open_counts_once_in_the_share() -> None:
    """The share is how much of the time anything of a rule was open."""
    log = [
        change(0, "ok", "firing"),
        change(5, "ok", "firing", fingerprint="g"),
        change(10, "firing", "ok"),
        change(15, "firing", "ok", fingerprint="g"),
    ]
    (made,) = report(log, rules=["r"], since=T0, until=T0 + 30 * DAY).rules
    assert made.open_days == 20
    assert made.open_share_ratio == 0.5


def compare(old: list[AlertChanged], new: list[AlertChanged]) -> Any:
    return diff(old, new, old_rules={"r": "1", "gone": "2"}, new_rules={"r": "1b", "fresh": "3"})


def test_equal_logs_have_no_difference_although_the_rules_are_written_differently() -> None:
    """The exit code says whether people would notice."""
    made = compare(LOG, LOG)
    assert made.same
    assert made.same_alerts_count == 3
    assert (made.added, made.removed, made.edited) == (("fresh",), ("gone",), ("r",))


def test_an_alert_that_moves_is_told_with_how_long() -> None:
    """Earlier is negative, as on a time axis."""
    moved = [change(2, "ok", "firing"), change(3, "firing", "ok")]
    (found,) = compare([change(5, "ok", "firing"), change(9, "firing", "ok")], moved).alerts
    assert found.what == "moved"
    assert (found.started_by_seconds, found.ended_by_seconds) == (-3 * 86_400, -6 * 86_400)


def test_gained_lost_and_another_severity_are_told_apart() -> None:
    """Each asks for another answer."""
    old = [change(0, "ok", "firing"), change(1, "firing", "ok"), change(200, "ok", "firing", fingerprint="g")]
    new = [change(0, "ok", "firing", "critical"), change(1, "firing", "ok"), change(400, "ok", "firing")]
    made = compare(old, new)
    assert [(d.what, d.severity_before, d.severity_after) for d in made.alerts] == [
        ("severity", "warning", "critical"),
        ("lost", "warning", None),
        ("gained", None, "warning"),
    ]
    assert diff_row(made)["same"] is False


@st.composite
def logs(draw: st.DrawFn) -> list[AlertChanged]:
    """Alternating starts and ends of up to three alerts."""
    made = []
    for name in ("f", "g", "h"):
        days = sorted(draw(st.sets(st.integers(0, 400), max_size=8)))
        for n, day in enumerate(days):
            states = ("ok", "firing") if n % 2 == 0 else ("firing", "ok")
            made.append(change(day, *states, fingerprint=name))
    return sorted(made, key=lambda c: c.at)


@given(logs(), logs())
def test_a_diff_is_the_mirror_of_the_diff_the_other_way(old: list[AlertChanged], new: list[AlertChanged]) -> None:
    """What is gained one way is lost the other; nothing is counted twice."""
    one, other = compare(old, new), compare(new, old)
    count = {what: sum(d.what == what for d in one.alerts) for what in ("gained", "lost", "moved")}
    back = {what: sum(d.what == what for d in other.alerts) for what in ("gained", "lost", "moved")}
    assert one.same_alerts_count == other.same_alerts_count
    assert count["gained"] - count["lost"] == back["lost"] - back["gained"] == len(episodes(new)) - len(episodes(old))
    assert one.same_alerts_count + count["moved"] + count["lost"] == len(episodes(old))
