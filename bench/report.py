"""The table of the last benchmark, written for people beside the JSON."""

import json
from pathlib import Path
from typing import Any

README = Path(__file__).parent / "README.md"


def write_report(results: dict[str, Any]) -> None:
    """Write `bench/README.md` from the results; a measurement that was not made is said to be missing."""
    machine = results["machine"]
    lines = [
        "# Benchmarks", "",
        "`make bench` writes this file and `results/latest.json`; `python -m bench --only NAME` runs one part. Figures",
        "are of one run on a shared machine: compare ratios within a run, not absolute figures between machines.", "",
        f"Machine: {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; Apache Kafka on it too.", "",
        *_throughput(results), "", *_latency(results), "", *_recovery(results), "", *_idle(results), "",
        *_idle_log(results), "", *_cores(results), "", *_HOW,
    ]  # fmt: skip
    README.write_text("\n".join(lines) + "\n")


_HOW = (
    "How: each stage runs alone over the same backlog, so it has the machine to itself; CPU is user and system time of",
    "its process less what the process uses to start. `plain_faust.py` is a Faust worker as its documentation teaches,",
    "doing the same price rule on edges, one event a record. The two are measured in turn, and the round in the middle",
    "is shown. `job_r1.py` is job R1 on the runtime alone, on one core.",
)


def _throughput(results: dict[str, Any]) -> list[str]:
    plain = results.get("plain")
    if plain is None:
        return ["The stages were not measured."]
    lines = [
        "| What | Events a record | Events/s | CPU µs an event | Share of the plain Faust reference |",
        "|---|---|---|---|---|",
        f"| {plain['stage']} | 1 | {plain['events_per_second']:,} | {plain['cpu_us_per_event']} | 1 |",
    ]
    reference = plain["cpu_us_per_event"]
    for group in (results[key] for key in ("batch_500", "batch_1") if key in results):
        lines += [
            f"| {stage['stage']} | {group['batch']} | {stage['events_per_second']:,} | {stage['cpu_us_per_event']} "
            f"| {stage['cpu_us_per_event'] / reference:.2f} |"
            for stage in group["stages"]
        ]
        total = group["road_cpu_us_per_event"]
        shares = group.get("shares", [])
        spread = f" ({min(shares):.3f} to {max(shares):.3f} in {len(shares)} rounds)" if len(shares) > 1 else ""
        lines.append(f"| **the road** (sum) | {group['batch']} | | {total} | **{total / reference:.3f}**{spread} |")
    if "job_r1" in results:
        job = results["job_r1"]
        lines.append(
            f"| job R1 on the runtime, one core | {job['events_per_record']} | {job['events_per_second']:,} "
            f"| {job['cpu_microseconds_per_event']} | |"
        )
    return lines


def _latency(results: dict[str, Any]) -> list[str]:
    latency = results.get("latency")
    if latency is None:
        return ["Latency was not measured."]
    warm, cores = latency["warm_up"], ", ".join(f"{k} {v}" for k, v in latency["cores_used"].items())
    return [
        f"Event to alert through the whole road at {latency['rate']:,} single events/s over {latency['seconds']} s "
        f"({latency['alerts']} alerts): p50 {latency['p50_ms']} ms, p90 {latency['p90_ms']} ms, "
        f"p99 {latency['p99_ms']} ms, max {latency['max_ms']} ms. Cores used: {cores}.",
        f"The first {warm['seconds']} s after the start of broker and workers are counted apart: "
        f"p50 {warm['p50_ms']} ms, p99 {warm['p99_ms']} ms.",
    ]


def _recovery(results: dict[str, Any]) -> list[str]:
    found = results.get("recovery")
    if found is None:
        return ["Recovery was not measured."]
    return [
        "Seconds after kill -9 of a process of a whole stack under its supervisor, the slowest of "
        f"{len(next(iter(found.values()))['rounds'])} rounds (after the broker: until every process is ready):",
        "",
        "| Killed | Ready again | Alert about an event sent right after the kill |",
        "|---|---|---|",
        *(f"| {name} | {each['slowest_ready_seconds']} | {each['slowest_alert_seconds']} |"
          for name, each in found.items()),
    ]  # fmt: skip


def _idle(results: dict[str, Any]) -> list[str]:
    idle = results.get("idle")
    if idle is None:
        return ["Idling was not measured."]
    rows = sorted(idle["topics"].items(), key=lambda item: -item[1]["bytes"])
    return [
        f"A whole stack that nobody uses, measured for {idle['seconds'] / 60:.0f} minutes and scaled to a day: "
        f"{idle['megabytes_a_day']} MB in all topics together (and {idle['broker_metadata_megabytes_a_day']} MB in the "
        "broker's own metadata log, which it cuts itself).",
        "",
        "| Topic | Records a day | MB a day |",
        "|---|---|---|",
        *(f"| {topic} | {each['records_a_day']:,} | {each['megabytes_a_day']} |" for topic, each in rows),
    ]


def _idle_log(results: dict[str, Any]) -> list[str]:
    log = results.get("idle_log")
    if log is None:
        return ["A log with a year of idling was not measured."]
    return [
        f"Over a signals log with a year of idling ({log['records']:,} statements that compaction leaves): "
        f"`rules backtest --from live` answers after {log['command_seconds']} s, a console that was killed "
        f"after {log['console_seconds']} s."
    ]


def _cores(results: dict[str, Any]) -> list[str]:
    lines = ["The pure cores, one core, no broker:", "", "```json"]
    found = {key: results[key] for key in ("assess_core", "rules", "time_and_identity") if key in results}
    return [*lines, *json.dumps(found, indent=2).splitlines(), "```"]
