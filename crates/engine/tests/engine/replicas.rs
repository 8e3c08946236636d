//! Several replicas on one store: one leads, the others know who, and the next takes over.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use leasehold_core::{Batch, Command, LockId, Reply, Row, Wall};
use leasehold_engine::{
    Engine, Failure, Filter, GapReason, Locks, ReplicaState, Settings, SystemClock, Told,
};
use leasehold_store::{Candidate, Epoch, Leader, MemoryStore, Store, StoreError};
use tokio::time::sleep;

use crate::support::{acquire, create, namespace};

const LEASE: Duration = Duration::from_millis(600);
const SOON: Duration = Duration::from_secs(10);

fn replica(store: &MemoryStore, address: &str) -> Engine {
    start(Box::new(handle(store, address)))
}

fn handle(store: &MemoryStore, address: &str) -> MemoryStore {
    store.replica(Candidate {
        address: address.to_owned(),
        lease: LEASE,
        link_token: "known to replicas".to_owned().into(),
    })
}

fn start(store: Box<dyn Store>) -> Engine {
    let settings = Settings { campaign_pause: Duration::from_millis(20), ..Settings::default() };
    Engine::start(store, Arc::new(SystemClock), settings).unwrap()
}

async fn until(engine: &Engine, reached: impl FnMut(&ReplicaState) -> bool) -> ReplicaState {
    let mut state = engine.watch_state();
    let state = tokio::time::timeout(SOON, state.wait_for(reached)).await.unwrap().unwrap();
    state.clone()
}

async fn token(engine: &Engine, lock: &str, process: &str) -> u64 {
    match engine.submit(acquire(lock, process, 60)).await.unwrap() {
        Reply::Granted(grants) => grants[0].hold.token.get(),
        other => panic!("expected a grant, got {other:?}"),
    }
}

#[tokio::test]
async fn a_follower_sends_callers_to_the_leader() {
    let store = MemoryStore::new();
    let first = replica(&store, "first:1");
    until(&first, ReplicaState::is_leading).await;
    let second = replica(&store, "second:2");
    let ReplicaState::Following(leader) =
        until(&second, |state| matches!(state, ReplicaState::Following(_))).await
    else {
        panic!("expected to follow");
    };
    assert_eq!(
        (leader.address.as_str(), leader.link_token.expose()),
        ("first:1", "known to replicas")
    );
    let refused = second.submit(create("job")).await.unwrap_err();
    assert_eq!(refused, Failure::Elsewhere(Box::new(leader)));
    // Renewals outlast the lease.
    sleep(LEASE * 2).await;
    first.submit(create("job")).await.unwrap();
    assert!(matches!(*second.state(), ReplicaState::Following(_)));
}

#[tokio::test]
async fn i3_a_leader_that_drains_hands_over_at_once_and_tokens_go_on() {
    let store = MemoryStore::new();
    let first = replica(&store, "first:1");
    until(&first, ReplicaState::is_leading).await;
    let second = replica(&store, "second:2");
    until(&second, |state| matches!(state, ReplicaState::Following(_))).await;
    first.submit(create("job")).await.unwrap();
    first.submit(create("log")).await.unwrap();
    let before = token(&first, "job", "alice").await;
    first.drain().await;
    let drained = Instant::now();
    until(&second, ReplicaState::is_leading).await;
    assert!(drained.elapsed() < LEASE / 2, "{:?}", drained.elapsed());
    assert!(token(&second, "log", "bob").await > before);
    let refused = second.submit(acquire("job", "carol", 60)).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(_)), "alice still holds it: {refused:?}");
}

#[tokio::test]
async fn who_follows_events_goes_on_at_the_next_leader_with_a_gap() {
    let store = MemoryStore::new();
    let first = replica(&store, "first:1");
    until(&first, ReplicaState::is_leading).await;
    let second = replica(&store, "second:2");
    until(&second, |state| matches!(state, ReplicaState::Following(_))).await;
    let filter = || Filter {
        namespace: namespace(),
        locks: Locks::WithPrefix(String::new()),
        with_refreshes: false,
    };
    let refused = second.follow(filter(), None).err();
    assert!(matches!(refused, Some(Failure::Elsewhere(_))), "{refused:?}");

    let mut follower = first.follow(filter(), None).unwrap();
    first.submit(create("job")).await.unwrap();
    assert!(matches!(follower.next().await, Some(Told::Events(_))));
    let seen = follower.seen();
    first.drain().await;
    assert_eq!(follower.next().await, None);

    until(&second, ReplicaState::is_leading).await;
    let mut again = second.follow(filter(), Some(seen)).unwrap();
    let Some(Told::Gap(gap)) = again.next().await else { panic!("expected a gap") };
    assert_eq!((gap.after, gap.reason), (seen, GapReason::NewTerm));
    assert!(gap.until > seen, "ids grow from one leader to the next: {gap:?}");
}

/// A store that is slow to load, and keeps the lease meanwhile.
struct SlowToLoad {
    store: MemoryStore,
    /// What it has been asked.
    calls: Arc<Mutex<Vec<&'static str>>>,
}

#[async_trait]
impl Store for SlowToLoad {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        self.calls.lock().unwrap().push("claim");
        self.store.claim().await
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.calls.lock().unwrap().push("load");
        let mut rows = Vec::new();
        self.store.load(epoch, &mut |row| rows.push(row)).await?;
        for row in rows {
            sleep(LEASE / 4).await;
            self.store.renew(epoch).await?;
            visit(row);
        }
        Ok(())
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        self.calls.lock().unwrap().push("commit");
        self.store.commit(epoch, batch).await
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.calls.lock().unwrap().push("renew");
        self.store.renew(epoch).await
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.store.resign(epoch).await
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        self.store.leader().await
    }

    fn lease(&self) -> Option<Duration> {
        self.store.lease()
    }
}

/// A store whose claims, or loads, fail when a test says so.
struct Flaky {
    store: MemoryStore,
    failing: Arc<Mutex<&'static str>>,
}

impl Flaky {
    fn check(&self, call: &str) -> Result<(), StoreError> {
        if *self.failing.lock().unwrap() == call {
            return Err(StoreError::Unavailable("the test said so".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Flaky {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        self.check("claim")?;
        self.store.claim().await
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.check("load")?;
        self.store.load(epoch, visit).await
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        self.store.commit(epoch, batch).await
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.store.renew(epoch).await
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.store.resign(epoch).await
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        self.store.leader().await
    }

    fn lease(&self) -> Option<Duration> {
        self.store.lease()
    }
}

/// One look at the store that failed made a follower say that it knows no leader: what it forwarded was
/// aborted, and new calls were refused, while the leader went on (PostgreSQL restarted for 1.2 s).
#[tokio::test]
async fn a_follower_keeps_its_leader_for_a_lease_after_the_store_last_named_it() {
    let store = MemoryStore::new();
    let first = replica(&store, "first:1");
    until(&first, ReplicaState::is_leading).await;
    let failing = Arc::new(Mutex::new(""));
    let flaky = Flaky { store: handle(&store, "second:2"), failing: Arc::clone(&failing) };
    let second = start(Box::new(flaky));
    until(&second, |state| matches!(state, ReplicaState::Following(_))).await;

    *failing.lock().unwrap() = "claim";
    sleep(LEASE / 2).await;
    let refused = second.submit(create("job")).await.unwrap_err();
    assert!(matches!(refused, Failure::Elsewhere(_)), "{refused:?}");
    let broke = Instant::now();
    until(&second, |state| matches!(state, ReplicaState::Recovering { .. })).await;
    assert!(broke.elapsed() < LEASE, "{:?}", broke.elapsed());
    let refused = second.submit(create("job")).await.unwrap_err();
    assert!(matches!(refused, Failure::NotReady(_)), "{refused:?}");

    *failing.lock().unwrap() = "";
    until(&second, |state| matches!(state, ReplicaState::Following(_))).await;
    // Once it has claimed, the one before does not lead any more, whatever happens next.
    *failing.lock().unwrap() = "load";
    first.drain().await;
    until(&second, |state| matches!(state, ReplicaState::Recovering { .. })).await;
    *failing.lock().unwrap() = "";
    until(&second, ReplicaState::is_leading).await;
}

/// A load that took longer than the lease was for nothing: somebody else led by its end. Now that stores
/// keep the lease meanwhile, the engine must go on from there. By what it knows itself its lease is
/// over, so it renews before it answers anything from memory.
#[tokio::test]
async fn i2_after_a_load_longer_than_its_lease_a_replica_leads_and_first_makes_sure_of_it() {
    let store = MemoryStore::new();
    let first = replica(&store, "first:1");
    for number in 0..8 {
        first.submit(create(&format!("job-{number}"))).await.unwrap();
    }
    first.drain().await;
    // The next term has something to write before it answers: deadlines are not stored any more.
    let mut person = handle(&store, "person:1");
    let epoch = person.claim().await.unwrap();
    let mut batch = Batch::default();
    batch.put(Row::StoredDeadlines { since: Wall(0) });
    person.commit(epoch, &batch).await.unwrap();
    person.resign(epoch).await.unwrap();

    let calls = Arc::new(Mutex::new(Vec::new()));
    let began = Instant::now();
    let slow =
        start(Box::new(SlowToLoad { store: handle(&store, "slow:1"), calls: Arc::clone(&calls) }));
    while store.clone().leader().await.unwrap().is_none() {
        sleep(Duration::from_millis(5)).await;
    }
    let rival = replica(&store, "rival:1");
    until(&slow, ReplicaState::is_leading).await;
    assert!(began.elapsed() > LEASE * 2, "{:?}", began.elapsed());
    let lock_id = LockId::parse("job-7").unwrap();
    slow.submit(Command::GetLock { namespace: namespace(), lock_id }).await.unwrap();
    let calls = calls.lock().unwrap().clone();
    assert!(calls.starts_with(&["claim", "load", "commit", "renew"]), "{calls:?}");
    let ReplicaState::Following(leader) = rival.state().clone() else { panic!("it led") };
    assert_eq!((leader.address.as_str(), leader.epoch.0), ("slow:1", epoch.0 + 1));
    slow.submit(create("late")).await.unwrap();
}
