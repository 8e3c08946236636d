//! Standing in line, as callers of the loop see it: served, told, or gone.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use leasehold_core::{
    Command, Detail, FencingToken, HoldKey, IdempotencyKey, ListLocks, LockId, LockState, Mode,
    Origin, ProcessId, Quotas, Refusal, Reply, Terms, TimeoutSecs,
};
use leasehold_engine::{Engine, Failure, Filter, Locks, Settings, SystemClock};
use leasehold_store::{Fault, FaultyStore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Service, acquire, acquire_waiting, create, hold, namespace};

const SOON: Duration = Duration::from_secs(5);

impl Service {
    /// A call in a task of its own, which can be aborted as a client can hang up.
    fn call(&self, command: Command) -> JoinHandle<Result<Reply, Failure>> {
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.submit(command).await })
    }

    /// Sends a command that commits, lets the outcome come, and hands it to nobody: the caller hangs up
    /// in between, after `meanwhile` is done.
    async fn granted_to_nobody(&self, command: Command, meanwhile: impl AsyncFnOnce()) {
        self.keyed_granted_to_nobody(Origin::default(), command, meanwhile).await;
    }

    async fn keyed_granted_to_nobody(
        &self,
        origin: Origin,
        command: Command,
        meanwhile: impl AsyncFnOnce(),
    ) {
        let commits = self.faults.commits();
        let mut call = pin!(self.engine.submit_from(origin, command));
        let held = self.clock.hold();
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(held);
        while self.faults.commits() == commits {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        meanwhile().await;
    }

    /// What another process is told that the lock is doing, once the loop has dealt with everything that
    /// it knows of. To ask for the lock by name would show a holder its hold.
    async fn settled_state(&self) -> LockState {
        // One round takes note of who is gone, and the next has committed what follows from it.
        for _ in 0..3 {
            self.state_for_others().await;
        }
        self.state_for_others().await
    }

    async fn state_for_others(&self) -> LockState {
        let other = self.engine.submit(acquire("job", "somebody else", 60)).await;
        match other {
            Err(Failure::Refused(Refusal::Held(lock))) => lock.state,
            Ok(_) => {
                self.release("job", "somebody else").await.unwrap();
                LockState::Free
            }
            Err(other) => panic!("expected a state, got {other:?}"),
        }
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
        let call = acquire_waiting("job", "gone", 60, wait_secs);
        service
            .granted_to_nobody(call, async || {
                assert_eq!(service.state_for_others().await, LockState::Write);
            })
            .await;
        let free = async { while service.state_for_others().await != LockState::Free {} };
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

/// Both used to happen in one batch and in the wrong order: the newer request was told the end of the
/// older one's wait, and the older one that it was superseded.
#[tokio::test]
async fn a_process_that_comes_back_in_the_moment_its_wait_ends_goes_on_waiting() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let older = service.call(acquire_waiting("job", "bob", 60, 5));
    service.until_waiting(1).await;
    service.clock.advance(6);
    let newer = service.call(acquire_waiting("job", "bob", 60, 30));
    let outcome = timeout(SOON, older).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(Failure::Refused(Refusal::WaitTimedOut { .. }))), "{outcome:?}");
    service.until_waiting(1).await;
    assert!(!newer.is_finished());
    service.release("job", "alice").await.unwrap();
    token(timeout(SOON, newer).await.unwrap().unwrap());
}

/// The batch that granted it also had word that its caller was gone, and forgot the caller before it
/// looked who had been granted what.
#[tokio::test]
async fn a_caller_that_hangs_up_in_the_moment_of_its_grant_holds_nothing() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 5).await.unwrap();
    let gone = service.call(acquire_waiting("job", "gone", 60, 30));
    service.until_waiting(1).await;
    service.clock.advance(6);
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let free = async { while service.state_for_others().await != LockState::Free {} };
    timeout(SOON, free).await.expect("nothing is held for nobody");
}

fn terms() -> Terms {
    Terms { timeout: TimeoutSecs::new(60).unwrap(), note: None, detail: Detail::Own }
}

/// A process that turned a hold into another had one before: taking it away would leave it with
/// nothing of what it was told that it holds.
#[tokio::test]
async fn a_change_of_mode_that_nobody_heard_of_is_not_given_back() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let writer = hold("job", "alice");
    let reader = HoldKey { mode: Mode::Read, ..writer.clone() };
    let downgrade = Command::Downgrade { hold: writer, terms: terms() };
    service.granted_to_nobody(downgrade, async || {}).await;
    assert_eq!(service.settled_state().await, LockState::Read);
    let (wait, quotas) = (Duration::ZERO, Quotas::default());
    let upgrade = Command::Upgrade { hold: reader, terms: terms(), wait, quotas };
    service.granted_to_nobody(upgrade, async || {}).await;
    assert_eq!(service.settled_state().await, LockState::Write);
}

fn with_key(key: &str) -> Origin {
    let idempotency_key = Some(IdempotencyKey::parse(key).unwrap());
    Origin { idempotency_key, ..Origin::default() }
}

/// The first reply was lost on its way, the request came again and was told its token; then the loop
/// had word that the first caller was gone, and took the hold from the second (I4).
#[tokio::test]
async fn i4_a_grant_is_not_given_back_once_its_process_was_told_of_it_otherwise() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    let call = || acquire("job", "alice", 60);
    let again = async || {
        let reply = service.engine.submit_from(with_key("7"), call()).await;
        assert!(matches!(reply, Ok(Reply::Granted(_))), "{reply:?}");
    };
    service.keyed_granted_to_nobody(with_key("7"), call(), again).await;
    assert_eq!(service.settled_state().await, LockState::Write, "it was sent again");
    service.release("job", "alice").await.unwrap();

    let refresh = async || drop(service.refresh("job", "alice", 60).await.unwrap());
    service.granted_to_nobody(acquire("job", "alice", 60), refresh).await;
    assert_eq!(service.settled_state().await, LockState::Write, "it was refreshed");
    service.release("job", "alice").await.unwrap();

    service.engine.submit_from(with_key("8"), call()).await.unwrap();
    {
        let mut again = pin!(service.engine.submit_from(with_key("8"), call()));
        let held = service.clock.hold();
        assert!(again.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(held);
        service.get("job").await.unwrap();
    }
    assert_eq!(service.settled_state().await, LockState::Write, "the first copy was heard");
}

/// The story: a process's wait was granted while its connection broke. It asked again, or looked, and was
/// told that it holds the lock; then the end of the first connection was noticed, and the hold was given
/// back, while the process worked under it. Here is every answer that shows a process its hold.
#[tokio::test]
async fn i4_a_grant_is_not_given_back_once_any_answer_has_shown_it_to_its_process() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    let lock_id = LockId::parse("job").unwrap();
    let process_id = ProcessId::parse("alice").unwrap();
    let list = ListLocks {
        namespace: namespace(),
        prefix: String::new(),
        state: None,
        process_id: None,
        after: None,
        limit: 10,
    };
    let of_process = ListLocks { process_id: Some(process_id.clone()), ..list.clone() };
    let mut read = acquire("job", "alice", 60);
    if let Command::Acquire(acquire) = &mut read {
        acquire.wants[0].mode = Mode::Read;
    }
    let hold = hold("job", "alice");
    let reader = HoldKey { mode: Mode::Read, ..hold.clone() };
    let timeout = TimeoutSecs::new(60).unwrap();
    let ways = [
        ("406", acquire("job", "alice", 60)),
        ("an acquire in the other mode", read),
        ("GET of the process", Command::GetProcess { namespace: namespace(), process_id }),
        ("GET of the lock", Command::GetLock { namespace: namespace(), lock_id: lock_id.clone() }),
        ("the list", Command::ListLocks(list)),
        ("the list of the process", Command::ListLocks(of_process)),
        ("a refused create", create("job")),
        (
            "a refused delete",
            Command::DeleteLock { namespace: namespace(), lock_id, force: false, is_begun: false },
        ),
        (
            "a refused refresh",
            Command::Refresh { hold: reader.clone(), token: None, timeout, detail: Detail::Own },
        ),
        ("a refused release", Command::Release { hold: reader, token: None, detail: Detail::Own }),
        (
            "a stale token",
            Command::Release { hold, token: FencingToken::new(1 << 40), detail: Detail::Own },
        ),
    ];
    for (way, command) in ways {
        let look = async || drop(service.engine.submit(command).await);
        service.granted_to_nobody(acquire("job", "alice", 60), look).await;
        assert_eq!(service.settled_state().await, LockState::Write, "{way} showed it");
        service.release("job", "alice").await.unwrap();
    }
}

/// The same for events: a process that follows them has read that it holds the lock.
#[tokio::test]
async fn i4_a_grant_that_events_have_told_of_is_not_given_back() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    let filter = Filter {
        namespace: namespace(),
        locks: Locks::WithPrefix(String::new()),
        with_refreshes: false,
    };
    let mut follower = service.engine.follow(filter, None).unwrap();
    let listen = async || assert!(follower.next().await.is_some());
    service.granted_to_nobody(acquire("job", "alice", 60), listen).await;
    assert_eq!(service.settled_state().await, LockState::Write, "events told of it");
    service.release("job", "alice").await.unwrap();
    drop(follower);
    service.granted_to_nobody(acquire("job", "bob", 60), async || {}).await;
    assert_eq!(service.settled_state().await, LockState::Free, "no client follows any more");
}

/// A client that had no answer sends its request again. The first copy, which was granted and given back,
/// does not count.
#[tokio::test]
async fn a_request_whose_grant_was_given_back_can_be_sent_again() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    let call = || acquire("job", "alice", 60);
    service.keyed_granted_to_nobody(with_key("7"), call(), async || {}).await;
    assert_eq!(service.settled_state().await, LockState::Free);
    let reply = service.engine.submit_from(with_key("7"), call()).await;
    assert!(matches!(reply, Ok(Reply::Granted(_))), "{reply:?}");
}
