"""Containers of the image under podman, as locked up as they can be: no user, no right, no file but the volume's."""

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "cluster"))
from lab import until  # noqa: E402
from started import free_port  # noqa: E402

KEY = "a-key-for-the-image-tests"
# Podman's own are higher than what runc may set on some machines.
LOW_LIMITS = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
HOLD = "/v1/distributed_lock/deploy/write-process/ci-7"


def podman(*arguments):
    """What podman prints; the test ends if it fails."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"podman {' '.join(arguments)}\nended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


class Container:
    """A container of the image, made and not started; gone, with its volume, when its `with` ends."""

    def __init__(self, image, name, options=(), environment=None, command=()):
        self.port = free_port()
        variables = {"PORT": str(self.port), "LEASEHOLD_API_KEY": KEY, **(environment or {})}
        self.id = podman(
            "--runtime", "runc", "create", "--name", f"leasehold-test-{name}-{os.getpid()}", "--network", "host",
            "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", *LOW_LIMITS,
            *(f"--env={variable}={value}" for variable, value in variables.items()), *options, image, *command)

    def can_start(self):
        """Whether podman starts it; what it says if not."""
        done = subprocess.run(["podman", "--runtime", "runc", "start", self.id], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            print(done.stderr.strip(), file=sys.stderr)
        return done.returncode == 0

    def start(self):
        podman("--runtime", "runc", "start", self.id)

    def stop(self):
        """Asks it to end (SIGTERM); its exit code."""
        podman("--runtime", "runc", "stop", "--time", "20", self.id)
        return int(self.state("ExitCode"))

    def state(self, field):
        return podman("inspect", "--format", "{{.State.%s}}" % field, self.id)

    def logs(self):
        done = subprocess.run(["podman", "logs", self.id], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    def first_answer(self, method, path, seconds=20):
        """Sends one call as soon as somebody listens; its status and document."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.ask(method, path)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.001)

    def until_ready(self):
        until("the service is ready", lambda: self.first_answer("GET", "/readyz")[0] == 200)

    def ask(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers={"x-api-key": KEY})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or "null")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.logs(), file=sys.stderr)
        podman("--runtime", "runc", "rm", "--force", "--volumes", "--time", "1", self.id)
