"""The alerts worker: rules over `assessments`, notify over `alerts`, the delivery of what notify asked for."""

from functools import partial

from alerts.adapters.rules import RulesCore, decode_state, encode_state
from alerts.agents import alert_view
from alerts.rules.loader import shipped_rules
from alerts.rules.ruleset import Rules
from streams.adapters.metrics.worker import WorkerMetrics
from streams.adapters.read_view import ReadViewWriter
from streams.agents.endpoint import WorkerEndpoint
from streams.agents.settings import VERSION, RoadSettings
from streams.agents.view_service import ReadViewService, slice_reader
from streams.contracts.topics import ALERTS, ASSESSMENTS
from streams.runtime.app import SafeApp, WorkerService, build_worker
from streams.runtime.clock import utc_now
from streams.runtime.ports import PartitionCore, StateStore
from streams.runtime.stage import CheckpointObserver, SourceKind, StageSpec


def rules_stage(settings: RoadSettings, rules: Rules) -> StageSpec:
    """Declare the stage that decides alerts."""

    def make_core(partition: int, store: StateStore) -> PartitionCore:
        return RulesCore(partition=partition, rules=rules, store=store)

    return StageSpec(
        name=alert_view.STAGE, source_topic=settings.topic(ASSESSMENTS), source_kind=SourceKind.LINKED,
        output_topic=settings.topic(ALERTS), make_core=make_core,
        encode_value=encode_state, decode_value=decode_state,
    )  # fmt: skip


def build_alerts(settings: RoadSettings) -> SafeApp:
    """Build the app of an alerts worker with the shipped rules; nothing is started."""
    rules = shipped_rules()
    stages = [rules_stage(settings, rules)]
    metrics = WorkerMetrics(
        process="alerts", version=VERSION, topics=[stage.source_topic for stage in stages], rules=tuple(rules.by_id)
    )
    endpoint = WorkerEndpoint(
        metrics=metrics, port=settings.metrics_port, topics={stage.name: stage.source_topic for stage in stages},
        enrich=partial(alert_view.with_alerts, rules=rules),
    )  # fmt: skip
    observers: list[CheckpointObserver] = []
    services: list[WorkerService] = [endpoint]
    if settings.redis_url is not None:
        reader = slice_reader(alert_view.STAGE, partial(alert_view.view_slice, rules=rules))
        writer = ReadViewWriter(
            redis_url=settings.redis_url, stage=alert_view.STAGE, slice_of=reader.read, clock=utc_now,
            count=metrics.count_view_write, prefix=settings.view_prefix,
        )  # fmt: skip
        observers.append(writer)
        services.append(ReadViewService(writer, reader))
    return build_worker(settings.runtime("alerts"), stages, observers, services)
