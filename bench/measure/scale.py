"""What a cycle costs when there are few locks, and when there are many."""

from . import summary
from .markdown import count, section
from .processes import Server, data_dir, fill, load

CLIENTS = 64
FEW_LOCKS = 1_000


def measure(plan):
    sizes = (FEW_LOCKS, plan.many_locks)
    with data_dir() as few_dir, data_dir() as many_dir:
        for locks, directory in zip(sizes, (few_dir, many_dir)):
            fill(locks, "--data-dir", directory)
        with Server.leasehold(few_dir) as few, Server.leasehold(many_dir) as many:
            reports = {locks: [] for locks in sizes}
            for server in (few, many):
                server.wait_for_answer()
            for _ in range(plan.rounds):
                for locks, server in zip(sizes, (few, many)):
                    report = load(server, plan, clients=CLIENTS, locks=f"roam:{locks}")
                    reports[locks].append(report)
    rows = [[f"{count(locks)} locks", *summary.cells(reports[locks])] for locks in sizes]
    note = f"{CLIENTS} clients acquire and release, each time another lock far from the last."
    return section("Number of locks", note, ["", *summary.HEADERS], rows)
