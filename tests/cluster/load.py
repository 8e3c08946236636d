#!/usr/bin/env python3
"""Clients of a cluster: take locks, hold them for a moment, give them back, through any replica, and write
down what they were told. Run inside a namespace; ends at SIGTERM, or when its time is over.

    load.py JOURNAL SECONDS HOST:PORT…

At SIGUSR1 they settle: each worker takes one more hold and keeps it, with refreshes, until the end.

Every request that gets no clear answer (no connection, a timeout, 503) is sent again, to another replica and
with the same Idempotency-Key, until there is one. So whatever stands in the journal is what the service said.
"""

import http.client
import json
import random
import signal
import sys
import threading
import time
import uuid

WORKERS = 12
KEY = "a-key-for-the-cluster-tests"
EXCLUSIVE_LOCKS = 3
SHARED_LOCKS = 2
TIMEOUT_SECONDS = 10
KEPT_SECONDS = 30
PATIENCE_SECONDS = 3.0
PATIENCE_SECONDS_ONCE_SETTLED = 1.0

stopped = threading.Event()
settled = threading.Event()


class Journal:
    def __init__(self, path):
        self.file, self.mutex = open(path, "w"), threading.Lock()

    def note(self, kind, **facts):
        line = json.dumps({"kind": kind, "at": time.monotonic(), **facts})
        with self.mutex:
            self.file.write(line + "\n")
            self.file.flush()


class Client:
    """One thread's connections."""

    def __init__(self, replicas, journal, seed):
        self.replicas, self.journal, self.random = replicas, journal, random.Random(seed)
        self.connection = None

    def once(self, method, target, headers, patience=None):
        """Status and body of one try; None for the status if there was no answer."""
        try:
            if self.connection is None or self.random.random() < 0.1:
                replica = self.random.choice(self.replicas)
                usual = PATIENCE_SECONDS_ONCE_SETTLED if settled.is_set() else PATIENCE_SECONDS
                self.connection = http.client.HTTPConnection(replica, timeout=patience or usual)
            self.connection.request(method, target, headers=headers)
            reply = self.connection.getresponse()
            return reply.status, json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.connection = None
            return None, {}

    def ask(self, method, target, wanted=lambda: True):
        """Sends a request until it has a clear answer: status, body, when the first and the last try were
        sent, when the answer came. None once nobody wants it any more."""
        headers = {"Idempotency-Key": uuid.uuid4().hex, "x-api-key": KEY}
        first = time.monotonic()
        while wanted():
            sent = time.monotonic()
            status, body = self.once(method, target, headers)
            received = time.monotonic()
            if status is not None and status != 503:
                self.journal.note("answer", status=status, code=body.get("code"))
                return status, body, first, sent, received
            self.journal.note("unclear", status=status, code=body.get("code"),
                              outcome=body.get("outcome"), took=received - sent)
            self.connection = None
            time.sleep(0.03)
        return None


def path(lock, mode, process):
    return f"/v1/distributed_lock/{lock}/{mode}-process/{process}"


def work(number, replicas, journal):
    client = Client(replicas, journal, number)
    while not stopped.is_set():
        if settled.is_set():
            keep(client, "settled", f"keeper-{number}")
            return
        lock = client.random.choice(
            [f"exclusive-{n}" for n in range(EXCLUSIVE_LOCKS)] + [f"shared-{n}" for n in range(SHARED_LOCKS)]
        )
        mode = client.random.choice(["read", "write", "write"])
        # A name of its own: a try that was held up on its way may come in when all is over, and then holds
        # the lock for nobody until its timeout.
        process = f"worker-{number}-{uuid.uuid4().hex[:8]}"
        target = path(lock, mode, process)
        answer = client.ask(
            "PUT", f"{target}?timeout_seconds={TIMEOUT_SECONDS}&wait_seconds=1", lambda: not stopped.is_set()
        )
        if answer is None:
            return
        status, body, first, sent, received = answer
        if status != 200:
            if body.get("code") not in ("wait_timed_out", "held"):
                journal.note("surprise", asked="acquire", lock=lock, mode=mode, process=process, body=body)
            continue
        token = body["fencing_token"]
        journal.note("grant", lock=lock, mode=mode, process=process, token=token, first=first, sent=sent,
                     received=received, safe_for_ms=body["safe_for_ms"], waited_ms=body["waited_ms"])
        time.sleep(client.random.uniform(0, 0.03))
        journal.note("leave", lock=lock, mode=mode, process=process, token=token)
        # Given back even after the stop, so that the journal says how every hold ended.
        status, body, *_ = client.ask("DELETE", f"{target}?fencing_token={token}")
        if status != 200:
            journal.note("surprise", asked="release", lock=lock, mode=mode, process=process, body=body)


def keep(client, lock, process):
    """Holds one lock until the end, with refreshes."""
    journal, target = client.journal, path(lock, "write", process)
    answer = client.ask("PUT", f"{target}?timeout_seconds={KEPT_SECONDS}", lambda: not stopped.is_set())
    if answer is None:
        return
    status, body, first, sent, received = answer
    if status != 200:
        journal.note("surprise", asked="keep", lock=lock, process=process, body=body)
        return
    token = body["fencing_token"]
    journal.note("grant", lock=lock, mode="write", process=process, token=token, first=first, sent=sent,
                 received=received, safe_for_ms=body["safe_for_ms"], waited_ms=body["waited_ms"])
    journal.note(lock)
    while not stopped.wait(0.2):
        query = f"timeout_seconds={KEPT_SECONDS}&fencing_token={token}"
        answer = client.ask("PUT", f"{target}/refresh?{query}", lambda: not stopped.is_set())
        if answer and answer[0] != 200:
            journal.note("surprise", asked="refresh", lock=lock, process=process, body=answer[1])
            return


def main():
    journal, seconds, replicas = Journal(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGUSR1, lambda *_: settled.set())
    client = Client(replicas, journal, 2_000)
    locks = [f"exclusive-{n}?is_exclusive=true" for n in range(EXCLUSIVE_LOCKS)]
    locks += [f"shared-{n}" for n in range(SHARED_LOCKS)] + ["kept?is_exclusive=true", "settled"]
    for lock in locks:
        client.ask("POST", f"/v1/distributed_lock/{lock}")
    threads = [threading.Thread(target=work, args=(n, replicas, journal)) for n in range(WORKERS)]
    threads.append(threading.Thread(target=keep, args=(Client(replicas, journal, 1_000), "kept", "keeper")))
    for thread in threads:
        thread.start()
    for _ in range(WORKERS):
        journal.note("worker")
    journal.note("ready")
    stopped.wait(seconds)
    stopped.set()
    for thread in threads:
        thread.join()
    journal.note("done")


if __name__ == "__main__":
    main()
