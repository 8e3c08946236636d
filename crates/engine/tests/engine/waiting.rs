//! Standing in line, as callers of the loop see it: served, told, or gone.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use leasehold_core::{Command, LockState, Refusal, Reply};
use leasehold_engine::{Engine, Failure, Settings, SystemClock};
use leasehold_store::{Fault, FaultyStore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Service, acquire, acquire_waiting, create, namespace};

const SOON: Duration = Duration::from_secs(5);

impl Service {
    /// A call in a task of its own, which can be aborted as a client can hang up.
    fn call(&self, command: Command) -> JoinHandle<Result<Reply, Failure>> {
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.submit(command).await })
    }

    /// Returns once so many requests stand in line.
    async fn until_waiting(&self, count: usize) {
        let waiting = async {
            loop {
                let waits = Command::GetWaits { namespace: namespace() };
                match self.engine.submit(waits).await.unwrap() {
                    Reply::Waits(waits) if waits.len() == count => return,
                    Reply::Waits(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                    other => panic!("expected waits, got {other:?}"),
                }
            }
        };
        timeout(SOON, waiting).await.expect("the line gets that long");
    }
}

fn token(outcome: Result<Reply, Failure>) -> u64 {
    match outcome.unwrap() {
        Reply::Granted(grants) => grants[0].hold.token.get(),
        other => panic!("expected a grant, got {other:?}"),
    }
}

#[tokio::test]
async fn i6_a_release_and_the_grant_that_it_makes_room_for_are_one_commit() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    let alice = service.acquire("job", "alice", 60).await.unwrap();
    let bob = service.call(acquire_waiting("job", "bob", 60, 30));
    service.until_waiting(1).await;
    let commits = service.faults.commits();
    service.release("job", "alice").await.unwrap();
    assert!(token(bob.await.unwrap()) > alice);
    assert_eq!(service.faults.commits(), commits + 1);
}

#[tokio::test]
async fn i2_a_waiter_is_not_told_of_its_grant_before_the_sync() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let bob = service.call(acquire_waiting("job", "bob", 60, 30));
    service.until_waiting(1).await;
    service.fail_next_commit(Fault::FrozenSync);
    let released = timeout(Duration::from_millis(150), service.release("job", "alice")).await;
    assert!(released.is_err(), "the release waits for the sync");
    assert!(!bob.is_finished(), "and so does the grant");
}

#[tokio::test]
async fn an_expiry_wakes_the_next_in_line_though_nobody_asks() {
    let clock = std::sync::Arc::new(SystemClock);
    let engine = Engine::start(Box::new(FaultyStore::new()), clock, Settings::default()).unwrap();
    engine.submit(create("job")).await.unwrap();
    engine.submit(acquire("job", "alice", 1)).await.unwrap();
    let waited = std::time::Instant::now();
    token(engine.submit(acquire_waiting("job", "bob", 60, 30)).await);
    let waited = waited.elapsed();
    assert!(waited >= Duration::from_millis(990), "I4: {waited:?}");
    assert!(waited < Duration::from_millis(1_500), "{waited:?}");
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_the_line_at_once() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let gone = service.call(acquire_waiting("job", "gone", 60, 30));
    service.until_waiting(1).await;
    let bob = service.call(acquire_waiting("job", "bob", 60, 30));
    service.until_waiting(2).await;
    gone.abort();
    service.until_waiting(1).await;
    service.release("job", "alice").await.unwrap();
    token(timeout(SOON, bob).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_grant_that_nobody_took_is_given_back_at_once() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    for wait_secs in [0, 30] {
        let commits = service.faults.commits();
        {
            // Sends the call, and is never asked for its outcome.
            let mut call =
                pin!(service.engine.submit(acquire_waiting("job", "gone", 60, wait_secs)));
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            while service.faults.commits() == commits {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            assert_eq!(service.get("job").await.unwrap().state, LockState::Write);
        }
        let free = async { while service.get("job").await.unwrap().state != LockState::Free {} };
        timeout(SOON, free).await.expect("nothing is held for nobody");
    }
}

#[tokio::test]
async fn a_failed_commit_tells_all_who_wait_that_nothing_was_granted_to_them() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let bob = service.call(acquire_waiting("job", "bob", 60, 30));
    service.until_waiting(1).await;
    service.fail_next_commit(Fault::UnknownLost);
    service.create("other").await.unwrap_err();
    let outcome = timeout(SOON, bob).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(Failure::NotReady(_))), "{outcome:?}");
    assert_eq!(service.get("job").await.unwrap().waiter_count, 0);
}

#[tokio::test]
async fn draining_tells_those_who_wait() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let bob = service.call(acquire_waiting("job", "bob", 60, 30));
    service.until_waiting(1).await;
    timeout(SOON, service.engine.drain()).await.unwrap();
    assert_eq!(bob.await.unwrap(), Err(Failure::Draining));
}

#[tokio::test]
async fn the_same_process_asking_again_takes_its_own_place_over() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let older = service.call(acquire_waiting("job", "bob", 60, 30));
    service.until_waiting(1).await;
    let newer = service.call(acquire_waiting("job", "bob", 60, 30));
    let outcome = timeout(SOON, older).await.unwrap().unwrap();
    assert_eq!(outcome, Err(Failure::Refused(Refusal::Superseded)));
    service.release("job", "alice").await.unwrap();
    token(timeout(SOON, newer).await.unwrap().unwrap());
}

/// A stop used to sit its whole grace period out while anybody stood in line.
#[tokio::test]
async fn turned_away_waiters_are_told_at_once_and_everything_else_goes_on() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let calls = ["bob", "carol"].map(|who| service.call(acquire_waiting("job", who, 60, 30)));
    service.until_waiting(2).await;
    service.engine.turn_waiters_away();
    for call in calls {
        let outcome = timeout(SOON, call).await.unwrap().unwrap();
        assert_eq!(outcome, Err(Failure::Draining));
    }
    // Whoever comes to the line now is told the same, and leaves nothing behind in it.
    let late = service.call(acquire_waiting("job", "dave", 60, 30));
    assert_eq!(timeout(SOON, late).await.unwrap().unwrap(), Err(Failure::Draining));
    assert_eq!(service.get("job").await.unwrap().waiter_count, 0);
    let lock = service.release("job", "alice").await.unwrap();
    assert_eq!(lock.state, LockState::Free, "nobody who was turned away holds it");
    service.acquire("job", "erin", 60).await.unwrap();
    timeout(SOON, service.engine.drain()).await.unwrap();
}
