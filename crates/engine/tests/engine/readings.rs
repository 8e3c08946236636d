//! Two clocks are never read in the same instant: which one is read first decides who is cut short.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use leasehold_core::{Command, LockId, LockState, LockView, Mono, Now, Reply, Wall};
use leasehold_engine::{Clock, Engine, Leadership, Settings};
use leasehold_store::{Candidate, MemoryStore};

use crate::support::{acquire, create, namespace};

const SKEW: Duration = Duration::from_secs(2);

/// Time as it really is, in milliseconds. It passes when a test says so.
type World = Arc<AtomicU64>;

/// A machine that stops once for a while between its readings of the one clock and the other.
struct Machine {
    world: World,
    ahead: Duration,
    stops_for_ms: AtomicU64,
}

impl Machine {
    fn wall(&self) -> Wall {
        Wall(1_700_000_000_000)
            .plus(self.ahead)
            .plus(Duration::from_millis(self.world.load(Ordering::SeqCst)))
    }

    fn stop(&self) {
        self.world.fetch_add(self.stops_for_ms.swap(0, Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Clock for Machine {
    fn now(&self) -> Now {
        let mono = self.mono();
        self.stop();
        Now { mono, wall: self.wall() }
    }

    fn now_for_stored(&self) -> Now {
        let wall = self.wall();
        self.stop();
        Now { mono: self.mono(), wall }
    }

    fn mono(&self) -> Mono {
        Mono(self.world.load(Ordering::SeqCst) * 1_000_000)
    }
}

/// An engine on a machine that is ahead by so much, and stops for so long at the next reading.
fn engine(
    store: MemoryStore,
    world: &World,
    leadership: Leadership,
    ahead: Duration,
    ms: u64,
) -> Engine {
    let clock = Machine { world: Arc::clone(world), ahead, stops_for_ms: AtomicU64::new(ms) };
    let settings = Settings { leadership, ..Settings::default() };
    Engine::start(Box::new(store), Arc::new(clock), settings).unwrap()
}

/// One that leads on demand.
fn instance(store: &MemoryStore, world: &World, ahead: Duration, stops_for_ms: u64) -> Engine {
    let (address, link_token) = ("here:1".to_owned(), "known to replicas".to_owned().into());
    let store = store.replica(Candidate { address, lease: Duration::ZERO, link_token });
    let leadership = Leadership::OnDemand { max_clock_skew: SKEW };
    engine(store, world, leadership, ahead, stops_for_ms)
}

async fn lock(engine: &Engine) -> LockView {
    let lock_id = LockId::parse("job").unwrap();
    match engine.submit(Command::GetLock { namespace: namespace(), lock_id }).await.unwrap() {
        Reply::Lock(view) => view,
        other => panic!("expected a lock, got {other:?}"),
    }
}

/// Recovery read the monotonic clock before the wall clock. When its machine stood still in between, it took
/// what was left by the later one and counted it from the earlier one: a hold that was granted by
/// clocks as far apart as allowed ended early by that time.
#[tokio::test]
async fn i4_a_stop_between_two_readings_does_not_end_a_recovered_hold_early() {
    let (store, world) = (MemoryStore::new(), World::default());
    let first = instance(&store, &world, Duration::ZERO, 0);
    first.submit(create("job")).await.unwrap();
    first.submit(acquire("job", "alice", 10)).await.unwrap();
    world.store(9_000, Ordering::SeqCst);
    // Its wall clock is ahead as far as allowed, so no allowance is left for anything else.
    let second = instance(&store, &world, SKEW, 600);
    assert_eq!(lock(&second).await.state, LockState::Write);
    assert_eq!(world.load(Ordering::SeqCst), 9_600);
    for (ms, state) in [(9_999, LockState::Write), (10_700, LockState::Free)] {
        world.store(ms, Ordering::SeqCst);
        assert_eq!(lock(&second).await.state, state, "after {ms} ms");
    }
}

/// The other way round: where a timeout begins and is stored, a wall clock that was read first would be too
/// early for what the holder is told, and another term would end the hold before.
#[tokio::test]
async fn i4_a_stop_between_two_readings_does_not_promise_more_than_is_stored() {
    let (store, world) = (MemoryStore::new(), World::default());
    let first = engine(store.clone(), &world, Leadership::Continuous, Duration::ZERO, 0);
    first.submit(create("job")).await.unwrap();
    first.submit(acquire("job", "alice", 10)).await.unwrap();
    first.drain().await;
    // It finds no stored deadlines: every timeout begins again, and is stored.
    let second = instance(&store, &world, Duration::ZERO, 600);
    let promised = lock(&second).await.writers[0].deadline;
    assert_eq!(promised.0 / 1_000_000, 10_000);
    let third = instance(&store, &world, SKEW, 0);
    world.store(9_999, Ordering::SeqCst);
    assert_eq!(lock(&third).await.state, LockState::Write);
}
