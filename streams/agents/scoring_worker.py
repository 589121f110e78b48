"""The scoring worker: the assess agent over `signals`, its metrics and its part of the read view."""

from dataclasses import replace
from datetime import datetime

from streams.agents.view_service import ReadViewService, slice_reader
from streams.agents.worker_endpoint import WorkerEndpoint
from streams.agents.worker_settings import PipelineSettings
from streams.assess.assess_core import CLOCK_KEY, AssessCore, decode_state, encode_state
from streams.assess.assess_state import AssessClock, LastAssessed
from streams.assess.assessors.last_scores import last_scores
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.contracts.topics import ASSESSMENTS, SIGNALS
from streams.domain.score.evidence import Evidence
from streams.metrics.record_metrics import RecordMetrics
from streams.metrics.snapshot import SupplyFigures, WorkerSnapshot
from streams.metrics.worker_metrics import WorkerMetrics
from streams.reference.component_graph import load_component_graph
from streams.reference.score_parameter_file import load_score_parameters
from streams.runtime.clock import utc_now
from streams.runtime.faust_app import SafeApp, WorkerService, build_worker
from streams.runtime.owned_partitions import OwnedPartition, owned_partitions
from streams.runtime.stage import CheckpointObserver, SourceKind, StageSpec
from streams.runtime.stage_ports import PartitionCore, StateStore
from streams.runtime.version import monazite_version
from streams.view.read_view import ReadViewWriter
from streams.view.view_layout import ViewSlice, risk_key

STAGE = "assess"


def build_scoring(settings: PipelineSettings) -> SafeApp:
    """Build the app of a scoring worker; nothing is started. Raise what a broken table of the reference raises."""
    load_score_parameters()  # both are needed at the first price, which is late to hear that they are broken
    load_component_graph()

    def make_core(partition: int, store: StateStore) -> PartitionCore:
        return AssessCore(
            partition=partition, partitions=settings.partitions, store=store, identity_events=settings.identity_events
        )

    stage = StageSpec(
        name=STAGE,
        source_topic=settings.topic(SIGNALS),
        source_kind=SourceKind.SIGNALS,
        output_topic=settings.topic(ASSESSMENTS),
        make_core=make_core,
        forwards_time=True,
        encode_value=encode_state,
        decode_value=decode_state,
    )
    metrics = WorkerMetrics(process="scoring", version=monazite_version(), topics=[settings.topic(SIGNALS)])
    endpoint = WorkerEndpoint(
        metrics=metrics,
        port=settings.metrics_port,
        bootstrap=settings.bootstrap,
        topics={STAGE: settings.topic(SIGNALS)},
        enrich=lambda app, snapshot: _with_measures(app, snapshot, settings),
    )
    observers: list[CheckpointObserver] = []
    services: list[WorkerService] = [endpoint]
    if settings.redis_url is not None:
        reader = slice_reader(STAGE, view_slice)
        writer = ReadViewWriter(
            redis_url=settings.redis_url,
            stage=STAGE,
            slice_of=reader.read,
            clock=utc_now,
            count=metrics.count_view_write,
            prefix=settings.view_prefix,
        )
        observers.append(writer)
        services.append(ReadViewService(writer, reader))
    records = RecordMetrics(metrics, clock=utc_now, raises_alerts=False)
    return build_worker(settings.runtime("scoring"), [stage], observers, services, record_observer=records)


def home_measures(owned: OwnedPartition) -> list[MeasureAssessed]:
    """Return the measures that a partition speaks for, as last assessed."""
    return [value.assessed for _, value in owned.state.items() if isinstance(value, LastAssessed)]


def supply_figures(owned: OwnedPartition) -> list[SupplyFigures]:
    """Return what a partition holds of supply shares, concentration and import reliance."""
    found = []
    for key, value in owned.state.items():
        if isinstance(value, Evidence) and value.aspect == "supply":
            known = {name: held.low for name, held in value.figures.items() if held.high in (None, held.low)}
            material = key.decode().split("/")[1]
            found.append(SupplyFigures(material=material, stage=value.of, home=value.home, **known))
    return found


def view_slice(owned: OwnedPartition) -> ViewSlice:
    """Return what the read view shows of a partition."""
    clock: AssessClock | None = owned.state.get(CLOCK_KEY)
    return ViewSlice(
        position=owned.position,
        measures={m.measure: m for m in home_measures(owned)},
        risks={risk_key(score): score for score in last_scores(owned.state)},
        clock_at=clock.now if clock else None,
    )


def _with_measures(app: SafeApp, snapshot: WorkerSnapshot, settings: PipelineSettings) -> WorkerSnapshot:
    measures: list[MeasureAssessed] = []
    scores: list[RiskAssessed] = []
    supply: list[SupplyFigures] = []
    clocks: dict[int, datetime | None] = {}
    inputs: dict[tuple[str, int], bool] = {}
    for owned in owned_partitions(app, STAGE):
        measures += home_measures(owned)
        scores += last_scores(owned.state)
        supply += supply_figures(owned)
        clock: AssessClock | None = owned.state.get(CLOCK_KEY)
        clocks[owned.partition] = clock.now if clock else None
        inputs |= owned.clock.inputs
    partitions = tuple(replace(p, clock_at=clocks.get(p.partition)) for p in snapshot.partitions)
    return replace(
        snapshot,
        measures=tuple(measures),
        scores=tuple(scores),
        supply=tuple(supply),
        partitions=partitions,
        inputs={(settings.topic(topic), partition): stalled for (topic, partition), stalled in inputs.items()},
    )
