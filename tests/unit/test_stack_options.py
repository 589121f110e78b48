"""Which stack a command talks to: said by the person, or the one of the run directory, and never a guess."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.cli.stack_options import StackOptions
from deploy.stack.children import plan_stack
from deploy.stack.lock import RunLock
from deploy.stack.plan import StackPlan, StackPorts, write_plan

PORTS = StackPorts(broker=4001, redis=4002, gateway=4003, console=4004, intake=4005, alerts=4006, scoring=(4007,))
ACTING = (
    ("produce", "synthetic", "--count", "1"),
    ("produce", "file", "{}/rules.yaml"),
    ("produce", "replay", "{}"),
    ("topics", "ensure"),
    ("topics", "alter"),
    ("rules", "apply", "--withdraw"),
    ("silences", "add", "rule=score-high"),
    ("silences", "expire", "silence-1"),
    ("subscriptions", "add"),
    ("subscriptions", "remove", "s-1"),
    ("alerts", "ack", "0123"),
)
READING = (
    ("alerts", "list"),
    ("rules", "status"),
    ("rules", "backtest", "--from", "live"),
    ("silences", "list"),
    ("dead-letters", "list"),
    ("topics", "check"),
    ("measures", "status", "--from", "live"),
    ("risk", "show", "dysprosium", "--from", "live"),
)
PROCESSES = (("work", "intake"), ("work", "scoring"), ("work", "alerts"), ("serve", "gateway"), ("serve", "console"))


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in an empty folder, with an environment that names no stack."""
    for name in ("BOOTSTRAP", "PREFIX", "PARTITIONS", "CONSOLE", "REDIS", "RUN_DIR"):
        monkeypatch.delenv(f"MONAZITE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[StackPlan]:
    """Leave in the run directory what a stack that runs leaves there."""
    folder = tmp_path / ".monazite"
    folder.mkdir()
    plan = msgspec.structs.replace(plan_stack(run_directory=folder, ports=PORTS, prefix="mine", partitions=7))
    with RunLock.acquire(folder):
        write_plan(folder, plan)
        yield plan


def test_the_stack_of_the_run_directory_is_found_whole(running: StackPlan) -> None:
    """Who started it with --free-ports knows no port by heart."""
    found = StackOptions()
    assert (found.bootstrap, found.prefix, found.partitions) == ("127.0.0.1:4001", "mine", 7)
    assert (found.console_url, found.redis_url) == ("http://127.0.0.1:4004", "redis://127.0.0.1:4002/0")


def test_what_is_named_goes_before_the_run_directory(running: StackPlan) -> None:
    """And nothing of another stack is mixed in: half of one and half of another answers for neither."""
    other = StackOptions(given_bootstrap="10.0.0.1:9092")
    assert (other.bootstrap, other.prefix, other.partitions) == ("10.0.0.1:9092", "monazite", 4)
    assert other.redis_url_if_any is None
    with pytest.raises(typer.Exit):
        _ = other.console_url
    with pytest.raises(typer.Exit):
        _ = StackOptions(given_console="http://10.0.0.1:8321").bootstrap


def test_a_stack_that_was_named_and_is_that_of_the_run_directory_is_completed(running: StackPlan) -> None:
    """Naming its broker does not make it another."""
    same = StackOptions(given_bootstrap="127.0.0.1:4001", given_partitions=2)
    assert (same.prefix, same.partitions, same.console_url) == ("mine", 2, "http://127.0.0.1:4004")


def test_what_a_stack_that_ended_left_behind_names_nothing(running: StackPlan, tmp_path: Path) -> None:
    """Its port may belong to another stack by now."""
    (tmp_path / "ended").mkdir()
    write_plan(tmp_path / "ended", running)
    with pytest.raises(typer.Exit):
        _ = StackOptions(run_directory=tmp_path / "ended").bootstrap


@pytest.mark.parametrize("words", (*ACTING, *READING, *PROCESSES), ids=" ".join)
def test_without_a_stack_every_command_ends_and_says_what_to_do(words: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever listens at a usual port is somebody else's."""
    (tmp_path / "rules.yaml").write_text("")
    answer = CliRunner().invoke(app, [word.format(tmp_path) for word in words])
    said = " ".join(answer.stderr.split())
    assert answer.exit_code == 2, said
    assert "no stack runs in .monazite, and none was named" in said
    assert "--run-dir" in said
    assert "monazite stack up" in said
    assert not (tmp_path / ".monazite").exists()


def test_a_command_that_acts_says_on_which_stack(running: StackPlan, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, so that JSON stays JSON."""
    StackOptions().act()
    StackOptions(given_bootstrap="10.0.0.1:9092", given_prefix="theirs").act()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "the stack in .monazite: broker 127.0.0.1:4001, topics mine.*",
        "the stack that was named: broker 10.0.0.1:9092, topics theirs.*",
    ]


def test_the_environment_names_a_stack_as_an_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that nobody listens at: the command goes there and nowhere else."""
    monkeypatch.setenv("MONAZITE_CONSOLE", "http://127.0.0.1:1")
    answer = CliRunner().invoke(app, ["alerts", "list"])
    assert "the console at http://127.0.0.1:1 does not answer" in " ".join(answer.stderr.split())


def commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        if hasattr(command, "commands"):
            yield from commands(command)
        else:
            yield command


def test_every_command_spells_the_options_of_a_stack_alike() -> None:
    """Two spellings of one option are two things to learn, and one with a default port is a trap."""
    spelt: dict[str, set[Any]] = {}
    for command in commands(get_command(app)):
        for option in command.params:
            if option.name in {"bootstrap", "prefix", "partitions", "console_url", "redis"}:
                said = (option.default, option.envvar, option.help, tuple(option.opts))
                spelt.setdefault(option.name, set()).add(said)
    assert set(spelt) == {"bootstrap", "prefix", "partitions", "console_url", "redis"}
    assert {name: found for name, found in spelt.items() if len(found) > 1} == {}
    assert {said[0] for found in spelt.values() for said in found} == {None}
