"""The engines that keep the state, each on hosts of its own and started for one test."""

import base64
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

from lab import Disk, as_user, until


def find(program, variable, default, package):
    """A program, by an environment variable or where Debian's package puts it."""
    path = os.environ.get(variable) or default
    found = shutil.which(path)
    if not found:
        raise SystemExit(f"{program} is missing: install {package}, or set {variable} to the program")
    return found


def answers(host, *command):
    done = subprocess.run(["ip", "netns", "exec", host.space, *command], capture_output=True, timeout=10)
    return done.returncode == 0


class Etcd:
    """Members, a host each; and if so, each on a disk of its own."""

    name = "etcd"

    @staticmethod
    def is_there():
        return True

    def __init__(self, lab, directory, members=3, has_disks=False):
        program = find("etcd", "LEASEHOLD_TEST_ETCD", "etcd", "etcd-server")
        self.hosts = [lab.host(f"e{number}") for number in range(members)]
        self.disks = [Disk(lab, directory / f"{host.name}-disk") for host in self.hosts] if has_disks else []
        data = [disk.path for disk in self.disks] or [directory] * members
        peers = ",".join(f"{host.name}=http://{host.address('back')}:2380" for host in self.hosts)
        self.commands = []
        for host, at in zip(self.hosts, data):
            client, peer = (f"http://{host.address('back')}:{port}" for port in (2379, 2380))
            self.commands.append([
                program, "--name", host.name, "--data-dir", str(at / host.name),
                "--listen-client-urls", f"{client},http://127.0.0.1:2379", "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", peers, "--initial-cluster-state", "new",
            ])
        self.logs = [directory / f"{host.name}.log" for host in self.hosts]
        self.members = [None] * members
        for number in range(members):
            self.start(number)
        for host in self.hosts:
            until("etcd is healthy", lambda: answers(
                host, "curl", "-sf", "-m", "1", "http://127.0.0.1:2379/health"))

    def start(self, number):
        self.members[number] = self.hosts[number].start(self.commands[number], self.logs[number])

    def url(self):
        return "etcd://" + ",".join(f"{host.address('back')}:2379" for host in self.hosts) + "/test"

    def ask(self, host, path, **body):
        """What a member answers to a call of etcd's JSON gateway."""
        done = subprocess.run(
            ["ip", "netns", "exec", host.space, "curl", "-sf", "-m", "2", "-d", json.dumps(body),
             f"http://127.0.0.1:2379{path}"], check=True, capture_output=True)
        return json.loads(done.stdout)

    def delete_leader_key(self):
        """What `etcdctl del test/leader` does; whether the key was there."""
        key = base64.b64encode(b"test/leader").decode()
        return self.ask(self.hosts[-1], "/v3/kv/deleterange", key=key).get("deleted") == "1"

    def write_elsewhere(self):
        """Writes a key of another user, answered or not: a member that writes nothing does not notice its disk."""
        try:
            self.ask(self.hosts[0], "/v3/kv/put", key="b3RoZXI=", value="")
        except subprocess.CalledProcessError:
            pass

    def leading_disk(self):
        """The disk of the member that leads the others."""
        for host, disk in zip(self.hosts, self.disks):
            status = self.ask(host, "/v3/maintenance/status")
            if status["leader"] == status["header"]["member_id"]:
                return disk
        raise AssertionError("no member of etcd leads")

    def fail(self):
        """Two of three are gone: no majority."""
        self.members[0].kill()
        self.members[1].kill()

    def recover(self):
        self.start(0)
        self.start(1)


def new_postgres(data):
    """Makes the data of a server, which trusts whoever comes by the loopback interface; its program, and the user
    to run it as."""
    installed = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    programs = os.environ.get("LEASEHOLD_TEST_POSTGRES") or (installed or [""])[-1]
    program = shutil.which(pathlib.Path(programs) / "postgres")
    if not program:
        raise SystemExit("PostgreSQL is missing: install postgresql, or set LEASEHOLD_TEST_POSTGRES to the "
                         "directory of its programs")
    # The server refuses to run as root.
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    data.mkdir()
    shutil.chown(data, user)
    subprocess.run([*as_user(user), pathlib.Path(program).with_name("initdb"), "-D", data, "-U", "postgres",
                    "--auth=trust", "--no-sync"], check=True, capture_output=True)
    return program, user


class Postgres:
    """One server."""

    name = "postgres"

    @staticmethod
    def is_there():
        return True

    def __init__(self, lab, directory, clock=None):
        self.host = lab.host("db")
        self.hosts, self.clock = [self.host], clock
        self.data, self.log = directory / "db", directory / "db.log"
        self.program, self.user = new_postgres(self.data)
        with open(self.data / "pg_hba.conf", "a") as rules:
            rules.write("host all all 10.78.0.0/24 trust\n")
        self.start()

    def start(self):
        self.process = self.host.start(
            [self.program, "-D", str(self.data), "-h", "0.0.0.0", "-k", str(self.data)], self.log,
            self.clock.environment() if self.clock else None, self.user)
        ready = pathlib.Path(self.program).with_name("pg_isready")
        until("PostgreSQL is ready", lambda: answers(self.host, str(ready), "-h", "127.0.0.1"))

    def now(self):
        """Seconds since 1970, by its clock."""
        psql = pathlib.Path(self.program).with_name("psql")
        done = subprocess.run(
            ["ip", "netns", "exec", self.host.space, psql, "-h", "127.0.0.1", "-U", "postgres", "-Atc",
             "SELECT extract(epoch FROM clock_timestamp())"], check=True, capture_output=True, text=True)
        return float(done.stdout)

    def url(self):
        return f"postgres://postgres@{self.host.address('back')}/postgres"

    def restart(self, seconds):
        """Stops it in order, with all its connections, and starts it again after some time."""
        self.process.send(signal.SIGINT)
        self.process.popen.wait()
        time.sleep(seconds)
        self.start()

    def fail(self):
        self.process.kill()

    def recover(self):
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.start()


class Datastore:
    """Google's emulator of Datastore, which Debian does not have."""

    name = "datastore"
    variable = "LEASEHOLD_TEST_DATASTORE_EMULATOR"
    default = "/usr/lib/google-cloud-sdk/platform/cloud-datastore-emulator/cloud_datastore_emulator"

    @classmethod
    def is_there(cls):
        return bool(shutil.which(os.environ.get(cls.variable) or cls.default))

    def __init__(self, lab, directory):
        program = find("Google's Datastore emulator", self.variable, self.default,
                       "google-cloud-cli-datastore-emulator")
        self.host = lab.host("ds")
        self.hosts = [self.host]
        self.command = [program, "start", "--host=0.0.0.0", "--port=8081", "--testing",
                        "--firestore_in_datastore_mode"]
        self.log = directory / "ds.log"
        self.start()

    def start(self):
        self.process = self.host.start(self.command, self.log)
        until("the emulator is ready", lambda: answers(
            self.host, "curl", "-sf", "-m", "1", "http://127.0.0.1:8081/"), seconds=60)

    def url(self):
        return "datastore://test"

    def environment(self):
        return {"DATASTORE_EMULATOR_HOST": f"{self.host.address('back')}:8081"}

    def fail(self):
        """It keeps everything in memory, so it may only be out of reach."""
        self.host.pull("back")

    def recover(self):
        self.host.plug("back")
