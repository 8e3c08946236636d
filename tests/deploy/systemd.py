#!/usr/bin/env python3
"""Holds deploy/systemd/leasehold.service against systemd's own checks, and the binary against what the unit allows: its system
calls, while it starts, serves and stops, are all among those of SystemCallFilter.

    tests/deploy/systemd.py BINARY

Not tested so: the unit under a systemd that runs.
"""

import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

UNIT = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "leasehold.service"
# Of 10, where 9.6 is a service without any restriction.
WORST_EXPOSURE = 1.5


def verify(directory):
    """All but the path of the program, which need not be installed here."""
    copy = directory / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/leasehold", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, f"systemd-analyze verify: {done.stderr}"


def exposure():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           f"--threshold={int(WORST_EXPOSURE * 10)}", UNIT], capture_output=True, text=True, check=False)
    worst = next(line for line in done.stdout.splitlines() if "Overall exposure" in line)
    assert done.returncode == 0, worst
    print(f"   {worst.lstrip('→ ')}")


def setting(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def calls_of(group):
    """The system calls of one group, with those of the groups in it."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", group], capture_output=True, text=True, check=True)
    names = {line.strip() for line in listed.stdout.splitlines()[1:] if line.strip() and not line.strip().startswith("#")}
    return {n for n in names if not n.startswith("@")}.union(*(calls_of(n) for n in names if n.startswith("@")))


def allowed():
    calls = set()
    for line in setting("SystemCallFilter"):
        groups = set().union(*(calls_of(group) for group in line.lstrip("~").split()))
        calls = calls - groups if line.startswith("~") else calls | groups
    # Always allowed, whatever the filter says (systemd.exec(5)).
    return calls | calls_of("@default") | {"execve"}


def answers(port, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers={"x-api-key": "lh-systemd-test-key"})
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def used(binary, directory):
    """The system calls and the families of sockets of one short life, started as the unit does."""
    (directory / "leasehold.toml").write_text('api-key = "lh-systemd-test-key"\n')
    (directory / "state").mkdir(mode=0o700)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = setting("ExecStart")[0].split()[1:]
    places = {"${CREDENTIALS_DIRECTORY}": str(directory), "${STATE_DIRECTORY}": str(directory / "state")}
    start = [re.sub(r"\$\{\w+\}", lambda found: places[found[0]], word) for word in start]
    trace = directory / "trace"
    process = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, binary, *start, "--listen", f"127.0.0.1:{port}",
                                "--log-level", "warn"], stdout=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 60
        while answers(port, "GET", "/readyz") != 200:
            assert time.monotonic() < give_up and process.poll() is None, "the service does not start"
            time.sleep(0.1)
        assert answers(port, "PUT", "/v1/distributed_lock/a/write-process/b?create_if_missing=true") == 200
        assert answers(port, "PUT", "/v1/distributed_lock/a/read-process/c?wait_seconds=1") == 409
        assert answers(port, "GET", "/metrics") == 200
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
    text = trace.read_text(errors="replace")
    return set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE)), set(re.findall(r"\bsocket\((AF_\w+)", text))


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        verify(directory)
        assert setting("StartLimitIntervalSec") == ["0"], "systemd gives up on a service whose engine is away for long"
        exposure()
        calls, families = used(pathlib.Path(sys.argv[1]).resolve(), directory)
        assert len(calls) > 30 and families, "the trace is empty"
        assert calls <= allowed(), f"the unit's SystemCallFilter forbids {sorted(calls - allowed())}"
        assert families <= set(setting("RestrictAddressFamilies")[0].split()), families
        print(f"   all {len(calls)} system calls of a short life are allowed")


if __name__ == "__main__":
    main()
