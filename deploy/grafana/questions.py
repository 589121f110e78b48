"""What the Risk board asks of Prometheus: one entry a panel, without anything of Grafana's JSON.

Kept apart from the look, so that tests and a live stack can ask every expression without Grafana's SDK.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

View = Literal["stat", "table", "state timeline", "time series"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One expression of a panel. `instant` asks for now, else over the time range; `column` names it in a table."""

    expression: str
    legend: str = ""
    instant: bool = False
    column: str = ""
    unit: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelPlan:
    """One panel: its stable number, what it shows, the words for "nothing there". Sizes are grid cells (24 wide)."""

    number: int
    title: str
    description: str
    view: View
    unit: str
    nothing: str
    width: int
    height: int
    questions: tuple[Question, ...]
    warn_above: float | None = None
    warn_below: float | None = None


_STATE_RANK = (
    'sum by (measure) (max by (measure, state) (monazite_measure_state{measure=~"$measure"})'
    " * on (state) group_left () max by (state) (monazite_measure_state_rank))"
)
_END = 'max by (measure) (monazite_measure_end_timestamp_seconds{measure=~"$measure"})'
_CLAIMED = 'max by (measure) (monazite_measure_claimed_end_timestamp_seconds{measure=~"$measure"})'
_LIVING = 'max by (measure) (monazite_measure_state{state=~"repealed|expired"}) == 0'

RISK_ROW = (
    PanelPlan(
        number=1,
        title="Next legal end",
        view="stat",
        unit="s",
        nothing="no end ahead is known",
        width=5,
        height=4,
        description="Time until the nearest legal end of a measure neither repealed nor expired. Claims do not count.",
        questions=(Question(expression=f"min((({_END} - time()) > 0) and on (measure) ({_LIVING}))", instant=True),),
        warn_below=30 * 86400.0,
    ),
    PanelPlan(
        number=2,
        title="Lapsed, unconfirmed",
        view="stat",
        unit="none",
        nothing="unknown: no worker reports",
        width=5,
        height=4,
        warn_above=1,
        description="Measures whose legal end has passed without anything seen that extends, ends or restores them.",
        questions=(
            Question(
                expression="sum(max by (measure) "
                '(monazite_measure_state{state="lapsed_unconfirmed",measure=~"$measure"}))',
                instant=True,
            ),
        ),
    ),
    PanelPlan(
        number=3,
        title="Open critical alerts",
        view="stat",
        unit="none",
        nothing="unknown: no worker reports",
        width=5,
        height=4,
        warn_above=1,
        description="Alerts of severity critical that are open now, over all rules.",
        questions=(Question(expression='sum(monazite_open_alerts{severity="critical"})', instant=True),),
    ),
    PanelPlan(
        number=4,
        title="Materials above a threshold",
        view="stat",
        unit="none",
        nothing="unknown: no worker reports",
        width=5,
        height=4,
        warn_above=1,
        description="Materials with an open alert about a price or a capacity fact of theirs. Zero only if rules run.",
        questions=(
            Question(
                expression="count(sum by (material) (monazite_open_material_alerts) > 0) "
                "or 0 * sum(monazite_open_alerts)",
                instant=True,
            ),
        ),
    ),
    PanelPlan(
        number=5,
        title="Silent sources",
        view="stat",
        unit="none",
        nothing="unknown: no source seen yet",
        width=4,
        height=4,
        warn_above=1,
        description="Sources of which nothing was admitted for the chosen time.",
        questions=(
            Question(
                expression="count(time() - max by (source) (monazite_last_event_timestamp_seconds) > $silence)"
                " or 0 * count(monazite_last_event_timestamp_seconds)",
                instant=True,
            ),
        ),
    ),
    PanelPlan(
        number=6,
        title="Measures",
        view="table",
        unit="none",
        nothing="no measure is known",
        width=24,
        height=11,
        description="State of each measure with its legal end and, beside it and never mixed with it, the claimed end. "
        "An end is the instant after the last day. An empty cell: not known.",
        questions=(
            Question(expression=_STATE_RANK, instant=True, column="State"),
            Question(expression=f"{_END} * 1000", instant=True, column="Legal end", unit="dateTimeAsIso"),
            Question(expression=f"{_CLAIMED} * 1000", instant=True, column="Claimed end", unit="dateTimeAsIso"),
            Question(expression=f"{_END} - time()", instant=True, column="Time left", unit="s"),
        ),
    ),
    PanelPlan(
        number=7,
        title="Legal state over time",
        view="state timeline",
        unit="none",
        nothing="no measure is known",
        width=24,
        height=10,
        description="Legal state of each measure, in the words of the project.",
        questions=(Question(expression=_STATE_RANK, legend="{{measure}}"),),
    ),
    PanelPlan(
        number=8,
        title="Open alerts",
        view="table",
        unit="none",
        nothing="no alert is open",
        width=12,
        height=8,
        description="Open alerts by rule and severity. Severity unknown: open, but the facts are missing now.",
        questions=(
            Question(expression="sum by (rule, severity) (monazite_open_alerts) > 0", instant=True, column="Open"),
        ),
    ),
    PanelPlan(
        number=9,
        title="Alert changes",
        view="time series",
        unit="none",
        nothing="no rule has run",
        width=12,
        height=8,
        description="Alerts that changed state, by the state they reached.",
        questions=(
            Question(
                expression="sum by (to) (increase(monazite_alert_transitions_total[$__rate_interval]))", legend="{{to}}"
            ),
        ),
    ),
)
PIPELINE_ROW = (
    PanelPlan(
        number=21,
        title="Events by outcome",
        view="time series",
        unit="eps",
        nothing="no worker reports",
        width=8,
        height=8,
        description="Events read a second, over all stages, by what became of them.",
        questions=(
            Question(
                expression="sum by (outcome) (rate(monazite_events_total[$__rate_interval]))", legend="{{outcome}}"
            ),
        ),
    ),
    PanelPlan(
        number=22,
        title="Records waiting",
        view="time series",
        unit="none",
        nothing="no partition is owned",
        width=8,
        height=8,
        description="Records behind the end of each log, over the partitions that are owned.",
        questions=(
            Question(
                expression="sum by (topic) (max by (topic, partition) (monazite_consumer_lag_messages))",
                legend="{{topic}}",
            ),
        ),
    ),
    PanelPlan(
        number=23,
        title="Dead letters",
        view="time series",
        unit="none",
        nothing="no worker reports",
        width=8,
        height=8,
        description="Records and events refused, by topic. Each waits with its reason.",
        questions=(
            Question(
                expression="sum by (topic) (increase(monazite_dead_letters_total[$__rate_interval]))",
                legend="{{topic}}",
            ),
        ),
    ),
)
VARIABLE_QUERY = "label_values(monazite_measure_state, measure)"
ANNOTATIONS: Mapping[str, str] = MappingProxyType(
    {
        "Alert fired": 'sum by (rule) (increase(monazite_alert_transitions_total{to="firing"}[1m])) > 0',
        "Measure lapsed": 'max by (measure) (changes(monazite_measure_state{state="lapsed_unconfirmed"}[1m])) > 0',
    }
)
"""Marks on the time line. Both are empty most of the time, so nobody may expect data of them."""


def interpolate(
    expression: str,
    *,
    scrape_seconds: int = 5,
    interval_seconds: int = 15,
    range_seconds: int = 3600,
    values: Mapping[str, str] = MappingProxyType({"measure": ".+", "silence": "604800"}),
) -> str:
    """Fill in the variables as Grafana does; `$__rate_interval` is the larger of 4 scrapes and interval plus scrape."""
    known = {
        "__rate_interval": f"{max(4 * scrape_seconds, interval_seconds + scrape_seconds)}s",
        "__interval": f"{interval_seconds}s",
        "__range": f"{range_seconds}s",
        **values,
    }
    for name, value in sorted(known.items(), key=lambda item: -len(item[0])):
        for written in (f"${{{name}:regex}}", f"${{{name}}}", f"${name}"):
            expression = expression.replace(written, value)
    return expression


def board_expressions(*, scrape_seconds: int = 5) -> list[tuple[str, str]]:
    """Return every panel's title with each of its expressions, variables filled in, ready for Prometheus."""
    return [
        (panel.title, interpolate(question.expression, scrape_seconds=scrape_seconds))
        for panel in panels()
        for question in panel.questions
    ]


def panels() -> Iterator[PanelPlan]:
    """Iterate over all panels of the board."""
    yield from RISK_ROW
    yield from PIPELINE_ROW
