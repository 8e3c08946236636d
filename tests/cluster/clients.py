"""The clients of a cluster: `load.py`, or another program like it, on a host of their own."""

import pathlib
import signal
import subprocess
import sys

import judge
from lab import until

LOAD_SECONDS = 120


class Clients:
    def __init__(self, lab, directory, addresses, program="load.py"):
        self.journal, self.log = directory / "journal", directory / "load.log"
        self.process = lab.host("c").start(
            [sys.executable, "-B", str(pathlib.Path(__file__).with_name(program)), str(self.journal), str(LOAD_SECONDS), *addresses], self.log)
        until("the clients are at work", lambda: self.count("ready"))

    def entries(self):
        return judge.read(self.journal) if self.journal.exists() else []

    def count(self, kind):
        return judge.count(self.entries(), kind)

    def settle(self):
        """From now on each keeps one hold, and none is taken or given back. Returns when all have theirs."""
        self.process.send(signal.SIGUSR1)
        until("the clients have settled", lambda: self.count("settled") == self.count("worker"))

    def stop(self):
        """Whether they came to an end by themselves, with every hold given back."""
        try:
            return self.process.stop(seconds=20) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            return False
