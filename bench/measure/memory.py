"""Memory of a server with many idle locks."""

from .markdown import count, section
from .processes import FIRST_LOCK_PATH, Server, data_dir, fill


def measure(plan):
    locks = count(plan.many_locks)
    rows = []
    with data_dir() as directory:
        with Server.leasehold(directory) as service:
            service.wait_for_answer()
            rows.append(_row("no locks", service))
            fill(plan.many_locks, "--address", service.address)
            rows.append(_row(f"{locks} locks, filled over HTTP", service))
        with Server.leasehold(directory) as service:
            service.wait_for_answer()
            rows.append(_row(f"{locks} locks, the same after a restart", service))
    with data_dir() as directory:
        fill(plan.many_locks, "--data-dir", directory)
        with Server.leasehold(directory) as service:
            service.wait_for_answer("/readyz", statuses=(200,))
            rows.append(_row(f"{locks} locks, filled in the store, ready", service))
            service.get(FIRST_LOCK_PATH)
            rows.append(_row(f"{locks} locks, filled in the store, after a GET", service))
    note = "Idle locks, nobody holds one. Resident memory as the kernel counts it."
    return section("Memory", note, ["with", "resident MiB", "at most so far MiB"], rows)


def _row(what, service):
    return [what, f"{service.memory_mib('VmRSS'):.0f}", f"{service.memory_mib('VmHWM'):.0f}"]
