//! Several replicas on one store: one leads, the others know who, and the next takes over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leasehold_core::Reply;
use leasehold_engine::{
    Engine, Failure, Filter, GapReason, Locks, ReplicaState, Settings, SystemClock, Told,
};
use leasehold_store::{Candidate, MemoryStore};

use crate::support::{acquire, create, namespace};

const LEASE: Duration = Duration::from_millis(600);
const SOON: Duration = Duration::from_secs(10);

fn replica(store: &MemoryStore, address: &str) -> Engine {
    let candidate = Candidate {
        address: address.to_owned(),
        lease: LEASE,
        link_token: "known to replicas".to_owned(),
    };
    let settings = Settings { campaign_pause: Duration::from_millis(20), ..Settings::default() };
    Engine::start(Box::new(store.replica(candidate)), Arc::new(SystemClock), settings).unwrap()
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
        (leader.address.as_str(), leader.link_token.as_str()),
        ("first:1", "known to replicas")
    );
    let refused = second.submit(create("job")).await.unwrap_err();
    assert_eq!(refused, Failure::Elsewhere(Box::new(leader)));
    // Renewals outlast the lease.
    tokio::time::sleep(LEASE * 2).await;
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
