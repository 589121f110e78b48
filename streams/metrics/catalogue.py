"""All metrics of the project, declared once: name, kind, labels, unit and meaning.

Dashboards, rules and documentation are compared with this module by tests. Units are base units; what is counted has no
unit. An instant is exported as a Unix time stamp, never as a countdown: `x - time()` in PromQL stays right when a
worker is stuck. No label ever carries an event id, a notice id, an address, a subscriber or an error text.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from streams.contracts.assessments import LegalState
from streams.contracts.reasons import RejectReason

PREFIX = "monazite_"

Kind = Literal["gauge", "counter", "histogram", "info"]
Unit = Literal["seconds", "unix seconds", "ratio", "messages", "offset", "count", "rank", "0/1", "info"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric. `name` has the prefix and, for a counter, `_total`; `exists_now` is false for what is planned only.

    `values` are the closed sets of label values, for labels that have one; `buckets` the upper bounds of a histogram.
    """

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    meaning: str
    exists_now: bool = True
    values: MappingProxyType[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    buckets: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """Name of the family, which for a counter lacks `_total` and for an info lacks `_info`."""
        return self.name.removesuffix("_total").removesuffix("_info")

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series that a scrape shows."""
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


class EventOutcome(StrEnum):
    """What became of an event or record that a stage read; bounded, so it may be a label."""

    ADMITTED = "admitted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    CONFLICT = "conflict"
    PROCESSED = "processed"
    REPEATED = "repeated"


class NotificationOutcome(StrEnum):
    """What became of one attempt to deliver."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    GAVE_UP = "gave_up"


class ViewOutcome(StrEnum):
    """What became of one write of the read view."""

    WRITTEN = "written"
    OLDER = "older"
    REBUILT = "rebuilt"
    FAILED = "failed"


STATE_RANKS: MappingProxyType[LegalState, int] = MappingProxyType(
    {
        LegalState.UNKNOWN: 0,
        LegalState.EXPIRED: 1,
        LegalState.REPEALED: 2,
        LegalState.ANNOUNCED: 3,
        LegalState.SUSPENDED: 4,
        LegalState.LAPSED_UNCONFIRMED: 5,
        LegalState.IN_FORCE: 6,
    }
)
"""Number that stands for a legal state on a time line; the order is that of concern, and never changes."""

SEVERITIES = ("critical", "warning", "info", "unknown")
"""Severity labels; `unknown` is an open alert that has none, because its facts are missing."""
CHANNELS = ("log", "webhook")
AGENTS = ("intake", "assess", "rules", "notify", "deliver")
TO_STATES = ("ok", "pending", "firing", "clearing", "no_data", "stale", "error")
_FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_ROAD = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_LONG = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)


def _sets(**values: tuple[str, ...]) -> MappingProxyType[str, tuple[str, ...]]:
    return MappingProxyType(values)


def _gauge(
    name: str,
    unit: Unit,
    labels: tuple[str, ...],
    meaning: str,
    *,
    exists_now: bool = True,
    values: MappingProxyType[str, tuple[str, ...]] = MappingProxyType({}),
) -> Metric:
    return Metric(
        name=PREFIX + name,
        kind="gauge",
        unit=unit,
        labels=labels,
        meaning=meaning,
        exists_now=exists_now,
        values=values,
    )


def _counter(
    name: str,
    labels: tuple[str, ...],
    meaning: str,
    values: MappingProxyType[str, tuple[str, ...]] = MappingProxyType({}),
    *,
    unit: Unit = "count",
) -> Metric:
    return Metric(name=PREFIX + name, kind="counter", unit=unit, labels=labels, meaning=meaning, values=values)


def _histogram(
    name: str,
    labels: tuple[str, ...],
    meaning: str,
    *,
    buckets: tuple[float, ...],
    values: MappingProxyType[str, tuple[str, ...]] = MappingProxyType({}),
) -> Metric:
    return Metric(
        name=PREFIX + name,
        kind="histogram",
        unit="seconds",
        labels=labels,
        meaning=meaning,
        values=values,
        buckets=buckets,
    )


_STATES = tuple(state.value for state in LegalState)

MEASURE_STATE = _gauge(
    "measure_state",
    "0/1",
    ("measure", "state"),
    "Legal state of a measure: one series a state, exactly one of them 1.",
    values=_sets(state=_STATES),
)
MEASURE_STATE_RANK = _gauge(
    "measure_state_rank",
    "rank",
    ("state",),
    "Number that stands for a legal state on a time line (0 unknown to 6 in force).",
    values=_sets(state=_STATES),
)
MEASURE_END = _gauge(
    "measure_end_timestamp_seconds",
    "unix seconds",
    ("measure",),
    "Instant after the last day of the legal end, in the measure's zone; no series where no end is known.",
)
MEASURE_CLAIMED_END = _gauge(
    "measure_claimed_end_timestamp_seconds",
    "unix seconds",
    ("measure",),
    "Instant after the latest day that somebody claims as the end; never mixed with the legal end.",
)
OPEN_ALERTS = _gauge(
    "open_alerts",
    "count",
    ("rule", "severity"),
    "Alerts that are open, by rule; 0 for a loaded rule without any.",
    values=_sets(severity=SEVERITIES),
)
OPEN_MATERIAL_ALERTS = _gauge(
    "open_material_alerts",
    "count",
    ("material", "severity"),
    "Open alerts about one material (a threshold that a price or a capacity fact crossed).",
    values=_sets(severity=SEVERITIES),
)
LAST_EVENT = _gauge(
    "last_event_timestamp_seconds",
    "unix seconds",
    ("source",),
    "When this worker last admitted an event of the source; the first 50 sources, then `other`.",
)
CONSUMER_LAG = _gauge(
    "consumer_lag_messages",
    "messages",
    ("topic", "partition"),
    "Records behind the end of an owned partition; no series where the end is not known.",
)
CONSUMER_PROGRESS = _gauge(
    "consumer_progress_offset",
    "offset",
    ("topic", "partition"),
    "Offset of the last record that the state of an owned partition reflects.",
)
PARTITION_CLOCK = _gauge(
    "partition_clock_timestamp_seconds",
    "unix seconds",
    ("topic", "partition"),
    "The watermark of an owned partition: what its agents take for now.",
)
INPUT_STALLED = _gauge(
    "input_stalled",
    "0/1",
    ("topic", "partition"),
    "1 for an input partition that nobody reads and that time goes on without, after holding it back for a minute.",
)
PARTITION_ASSIGNED = _gauge(
    "partition_assigned",
    "0/1",
    ("topic", "partition"),
    "1 for a partition that this worker owns and has recovered, 0 while it recovers.",
)
ALERT_TRANSITIONS = _counter(
    "alert_transitions_total", ("rule", "to"), "Alerts that changed, by the state reached.", _sets(to=TO_STATES)
)
RULE_ERRORS = _counter("rule_errors_total", ("rule",), "Evaluations of a rule that failed on facts that are known.")
RULE_EVALUATIONS = _counter("rule_evaluations_total", (), "Evaluations of a rule for an entity.")
RULE_EVALUATION_SECONDS = _counter(
    "rule_evaluation_seconds_total", (), "Time that the evaluations of rules took together, in seconds.", unit="seconds"
)
RULE_SET_REFUSED = _gauge(
    "rule_set_refused",
    "0/1",
    ("partition",),
    "1 where the rule set applied last is refused and the one before it, or the shipped one, is in force.",
)
RULES_LOADED = _gauge("rules_loaded", "count", (), "Rules in force.")
EVENTS = _counter(
    "events_total",
    ("topic", "outcome"),
    "Events read from a topic, by what became of them.",
    _sets(outcome=tuple(o.value for o in EventOutcome)),
)
DEAD_LETTERS = _counter(
    "dead_letters_total",
    ("topic", "reason"),
    "Records and events refused, by reason code.",
    _sets(reason=tuple(r.value for r in RejectReason)),
)
NOTIFICATIONS = _counter(
    "notifications_total",
    ("channel", "outcome"),
    "Attempts to deliver, by what became of them.",
    _sets(channel=CHANNELS, outcome=tuple(o.value for o in NotificationOutcome)),
)
REBALANCES = _counter("rebalances_total", (), "Times the partitions were handed out anew.")
VIEW_WRITES = _counter(
    "read_view_writes_total",
    ("outcome",),
    "Writes of the read view, by what became of them.",
    _sets(outcome=tuple(o.value for o in ViewOutcome)),
)
READY = _gauge("ready", "0/1", (), "1 while the process can do its work: the answer of /readyz.")
LOCAL_COPY_FAULTS = _counter(
    "local_copy_faults_total",
    ("fault",),
    "Local copies of state that were damaged (rebuilt from the changelog) or could not be written.",
    _sets(fault=("damaged", "unwritable")),
)
LOG_LINES_LOST = _counter("log_lines_lost_total", (), "Log lines that could not be written: the disk is full.")
PROCESS_READY = _gauge("process_ready", "0/1", ("process",), "1 for a process of the stack that is ready.")
PROCESS_RESTARTS = _counter("process_restarts_total", ("process",), "Times a process of the stack died.")
SUPERVISOR_FAULTS = _counter(
    "supervisor_faults_total",
    ("fault",),
    "What the supervisor could not do and tried again: write its state, start a process, probe or serve metrics.",
    _sets(fault=("state_unwritable", "start_failed", "topics_failed")),
)
DISK_FREE = _gauge("disk_free_ratio", "ratio", (), "Free part of the disk that holds the run directory, 0..1.")
EVENT_AGE = _histogram(
    "event_age_seconds", (), "Age of an event (since it was recorded) when intake admits it.", buckets=_LONG
)
EVENT_TO_ALERT = _histogram(
    "event_to_alert_seconds", (), "From the instant an alert is about to its decision; replays left out.", buckets=_ROAD
)
PROCESSING = _histogram(
    "processing_seconds",
    ("agent",),
    "Time an agent takes for one record of its log.",
    buckets=_FAST,
    values=_sets(agent=AGENTS),
)
NOTIFICATION_DELAY = _histogram(
    "notification_delay_seconds",
    ("channel",),
    "From the alert to its delivery.",
    buckets=_LONG,
    values=_sets(channel=CHANNELS),
)
RISK_SCORE = _gauge(
    "risk_score_ratio", "ratio", ("material", "home"), "Supply risk of a material for a home, 0..1, as last assessed."
)
RISK_CONTRIBUTION = _gauge(
    "risk_contribution_ratio",
    "ratio",
    ("material", "home", "factor"),
    "Part of the score that a factor makes; the parts add up to the score.",
)
SUPPLY_TOP_SHARE = _gauge(
    "supply_top_share_ratio",
    "ratio",
    ("material", "stage"),
    "Share of the largest producing country at a stage, world supply.",
)
CONCENTRATION = _gauge(
    "concentration_ratio",
    "ratio",
    ("material", "stage"),
    "Concentration (HHI, 0..1) of world supply at a stage; no series where only bounds are known.",
)
IMPORT_RELIANCE = _gauge(
    "import_reliance_ratio",
    "ratio",
    ("material", "home"),
    "Net import reliance of a home at its most reliant stage; no series where only bounds are known.",
)
BUILD = Metric(
    name=PREFIX + "build_info",
    kind="info",
    unit="info",
    labels=("version", "process"),
    meaning="Version of the program and the process that runs it; always 1.",
)

PLANNED: tuple[Metric, ...] = ()
"""Metrics that are named already and that nothing exports yet; no dashboard and no rule may use them."""

LIVE = (
    MEASURE_STATE,
    MEASURE_STATE_RANK,
    MEASURE_END,
    MEASURE_CLAIMED_END,
    OPEN_ALERTS,
    OPEN_MATERIAL_ALERTS,
    LAST_EVENT,
    CONSUMER_LAG,
    CONSUMER_PROGRESS,
    PARTITION_CLOCK,
    INPUT_STALLED,
    PARTITION_ASSIGNED,
    ALERT_TRANSITIONS,
    RULE_ERRORS,
    RULE_EVALUATIONS,
    RULE_EVALUATION_SECONDS,
    RULES_LOADED,
    RULE_SET_REFUSED,
    EVENTS,
    DEAD_LETTERS,
    NOTIFICATIONS,
    REBALANCES,
    VIEW_WRITES,
    EVENT_AGE,
    EVENT_TO_ALERT,
    PROCESSING,
    NOTIFICATION_DELAY,
    RISK_SCORE,
    RISK_CONTRIBUTION,
    SUPPLY_TOP_SHARE,
    CONCENTRATION,
    IMPORT_RELIANCE,
    BUILD,
    READY,
    LOCAL_COPY_FAULTS,
    LOG_LINES_LOST,
    PROCESS_READY,
    PROCESS_RESTARTS,
    SUPERVISOR_FAULTS,
    DISK_FREE,
)

CATALOGUE: MappingProxyType[str, Metric] = MappingProxyType({m.name: m for m in (*LIVE, *PLANNED)})
"""Every metric by its full name."""


def metric_of_series(series: str) -> Metric | None:
    """Return the metric that a series name belongs to, `None` for one that is not ours."""
    if series in CATALOGUE:
        return CATALOGUE[series]
    return next((m for m in CATALOGUE.values() if series in m.series), None)
