#!/usr/bin/env python3
"""Clients that only refresh what they hold, so that nothing is written: the leader answers them from memory.

    refreshes.py JOURNAL SECONDS HOST:PORT…

For each replica, some holders keep a lock each by refreshes through that replica alone, a little before the timeout.
At the first refresh that is not acknowledged they stop, and rely on the last one that was, for their whole timeout.
A rival waits for the same lock through the next replica. If it gets the lock before that timeout has passed, then
the service gave a hold away that it had promised to keep.
"""

import signal
import sys
import threading
import time
import uuid

from load import KEY, Client, Journal, path, stopped

# Of the holders at each replica.
TIMEOUTS_SECONDS = [1, 1, 1, 1, 2, 3]
# As a part of the timeout: so late that another leader, which has begun the timeout when it loaded the table, ends it
# before the next refresh.
REFRESH_AFTER = 0.8
PAUSE_SECONDS = 0.05
# Answers of a leader that does not lead any more come within this time, or not at all.
PATIENCE_SECONDS = 0.5


def acquire(client, lock, process, timeout, query):
    """Its grant, written down; None if it did not get the lock."""
    answer = client.ask("PUT", f"{path(lock, 'write', process)}?timeout_seconds={timeout}{query}",
                        lambda: not stopped.is_set())
    if answer is None or answer[0] != 200:
        return None
    _, body, first, sent, received = answer
    client.journal.note("grant", lock=lock, mode="write", process=process, token=body["fencing_token"], first=first,
                        sent=sent, received=received, safe_for_ms=body["safe_for_ms"], waited_ms=body["waited_ms"])
    return body["fencing_token"], sent + (body["waited_ms"] + body["safe_for_ms"]) / 1_000


def hold(replica, lock, timeout, journal):
    """Keeps the lock for as long as the replica acknowledges that; then until what it was told last is over."""
    client = Client([replica], journal, lock)
    while not stopped.is_set():
        process = f"holder-{uuid.uuid4().hex[:8]}"
        grant = acquire(client, lock, process, timeout, "")
        if grant is None:
            time.sleep(PAUSE_SECONDS)
            continue
        token, end = grant
        target = f"{path(lock, 'write', process)}/refresh?timeout_seconds={timeout}&fencing_token={token}"
        # The first is sooner, so that holders do not keep step.
        pause = timeout * client.random.uniform(0, REFRESH_AFTER)
        while not stopped.wait(pause):
            pause = timeout * REFRESH_AFTER
            sent = time.monotonic()
            status, _ = client.once("PUT", target, {"x-api-key": KEY}, PATIENCE_SECONDS)
            if status != 200:
                break
            end = sent + timeout
            journal.note("answer", status=status, code=None)
            journal.note("refreshed", lock=lock, process=process, token=token, until=end)
        while not stopped.is_set() and time.monotonic() < end:
            time.sleep(PAUSE_SECONDS)
        journal.note("leave", lock=lock, mode="write", process=process, token=token)


def rival(replica, lock, journal):
    """Takes the lock whenever it is free, and gives it back."""
    client = Client([replica], journal, 0)
    while not stopped.is_set():
        process = f"rival-{uuid.uuid4().hex[:8]}"
        grant = acquire(client, lock, process, 1, "&wait_seconds=1")
        if grant is None:
            continue
        journal.note("leave", lock=lock, mode="write", process=process, token=grant[0])
        client.ask("DELETE", f"{path(lock, 'write', process)}?fencing_token={grant[0]}", lambda: not stopped.is_set())
        # The holder's turn.
        time.sleep(10 * PAUSE_SECONDS)


def main():
    journal, seconds, replicas = Journal(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    maker, threads = Client(replicas, journal, 0), []
    for number, replica in enumerate(replicas):
        for holder, timeout in enumerate(TIMEOUTS_SECONDS):
            lock = f"exclusive-{number}-{holder}"
            maker.ask("POST", f"/v1/distributed_lock/{lock}?is_exclusive=true")
            following = replicas[(number + 1) % len(replicas)]
            threads.append(threading.Thread(target=hold, args=(replica, lock, timeout, journal)))
            threads.append(threading.Thread(target=rival, args=(following, lock, journal)))
    for thread in threads:
        thread.start()
    journal.note("ready")
    stopped.wait(seconds)
    stopped.set()
    for thread in threads:
        thread.join()
    journal.note("done")


if __name__ == "__main__":
    main()
