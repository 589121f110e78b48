"""The table of the last benchmark, written for people beside the JSON."""

from pathlib import Path
from typing import Any

README = Path(__file__).parent / "README.md"


def write_report(results: dict[str, Any]) -> None:
    """Write `bench/README.md` from the results of `bench.road`."""
    plain, machine, latency = results["plain"], results["machine"], results["latency"]
    lines = [
        "# Benchmarks", "",
        "`make bench` writes this file and `results/road.json`. Figures are of one run on a shared machine: compare",
        "ratios within a run, not absolute figures between machines.", "",
        f"Machine: {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; Apache Kafka on it too.",
        "", "| What | Events a record | Events/s | CPU µs an event | Share of the plain Faust reference |",
        "|---|---|---|---|---|",
        f"| {plain['stage']} | 1 | {plain['events_per_second']:,} | {plain['cpu_us_per_event']} | 1 |",
    ]  # fmt: skip
    for key in ("batch_500", "batch_1"):
        group = results[key]
        for stage in group["stages"]:
            share = stage["cpu_us_per_event"] / plain["cpu_us_per_event"]
            lines.append(
                f"| {stage['stage']} | {group['batch']} | {stage['events_per_second']:,} | {stage['cpu_us_per_event']} "
                f"| {share:.2f} |"
            )
        share = group["road_cpu_us_per_event"] / plain["cpu_us_per_event"]
        lines.append(
            f"| **the road** (sum) | {group['batch']} | | {group['road_cpu_us_per_event']} | **{share:.2f}** |"
        )
    lines += [
        "", f"Event to alert through the whole road at {latency['rate']:,} single events/s over {latency['seconds']} s "
        f"({latency['alerts']} alerts): p50 {latency['p50_ms']} ms, p90 {latency['p90_ms']} ms, "
        f"p99 {latency['p99_ms']} ms, max {latency['max_ms']} ms.", "",
        "How: each stage runs alone over the same backlog, so it has the machine to itself; CPU is user and system",
        "time",
        "of its process less what the process uses to start. `plain_faust.py` is a Faust worker as its documentation",
        "teaches, doing the same price rule, one event a record. `job_r1.py` is job R1 on the runtime alone.",
    ]  # fmt: skip
    README.write_text("\n".join(lines) + "\n")
