"""Servers, load and locks: every process of the bench starts, and ends, here."""

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCH_DIR = Path(__file__).resolve().parent.parent
ROOT = BENCH_DIR.parent
TARGET_DIR = ROOT / "target"
# Where cargo puts it, which depends on whether a target was named.
RELEASE_DIR = TARGET_DIR / os.environ.get("CARGO_BUILD_TARGET", "") / "release"

# A lock that `fill` and `load` make first.
FIRST_LOCK_PATH = "/v1/distributed_lock/bench-00000000"

STARTING_SECONDS = 60
ENDING_SECONDS = 20


def say(text):
    """Tells the person who waits, beside the results."""
    print(text, file=sys.stderr, flush=True)


def build():
    """Builds what is measured, optimised."""
    command = ["cargo", "build", "--release", "-p", "leasehold", "-p", "leasehold-bench"]
    subprocess.run(command, cwd=ROOT, check=True)


def data_dir(parent=TARGET_DIR):
    """A data directory, by default on the disk that the build is on, removed when its `with` ends.

    Not under /tmp, which may be memory: there a durable commit would cost nothing.
    """
    return tempfile.TemporaryDirectory(prefix="bench-data-", dir=parent)


def allow_connections(count):
    """Makes room for so many connections in each process that is started from here."""
    needed = count + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RuntimeError(f"{needed} open files are needed, {hard} allowed: raise `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class Server:
    """A running server, ended and waited for when its `with` ends."""

    def __init__(self, name, *arguments):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.started_at = time.monotonic()
        command = [RELEASE_DIR / name, *arguments, "--listen", self.address]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid

    @classmethod
    def noop(cls):
        """The server that does nothing: the ceiling."""
        return cls("noop")

    @classmethod
    def leasehold(cls, directory):
        """The service, on this data directory."""
        return cls("leasehold", "serve", "--dev", "--log-level", "warn", "--data-dir", directory)

    @classmethod
    def leasehold_on(cls, store):
        """The service, as the only replica on this store."""
        return cls("leasehold", "serve", "--dev", "--log-level", "warn", "--store", store)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def wait_for_answer(self, path=FIRST_LOCK_PATH, statuses=(200, 404)):
        """Asks until the status is one of these; by default, until it tells about a lock.

        Gives the status and the seconds since the process was started.
        """
        while (seconds := time.monotonic() - self.started_at) < STARTING_SECONDS:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}")
            try:
                status = self.get(path)
            except ConnectionError:
                status = None
            if status in statuses:
                return status, time.monotonic() - self.started_at
            time.sleep(0.0005)
        raise RuntimeError(f"no answer after {seconds:.0f} s")

    def get(self, path):
        """One GET on a connection of its own; gives the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STARTING_SECONDS)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            reply.read()
            return reply.status
        finally:
            connection.close()

    def memory_mib(self, field):
        """`VmRSS` (resident now) or `VmHWM` (resident at most, so far), in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"/proc/{self.pid}/status has no {field}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def load(server, plan, *, clients, **flags):
    """One run of the load generator against a server; gives its report.

    `flags` are the options of `load`, with `_` for `-`; `True` for an option without a value.
    """
    flags = {
        "address": server.address,
        "server_pid": server.pid,
        "clients": clients,
        "seconds": plan.seconds,
        "warmup_seconds": plan.warmup_seconds,
        **flags,
    }
    return _report("load", flags)


def native(address, way, plan, *, clients):
    """One run of the same load on what an engine offers itself; gives its report."""
    return _report("native", {
        "address": address,
        "way": way,
        "clients": clients,
        "seconds": plan.seconds,
        "warmup_seconds": plan.warmup_seconds,
    })


def _report(generator, flags):
    command = [RELEASE_DIR / generator, "--json"]
    for name, value in flags.items():
        command.append("--" + name.replace("_", "-"))
        if value is not True:
            command.append(str(value))
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    report = json.loads(run.stdout) if run.stdout else {}
    if run.returncode != 0:
        raise RuntimeError(f"the load met an error: {report.get('first_error', 'see above')}")
    say(f"   {report['cycles_per_second']:.0f} cycles/s at {flags['clients']} clients")
    return report


def fill(locks, *place):
    """Makes so many free locks at `"--data-dir", PATH` or `"--address", ADDRESS`."""
    command = [RELEASE_DIR / "fill", "--locks", str(locks), *place]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
