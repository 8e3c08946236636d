"""Hosts of our own: network namespaces on two bridges, and the processes that run in them.

    front  10.77.0.0/24   clients and replicas
    back   10.78.0.0/24   replicas and the engine below them

Every host has a cable to each net, which can be pulled. Nothing of this reaches the machine's own network:
the bridges are in a namespace too. Needs root and iproute2, and e2fsprogs for disks.
"""

import itertools
import os
import signal
import subprocess
import time

NETS = {"front": "10.77.0", "back": "10.78.0"}


# etcd sets room aside for its log before it writes. The file takes what is written.
DISK_BYTES = 512 << 20

NOBODY = "02:00:00:00:00:00"


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def as_user(user):
    """What to write before a command for a user to run it."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]


class Host:
    """A namespace with an address on each net."""

    def __init__(self, lab, name, number):
        self.lab, self.name, self.number = lab, name, number
        self.space = f"{lab.tag}-{name}"
        ip("netns", "add", self.space)
        ip("-n", self.space, "link", "set", "lo", "up")
        for net, prefix in NETS.items():
            inside, outside = f"{net}0", f"{net[0]}{number}"
            ip("-n", lab.switch, "link", "add", outside, "type", "veth", "peer", "name", inside,
               "netns", self.space)
            ip("-n", lab.switch, "link", "set", outside, "master", net, "up")
            ip("-n", self.space, "addr", "add", f"{prefix}.{number}/24", "dev", inside)
            ip("-n", self.space, "link", "set", inside, "up")

    def address(self, net):
        return f"{NETS[net]}.{self.number}"

    def pull(self, net):
        """Pulls the cable to a net: packets are lost both ways, connections stay as they are."""
        ip("-n", self.lab.switch, "link", "set", f"{net[0]}{self.number}", "down")

    def plug(self, net):
        ip("-n", self.lab.switch, "link", "set", f"{net[0]}{self.number}", "up")

    def mute(self, net):
        """What it sends to others on a net goes to nobody, and is sent again and again; it still hears them."""
        for other in self.lab.hosts:
            ip("-n", self.space, "neigh", "replace", other.address(net), "lladdr", NOBODY, "dev", f"{net}0",
               "nud", "permanent")

    def unmute(self, net):
        for other in self.lab.hosts:
            ip("-n", self.space, "neigh", "del", other.address(net), "dev", f"{net}0")

    def unsent(self, net, others):
        """How many bytes its connections to others on a net have sent that have not arrived, as far as it knows."""
        done = subprocess.run(["ip", "netns", "exec", self.space, "ss", "-Htn", "state", "established"],
                              check=True, capture_output=True, text=True)
        rows = [line.split() for line in done.stdout.splitlines()]
        addresses = {other.address(net) for other in others}
        return sum(int(row[1]) for row in rows if row[3].rsplit(":", 1)[0] in addresses)

    def start(self, command, log, env=None, user=None):
        """A process on this host, in a group of its own; its output goes to `log`."""
        words = ["ip", "netns", "exec", self.space]
        if user:
            words += as_user(user)
        # Only the program itself has it: what libfaketime makes belongs to the user who made it.
        words += ["env", *(f"{name}={value}" for name, value in (env or {}).items())]
        output = open(log, "ab")
        process = subprocess.Popen(
            [*words, *command], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        output.close()
        started = Process(process)
        self.lab.processes.append(started)
        return started


class Process:
    """A group of processes, ended as one."""

    def __init__(self, popen):
        self.popen = popen

    def send(self, number):
        try:
            os.killpg(self.popen.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        self.send(signal.SIGKILL)
        self.popen.wait()

    def pause(self):
        self.send(signal.SIGSTOP)

    def wake(self):
        self.send(signal.SIGCONT)

    def stop(self, seconds=20):
        """Asks it to end; its exit status."""
        self.send(signal.SIGTERM)
        return self.popen.wait(timeout=seconds)

    def is_running(self):
        return self.popen.poll() is None


class Disk:
    """A file system of its own, in a file. While it is frozen, what writes to it waits."""

    @staticmethod
    def can_be_made():
        return os.path.exists("/dev/loop-control")

    def __init__(self, lab, path):
        self.path, image = path, path.with_suffix(".img")
        with open(image, "wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1", image], check=True, capture_output=True)
        path.mkdir()
        subprocess.run(["mount", "-o", "loop", image, path], check=True, capture_output=True)
        self.is_frozen = False
        lab.disks.append(self)

    def freeze(self):
        subprocess.run(["fsfreeze", "--freeze", self.path], check=True, capture_output=True)
        self.is_frozen = True

    def thaw(self):
        if self.is_frozen:
            subprocess.run(["fsfreeze", "--unfreeze", self.path], check=True, capture_output=True)
            self.is_frozen = False

    def remove(self):
        subprocess.run(["umount", self.path], check=True, capture_output=True)


class Lab:
    """All hosts of one test; everything is gone when it is closed."""

    numbers = itertools.count()

    def __init__(self):
        self.tag = f"lh{os.getpid()}x{next(self.numbers)}"
        self.switch = f"{self.tag}-sw"
        self.processes = []
        self.hosts = []
        self.disks = []
        ip("netns", "add", self.switch)
        for net in NETS:
            ip("-n", self.switch, "link", "add", net, "type", "bridge")
            ip("-n", self.switch, "link", "set", net, "up")

    def host(self, name):
        host = Host(self, name, len(self.hosts) + 1)
        self.hosts.append(host)
        return host

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A process whose disk is frozen does not end.
        for disk in self.disks:
            disk.thaw()
        for process in self.processes:
            process.wake()
            process.kill()
        for disk in self.disks:
            disk.remove()
        for space in [host.space for host in self.hosts] + [self.switch]:
            ip("netns", "del", space)


def until(what, condition, seconds=30, pause=0.05):
    """Waits for a condition; what it returned. The test fails if it never comes."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(pause)
