"""Three replicas of the service, a host each."""

import json
import subprocess

from lab import until

LEASE_SECONDS = 3
PORT = 8000


class Replica:
    def __init__(self, lab, program, engine, directory, number):
        self.host = lab.host(f"r{number}")
        self.program, self.engine = program, engine
        self.log = directory / f"replica-{number}.log"
        self.address = f"{self.host.address('front')}:{PORT}"
        self.link = f"{self.host.address('back')}:{PORT}"
        self.process = None

    def start(self, env=None):
        environment = {"LEASEHOLD_API_KEY": KEY, **getattr(self.engine, "environment", dict)(), **(env or {})}
        self.process = self.host.start(
            [self.program, "serve", "--store", self.engine.url(), "--listen", f"0.0.0.0:{PORT}",
             "--advertise", self.link, "--lease-seconds", str(LEASE_SECONDS),
             "--log-format", "json"], self.log, environment)

    def get(self, path, seconds=1):
        """The JSON that this replica answers with from its own host, or None."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.host.space, "curl", "-s", "-m", str(seconds), "-H", f"x-api-key: {KEY}",
             f"http://127.0.0.1:{PORT}{path}"], capture_output=True)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return None

    def is_ready(self):
        return bool((self.get("/readyz") or {}).get("ready"))


KEY = "a-key-for-the-cluster-tests"


class Replicas:
    def __init__(self, lab, program, engine, directory):
        self.all = [Replica(lab, program, engine, directory, number) for number in range(3)]
        for replica in self.all:
            replica.start()
        for replica in self.all:
            until("a replica is ready", replica.is_ready)

    def addresses(self):
        return [replica.address for replica in self.all]

    def cluster(self):
        """What `GET /v1/cluster` says, of whichever replica answers first."""
        for replica in self.all:
            if replica.process.is_running():
                found = replica.get("/v1/cluster")
                if found and "leader" in found:
                    return found
        return None

    def leader(self):
        """The replica that leads, once one does."""
        found = until("somebody leads", self.cluster)
        return next(replica for replica in self.all if replica.link == found["leader"]["address"])

    def followers(self):
        leader = self.leader()
        return [replica for replica in self.all if replica is not leader]
