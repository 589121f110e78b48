"""The scrape configuration, made from the targets of a stack."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
RULES_FILE = FOLDER / "rules.yml"
SCRAPE_SECONDS = 5
JOBS = (
    "monazite-intake",
    "monazite-scoring",
    "monazite-alerts",
    "monazite-gateway",
    "monazite-console",
    "monazite-stack",
)
DEFAULT_TARGETS: Mapping[str, Sequence[str]] = {
    "monazite-intake": ("127.0.0.1:9310",),
    "monazite-scoring": ("127.0.0.1:9320",),
    "monazite-alerts": ("127.0.0.1:9330",),
    "monazite-gateway": ("127.0.0.1:8320",),
    "monazite-console": ("127.0.0.1:8321",),
    "monazite-stack": ("127.0.0.1:9300",),
}
"""The ports of a stack with one worker of each kind."""


def prometheus_config(
    targets: Mapping[str, Sequence[str]] = DEFAULT_TARGETS,
    *,
    rules_file: str = "rules.yml",
    scrape_seconds: int = SCRAPE_SECONDS,
    alertmanagers: Sequence[str] = (),
) -> str:
    """Return `prometheus.yml`. `targets` is job name to `HOST:PORT`s; one process is one target.

    Raises `ValueError` for a job that the rules and dashboards do not know.
    """
    unknown = sorted(set(targets) - set(JOBS))
    if unknown:
        raise ValueError(f"unknown jobs {unknown}; the rules and dashboards know {list(JOBS)}")
    interval = f"{scrape_seconds}s"
    document: dict[str, object] = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [rules_file],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(targets[job])}]} for job in JOBS if job in targets
        ],
    }
    if alertmanagers:
        document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]}
    head = "# Made by deploy/prometheus/config.py; change it there: python -m deploy.prometheus.config\n"
    return head + yaml.safe_dump(document, sort_keys=False)


if __name__ == "__main__":
    (FOLDER / "prometheus.yml").write_text(prometheus_config(), "utf-8")
