"""What one more reader costs on a lock that many hold."""

from . import summary
from .markdown import count, section
from .processes import Server, data_dir, load

CLIENTS = 16
HOLDERS = (10, 10_000)


def measure(plan):
    rows = []
    for holders in HOLDERS:
        with data_dir() as directory, Server.leasehold(directory) as service:
            service.wait_for_answer()
            for reply, flags in (("minimal", {"minimal": True}), ("full", {})):
                reports = [
                    load(service, plan, clients=CLIENTS, locks=1, mode="read",
                         standing_readers=holders, **flags)
                    for _ in range(plan.rounds)
                ]
                rows.append([f"{count(holders)} readers, {reply} reply", *summary.cells(reports)])
    note = (
        f"{CLIENTS} clients acquire and release as readers of one lock that others hold "
        "throughout. A full reply lists every holder; a minimal one (`Prefer: return=minimal`) "
        "only the caller's own hold."
    )
    return section("Holders of one lock", note, ["", *summary.HEADERS], rows)
