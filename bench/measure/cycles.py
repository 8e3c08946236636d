"""Acquire and release, each client on its own lock, beside the server that does nothing."""

from . import summary
from .markdown import section
from .processes import Server, data_dir, load

CLIENTS = (1, 64, 256)


def measure(plan):
    with data_dir() as directory, Server.noop() as noop, Server.leasehold(directory) as service:
        for server in (noop, service):
            server.wait_for_answer()
        rows = []
        for clients in CLIENTS:
            of_noop, of_service = [], []
            for _ in range(plan.rounds):
                of_noop.append(load(noop, plan, clients=clients))
                of_service.append(load(service, plan, clients=clients))
            ratio = summary.cycles_per_second(of_service) / summary.cycles_per_second(of_noop)
            who = f"{clients} clients" if clients > 1 else "1 client"
            rows.append([f"no-op, {who}", *summary.cells(of_noop), ""])
            rows.append([f"Leasehold, {who}", *summary.cells(of_service), f"{ratio:.2f}"])
    note = (
        "Durable acquire and release of a write-exclusive lock, a lock a client; medians of "
        f"{plan.rounds} runs of {plan.seconds:g} s, the two servers in turn."
    )
    return section("Cycles", note, ["", *summary.HEADERS, "of the ceiling"], rows)
