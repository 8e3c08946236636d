"""What is done to a cluster while clients use it, and what must be true all the same.

In all of them: no two holds that exclude each other overlap, nothing acknowledged is lost, tokens only grow,
unclear answers say so, and the service is back soon enough (`judge.py`).
"""

import datetime
import time

from clocks import HOUR
from lab import until
from replicas import LEASE_SECONDS

# After a failure: the lease has to run out, and the next leader has to notice.
UNPLANNED_SECONDS = 2 * LEASE_SECONDS
# A wall clock that is set changes nothing. This leaves room for a machine that others use too.
STEP_SECONDS = 1.0
# A client that is gone without a word is noticed after 20 s.
VANISHED_SECONDS = 25
# When the leader is asked to stop, it calls on the next one.
HANDOVER_SECONDS = 0.3


class Outcome:
    """A fault's time, and how long the service may have been silent from then on."""

    def __init__(self, began, ended, allowed_gap):
        self.began, self.ended, self.allowed_gap = began, ended, allowed_gap


def on(*engines):
    """Only on these engines."""
    def mark(scenario):
        scenario.engines = engines
        return scenario
    return mark


def with_clocks(*ahead, engines=None, of_engine=False):
    """Replicas with wall clocks that can be set, so many seconds ahead; and the engine with one, if so. Only on
    some engines, if so."""
    def mark(scenario):
        scenario.clocks, scenario.engines, scenario.has_engine_clock = ahead, engines, of_engine
        return scenario
    return mark


def with_refreshes(**engine_options):
    """On etcd, with clients that only refresh: nothing is written, so that the leader answers from memory."""
    def mark(scenario):
        scenario.load, scenario.engines, scenario.engine_options = "refreshes.py", ["etcd"], engine_options
        return scenario
    return mark


def kill(cluster, leader):
    """kill -9 of the leader; it comes back as a follower."""
    began = time.monotonic()
    leader.process.kill()
    time.sleep(UNPLANNED_SECONDS + 1)
    ended = time.monotonic()
    assert cluster.leader() is not leader
    leader.start()
    until("the killed replica is back", leader.is_ready)
    return Outcome(began, ended, UNPLANNED_SECONDS)


def cut_off(leader, side):
    """The leader loses one of its two networks for longer than a lease."""
    began = time.monotonic()
    leader.host.pull(side)
    time.sleep(UNPLANNED_SECONDS + 1)
    ended = time.monotonic()
    leader.host.plug(side)
    return Outcome(began, ended, UNPLANNED_SECONDS)


def leader_killed(cluster, engine):
    """The leader is gone without a word."""
    return kill(cluster, cluster.leader())


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
    leader = cluster.leader()
    outcome = cut_off(leader, "back")
    until("the replica that was cut off is back", leader.is_ready)
    return outcome


def leader_cut_off_from_clients(cluster, engine):
    """Only the other replicas and the engine reach the leader."""
    return cut_off(cluster.leader(), "front")


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
    return Outcome(began, time.monotonic(), HANDOVER_SECONDS)


def assert_the_leader_has_this_clock(cluster, clock):
    kept = until("there is an answer", lambda: cluster.leader().get("/v1/distributed_lock/kept"))
    expires_at = kept["write_process_list"][0]["expires_at"]
    clock.assert_shows(datetime.datetime.fromisoformat(expires_at).timestamp(), time.time() + 30)


@with_clocks(0, 3 * HOUR, -3 * HOUR)
def clocks_skewed(cluster, engine):
    """Wall clocks are three hours apart from the start, and each leads in turn."""
    outcomes = []
    for _ in cluster.all:
        assert_the_leader_has_this_clock(cluster, cluster.leader().clock)
        outcomes.append(leader_killed(cluster, engine))
    return Outcome(outcomes[0].began, outcomes[-1].ended, UNPLANNED_SECONDS)


@with_clocks(0, 0, 0)
def clocks_stepped(cluster, engine):
    """The leader's wall clock is set forward and back, and those of the others the other way. Nobody notices."""
    leader, began = cluster.leader(), time.monotonic()
    for ahead in (2 * HOUR, -2 * HOUR, 0):
        for replica in cluster.all:
            replica.clock.set(ahead if replica is leader else -ahead)
        time.sleep(LEASE_SECONDS)
        assert_the_leader_has_this_clock(cluster, leader.clock)
    assert cluster.leader() is leader
    return Outcome(began, time.monotonic(), STEP_SECONDS)


@with_clocks(None, None, None, engines=["postgres"], of_engine=True)
def engine_clock_stepped(cluster, engine):
    """The database's clock is set forward and back. The leader goes on; and if it dies then, the next one leads."""
    leader, began = cluster.leader(), time.monotonic()
    for ahead in (2 * HOUR, -2 * HOUR):
        engine.clock.set(ahead)
        time.sleep(LEASE_SECONDS)
        engine.clock.assert_shows(engine.now(), time.time())
    assert cluster.leader() is leader
    stepped = Outcome(began, time.monotonic(), STEP_SECONDS)
    killed = leader_killed(cluster, engine)
    return Outcome(stepped.began, killed.ended, killed.allowed_gap)


def batch_comes_late(cluster, engine):
    """A batch is on its way when its leader stops, and reaches the engine when another leads. Then the one before
    wakes up, and the other is killed, so that the next one reads what the engine has."""
    first, began = cluster.leader(), time.monotonic()
    first.host.mute("back")
    time.sleep(0.3)
    first.process.pause()
    second = cluster.leader_after(first)
    # So that nothing of what comes late is written over.
    cluster.clients.settle()
    on_its_way = lambda: first.host.unsent("back", engine.hosts)
    assert on_its_way(), "no batch was on its way"
    first.host.unmute("back")
    until("what was on its way has come", lambda: not on_its_way())
    first.process.wake()
    time.sleep(1)
    killed = kill(cluster, second)
    return Outcome(began, killed.ended, killed.allowed_gap)


def delete_leader_key(cluster, engine):
    """The leader key is deleted, as `etcdctl del` does it, at different times between two renewals."""
    began = time.monotonic()
    for after in (0, 0.3, 0.6):
        time.sleep(LEASE_SECONDS + after)
        assert engine.delete_leader_key(), "there is no leader"
    time.sleep(LEASE_SECONDS)
    return Outcome(began, time.monotonic(), UNPLANNED_SECONDS)


@with_refreshes()
def leader_key_deleted(cluster, engine):
    """The leader does not know that its key is gone, and answers from memory until it renews."""
    return delete_leader_key(cluster, engine)


@with_refreshes(members=1)
def leader_key_deleted_on_one_member(cluster, engine):
    return delete_leader_key(cluster, engine)


@on("etcd")
def leader_key_deleted_under_writes(cluster, engine):
    """The leader's next batch shows it that its key is gone."""
    return delete_leader_key(cluster, engine)


@with_refreshes()
def leader_key_deleted_while_cut_off(cluster, engine):
    """The leader cannot learn that its key is gone, and answers from memory as long as it may."""
    leader, began = cluster.leader(), time.monotonic()
    leader.host.pull("back")
    assert engine.delete_leader_key(), "there is no leader"
    time.sleep(UNPLANNED_SECONDS + 1)
    leader.host.plug("back")
    time.sleep(LEASE_SECONDS)
    return Outcome(began, time.monotonic(), UNPLANNED_SECONDS)


def freeze_disk(cluster, engine, allowed_gap):
    """The disk of etcd's leader stands still for longer than a lease, and goes on."""
    began = time.monotonic()
    for _ in range(2):
        disk = engine.leading_disk()
        disk.freeze()
        thaw_at = time.monotonic() + 2 * LEASE_SECONDS
        engine.write_elsewhere()
        time.sleep(max(0, thaw_at - time.monotonic()))
        disk.thaw()
        time.sleep(LEASE_SECONDS)
    return Outcome(began, time.monotonic(), allowed_gap)


@with_refreshes(has_disks=True)
def etcd_disk_frozen(cluster, engine):
    """etcd gets another leader. The one before takes leases for expired that were renewed without it, and has them
    revoked once its disk goes on (etcd#15247)."""
    return freeze_disk(cluster, engine, UNPLANNED_SECONDS)


@with_refreshes(members=1, has_disks=True)
def etcd_disk_frozen_on_one_member(cluster, engine):
    """No renewal goes through, so there is no service until the disk goes on."""
    return freeze_disk(cluster, engine, 2 * LEASE_SECONDS + UNPLANNED_SECONDS)


EDGE = "/v1/distributed_lock/edge"


def hold_and_wait(leader, count, begin):
    """The lock `edge` is held by `holder`, and `begin` has begun so many requests that wait for it. Returns them."""
    held = until("it is held", lambda: leader.ask(
        "PUT", f"{EDGE}/write-process/holder?timeout_seconds=60&create_if_missing=true&is_exclusive=true"))
    assert held.get("current_state") == "WRITE", held
    waiting = begin()
    until("they wait", lambda: waiters(leader) == count)
    return waiting


def waiters(leader):
    return (leader.get(EDGE) or {}).get("waiter_count")


@on("etcd")
def client_vanishes(cluster, engine):
    """A client's network is gone without a word, as in a power loss, while it waits at the leader and through a
    follower and follows events. Its waits leave the queue, and the next client gets the lock. Before, both
    waits stayed to their end, and were then granted, for their whole timeout."""
    leader, follower = cluster.leader(), cluster.followers()[0]
    host = leader.host.lab.host("gone")
    streams = lambda: "leasehold_event_streams 1\n" in leader.text("GET", "/metrics")

    def begin():
        wait = "?wait_seconds=100&timeout_seconds=60"
        leader.begin("GET", "/v1/events", host)
        for replica, name in ((leader, "gone-1"), (follower, "gone-2")):
            replica.begin("PUT", f"{EDGE}/write-process/{name}{wait}", host)
    hold_and_wait(leader, 2, begin)
    until("it follows events", streams)
    began = time.monotonic()
    host.pull("front")
    until("its waits are gone", lambda: waiters(leader) == 0, seconds=VANISHED_SECONDS)
    until("its event stream is gone", lambda: not streams(), seconds=began + VANISHED_SECONDS - time.monotonic())
    print(f"        a vanished client was noticed after {time.monotonic() - began:.1f} s", flush=True)
    assert leader.ask("DELETE", f"{EDGE}/write-process/holder")["current_state"] == "FREE"
    later = leader.ask("PUT", f"{EDGE}/write-process/later")
    assert later["current_state"] == "WRITE", later
    return Outcome(began, time.monotonic(), STEP_SECONDS)


@on("etcd")
def key_revoked(cluster, engine):
    """A key is revoked while requests wait with it, at the leader and through a follower. They end with 401, and are
    never granted. Before, they stayed in the queue, and were granted after the revocation."""
    leader, follower = cluster.leader(), cluster.followers()[0]
    made = leader.ask("POST", "/v1/keys", body={"role": "write"})
    logs = [leader.log.with_name(f"revoked-{number}") for number in range(2)]
    waiting = hold_and_wait(leader, 2, lambda: [
        replica.begin("PUT", f"{EDGE}/write-process/revoked-{number}?wait_seconds=100", log=logs[number],
                      key=made["key"])
        for number, replica in enumerate((leader, follower))])
    began = time.monotonic()
    assert leader.ask("DELETE", f"/v1/keys/{made['key_id']}")["key_id"] == made["key_id"]
    for log, waiter in zip(logs, waiting):
        until("a wait has ended", lambda: not waiter.is_running())
        assert '"unauthorized"' in log.read_text(), log.read_text()
    assert waiters(leader) == 0
    assert leader.ask("DELETE", f"{EDGE}/write-process/holder")["current_state"] == "FREE"
    time.sleep(1)
    assert leader.get(EDGE)["current_state"] == "FREE"
    return Outcome(began, time.monotonic(), STEP_SECONDS)


@on("postgres")
def engine_restarted(cluster, engine):
    """The database is restarted while clients wait through followers. The leader goes on, because its lease lasts,
    and no wait is aborted. Before, each ended after 0.1 s with "the leader leads no more"."""
    cluster.clients.settle()
    leader, followers = cluster.leader(), cluster.followers()
    logs = [follower.log.with_name(f"waiter-{number}") for number, follower in enumerate(followers)]
    waiting = hold_and_wait(leader, len(followers), lambda: [
        follower.begin("PUT", f"{EDGE}/read-process/waiter-{number}?wait_seconds=60", log=logs[number])
        for number, follower in enumerate(followers)])
    began = time.monotonic()
    engine.restart(seconds=0.5)
    away = time.monotonic() - began
    print(f"        the database was away for {away:.1f} s", flush=True)
    assert away < LEASE_SECONDS / 2, "the machine is too busy: no lease lasts as long as the restart took"
    time.sleep(LEASE_SECONDS)
    ended = time.monotonic()
    assert cluster.leader() is leader, "another leads"
    aborted = [log.read_text() for log, waiter in zip(logs, waiting) if not waiter.is_running()]
    assert not aborted, aborted
    leader.ask("DELETE", f"{EDGE}/write-process/holder", seconds=5)
    for log, waiter in zip(logs, waiting):
        until("a waiter is served", lambda: not waiter.is_running())
        assert '"READ"' in log.read_text(), log.read_text()
    return Outcome(began, ended, STEP_SECONDS)


SCENARIOS = [
    leader_killed,
    leader_paused,
    leader_cut_off_from_the_engine,
    leader_cut_off_from_clients,
    engine_lost_and_back,
    rolling_restart,
    clocks_skewed,
    clocks_stepped,
    engine_clock_stepped,
    batch_comes_late,
    leader_key_deleted,
    leader_key_deleted_on_one_member,
    leader_key_deleted_under_writes,
    leader_key_deleted_while_cut_off,
    etcd_disk_frozen,
    etcd_disk_frozen_on_one_member,
    client_vanishes,
    key_revoked,
    engine_restarted,
]
