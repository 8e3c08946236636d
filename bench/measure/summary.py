"""From several reports of `load` to the cells of one row."""

from statistics import median

from .markdown import count

HEADERS = [
    "cycles/s",
    "request p50 ms",
    "request p99 ms",
    "cycle p50 ms",
    "cycle p99 ms",
    "server CPU s per 100,000 cycles",
]


HANDOVER_HEADERS = [
    "handovers/s",
    "cycle p50 ms",
    "cycle p99 ms",
    "longest ms",
    "server CPU s per 100,000 handovers",
]


def cycles_per_second(reports):
    """The median rate of several runs."""
    return median(report["cycles_per_second"] for report in reports)


def cells(reports):
    """The medians of several runs, under `HEADERS`."""
    return [
        count(cycles_per_second(reports)),
        _middle(reports, "request", "p50_ms"),
        _middle(reports, "request", "p99_ms"),
        _middle(reports, "cycle", "p50_ms"),
        _middle(reports, "cycle", "p99_ms"),
        _middle(reports, "server_cpu_seconds_per_100k_cycles"),
    ]


def handover_cells(reports):
    """The medians of several runs on locks that many want, under `HANDOVER_HEADERS`."""
    return [
        count(cycles_per_second(reports)),
        _middle(reports, "cycle", "p50_ms"),
        _middle(reports, "cycle", "p99_ms"),
        _middle(reports, "cycle", "max_ms"),
        _middle(reports, "server_cpu_seconds_per_100k_cycles"),
    ]


def engine_cells(reports):
    """The medians of several runs on an engine: rate and latency."""
    return [
        count(cycles_per_second(reports)),
        _middle(reports, "cycle", "p50_ms"),
        _middle(reports, "cycle", "p99_ms"),
    ]


def _middle(reports, *path):
    return f"{median(_at(report, path) for report in reports):.2f}"


def _at(report, path):
    for name in path:
        report = report[name]
    return report
