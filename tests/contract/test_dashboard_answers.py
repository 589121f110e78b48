"""Every expression of the Risk board, asked of a real Prometheus over written history."""

from collections.abc import Iterator

import pytest

from deploy.grafana.questions import ANNOTATIONS, PanelPlan, board_expressions, interpolate, panels
from streams.contracts.assessments import LegalState
from streams.metrics.catalogue import STATE_RANKS
from tests.support.prometheus import PrometheusServer, require_prometheus

pytestmark = pytest.mark.integration
START = 1_795_600_000
"""Some hour of November 2026 in Unix seconds; samples follow each 15 s."""
NOW = START + 600
DAY = 86400
PLANS: dict[str, PanelPlan] = {plan.title: plan for plan in panels()}


def written_history() -> str:
    """Two scoring workers that for a while both claim one measure, an alerts worker, an intake worker."""
    series: dict[str, list[tuple[str, float, float]]] = {}  # family and kind -> labels, first value, growth a sample

    def add(family: str, kind: str, labels: str, value: float, growth: float = 0.0) -> None:
        series.setdefault(f"{family} {kind}", []).append((labels, value, growth))

    states = {"A": LegalState.SUSPENDED, "B": LegalState.LAPSED_UNCONFIRMED, "C": LegalState.REPEALED}
    ends = {"A": NOW + 4 * DAY, "B": NOW - 13 * DAY, "C": NOW + 1 * DAY}
    for worker, owned in {"w1": "AB", "w2": "BC"}.items():
        for measure in owned:
            for state in LegalState:
                labels = f'instance="{worker}",measure="{measure}",state="{state.value}"'
                add("monazite_measure_state", "gauge", labels, float(state is states[measure]))
            labels = f'instance="{worker}",measure="{measure}"'
            add("monazite_measure_end_timestamp_seconds", "gauge", labels, ends[measure])
        for state, rank in STATE_RANKS.items():
            add("monazite_measure_state_rank", "gauge", f'instance="{worker}",state="{state.value}"', rank)
    add("monazite_measure_claimed_end_timestamp_seconds", "gauge", 'instance="w1",measure="B"', NOW + 48 * DAY)
    for worker, value in {"w1": 3, "w2": 9}.items():
        labels = f'instance="{worker}",topic="signals",partition="0"'
        add("monazite_consumer_lag_messages", "gauge", labels, value)
    for worker, critical in {"a1": 1, "a2": 2}.items():
        add("monazite_open_alerts", "gauge", f'instance="{worker}",rule="deadline",severity="critical"', critical)
        add("monazite_open_alerts", "gauge", f'instance="{worker}",rule="price",severity="warning"', 0)
        labels = f'instance="{worker}",material="gallium",severity="warning"'
        add("monazite_open_material_alerts", "gauge", labels, 1)
    add("monazite_alert_transitions", "counter", 'instance="a1",rule="deadline",to="firing"', 0, 1)
    add("monazite_last_event_timestamp_seconds", "gauge", 'instance="i1",source="desk"', NOW - 30 * DAY)
    add("monazite_last_event_timestamp_seconds", "gauge", 'instance="i1",source="feed"', NOW - 60)
    add("monazite_events", "counter", 'instance="i1",topic="price",outcome="admitted"', 0, 30)
    add("monazite_dead_letters", "counter", 'instance="i1",topic="price",reason="not_json"', 0, 1)
    return openmetrics(series)


def openmetrics(series: dict[str, list[tuple[str, float, float]]]) -> str:
    lines = []
    for head, rows in series.items():
        family, kind = head.split()
        lines.append(f"# TYPE {family} {kind}")
        name = f"{family}_total" if kind == "counter" else family
        for labels, first, growth in rows:
            lines += [f"{name}{{{labels}}} {first + growth * step} {START + 15 * step}" for step in range(60)]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus() -> Iterator[PrometheusServer]:
    require_prometheus()
    with PrometheusServer(history=written_history()) as server:
        yield server


@pytest.fixture(scope="module")
def empty() -> Iterator[PrometheusServer]:
    require_prometheus()
    with PrometheusServer() as server:
        yield server


def answers(server: PrometheusServer, title: str, number: int = 0) -> dict[tuple[str, ...], float]:
    """Return the values of a panel's expression by the values of their labels."""
    expression = interpolate(PLANS[title].questions[number].expression, scrape_seconds=15)
    return {tuple(v for _, v in labels): value for labels, value in server.ask(expression, at_seconds=NOW).items()}


@pytest.mark.parametrize(("title", "value"), [
    ("Next legal end", 4 * DAY),  # C ends sooner but is repealed, B is over
    ("Lapsed, unconfirmed", 1),  # B is shown by two workers and is one measure
    ("Open critical alerts", 3),
    ("Materials above a threshold", 1),
    ("Silent sources", 1),
])  # fmt: skip
def test_a_number_on_the_board_is_the_right_one(prometheus: PrometheusServer, title: str, value: float) -> None:
    """Two workers that overlap for a scrape must not count a measure twice."""
    assert answers(prometheus, title) == {(): value}


def test_the_table_of_measures_has_state_ends_and_time_left(prometheus: PrometheusServer) -> None:
    """The claimed end stands beside the legal end, in milliseconds for Grafana's dates."""
    rank = STATE_RANKS
    assert answers(prometheus, "Measures", 0) == {
        ("A",): rank[LegalState.SUSPENDED],
        ("B",): rank[LegalState.LAPSED_UNCONFIRMED],
        ("C",): rank[LegalState.REPEALED],
    }  # fmt: skip
    assert answers(prometheus, "Measures", 1)["B",] == (NOW - 13 * DAY) * 1000
    assert answers(prometheus, "Measures", 2) == {("B",): (NOW + 48 * DAY) * 1000}
    assert answers(prometheus, "Measures", 3)["A",] == 4 * DAY


def test_the_pipeline_row_counts_owners_once(prometheus: PrometheusServer) -> None:
    """Lag of a partition is the larger of two views of it, not their sum."""
    assert answers(prometheus, "Records waiting") == {("signals",): 9}
    assert answers(prometheus, "Events by outcome")["admitted",] == pytest.approx(2.0, rel=0.01)
    assert answers(prometheus, "Dead letters")["price",] == pytest.approx(4.0, rel=0.05)
    assert answers(prometheus, "Open alerts") == {("deadline", "critical"): 3}


@pytest.mark.parametrize(("title", "expression"), board_expressions(scrape_seconds=15))
def test_every_expression_gives_data_at_once_and_over_time(
    prometheus: PrometheusServer, title: str, expression: str
) -> None:
    """A panel that asks over a range fails on expressions that only work for an instant."""
    assert prometheus.ask(expression, at_seconds=NOW), title
    assert prometheus.ask_range(expression, start_seconds=START + 300, end_seconds=NOW, step_seconds=30), title


@pytest.mark.parametrize("expression", [*(e for _, e in board_expressions()), *map(interpolate, ANNOTATIONS.values())])
def test_without_any_history_there_is_no_number(empty: PrometheusServer, expression: str) -> None:
    """Zero would say that nothing is wrong; nobody knows."""
    assert empty.ask(expression) == {}


@pytest.mark.parametrize("expression", list(ANNOTATIONS.values()))
def test_the_marks_on_the_time_line_are_valid_questions(prometheus: PrometheusServer, expression: str) -> None:
    """Grafana shows no error for a broken annotation."""
    prometheus.ask(expression, at_seconds=NOW)
