"""Which stack a command talks to: one set of options, found by the same rules for every command.

An option goes before its environment variable, and both before the stack that runs in the run directory. Nothing is
guessed: where none of them says it, the command ends and says what to do. Nothing is mixed either: the run directory
adds what was not named only if its stack is the one that was named.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from deploy.cli.options import DEFAULT_RUN_DIRECTORY, RunDirectory
from deploy.cli.output import EXIT_USAGE, fail
from streams.contracts.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX

if TYPE_CHECKING:
    from deploy.cli.recorded_events import LiveRoad
    from deploy.stack.plan import StackPlan

Result = TypeVar("Result")

_BROKER: dict[str, Any] = {
    "bootstrap": Annotated[
        str | None,
        typer.Option(envvar="MONAZITE_BOOTSTRAP", help="Kafka, HOST:PORT[,...]; default: of the stack in --run-dir"),
    ],
    "prefix": Annotated[
        str | None,
        typer.Option(envvar="MONAZITE_PREFIX", help="prefix of all topics; default: of that stack, else monazite"),
    ],
    "partitions": Annotated[
        int | None,
        typer.Option(
            min=1, max=256, envvar="MONAZITE_PARTITIONS", help="of each topic; default: of that stack, else 4"
        ),
    ],
}
_CONSOLE: dict[str, Any] = {
    "console_url": Annotated[
        str | None, typer.Option(envvar="MONAZITE_CONSOLE", help="console API; default: of the stack in --run-dir")
    ],
}
_REDIS: dict[str, Any] = {
    "redis": Annotated[
        str | None,
        typer.Option(envvar="MONAZITE_REDIS", help="redis://HOST:PORT/DB; default: of the stack in --run-dir"),
    ],
}


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """What a person said of the stack, by option or environment; the rest is looked up when it is asked for."""

    run_directory: Path = DEFAULT_RUN_DIRECTORY
    given_bootstrap: str | None = None
    given_prefix: str | None = None
    given_partitions: int | None = None
    given_console: str | None = None
    given_redis: str | None = None

    @functools.cached_property
    def _here(self) -> "StackPlan | None":
        """The stack that runs in the run directory, unless another one was named."""
        from deploy.stack.lock import is_held
        from deploy.stack.plan import read_plan

        plan = read_plan(self.run_directory) if is_held(self.run_directory) else None
        if plan is None or self.given_bootstrap not in (None, plan.bootstrap):
            return None
        return plan if self.given_console in (None, _console_of(plan)) else None

    @property
    def bootstrap(self) -> str:
        """Return the address of the broker, or end the command."""
        found = self.given_bootstrap or (self._here.bootstrap if self._here else None)
        return found or self._none("its broker with --bootstrap (MONAZITE_BOOTSTRAP)")

    @property
    def console_url(self) -> str:
        """Return the address of the console, or end the command."""
        found = self.given_console or (_console_of(self._here) if self._here else None)
        return found or self._none("its console with --console-url (MONAZITE_CONSOLE)")

    @property
    def redis_url(self) -> str:
        """Return the address of Redis, or end the command."""
        return self.redis_url_if_any or self._none("its Redis with --redis (MONAZITE_REDIS)")

    @property
    def redis_url_if_any(self) -> str | None:
        """Return the address of Redis; None where no stack has one."""
        return self.given_redis or (self._here.redis_url if self._here else None)

    @property
    def prefix(self) -> str:
        """Return the prefix of the topics."""
        return self.given_prefix or (self._here.topic_prefix if self._here else None) or DEFAULT_PREFIX

    @property
    def partitions(self) -> int:
        """Return the count of partitions of the topics of the road."""
        return self.given_partitions or (self._here.partitions if self._here else None) or DEFAULT_PARTITIONS

    @property
    def road(self) -> "LiveRoad":
        """Return where the running road is, or end the command."""
        from deploy.cli.recorded_events import LiveRoad

        return LiveRoad(bootstrap=self.bootstrap, prefix=self.prefix, partitions=self.partitions)

    def act(self) -> "LiveRoad":
        """Say on standard error which stack the command is about to act on, and return where its road is."""
        road = self.road
        which = "the stack that was named" if self._here is None else f"the stack in {self.run_directory}"
        typer.echo(f"{which}: broker {road.bootstrap}, topics {road.prefix}.*", err=True)
        return road

    def _none(self, what: str) -> Any:
        named = self.given_bootstrap or self.given_console
        fail(
            f"the stack at {named} was named, and it is not the one of {self.run_directory}"
            if named
            else f"no stack runs in {self.run_directory}, and none was named",
            code=EXIT_USAGE,
            hint=f"name {what}, or the folder of a stack with --run-dir (MONAZITE_RUN_DIR); `monazite stack up` "
            "starts one",
        )


def _console_of(plan: "StackPlan") -> str | None:
    return f"http://127.0.0.1:{plan.ports.console}" if plan.ports is not None else None


def takes_stack(
    *, broker: bool = False, console: bool = False, redis: bool = False
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a command, whose parameter `stack` is a `StackOptions`, the options that name a stack."""
    options = {**(_BROKER if broker else {}), **(_CONSOLE if console else {}), **(_REDIS if redis else {})}

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        signature = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def with_options(**given: Any) -> Result:
            said = {name: given.pop(name, None) for name in options}
            stack = StackOptions(
                run_directory=given.pop("run_dir", DEFAULT_RUN_DIRECTORY),
                given_bootstrap=said.get("bootstrap"),
                given_prefix=said.get("prefix"),
                given_partitions=said.get("partitions"),
                given_console=said.get("console_url"),
                given_redis=said.get("redis"),
            )
            return command(stack=stack, **given)

        own = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values() if p.name != "stack"]
        ours = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=a) for n, a in options.items()
        ]
        where = inspect.Parameter(
            "run_dir", inspect.Parameter.KEYWORD_ONLY, default=DEFAULT_RUN_DIRECTORY, annotation=RunDirectory
        )
        every = [*own, *ours, where]
        with_options.__signature__ = signature.replace(parameters=every)  # type: ignore[attr-defined]
        with_options.__annotations__ = {p.name: p.annotation for p in every}
        return with_options

    return decorate
