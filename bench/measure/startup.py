"""From the start of the process to its first answer."""

from statistics import median

from .markdown import count, section
from .processes import Server, data_dir, fill


def measure(plan):
    empty = []
    for _ in range(plan.starts):
        with data_dir() as directory:
            empty.append(_start(directory, 404))
    with data_dir() as directory:
        fill(plan.many_locks, "--data-dir", directory)
        full = [_start(directory, 200) for _ in range(plan.starts)]
    rows = [_row("an empty data directory", empty), _row(f"{count(plan.many_locks)} locks", full)]
    note = (
        "From the start of the process to the first answer about a lock; files are in the page "
        f"cache, {plan.starts} starts each."
    )
    return section("Start-up", note, ["with", "median ms", "slowest ms"], rows)


def _start(directory, expected_status):
    with Server.leasehold(directory) as service:
        status, seconds = service.wait_for_answer()
        if status != expected_status:
            raise RuntimeError(f"the first answer was {status} instead of {expected_status}")
    return seconds * 1000


def _row(what, starts_ms):
    return [what, f"{median(starts_ms):.0f}", f"{max(starts_ms):.0f}"]
