"""Makes the Risk board (classic v1 JSON) and the provisioning files: `python -m deploy.grafana.risk_board`."""

from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.questions import (
    ANNOTATIONS,
    PIPELINE_ROW,
    RISK_ROW,
    VARIABLE_QUERY,
    PanelPlan,
    Question,
)
from streams.contracts.assessments import LegalState
from streams.metrics.catalogue import STATE_RANKS

FOLDER = Path(__file__).parent
BOARD_UID = "monazite-risk-board"
SOURCE_UID = "monazite-prometheus"
PIPELINE_ROW_NUMBER = 20
_STATE_COLOURS = {
    LegalState.UNKNOWN: "gray",
    LegalState.EXPIRED: "text",
    LegalState.REPEALED: "green",
    LegalState.ANNOUNCED: "blue",
    LegalState.SUSPENDED: "yellow",
    LegalState.LAPSED_UNCONFIRMED: "orange",
    LegalState.IN_FORCE: "red",
}


def _source() -> Any:
    return common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")


def _state_words() -> Any:
    """Words beside colours: a state must be readable without them."""
    results = {
        str(rank): models.ValueMappingResult(
            text=state.value.replace("_", " "), color=_STATE_COLOURS[state], index=rank
        )
        for state, rank in STATE_RANKS.items()
    }
    return models.ValueMap(options=results)


def _query(question: Question, letter: str, *, as_table: bool) -> Any:
    query = prometheus.Dataquery().expr(question.expression).ref_id(letter).datasource(_source())
    query = query.instant() if question.instant else query.range()
    if as_table:
        query = query.format(PromQueryFormat.TABLE)
    return query.legend_format(question.legend) if question.legend else query


def _thresholds(plan: PanelPlan) -> Any:
    steps = [models.Threshold(value=None, color="green")]
    if plan.warn_above is not None:
        steps.append(models.Threshold(value=plan.warn_above, color="red"))
    if plan.warn_below is not None:
        steps = [models.Threshold(value=None, color="red"), models.Threshold(value=plan.warn_below, color="green")]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _columns(panel: Any, plan: PanelPlan) -> Any:
    """Name and format the columns that several instant queries make when they are merged."""
    letters = "ABCDEFG"[: len(plan.questions)]
    value_of = {letter: f"Value #{letter}" if len(letters) > 1 else "Value" for letter in letters}
    names = {value_of[letter]: q.column for letter, q in zip(letters, plan.questions, strict=True)}
    panel = panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": names}
        )
    )
    for question in plan.questions:
        properties = []
        if question.unit:
            properties.append(models.DynamicConfigValue(id_val="unit", value=question.unit))
        if question.column == "State":
            properties.append(models.DynamicConfigValue(id_val="mappings", value=[_state_words()]))
        if properties:
            panel = panel.override_by_name(question.column, properties)
    return panel


def _panel(plan: PanelPlan) -> Any:
    makers = {
        "stat": stat.Panel,
        "table": table.Panel,
        "state timeline": statetimeline.Panel,
        "time series": timeseries.Panel,
    }
    panel = makers[plan.view]()
    panel = panel.id(plan.number).title(plan.title).description(plan.description).unit(plan.unit)
    panel = panel.no_value(plan.nothing).datasource(_source()).thresholds(_thresholds(plan))
    panel = panel.height(plan.height).span(plan.width)
    for letter, question in zip("ABCDEFG", plan.questions, strict=False):
        panel = panel.with_target(_query(question, letter, as_table=plan.view == "table"))
    if plan.view == "stat":
        panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if plan.view == "table":
        panel = _columns(panel, plan)
    if plan.view == "state timeline":
        panel = panel.mappings([_state_words()])
    return panel


def _variables(board: Any) -> Any:
    source = dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    measure = (
        dashboard.QueryVariable("measure")
        .label("Measure")
        .query(VARIABLE_QUERY)
        .datasource(_source())
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)  # without it a real Grafana shows "No data"
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
    silence = (
        dashboard.CustomVariable("silence")
        .label("Silent after")
        .values("1 day : 86400, 1 week : 604800, 4 weeks : 2419200")
        .current(models.VariableOption(selected=True, text="1 week", value="604800"))
    )
    return board.with_variable(source).with_variable(measure).with_variable(silence)


def risk_board() -> str:
    """Return the board as JSON text; always the same text for the same code."""
    board = (
        dashboard.Dashboard("Monazite: Risk board")
        .uid(BOARD_UID)
        .tags(["monazite"])
        .editable()
        .readonly()
        .description("The legal clock, the alerts, and whether the road behind them works.")
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("utc")
    )
    board = _variables(board)
    for name, expression in ANNOTATIONS.items():
        mark = dashboard.AnnotationQuery().name(name).datasource(_source()).enable(True).icon_color("orange")
        board = board.annotation(
            mark.expr(expression).step("60s").title_format(name).text_format("{{rule}}{{measure}}")
        )
    for plan in RISK_ROW:
        board = board.with_panel(_panel(plan))
    board = board.with_row(dashboard.Row("Pipeline").id(PIPELINE_ROW_NUMBER))
    for plan in PIPELINE_ROW:
        board = board.with_panel(_panel(plan))
    text: str = JSONEncoder(sort_keys=True, indent=2).encode(board.build())
    return text + "\n"


def provisioning(*, prometheus_url: str = "http://127.0.0.1:9090", dashboards: str = "dashboards") -> dict[str, str]:
    """Return the provisioning files by path. `dashboards` is the folder as Grafana's process sees it."""
    source = {
        "name": "Monazite Prometheus",
        "type": "prometheus",
        "uid": SOURCE_UID,
        "access": "proxy",
        "url": prometheus_url,
        "isDefault": False,
        "editable": False,
        "jsonData": {"timeInterval": "5s", "httpMethod": "POST"},
    }
    provider = {
        "name": "monazite",
        "folder": "Monazite",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": dashboards},
    }
    return {
        "datasources/monazite.yaml": yaml.safe_dump({"apiVersion": 1, "datasources": [source]}, sort_keys=False),
        "dashboards/monazite.yaml": yaml.safe_dump({"apiVersion": 1, "providers": [provider]}, sort_keys=False),
    }


def generated() -> dict[Path, str]:
    """Return every generated file of this folder with its text."""
    files = {FOLDER / "provisioning" / name: text for name, text in provisioning().items()}
    return {FOLDER / "dashboards" / "risk-board.json": risk_board(), **files}


if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
