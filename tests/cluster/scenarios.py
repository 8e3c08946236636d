"""What is done to a cluster while clients use it, and what must be true all the same.

In all of them: no two holds that exclude each other overlap, nothing acknowledged is lost, tokens only grow,
unclear answers say so, and the service is back soon enough (`judge.py`).
"""

import time

from lab import until
from replicas import LEASE_SECONDS

# After a failure: the lease has to run out, and the next leader has to notice.
UNPLANNED_SECONDS = 2 * LEASE_SECONDS
# A leader that is asked to stop hands over. It takes about a tenth of a second; the bound leaves room for a build
# without optimization on a machine that others use too.
PLANNED_SECONDS = 1.0


class Outcome:
    """A fault's time, and how long the service may have been silent from then on."""

    def __init__(self, began, ended, allowed_gap):
        self.began, self.ended, self.allowed_gap = began, ended, allowed_gap


def leader_killed(cluster, engine):
    """kill -9 of the leader; it comes back as a follower."""
    leader, began = cluster.leader(), time.monotonic()
    leader.process.kill()
    time.sleep(UNPLANNED_SECONDS + 1)
    ended = time.monotonic()
    assert cluster.leader() is not leader
    leader.start()
    until("the killed replica is back", leader.is_ready)
    return Outcome(began, ended, UNPLANNED_SECONDS)


def leader_paused(cluster, engine):
    """The leader stops past its lease, as a suspended machine does, and goes on as if nothing had been."""
    leader, began = cluster.leader(), time.monotonic()
    leader.process.pause()
    time.sleep(UNPLANNED_SECONDS + 2)
    leader.process.wake()
    time.sleep(2)
    ended = time.monotonic()
    assert cluster.leader() is not leader
    return Outcome(began, ended, UNPLANNED_SECONDS)


def leader_cut_off_from_the_engine(cluster, engine):
    """Clients reach the leader, and it reaches neither the engine nor the other replicas."""
    leader, began = cluster.leader(), time.monotonic()
    leader.host.pull("back")
    time.sleep(UNPLANNED_SECONDS + 1)
    ended = time.monotonic()
    leader.host.plug("back")
    until("the replica that was cut off is back", leader.is_ready)
    return Outcome(began, ended, UNPLANNED_SECONDS)


def leader_cut_off_from_clients(cluster, engine):
    """Only the other replicas and the engine reach the leader."""
    leader, began = cluster.leader(), time.monotonic()
    leader.host.pull("front")
    time.sleep(UNPLANNED_SECONDS + 1)
    ended = time.monotonic()
    leader.host.plug("front")
    return Outcome(began, ended, UNPLANNED_SECONDS)


def engine_lost_and_back(cluster, engine):
    """The engine is gone for longer than a lease. Nothing can be acknowledged until it is back."""
    engine.fail()
    time.sleep(LEASE_SECONDS + 2)
    engine.recover()
    began = time.monotonic()
    time.sleep(UNPLANNED_SECONDS + 1)
    return Outcome(began, time.monotonic(), UNPLANNED_SECONDS)


def rolling_restart(cluster, engine):
    """Each replica in turn is asked to stop and started again, the leader last."""
    began = time.monotonic()
    for replica in [*cluster.followers(), cluster.leader()]:
        assert replica.process.stop() == 0
        time.sleep(1)
        replica.start()
        until("the replica is back", replica.is_ready)
    return Outcome(began, time.monotonic(), PLANNED_SECONDS)


SCENARIOS = [
    leader_killed,
    leader_paused,
    leader_cut_off_from_the_engine,
    leader_cut_off_from_clients,
    engine_lost_and_back,
    rolling_restart,
]
