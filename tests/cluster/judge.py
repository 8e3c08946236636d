"""What a journal of `load.py` proves, or what in it breaks a promise."""

import json
from collections import defaultdict


class Hold:
    def __init__(self, grant):
        self.lock, self.mode, self.process = grant["lock"], grant["mode"], grant["process"]
        self.token = grant["token"]
        self.sent, self.begin = grant["first"], grant["received"]
        # As long as its holder may rely on it, if it does not give it back before.
        self.end = grant["sent"] + (grant["waited_ms"] + grant["safe_for_ms"]) / 1_000

    def __str__(self):
        return f"{self.process} {self.mode} {self.lock} #{self.token} [{self.begin:.3f}, {self.end:.3f}]"

    def excludes(self, other):
        if self.mode != other.mode:
            return True
        return self.mode == "write" and self.lock.startswith("exclusive")


def read(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def holds(entries):
    by_token = {}
    for entry in entries:
        if entry["kind"] == "grant":
            by_token[entry["token"]] = Hold(entry)
        elif entry["kind"] == "refreshed":
            hold = by_token[entry["token"]]
            hold.end = max(hold.end, entry["until"])
        elif entry["kind"] == "leave":
            by_token[entry["token"]].end = min(by_token[entry["token"]].end, entry["at"])
    return list(by_token.values())


def overlaps(of_lock):
    """I1, as the holders saw it."""
    of_lock = sorted(of_lock, key=lambda hold: hold.begin)
    found = []
    for at, hold in enumerate(of_lock):
        for later in of_lock[at + 1:]:
            if later.begin >= hold.end:
                break
            if hold.excludes(later):
                found.append(f"I1: {hold} overlaps {later}")
    return found


def tokens_out_of_order(of_lock):
    """I3: whoever asked after another was granted has the higher token."""
    known = sorted(of_lock, key=lambda hold: hold.begin)
    found, highest, at = [], None, 0
    for hold in sorted(of_lock, key=lambda hold: hold.sent):
        while at < len(known) and known[at].begin < hold.sent:
            if highest is None or known[at].token > highest.token:
                highest = known[at]
            at += 1
        if highest is not None and hold.token <= highest.token:
            found.append(f"I3: {hold} came after {highest}")
    return found


def violations(entries):
    """Everything in the journal that a promise forbids."""
    found = [f"lost or refused: {entry}" for entry in entries if entry["kind"] == "surprise"]
    tokens = [entry["token"] for entry in entries if entry["kind"] == "grant"]
    if len(tokens) != len(set(tokens)):
        found.append("I3: a token was given out twice")
    by_lock = defaultdict(list)
    for hold in holds(entries):
        by_lock[hold.lock].append(hold)
    for of_lock in by_lock.values():
        found += overlaps(of_lock) + tokens_out_of_order(of_lock)
    unmarked = [e for e in entries if e["kind"] == "unclear" and e["status"] == 503
                and e["outcome"] not in ("none", "unknown")]
    found += [f"I2: an unclear answer that does not say so: {entry}" for entry in unmarked]
    return found


def damage(logs):
    """What replicas found in the store that nobody can have been told: a promise is broken there already."""
    lines = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
    return [f"damaged: {line}" for line in lines if "the store cannot be used" in line]


def longest_gap(entries, begin, end):
    """The longest time without any clear answer between two moments, in seconds."""
    times = [begin] + [e["at"] for e in entries if e["kind"] == "answer" and begin <= e["at"] <= end] + [end]
    return max(later - earlier for earlier, later in zip(times, times[1:]))


def count(entries, kind):
    return sum(entry["kind"] == kind for entry in entries)
