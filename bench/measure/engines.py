"""Leasehold on etcd and on PostgreSQL, beside what each of them offers itself, in turn on the same engine."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from . import summary
from .markdown import section
from .processes import ENDING_SECONDS, STARTING_SECONDS, Server, allow_connections, data_dir, free_port, load, native, say

CLIENTS = (64, 256)
# A pause after the load on one of them, so that it does not pay for what the engine tidies up after another.
SETTLING_SECONDS = 1


def measure(plan):
    allow_connections(max(CLIENTS))
    rows = []
    with etcd() as address:
        if address:
            ways = {"etcd `Lock`": "etcd-lock", "etcd put-if-absent transaction": "etcd-txn"}
            rows += _beside(plan, address, f"etcd://{address}/bench", "etcd", ways)
    with postgres() as address:
        if address:
            ways = {"PostgreSQL insert and delete of a row": "postgres-row"}
            rows += _beside(plan, address, f"postgres://postgres@{address}/postgres", "PostgreSQL", ways)
    note = (
        "Durable acquire and release, a lock a client. Each engine runs as one process with its default durability, "
        f"on the same cores as the service and the load; medians of {plan.rounds} runs of {plan.seconds:g} s, in turn. "
        "Every client has a connection of its own; those of etcd keep a lease, those of PostgreSQL prepared statements."
    )
    headers = ["", "cycles/s", "cycle p50 ms", "cycle p99 ms", "Leasehold does so many times as many"]
    return section("Beside the engines' own locks", note, headers, rows)


def _beside(plan, address, store, engine, ways):
    rows = []
    with Server.leasehold_on(store) as service:
        service.wait_for_answer()
        for clients in CLIENTS:
            of_service, of_ways = [], {name: [] for name in ways}
            for _ in range(plan.rounds):
                of_service.append(load(service, plan, clients=clients))
                time.sleep(SETTLING_SECONDS)
                for name, way in ways.items():
                    of_ways[name].append(native(address, way, plan, clients=clients))
                    time.sleep(SETTLING_SECONDS)
            ours = summary.cycles_per_second(of_service)
            rows.append([f"Leasehold on {engine}, {clients} clients", *summary.engine_cells(of_service), ""])
            for name, runs in of_ways.items():
                ratio = ours / summary.cycles_per_second(runs)
                rows.append([f"{name}, {clients} clients", *summary.engine_cells(runs), f"{ratio:.1f}"])
    return rows


@contextmanager
def etcd():
    """A cluster of one member; gives its address, or `None` if it is not on the machine."""
    program = shutil.which(os.environ.get("LEASEHOLD_TEST_ETCD") or "etcd")
    if not program:
        say("!! NOT MEASURED: etcd, which is not on this machine (Debian: etcd-server)")
        yield None
        return
    client, peer = free_port(), free_port()
    with data_dir() as directory:
        command = [
            program, "--data-dir", directory,
            "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{peer}",
        ]
        with _running(command, client):
            yield f"127.0.0.1:{client}"


@contextmanager
def postgres():
    """A server; gives its address, or `None` if it is not on the machine."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    directory_of_programs = os.environ.get("LEASEHOLD_TEST_POSTGRES") or (installed or [""])[-1]
    program = shutil.which(Path(directory_of_programs) / "postgres")
    if not program:
        say("!! NOT MEASURED: PostgreSQL, which is not on this machine (Debian: postgresql)")
        yield None
        return
    port = free_port()
    # The server refuses to run as root, and another user may not reach the build.
    with data_dir("/var/tmp") as directory:
        as_user = []
        if os.getuid() == 0:
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            shutil.chown(directory, "postgres")
        data = f"{directory}/data"
        initdb = Path(program).with_name("initdb")
        subprocess.run([*as_user, initdb, "-D", data, "-U", "postgres", "--auth=trust"], check=True,
                       stdout=subprocess.DEVNULL)
        command = [*as_user, program, "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", directory,
                   "-c", "max_connections=400"]
        with _running(command, port):
            yield f"127.0.0.1:{port}"


@contextmanager
def _running(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionError:
                time.sleep(0.05)
        time.sleep(SETTLING_SECONDS)
        yield
    finally:
        # A fast stop of PostgreSQL; etcd has one kind.
        process.send_signal(2 if "postgres" in str(command) else 15)
        process.wait(ENDING_SECONDS)
