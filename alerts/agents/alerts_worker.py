"""The alerts worker: rules over `assessments`, notify over `alerts`, the delivery of what notify asked for."""

from functools import partial

import httpx

from alerts.agents import alert_view, delivering
from alerts.agents.delivering import DeliveryService, LedgerCore
from alerts.channels.secrets import SecretsFile
from alerts.channels.structured_log import StructuredLogChannel
from alerts.channels.webhook import WebhookChannel
from alerts.delivery import deliver_core as deliver
from alerts.delivery.channel_port import Channel
from alerts.delivery.sender import Sender
from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.rules_core import RulesCore, decode_state, encode_state
from alerts.notify import notify_core as notify
from alerts.notify.notify_core import NotifyCore
from alerts.rules.loader import shipped_rules
from alerts.rules.ruleset import Rules
from streams.agents.view_service import ReadViewService, slice_reader
from streams.agents.worker_endpoint import WorkerEndpoint
from streams.agents.worker_settings import PipelineSettings
from streams.contracts.topics import ALERTS, ASSESSMENTS, DELIVERIES
from streams.metrics.record_metrics import RecordMetrics
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.clock import monotonic_seconds, utc_now
from streams.runtime.faust_app import SafeApp, WorkerService, build_worker
from streams.runtime.stage import CheckpointObserver, SourceKind, StageSpec
from streams.runtime.stage_ports import PartitionCore, StateStore
from streams.runtime.version import monazite_version
from streams.view.read_view import ReadViewWriter

_REMEDY = (
    "where the rule set applied last is to blame (`monazite rules status`), mend it and run `monazite rules apply`, or "
    "`monazite rules apply --withdraw`; the supervisor starts the worker again and it comes to the new set"
)


def rules_stage(settings: PipelineSettings, rules: Rules, counts: EngineMetrics) -> StageSpec:
    """Declare the stage that decides alerts; what it does is counted in `counts`."""

    def make_core(partition: int, store: StateStore) -> PartitionCore:
        return RulesCore(partition=partition, rules=rules, store=store, counts=counts)

    return StageSpec(
        name=alert_view.STAGE,
        source_topic=settings.topic(ASSESSMENTS),
        source_kind=SourceKind.LINKED,
        output_topic=settings.topic(ALERTS),
        make_core=make_core,
        remedy=_REMEDY,
        encode_value=encode_state,
        decode_value=decode_state,
    )


def notify_stage(settings: PipelineSettings) -> StageSpec:
    """Declare the stage that decides who is told; what it asks for is in the ledger before anything is sent."""

    def make_core(partition: int, store: StateStore) -> PartitionCore:
        return NotifyCore(partition=partition, store=store)

    return StageSpec(
        name="notify",
        source_topic=settings.topic(ALERTS),
        source_kind=SourceKind.LINKED,
        output_topic=settings.topic(DELIVERIES),
        make_core=make_core,
        encode_value=notify.encode_state,
        decode_value=notify.decode_state,
    )


def deliver_stage(settings: PipelineSettings) -> StageSpec:
    """Declare the stage that keeps the open deliveries of the ledger."""

    def make_core(partition: int, store: StateStore) -> PartitionCore:
        return LedgerCore(partition=partition, store=store)

    return StageSpec(
        name=delivering.STAGE,
        source_topic=settings.topic(DELIVERIES),
        source_kind=SourceKind.PLAIN,
        make_core=make_core,
        encode_value=deliver.encode_state,
        decode_value=deliver.decode_state,
    )


def build_alerts(settings: PipelineSettings) -> SafeApp:
    """Build the app of an alerts worker with the shipped rules; nothing is started."""
    rules = shipped_rules()
    counts = EngineMetrics(stopwatch=monotonic_seconds)
    stages = [rules_stage(settings, rules, counts), notify_stage(settings), deliver_stage(settings)]
    metrics = WorkerMetrics(
        process="alerts",
        version=monazite_version(),
        topics=[stage.source_topic for stage in stages],
        rules=tuple(rules.by_id),
    )
    endpoint = WorkerEndpoint(
        metrics=metrics,
        port=settings.metrics_port,
        bootstrap=settings.bootstrap,
        topics={stage.name: stage.source_topic for stage in stages},
        enrich=partial(alert_view.with_alerts, rules=rules, counts=counts, metrics=metrics),
    )
    observers: list[CheckpointObserver] = []
    client = httpx.AsyncClient(follow_redirects=False)
    secrets = SecretsFile(settings.secrets_file)
    channels: dict[str, Channel] = {
        "log": StructuredLogChannel(),
        "webhook": WebhookChannel(client, find_secret=secrets.find),
    }
    delivery = DeliveryService(
        sender=Sender(channels, clock=utc_now), topic=settings.topic(DELIVERIES), metrics=metrics
    )
    services: list[WorkerService] = [endpoint, delivery]
    if settings.redis_url is not None:
        reader = slice_reader(alert_view.STAGE, partial(alert_view.view_slice, rules=rules))
        writer = ReadViewWriter(
            redis_url=settings.redis_url,
            stage=alert_view.STAGE,
            slice_of=reader.read,
            clock=utc_now,
            count=metrics.count_view_write,
            prefix=settings.view_prefix,
        )
        observers.append(writer)
        services.append(ReadViewService(writer, reader))
    records = RecordMetrics(metrics, clock=utc_now)
    return build_worker(settings.runtime("alerts"), stages, observers, services, record_observer=records)
