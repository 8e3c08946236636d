//! Leading on demand: two instances on one store take turns, and nobody can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use leasehold_core::{
    ApiKey, Batch, Command, Detail, KeyHash, KeyId, KeyLimits, LockId, LockState, Mono, Now,
    Refusal, Reply, Role, Row, TimeoutSecs, Wall,
};
use leasehold_engine::{
    Clock, Engine, Failure, Filter, GapReason, Leadership, Locks, ReplicaState, Settings, Told,
};
use leasehold_store::{Candidate, Epoch, Leader, MemoryStore, Store, StoreError};
use tokio::time::{sleep, timeout};

use crate::support::{acquire, acquire_waiting, create, hold, namespace};

const SOON: Duration = Duration::from_secs(10);
const SKEW: Duration = Duration::from_secs(2);

/// Time as everybody has it: it passes, and the test makes it pass faster.
#[derive(Clone)]
struct World {
    began: Instant,
    ms: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        Self { began: Instant::now(), ms: Arc::default() }
    }

    fn now(&self) -> Duration {
        self.began.elapsed() + Duration::from_millis(self.ms.load(Ordering::SeqCst))
    }

    fn pass(&self, ms: u64) {
        self.ms.fetch_add(ms, Ordering::SeqCst);
    }
}

/// A machine, and how far its wall clock is off.
struct Machine {
    world: World,
    off_ms: AtomicI64,
}

impl Clock for Machine {
    fn now(&self) -> Now {
        let (now, off_ms) = (self.world.now(), self.off_ms.load(Ordering::SeqCst));
        Now { mono: Mono::default().plus(now), wall: Wall(1_700_000_000_000 + off_ms).plus(now) }
    }
}

/// What was asked of the store.
#[derive(Default, Debug)]
struct Asked {
    claims: AtomicU64,
    loads: AtomicU64,
    commits: AtomicU64,
    confirmations: AtomicU64,
}

impl Asked {
    fn all(&self) -> [u64; 4] {
        [&self.claims, &self.loads, &self.commits, &self.confirmations]
            .map(|count| count.load(Ordering::SeqCst))
    }
}

/// Counts what is asked, and takes as long for each as a store across a network.
struct Counted {
    store: MemoryStore,
    asked: Arc<Asked>,
}

async fn count(of: &AtomicU64) {
    of.fetch_add(1, Ordering::SeqCst);
    sleep(Duration::from_millis(2)).await;
}

#[async_trait]
impl Store for Counted {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        count(&self.asked.claims).await;
        self.store.claim().await
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        count(&self.asked.loads).await;
        self.store.load(epoch, visit).await
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        count(&self.asked.commits).await;
        self.store.commit(epoch, batch).await
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        count(&self.asked.confirmations).await;
        self.store.renew(epoch).await
    }

    async fn resign(&mut self, _: Epoch) -> Result<(), StoreError> {
        panic!("there is no need to resign, and it would be a write")
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        self.store.leader().await
    }

    fn lease(&self) -> Option<Duration> {
        self.store.lease()
    }
}

fn candidate(lease: Duration) -> Candidate {
    let (address, link_token) = ("here:1".to_owned(), "known to replicas".to_owned().into());
    Candidate { address, lease, link_token }
}

struct Instance {
    engine: Engine,
    asked: Arc<Asked>,
    clock: Arc<Machine>,
}

impl Instance {
    fn start(store: &MemoryStore, world: &World) -> Self {
        let asked = Arc::<Asked>::default();
        let counted =
            Counted { store: store.replica(candidate(Duration::ZERO)), asked: Arc::clone(&asked) };
        let clock = Arc::new(Machine { world: world.clone(), off_ms: AtomicI64::default() });
        let settings = Settings {
            leadership: Leadership::OnDemand { max_clock_skew: SKEW },
            confirm_pause: Duration::from_millis(100),
            ..Settings::default()
        };
        let engine =
            Engine::start(Box::new(counted), Arc::clone(&clock) as Arc<dyn Clock>, settings)
                .unwrap();
        Self { engine, asked, clock }
    }

    async fn token(&self, lock: &str, process: &str, secs: u32) -> Result<u64, Failure> {
        granted(self.engine.submit(acquire(lock, process, secs)).await)
    }

    async fn state(&self, lock: &str) -> LockState {
        let lock_id = LockId::parse(lock).unwrap();
        match self.engine.submit(Command::GetLock { namespace: namespace(), lock_id }).await {
            Ok(Reply::Lock(view)) => view.state,
            other => panic!("expected a lock, got {other:?}"),
        }
    }

    async fn refresh(&self, lock: &str, process: &str, secs: u32) -> Result<Reply, Failure> {
        let (hold, timeout) = (hold(lock, process), TimeoutSecs::new(secs).unwrap());
        let command = Command::Refresh { hold, token: None, timeout, detail: Detail::Full };
        self.engine.submit(command).await
    }

    async fn release(&self, lock: &str, process: &str) -> Result<Reply, Failure> {
        self.engine.submit(release(lock, process)).await
    }
}

fn release(lock: &str, process: &str) -> Command {
    Command::Release { hold: hold(lock, process), token: None, detail: Detail::Full }
}

fn granted(outcome: Result<Reply, Failure>) -> Result<u64, Failure> {
    match outcome? {
        Reply::Granted(grants) => Ok(grants[0].hold.token.get()),
        other => panic!("expected a grant, got {other:?}"),
    }
}

fn two() -> (Instance, Instance, World) {
    let (store, world) = (MemoryStore::new(), World::new());
    (Instance::start(&store, &world), Instance::start(&store, &world), world)
}

fn key(name: &str) -> ApiKey {
    ApiKey {
        key_id: KeyId::parse(name).unwrap(),
        namespace: namespace(),
        role: Role::Write,
        label: String::new(),
        hash: KeyHash([1; 32]),
        limits: KeyLimits::default(),
        created_at: Wall(0),
    }
}

fn revoke(name: &str) -> Command {
    Command::RevokeKey {
        key_id: KeyId::parse(name).unwrap(),
        namespace: None,
        end_holds: false,
        rest: None,
    }
}

#[tokio::test]
async fn nothing_is_asked_of_the_store_while_nobody_asks() {
    let (instance, _, world) = two();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(*instance.engine.state(), ReplicaState::Standby);
    assert_eq!(instance.asked.all(), [0; 4]);

    instance.engine.submit(create("job")).await.unwrap();
    // The first term also notes that deadlines are stored from now on.
    assert_eq!(instance.asked.all(), [1, 1, 2, 0]);
    instance.token("job", "alice", 5).await.unwrap();
    assert_eq!(instance.asked.all(), [1, 1, 3, 0]);
    assert_eq!(instance.state("job").await, LockState::Write);
    assert_eq!(instance.asked.all(), [1, 1, 3, 1], "a read looks at the fence");
    world.pass(60_000);
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(instance.asked.all(), [1, 1, 3, 1], "the hold is over, and nobody is there to see");
    assert_eq!(instance.state("job").await, LockState::Free);
    assert_eq!(instance.asked.all(), [1, 1, 4, 1], "its end is durable before anybody is told");
    instance.engine.drain().await;
    assert_eq!(instance.asked.all(), [1, 1, 4, 1]);
}

#[tokio::test]
async fn who_stands_by_can_be_stopped() {
    let (instance, _, _) = two();
    timeout(SOON, instance.engine.drain()).await.unwrap();
    assert_eq!(
        instance.engine.submit(create("job")).await.unwrap_err().to_string(),
        "the service is not ready: drained"
    );
    assert_eq!(instance.asked.all(), [0; 4]);
}

#[tokio::test]
async fn i1_i3_two_that_take_turns_know_what_the_other_did() {
    let (first, second, _) = two();
    first.engine.submit(create("job")).await.unwrap();
    let mut last = 0;
    for turn in 0..10 {
        let (holds, asks) = if turn % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let token = holds.token("job", "alice", 60).await.unwrap();
        assert!(token > last, "{token} after {last}");
        last = token;
        let refused = asks.token("job", "bob", 60).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused(Refusal::Held { .. })), "{refused:?}");
        // A read of one that has been taken over from since.
        assert_eq!(holds.state("job").await, LockState::Write);
        asks.release("job", "alice").await.unwrap();
        assert_eq!(holds.state("job").await, LockState::Free);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i3_two_at_the_same_time_get_on_and_never_contradict_each_other() {
    let (first, second, _) = two();
    let (first, second) = (Arc::new(first), Arc::new(second));
    first.engine.submit(create("job")).await.unwrap();
    let inside = Arc::new(AtomicU64::default());
    let mut tasks = Vec::new();
    for worker in 0..8_u64 {
        let instance = Arc::clone(if worker % 2 == 0 { &first } else { &second });
        let other = Arc::clone(if worker % 2 == 0 { &second } else { &first });
        let inside = Arc::clone(&inside);
        tasks.push(tokio::spawn(async move {
            let mut tokens = Vec::new();
            let process = format!("worker-{worker}");
            while tokens.len() < 5 {
                match granted(
                    instance.engine.submit(acquire_waiting("job", &process, 60, 20)).await,
                ) {
                    Ok(token) => {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "I1");
                        sleep(Duration::from_millis(1)).await;
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1, "I1");
                        tokens.push(token);
                        while let Err(failure) = other.release("job", &process).await {
                            assert!(matches!(failure, Failure::NotReady(_)), "{failure:?}");
                        }
                    }
                    Err(Failure::NotReady(_) | Failure::Refused(Refusal::WaitTimedOut { .. })) => {}
                    Err(failure) => panic!("{failure:?}"),
                }
            }
            tokens
        }));
    }
    let mut tokens = Vec::new();
    for task in tasks {
        tokens.extend(timeout(Duration::from_secs(60), task).await.unwrap().unwrap());
    }
    let count = tokens.len();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), count, "I3: a token was given out twice");
}

/// The clocks are a second apart, and requests go to both in turn: so no term lasts longer than a second.
#[tokio::test]
async fn i4_holds_end_although_terms_are_short_and_never_early() {
    for off_ms in [1_000, -1_000] {
        let (first, second, world) = two();
        second.clock.off_ms.store(off_ms, Ordering::SeqCst);
        first.engine.submit(create("job")).await.unwrap();
        first.token("job", "alice", 10).await.unwrap();
        for turn in 0..4 {
            world.pass(1_000);
            let instance = [&second, &first][turn % 2];
            assert_eq!(instance.state("job").await, LockState::Write);
        }
        second.refresh("job", "alice", 10).await.unwrap();
        let refreshed = world.now();
        let mut turn = 0;
        let ended = loop {
            world.pass(500);
            turn += 1;
            let instance = [&first, &second][turn % 2];
            if instance.state("job").await == LockState::Free {
                break world.now() - refreshed;
            }
        };
        assert!(ended >= Duration::from_secs(10), "early: {ended:?} after the refresh");
        assert!(ended < Duration::from_secs(15), "later than twice the skew: {ended:?}");
    }
}

#[tokio::test]
async fn a_key_made_by_one_is_known_to_the_other_and_a_revoked_one_is_shut_out() {
    let (first, second, _) = two();
    first.engine.submit(create("job")).await.unwrap();
    second.engine.attend().await.unwrap();
    let key_id = KeyId::parse("k1").unwrap();
    first.engine.submit(Command::CreateKey(key("k1"))).await.unwrap();
    first.engine.submit(Command::CreateKey(key("k2"))).await.unwrap();
    assert!(second.engine.keyring().get(&key_id).is_none(), "it has not looked since");
    second.engine.attend().await.unwrap();
    assert!(second.engine.keyring().get(&key_id).is_some());

    // Let in by keys of yesterday, and also while its command is on its way.
    first.engine.submit(revoke("k1")).await.unwrap();
    let admitted = second.engine.pinned();
    assert!(admitted.keyring().get(&key_id).is_some(), "that it is gone is not known here");
    let refused = granted(admitted.submit(acquire("job", "alice", 60)).await).unwrap_err();
    assert!(matches!(refused, Failure::NotReady(_)), "{refused:?}");
    assert!(second.engine.keyring().get(&key_id).is_none());
    assert_eq!(second.state("job").await, LockState::Free);
    assert!(matches!(admitted.attend().await, Err(Failure::NotReady(_))));

    // A key that is made shuts nobody out.
    let admitted = second.engine.pinned();
    first.engine.submit(Command::CreateKey(key("k3"))).await.unwrap();
    granted(admitted.submit(acquire("job", "alice", 60)).await).unwrap();
}

#[tokio::test]
async fn who_waits_at_one_gets_what_is_released_at_the_other() {
    let (first, second, world) = two();
    first.engine.submit(create("job")).await.unwrap();
    second.token("job", "alice", 60).await.unwrap();
    let engine = first.engine.clone();
    let waiter =
        tokio::spawn(async move { engine.submit(acquire_waiting("job", "bob", 60, 30)).await });
    sleep(Duration::from_millis(200)).await;
    second.release("job", "alice").await.unwrap();
    let token = timeout(SOON, waiter).await.unwrap().unwrap();
    granted(token).unwrap();

    // The time that it has waited at all terms together counts.
    let engine = first.engine.clone();
    let waiter =
        tokio::spawn(async move { engine.submit(acquire_waiting("job", "carol", 60, 30)).await });
    for _ in 0..4 {
        sleep(Duration::from_millis(150)).await;
        assert_eq!(second.state("job").await, LockState::Write);
        world.pass(8_000);
    }
    let over = timeout(SOON, waiter).await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(over, Failure::NotReady(_) | Failure::Refused(Refusal::WaitTimedOut { .. })),
        "{over:?}"
    );
}

#[tokio::test]
async fn who_follows_is_told_in_time_and_comes_to_an_end_with_the_term() {
    let (first, second, world) = two();
    first.engine.submit(create("job")).await.unwrap();
    first.token("job", "alice", 5).await.unwrap();
    let filter = || Filter {
        namespace: namespace(),
        locks: Locks::WithPrefix(String::new()),
        with_refreshes: false,
    };
    assert!(matches!(second.engine.follow(filter(), None).err(), Some(Failure::NotReady(_))));
    let mut follower = first.engine.follow(filter(), None).unwrap();
    world.pass(5_000);
    let told = timeout(SOON, follower.next()).await.unwrap();
    assert!(matches!(told, Some(Told::Events(_))), "the end of a hold, although nobody asked");
    let seen = follower.seen();
    second.engine.submit(create("log")).await.unwrap();
    assert_eq!(timeout(SOON, follower.next()).await.unwrap(), None, "nobody asks here any more");
    let mut follower = second.engine.follow(filter(), Some(seen)).unwrap();
    let Some(Told::Gap(gap)) = follower.next().await else { panic!("expected a gap") };
    assert_eq!((gap.after, gap.reason), (seen, GapReason::NewTerm));
}

#[tokio::test]
async fn a_lease_that_lasts_is_respected_and_callers_are_told() {
    let (store, world) = (MemoryStore::new(), World::new());
    let mut leading = store.replica(candidate(Duration::from_millis(300)));
    leading.claim().await.unwrap();
    let instance = Instance::start(&store, &world);
    let refused = instance.engine.submit(create("job")).await.unwrap_err();
    assert!(matches!(refused, Failure::NotReady(_)), "{refused:?}");
    assert_eq!(*instance.engine.state(), ReplicaState::Standby);
    sleep(Duration::from_millis(320)).await;
    instance.engine.submit(create("job")).await.unwrap();
}
