"""The catalogue, the collector and the counters."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from deploy.stack.server import ServerProcess
from deploy.stack.stack_metrics import StackMetrics
from deploy.stack.unit import Unit
from streams.contracts.alert import AlertState
from streams.contracts.assessments import LegalState, RiskAssessed
from streams.metrics.catalogue import CATALOGUE, LIVE, STATE_RANKS, EventOutcome
from streams.metrics.collector import WorkerCollector, register_collector
from streams.metrics.metrics_endpoint import MetricsEndpoint
from streams.metrics.readiness_metrics import ReadinessCollector
from streams.metrics.snapshot import PartitionSnapshot, SupplyFigures, WorkerSnapshot
from streams.metrics.worker_metrics import MAX_SOURCES, WorkerMetrics
from tests.support.measures import T0, alert_changed, claimed_end, measure_assessed

FULL = WorkerSnapshot(
    inputs={("monazite.price.v1", 0): False},
    measures=[measure_assessed(claimed_ends=(claimed_end(), claimed_end(date(2026, 12, 1))))],
    scores=[
        RiskAssessed(material="gallium", aspect="score", at=T0, home="US", facts={
            "score_ratio": 0.75, "score_low_ratio": 0.7, "policy_contribution_ratio": 0.5, "policy_factor_ratio": 0.9,
            "thin_cover_contribution_ratio": 0.0, "thin_cover_factor_ratio": None,
        })
    ],
    supply=[
        SupplyFigures(material="gallium", stage="refining", top_share_ratio=0.99, hhi_ratio=0.98),
        SupplyFigures(material="tungsten", stage="mining"),
        SupplyFigures(material="gallium", stage="refining", home="US", import_reliance_ratio=1.0),
        SupplyFigures(material="gallium", stage="metal", home="US", import_reliance_ratio=0.5),
        SupplyFigures(material="tungsten", stage="refining", home="US"),
    ],
    open_alerts=[alert_changed(), alert_changed("f2", rule="price", labels={"material": "gallium"}, severity=None)],
    refused_rule_sets={0: False}, rules=("deferral-end", "price", "quiet"),
    partitions=(PartitionSnapshot(topic="monazite.signals.v1", partition=2, lag_messages=3, progress_offset=40,
                                  clock_at=T0),),
    last_event_at={"desk": T0},
)  # fmt: skip


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(registry).decode()
    found = [s for family in text_string_to_metric_families(text) for s in family.samples]
    keyed = {(s.name, tuple(sorted(s.labels.items()))): s.value for s in found}
    assert len(keyed) == len(found), "a series appears twice"
    return keyed


def collected(snapshot: WorkerSnapshot) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = CollectorRegistry()
    register_collector(registry, lambda: snapshot)
    return samples(registry)


def worker_metrics() -> WorkerMetrics:
    return WorkerMetrics(process="alerts", version="1", topics=("monazite.price.v1",), rules=("price",))


def test_names_and_labels_follow_the_rules_of_prometheus() -> None:
    """A name that lies about its kind or unit makes every query on it wrong."""
    for metric in CATALOGUE.values():
        assert re.fullmatch(r"monazite_[a-z0-9_]+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert (metric.unit == "unix seconds") == metric.name.endswith("_timestamp_seconds")
        assert metric.meaning.endswith(".")
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert not {"event", "id", "url", "subscriber", "error"} & set(metric.labels)
    assert set(STATE_RANKS) == set(LegalState)
    assert len(set(STATE_RANKS.values())) == len(LegalState)


def test_a_score_and_its_parts_are_gauges_and_what_is_unknown_has_no_series() -> None:
    """Parts add up on a board; a reliance known as ">50" only is not drawn as a number."""
    values = collected(FULL)
    gallium = (("home", "US"), ("material", "gallium"))
    assert values["monazite_risk_score_ratio", gallium] == 0.75
    assert values["monazite_risk_contribution_ratio", (("factor", "policy"), *gallium)] == 0.5
    assert values["monazite_supply_top_share_ratio", (("material", "gallium"), ("stage", "refining"))] == 0.99
    assert values["monazite_concentration_ratio", (("material", "gallium"), ("stage", "refining"))] == 0.98
    assert values["monazite_import_reliance_ratio", gallium] == 1.0, "the most reliant stage counts"
    shown = {dict(labels).get("material") for name, labels in values if "concentration" in name or "reliance" in name}
    assert shown == {"gallium"}
    assert ("monazite_risk_contribution_ratio", (("factor", "thin_cover"), *gallium)) in values


def test_exactly_one_state_of_a_measure_is_one() -> None:
    """A state is one series a state, so that PromQL can count and compare them."""
    values = {k: v for k, v in collected(FULL).items() if k[0] == "monazite_measure_state"}
    assert len(values) == len(LegalState)
    assert [dict(key[1])["state"] for key, value in values.items() if value] == ["suspended"]


def test_ends_are_instants_in_the_zone_of_the_measure() -> None:
    """The last claimed day of Shanghai is over at 16:00 UTC of that day; the legal end stands apart from it."""
    values = collected(FULL)
    measure = (("measure", "CN-2024-46-P2"),)
    assert (
        values["monazite_measure_end_timestamp_seconds", measure] == datetime(2026, 11, 27, 16, tzinfo=UTC).timestamp()
    )
    claimed = values["monazite_measure_claimed_end_timestamp_seconds", measure]
    assert claimed == datetime(2027, 1, 10, 16, tzinfo=UTC).timestamp()


def test_an_unknown_instant_has_no_series() -> None:
    """Zero would be 1970, and NaN breaks `min`."""
    unknown = measure_assessed(legal_end=None, lapse_at=None)
    names = {name for name, _ in collected(replace(FULL, measures=[unknown], partitions=(
        PartitionSnapshot(topic="t", partition=0),)))}  # fmt: skip
    assert "monazite_measure_state" in names
    assert not names & {
        "monazite_measure_end_timestamp_seconds", "monazite_measure_claimed_end_timestamp_seconds",
        "monazite_consumer_lag_messages", "monazite_consumer_progress_offset",
    }  # fmt: skip


def test_a_loaded_rule_without_alerts_is_zero_and_an_alert_without_severity_is_unknown() -> None:
    """Zero means that the rule runs; no series means that nobody knows."""
    values = collected(FULL)
    assert values["monazite_open_alerts", (("rule", "quiet"), ("severity", "critical"))] == 0
    assert values["monazite_open_alerts", (("rule", "deferral-end"), ("severity", "critical"))] == 1
    assert values["monazite_open_alerts", (("rule", "price"), ("severity", "unknown"))] == 1
    assert values["monazite_open_material_alerts", (("material", "gallium"), ("severity", "unknown"))] == 1
    assert not any(name == "monazite_open_alerts" for name, _ in collected(replace(FULL, rules=None)))


def test_what_is_no_longer_owned_is_gone_at_the_next_scrape() -> None:
    """A left-over gauge after a rebalance counts twice for ever."""
    registry = CollectorRegistry()
    owned = [FULL]
    register_collector(registry, lambda: owned[0])
    assert len(samples(registry)) > 10
    owned[0] = WorkerSnapshot()
    assert samples(registry) == {}


def test_describing_reads_no_state() -> None:
    """Registering happens before the worker owns anything."""

    def forbidden() -> WorkerSnapshot:
        raise AssertionError("describe must not ask for the state")

    assert all(not family.samples for family in WorkerCollector(forbidden).describe())


def test_known_label_sets_start_at_zero() -> None:
    """`rate` of a series that appears with its first event misses that event."""
    values = samples(worker_metrics().registry)
    assert values["monazite_events_total", (("outcome", "admitted"), ("topic", "monazite.price.v1"))] == 0
    assert values["monazite_alert_transitions_total", (("rule", "price"), ("to", "firing"))] == 0
    assert not any(name.endswith("_created") for name, _ in values)


def test_what_happens_is_counted_once_and_odd_reasons_stay_bounded() -> None:
    """A reason from outside must not become a label."""
    metrics = worker_metrics()
    metrics.count_events(topic="monazite.price.v1", outcome=EventOutcome.ADMITTED, count=500)
    metrics.count_dead_letters(topic="monazite.price.v1", reason="something we never heard of")
    metrics.count_transition(rule="price", to_state=AlertState.FIRING)
    metrics.observe_event_age(-3.0)
    values = samples(metrics.registry)
    assert values["monazite_events_total", (("outcome", "admitted"), ("topic", "monazite.price.v1"))] == 500
    assert values["monazite_dead_letters_total", (("reason", "internal"), ("topic", "monazite.price.v1"))] == 1
    assert values["monazite_event_age_seconds_sum", ()] == 0


def test_sources_beyond_the_limit_share_one_series() -> None:
    """Outside systems choose the names of sources; the number of series must not be theirs to choose."""
    metrics = worker_metrics()
    for number in range(MAX_SOURCES + 20):
        metrics.saw_source(f"s{number}", at=T0 + timedelta(seconds=number))
    metrics.saw_source("s0", at=T0 + timedelta(hours=1))
    seen = metrics.last_event_at
    assert len(seen) == MAX_SOURCES + 1
    assert seen["s0"] == T0 + timedelta(hours=1)
    assert seen["other"] == T0 + timedelta(seconds=MAX_SOURCES + 19)


def test_every_live_metric_is_exported_and_nothing_else() -> None:
    """The catalogue is the public surface: it must be what a scrape shows, labels included."""
    metrics = worker_metrics()
    metrics.count_rebalance()
    register_collector(metrics.registry, lambda: FULL)
    metrics.registry.register(ReadinessCollector(lambda: True, lambda: {"damaged": 1}))
    metrics.registry.register(StackMetrics(lambda: [stopped_unit()], folder=Path("/")))
    shown: dict[str, set[str]] = {}
    for name, labels in samples(metrics.registry):
        shown.setdefault(name, set()).update(label for label, _ in labels)
    for metric in LIVE:
        for series in metric.series:
            assert shown.pop(series, set()) - {"le"} == set(metric.labels), series
    assert shown == {}


def stopped_unit() -> Unit:
    process = ServerProcess(name="alerts", argv=["true"], log_path=Path("/dev/null"))
    return Unit(process=process, group="alerts", probe=lambda: True)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_no_fault_in_the_page() -> None:
    """Prometheus' own linter knows the conventions better than we do."""
    metrics = worker_metrics()
    register_collector(metrics.registry, lambda: FULL)
    page = generate_latest(metrics.registry)
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_endpoint_answers_with_the_format_asked_for_and_says_when_it_is_not_ready() -> None:
    """A probe that is always green is no probe; exemplars need OpenMetrics."""
    state: list[bool] = [True]
    registry = worker_metrics().registry
    with MetricsEndpoint(registry, port=0, readiness=lambda: (state[0], {"partitions": 4})) as endpoint:
        plain = httpx.get(f"{endpoint.url}/metrics")
        negotiated = httpx.get(f"{endpoint.url}/metrics", headers={"Accept": "application/openmetrics-text"})
        ready = httpx.get(f"{endpoint.url}/readyz")
        state[0] = False
        stalled = httpx.get(f"{endpoint.url}/readyz")
        alive = httpx.get(f"{endpoint.url}/healthz")
        unknown = httpx.get(f"{endpoint.url}/nothing")
        port = endpoint.port
    assert "text/plain" in plain.headers["content-type"]
    assert negotiated.text.endswith("# EOF\n")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "partitions": 4})
    assert (stalled.status_code, alive.status_code, unknown.status_code) == (503, 200, 404)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz")


def test_a_fault_of_the_snapshot_is_a_500_and_the_endpoint_lives_on() -> None:
    """Prometheus then shows the target as down, which is what it is."""
    registry = CollectorRegistry()

    def broken() -> WorkerSnapshot:
        raise ValueError("no state")

    register_collector(registry, broken)
    with MetricsEndpoint(registry, port=0, readiness=lambda: (True, {})) as endpoint:
        assert httpx.get(f"{endpoint.url}/metrics").status_code == 500
        assert httpx.get(f"{endpoint.url}/healthz").status_code == 200
