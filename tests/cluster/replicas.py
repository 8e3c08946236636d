"""Three replicas of the service, a host each."""

import json
import subprocess

from lab import until

LEASE_SECONDS = 3
PORT = 8000


class Replica:
    def __init__(self, lab, program, engine, directory, number, clock=None):
        self.host, self.clock = lab.host(f"r{number}"), clock
        self.program, self.engine = program, engine
        self.log = directory / f"replica-{number}.log"
        self.address = f"{self.host.address('front')}:{PORT}"
        self.link = f"{self.host.address('back')}:{PORT}"
        self.process = None

    def start(self):
        environment = {"LEASEHOLD_API_KEY": KEY, **getattr(self.engine, "environment", dict)()}
        if self.clock:
            environment.update(self.clock.environment())
        self.process = self.host.start(
            [self.program, "serve", "--store", self.engine.url(), "--listen", f"0.0.0.0:{PORT}",
             "--advertise", self.link, "--lease-seconds", str(LEASE_SECONDS),
             "--log-format", "json"], self.log, environment)

    def text(self, method, path, seconds=1, body=None):
        """What this replica answers with from its own host; empty if it does not answer."""
        json_body = ["-H", "content-type: application/json", "-d", json.dumps(body)] if body else []
        done = subprocess.run(
            ["ip", "netns", "exec", self.host.space, "curl", "-s", "-m", str(seconds), "-X", method, *json_body,
             "-H", f"x-api-key: {KEY}", f"http://127.0.0.1:{PORT}{path}"], capture_output=True, text=True)
        return done.stdout

    def ask(self, method, path, seconds=1, body=None):
        """The JSON that this replica answers with from its own host, or None."""
        try:
            return json.loads(self.text(method, path, seconds, body))
        except ValueError:
            return None

    def get(self, path, seconds=1):
        return self.ask("GET", path, seconds)

    def begin(self, method, path, host=None, log="/dev/null", key=None):
        """A request to this replica that is under way, from a host or from its own; the answer goes to `log`."""
        return (host or self.host).start(
            ["curl", "-sN", "-m", "120", "-X", method, "-H", f"x-api-key: {key or KEY}",
             f"http://{self.address}{path}"], log)

    def is_ready(self):
        return bool((self.get("/readyz") or {}).get("ready"))


KEY = "a-key-for-the-cluster-tests"


class Replicas:
    def __init__(self, lab, program, engine, directory, clocks=(None, None, None)):
        self.all = [Replica(lab, program, engine, directory, number, clock) for number, clock in enumerate(clocks)]
        for replica in self.all:
            replica.start()
        for replica in self.all:
            until("a replica is ready", replica.is_ready)

    def addresses(self):
        return [replica.address for replica in self.all]

    def cluster(self, without=None):
        """What `GET /v1/cluster` says, of whichever replica answers first, but for one."""
        for replica in self.all:
            if replica.process.is_running() and replica is not without:
                found = replica.get("/v1/cluster")
                if found and "leader" in found:
                    return found
        return None

    def leader(self):
        """The replica that leads, once one does."""
        return self.named(until("somebody leads", self.cluster))

    def leader_after(self, last):
        """The one that leads next, as the others say."""
        def next_leader():
            found = self.cluster(without=last)
            return found and found["leader"]["address"] != last.link and found
        return self.named(until("another leads", next_leader))

    def named(self, cluster):
        return next(replica for replica in self.all if replica.link == cluster["leader"]["address"])

    def followers(self):
        leader = self.leader()
        return [replica for replica in self.all if replica is not leader]
