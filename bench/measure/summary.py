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


def cycles_per_second(reports):
    """The median rate of several runs."""
    return median(report["cycles_per_second"] for report in reports)


def cells(reports):
    """The medians of several runs, under `HEADERS`."""
    def middle(*path):
        return median(_at(report, path) for report in reports)

    return [
        count(cycles_per_second(reports)),
        f"{middle('request', 'p50_ms'):.2f}",
        f"{middle('request', 'p99_ms'):.2f}",
        f"{middle('cycle', 'p50_ms'):.2f}",
        f"{middle('cycle', 'p99_ms'):.2f}",
        f"{middle('server_cpu_seconds_per_100k_cycles'):.2f}",
    ]


def _at(report, path):
    for name in path:
        report = report[name]
    return report
