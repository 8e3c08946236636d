#!/usr/bin/env python3
"""Runs the compose files of deploy/compose/ without containers: each service as a process of this machine, on an address of its
own in 127.0.0.0/8, with the command and the environment that `docker-compose config` prints. Then calls it through the proxy,
kills replicas, and takes them all away.

    tests/deploy/compose.py BINARY [etcd|postgres …]

Not tested so: the images, networks, and what keeps containers apart.
"""

import http.client
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import yaml

FILES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "compose"
KEY = "lh-compose-test-key"
SECRETS = {"LEASEHOLD_API_KEY": KEY, "POSTGRES_PASSWORD": "compose", "ETCD_IMAGE": "etcd:v3.4"}
LONGEST_WAIT_SECONDS = 300
LOCK = "/v1/distributed_lock/job"


def config(engine):
    done = subprocess.run(["docker-compose", "-f", "replicas.yaml", "-f", f"{engine}.yaml", "config"], cwd=FILES,
                          env={**os.environ, **SECRETS}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"docker-compose does not take {engine}.yaml: {done.stderr}")
    return yaml.safe_load(done.stdout)["services"]


def needs_secrets(engine):
    """Without .env nothing starts, instead of something with an empty key."""
    done = subprocess.run(["docker-compose", "-f", "replicas.yaml", "-f", f"{engine}.yaml", "config"], cwd=FILES,
                          env={k: v for k, v in os.environ.items() if k not in SECRETS}, capture_output=True, check=False)
    assert done.returncode != 0, "a missing API key is not refused"


def promises(services):
    """What must hold of every file, whatever else is in it."""
    replicas = {name: service for name, service in services.items() if name.startswith("replica-")}
    assert len(replicas) == 3
    for name, service in replicas.items():
        assert service["environment"]["LEASEHOLD_ADVERTISE"] == f"{name}:8000", name
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "ports" not in service, f"{name} is published past the proxy"
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert "build" in service or re.fullmatch(r"[a-z./]+:v?\d[\w.]*", service["image"]), service["image"]
        assert "no-new-privileges:true" in service["security_opt"], name
        if name.startswith(("etcd-", "db")):
            assert "healthcheck" in service and list(service["networks"]) == ["back"] and "ports" not in service, name
    assert services["proxy"]["ports"][0].startswith("127.0.0.1:"), "the proxy is open to the network by default"
    proxy = (FILES / "haproxy.cfg").read_text()
    for side in ("client", "server"):
        seconds = int(re.search(rf"^ *timeout {side} (\d+)s$", proxy, re.MULTILINE).group(1))
        assert seconds > LONGEST_WAIT_SECONDS, f"timeout {side} cuts long waits off"


class Machine:
    """The services of one file as processes."""

    def __init__(self, engine, binary, directory):
        self.services, self.binary, self.directory = config(engine), binary, directory
        second, third = random.randint(1, 250), random.randint(0, 250)
        self.addresses = {name: f"127.{second}.{third}.{number}" for number, name in enumerate(self.services, 1)}
        self.processes = {}

    def here(self, name, text):
        text = text.replace("0.0.0.0", self.addresses[name])
        for other, address in self.addresses.items():
            text = re.sub(rf"(?<![\w.-]){other}(?![\w.-])", address, text)
        return text

    def environment(self, name):
        return {k: self.here(name, str(v)) for k, v in self.services[name].get("environment", {}).items()}

    def start(self, name):
        service, environment = self.services[name], self.environment(name)
        user = None
        if name == "db":
            command, user = self.database(name, environment)
        elif name == "proxy":
            command = [shutil.which("haproxy") or "/usr/sbin/haproxy", "-W", "-db", "-f", str(FILES / "haproxy.cfg")]
        elif name.startswith("replica-"):
            command = [self.binary, *service["command"]]
        else:
            program, *rest = service["command"]
            command = [shutil.which(pathlib.Path(program).name), *rest]
            environment["ETCD_DATA_DIR"] = str(self.directory / name)
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env={"PATH": os.environ["PATH"], **environment}, stdout=log, stderr=log, cwd=self.directory,
                user=user, group=user, extra_groups=[] if user else None)

    def database(self, name, environment):
        """What the entry point of the image does."""
        programs = pathlib.Path(shutil.which("postgres") or sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))[-1])
        programs = programs.resolve().parent
        data = self.directory / name
        # The server refuses to run as root.
        user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if not data.exists():
            data.mkdir()
            password = self.directory / "password"
            password.write_text(environment["POSTGRES_PASSWORD"])
            self.directory.chmod(0o755)
            for path in (data, password):
                shutil.chown(path, user, user)
            subprocess.run([programs / "initdb", "-D", data, "-U", environment["POSTGRES_USER"], "--pwfile", password,
                            "--auth=scram-sha-256", "--no-sync"], check=True, capture_output=True, user=user, group=user,
                           extra_groups=[], cwd=data)
            subprocess.run([programs / "postgres", "--single", "-D", data, "postgres"], check=True, capture_output=True, user=user,
                           group=user, extra_groups=[], cwd=data, input=b"CREATE DATABASE leasehold\n")
        if os.getuid() != 0:
            user = None
        return [programs / "postgres", "-D", data, "-h", self.addresses[name], "-k", data], user

    def stop_all(self):
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def call(self, method, path, name="proxy", seconds=40, headers=None):
        connection = http.client.HTTPConnection(self.addresses[name], 8000, timeout=seconds)
        try:
            connection.request(method, path, headers={"x-api-key": KEY, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.getheader("content-type"), answer.read()
        finally:
            connection.close()

    def ok(self, method, path):
        status, _, body = self.call(method, path)
        assert status in (200, 201), f"{method} {path}: {status} {body.decode()}"
        return json.loads(body)

    def is_open(self, name):
        with socket.create_connection((self.addresses[name], 5432 if name == "db" else 2379), timeout=1):
            return True

    def leader(self):
        return self.ok("GET", "/v1/cluster")["leader"]["address"].split(":")[0]


def until(what, is_so, seconds=30):
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        try:
            if is_so():
                return time.monotonic() - begin
        except (OSError, AssertionError, http.client.HTTPException, KeyError, TypeError):
            pass
        time.sleep(0.05)
    raise SystemExit(f"not within {seconds} s: {what}")


def waits(machine):
    machine.ok("PUT", f"{LOCK}/write-process/ann?create_if_missing=true&is_exclusive=true&timeout_seconds=120")
    granted = []
    waiter = threading.Thread(
        target=lambda: granted.append(machine.ok("PUT", f"{LOCK}/write-process/bob?wait_seconds=60&timeout_seconds=120")))
    waiter.start()
    until("bob stands in line", lambda: machine.ok("GET", "/v1/waits")["waits"])
    time.sleep(3)
    machine.ok("DELETE", f"{LOCK}/write-process/ann")
    waiter.join(5)
    assert granted and granted[0]["waited_ms"] >= 2500, f"the wait through the proxy did not end in a grant: {granted}"

    quitter = http.client.HTTPConnection(machine.addresses["proxy"], 8000, timeout=40)
    quitter.request("PUT", f"{LOCK}/write-process/cid?wait_seconds=60", headers={"x-api-key": KEY})
    until("cid stands in line", lambda: machine.ok("GET", "/v1/waits")["waits"])
    quitter.close()
    gone = until("cid, who hung up, has left the line", lambda: not machine.ok("GET", "/v1/waits")["waits"], 5)
    print(f"   a wait through the proxy is granted; who hangs up is out of the line after {gone:.2f} s")


def events(machine):
    stream = http.client.HTTPConnection(machine.addresses["proxy"], 8000, timeout=5)
    stream.request("GET", f"{LOCK}/events", headers={"x-api-key": KEY})
    answer = stream.getresponse()
    assert answer.status == 200
    begin = time.monotonic()
    machine.ok("DELETE", f"{LOCK}/write-process/bob")
    while b"released" not in answer.readline():
        pass
    took = time.monotonic() - begin
    stream.close()
    assert took < 2, f"the proxy holds events back: {took:.1f} s"
    print(f"   an event comes through after {took * 1000:.0f} ms")


def hides(machine):
    for path in ("/metrics", "/livez", "/readyz"):
        assert machine.call("GET", path)[0] == 404, f"{path} is open to the world"
    for path in ("/internal/greeting", "/internal/proof", "/internal/election"):
        status, _, body = machine.call("POST", path)
        assert status == 404 and b"request_id" not in body, f"{path} reaches a replica: {status} {body!r}"
    # A replica refuses a call with a link token that is not its own: through the proxy it must not see one.
    for _ in range(6):
        status, _, body = machine.call("GET", LOCK, headers={"x-leasehold-link": "forged"})
        assert status == 200, f"the proxy passes the link header on: {status} {body!r}"
    machine.call("GET", "/v1/distributed_lock?key=lh-secret-in-the-query")
    log = (machine.directory / "proxy.log").read_text()
    assert "/v1/distributed_lock" in log and "lh-secret-in-the-query" not in log, "the proxy logs queries"


def losses(machine):
    leader = next(name for name, address in machine.addresses.items() if address == machine.leader())
    follower, last = (name for name in machine.addresses if name.startswith("replica-") and name != leader)
    for name, what in ((follower, "follower"), (leader, "leader")):
        machine.processes[name].send_signal(signal.SIGKILL)
        machine.processes[name].wait()
        begin = time.monotonic()
        # Ten in a row: one that is sent to the dead replica would fail.
        until(f"all calls succeed without the {what}", lambda: all(machine.ok("GET", LOCK) for _ in range(10)))
        print(f"   without the {what} all calls succeed after {time.monotonic() - begin:.1f} s")
    machine.start(follower)
    until("the killed replica is back", lambda: len(machine.ok("GET", "/v1/cluster")["members"]) == 1)
    for name in (follower, last):
        machine.processes[name].terminate()
    for name in (follower, last):
        assert machine.processes[name].wait(15) == 0, "a replica does not stop cleanly"
    status, kind, body = machine.call("GET", LOCK)
    assert (status, kind, json.loads(body)["code"]) == (503, "application/problem+json", "not_ready"), (status, kind, body)


def run(engine, binary):
    needs_secrets(engine)
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(engine, binary, pathlib.Path(directory))
        promises(machine.services)
        engines = {name for name in machine.services if name.startswith(("etcd-", "db"))}
        try:
            begin = time.monotonic()
            # In the order of depends_on. That an engine is healthy is read off its port.
            for is_next in (lambda n: n in engines, lambda n: n.startswith("replica-"), lambda n: n == "proxy"):
                for name in filter(is_next, machine.services):
                    machine.start(name)
                for name in engines:
                    until(f"{name} listens", lambda name=name: machine.is_open(name))
            until("the first lock", lambda: machine.ok("PUT", f"{LOCK}0/write-process/x?create_if_missing=true"), 60)
            print(f"   the first lock {time.monotonic() - begin:.1f} s after the start of everything")
            for step in (waits, events, hides, losses):
                step(machine)
        except BaseException:
            for log in sorted(machine.directory.glob("*.log")):
                print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]), file=sys.stderr)
            raise
        finally:
            machine.stop_all()


def main():
    binary, engines = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:] or ["etcd", "postgres"]
    for engine in engines:
        print(f"-- compose on {engine}")
        run(engine, binary)


if __name__ == "__main__":
    main()
