"""Clients that stand in line: how fast a lock goes from hand to hand."""

from . import summary
from .markdown import count, section
from .processes import Server, allow_connections, data_dir, load

CLIENTS = 64
SHARED_LOCKS = 8
WAIT_SECONDS = 300

FEW_WAITERS = 10


def measure(plan):
    return _contended(plan) + "\n\n" + _by_waiters(plan)


def _contended(plan):
    settings = {
        f"{CLIENTS} clients, a lock each": {},
        f"{CLIENTS} clients on {SHARED_LOCKS} locks, in line": {
            "locks": SHARED_LOCKS, "wait_seconds": WAIT_SECONDS,
        },
        f"{CLIENTS} clients on {SHARED_LOCKS} locks, trying again at once": {
            "locks": SHARED_LOCKS,
        },
    }
    reports = {name: [] for name in settings}
    with data_dir() as directory, Server.leasehold(directory) as service:
        service.wait_for_answer()
        for _ in range(plan.rounds):
            for name, flags in settings.items():
                reports[name].append(load(service, plan, clients=CLIENTS, **flags))
    note = (
        "Durable handovers of write-exclusive locks: a client that has released its lock stands in "
        f"line for it again (`wait_seconds`). Medians of {plan.rounds} runs of {plan.seconds:g} s, "
        "in turn. The time in line is part of the cycle: 8 clients share a lock."
    )
    return _section("Waiting in line", note, reports)


def _by_waiters(plan):
    """One lock, one holder, and so many in line behind it."""
    lines = (FEW_WAITERS, plan.many_waiters)
    allow_connections(max(lines))
    reports = {f"{count(waiters)} waiters": [] for waiters in lines}
    with data_dir() as directory, Server.leasehold(directory) as service:
        service.wait_for_answer()
        for _ in range(plan.rounds):
            for waiters, runs in zip(lines, reports.values()):
                runs.append(load(service, plan, clients=waiters + 1, locks=1,
                                 wait_seconds=WAIT_SECONDS,
                                 warmup_seconds=plan.queueing_seconds))
    note = (
        "Handovers of one lock, the two lines in turn. With more waiters each waits longer for its "
        "turn; what must not grow is what a handover costs."
    )
    return _section("Number of waiters", note, reports)


def _section(title, note, reports):
    rows = [[name, *summary.handover_cells(runs)] for name, runs in reports.items()]
    return section(title, note, ["", *summary.HANDOVER_HEADERS], rows)
