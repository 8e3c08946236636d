"""Processes on the loopback interface: the service on demand, and the engines that it may lead on demand on."""

import dataclasses
import http.client
import os
import pathlib
import signal
import socket
import subprocess

from clocks import WallClock
from engines import Datastore, find, new_postgres
from lab import as_user, until

KEY = "a-key-for-the-cluster-tests"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def is_answered(port, path):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False


@dataclasses.dataclass
class Store:
    """Where an instance keeps its rows."""

    url: str
    environment: dict = dataclasses.field(default_factory=dict)


def datastore_at(port):
    return Store("datastore://test", {"DATASTORE_EMULATOR_HOST": f"127.0.0.1:{port}"})


class Started:
    """Processes that end with the test, each with all that it started."""

    def __init__(self, directory):
        self.directory, self.all = directory, []

    def start(self, name, command, env=None):
        with open(self.directory / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       env={**os.environ, **(env or {})}, start_new_session=True)
        self.all.append(process)
        return process

    def emulator(self):
        program = find("Google's Datastore emulator", Datastore.variable, Datastore.default,
                       "google-cloud-cli-datastore-emulator")
        port = free_port()
        self.start("emulator", [program, "start", "--host=127.0.0.1", f"--port={port}", "--testing",
                                "--firestore_in_datastore_mode"])
        until("the emulator is ready", lambda: is_answered(port, "/"), seconds=60)
        return port

    def postgres(self):
        """A server; where it is."""
        data, port = self.directory / "db", free_port()
        program, user = new_postgres(data)
        self.start("postgres", [*as_user(user), program, "-D", str(data), "-h", "127.0.0.1", "-p", str(port),
                                "-k", str(data)])
        is_ready = [str(pathlib.Path(program).with_name("pg_isready")), "-h", "127.0.0.1", "-p", str(port)]
        until("PostgreSQL is ready", lambda: subprocess.run(is_ready, capture_output=True).returncode == 0)
        return Store(f"postgres://postgres@127.0.0.1:{port}/postgres")

    def instance(self, name, program, store, ahead=0):
        env = {"LEASEHOLD_API_KEY": KEY, **store.environment}
        if ahead:
            env |= WallClock(self.directory / f"{name}.clock", ahead).environment()
        port = free_port()
        process = self.start(name, [program, "serve", "--store", store.url, "--listen", f"127.0.0.1:{port}",
                                    "--leadership", "on-demand", "--log-format", "json"], env)
        until("an instance is ready", lambda: is_answered(port, "/readyz"))
        return process, port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.all:
            for number in (signal.SIGCONT, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    pass
            process.wait()
