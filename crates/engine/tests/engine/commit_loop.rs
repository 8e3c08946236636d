//! What the commit loop promises when the store works, fails, lies still or is taken over.

use std::time::Duration;

use crate::support::{Service, acquire, create, hold};
use leasehold_core::{FencingToken, LockState, Refusal, Row};
use leasehold_engine::{Clock, Engine, Failure, ReplicaState, Settings, SystemClock};
use leasehold_store::{Fault, FaultyStore, Store};
use tokio::task::JoinSet;
use tokio::time::timeout;

const A_WHILE: Duration = Duration::from_millis(150);

#[tokio::test]
async fn i2_no_reply_leaves_before_the_sync_neither_a_grant_nor_a_refusal_nor_a_read() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.fail_next_commit(Fault::FrozenSync);
    assert!(timeout(A_WHILE, service.acquire("job", "alice", 60)).await.is_err(), "the grant");
    assert!(timeout(A_WHILE, service.acquire("job", "bob", 60)).await.is_err(), "the refusal");
    assert!(timeout(A_WHILE, service.get("job")).await.is_err(), "the read");

    // The power goes. What nobody was told of may be gone, and what was told stands.
    let after = Service::on(service.faults.crash(0)).await;
    assert_eq!(after.get("job").await.unwrap().state, LockState::Free);
}

#[tokio::test]
async fn i2_a_read_in_the_batch_of_a_lost_commit_is_not_answered_from_the_lost_table() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.fail_next_commit(Fault::UnknownLost);
    let mut calls = JoinSet::new();
    for command in [acquire("job", "alice", 60), acquire("job", "bob", 60)] {
        let engine = service.engine.clone();
        calls.spawn(async move { engine.submit(command).await });
    }
    while let Some(outcome) = calls.join_next().await {
        // Whether both were in the lost batch or one came after the reload: nobody may be refused
        // because of a grant that never was.
        let outcome = outcome.unwrap();
        assert!(!matches!(outcome, Err(Failure::Refused(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_said_to_be_unknown_and_then_looked_up() {
    for (fault, state) in
        [(Fault::UnknownKept, LockState::Write), (Fault::UnknownLost, LockState::Free)]
    {
        let service = Service::start().await;
        service.create("job").await.unwrap();
        service.fail_next_commit(fault);
        let outcome = service.acquire("job", "alice", 60).await;
        assert!(matches!(outcome, Err(Failure::OutcomeUnknown(_))), "{outcome:?}");
        assert_eq!(service.get("job").await.unwrap().state, state, "{fault:?}");
    }
}

#[tokio::test]
async fn a_commit_that_did_not_happen_leaves_nothing_in_memory_either() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    for fault in [Fault::Unavailable, Fault::RivalClaim] {
        service.fail_next_commit(fault);
        let outcome = service.acquire("job", "alice", 60).await;
        assert!(matches!(outcome, Err(Failure::NotReady(_))), "{outcome:?}");
        assert_eq!(service.get("job").await.unwrap().state, LockState::Free, "{fault:?}");
    }
    assert!(service.acquire("job", "alice", 60).await.is_ok(), "it goes on under a new epoch");
}

#[tokio::test]
async fn i3_tokens_grow_over_failed_commits_reloads_and_restarts() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    let first = service.acquire("job", "alice", 60).await.unwrap();
    service.release("job", "alice").await.unwrap();
    service.fail_next_commit(Fault::UnknownKept);
    service.acquire("job", "bob", 60).await.unwrap_err();
    let bob = service.get("job").await.unwrap().writers[0].token.get();
    assert!(bob > first);
    service.release("job", "bob").await.unwrap();
    let after = Service::on(service.faults.crash(0)).await;
    assert!(after.acquire("job", "carol", 60).await.unwrap() > bob);
}

#[tokio::test]
async fn i4_after_a_reload_and_after_a_restart_a_hold_has_its_full_timeout_anew() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 10).await.unwrap();
    service.clock.advance(9);
    service.fail_next_commit(Fault::UnknownLost);
    service.create("other").await.unwrap_err();
    service.get("job").await.expect("an answer comes after the reload");
    service.clock.advance(9);
    let job = service.get("job").await.unwrap();
    assert_eq!(job.writers[0].remaining, Duration::from_secs(1), "anew from the reload");

    let after = Service::on(service.faults.crash(0)).await;
    let job = after.get("job").await.unwrap();
    assert_eq!(job.writers[0].remaining, Duration::from_secs(10), "anew from the restart");
    after.clock.advance(10);
    assert_eq!(after.get("job").await.unwrap().state, LockState::Free);
}

#[tokio::test]
async fn i5_a_refresh_after_the_end_is_refused_and_acquires_nothing() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 10).await.unwrap();
    service.clock.advance(10);
    let outcome = service.refresh("job", "alice", 10).await;
    assert!(matches!(outcome, Err(Failure::Refused(Refusal::NotHeld { .. }))), "{outcome:?}");
    assert_eq!(service.get("job").await.unwrap().state, LockState::Free);
}

/// The loop used to end at most one batch of due holds and then decide commands all the same: with more
/// holds due than that, a hold past its end could still be refreshed, and still kept others out.
#[tokio::test]
async fn i5_commands_are_decided_after_every_due_hold_has_ended_however_many_are_due() {
    let settings = Settings { max_batch: 2, ..Settings::default() };
    let service = Service::with(FaultyStore::new(), settings).await;
    for n in 0..9 {
        let lock = format!("lock-{n}");
        service.create(&lock).await.unwrap();
        service.acquire(&lock, "alice", 10).await.unwrap();
    }
    service.clock.advance(10);
    let outcome = service.refresh("lock-8", "alice", 10).await;
    assert!(matches!(outcome, Err(Failure::Refused(Refusal::NotHeld { .. }))), "{outcome:?}");
}

#[tokio::test]
async fn a_refresh_that_keeps_the_timeout_commits_nothing_one_that_changes_it_does() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 10).await.unwrap();
    let commits = service.faults.commits();
    service.clock.advance(9);
    service.refresh("job", "alice", 10).await.unwrap();
    service.clock.advance(9);
    assert_eq!(service.get("job").await.unwrap().state, LockState::Write, "it did refresh");
    assert_eq!(service.faults.commits(), commits);
    service.refresh("job", "alice", 5).await.unwrap();
    assert_eq!(service.faults.commits(), commits + 1);
}

#[tokio::test]
async fn commands_that_queue_up_share_a_commit() {
    let service = Service::start().await;
    let commits = service.faults.commits();
    let mut calls = JoinSet::new();
    for n in 0..500 {
        let engine = service.engine.clone();
        calls.spawn(async move { engine.submit(create(&format!("lock-{n}"))).await });
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    let commits = service.faults.commits() - commits;
    assert!((1..250).contains(&commits), "500 commands took {commits} commits");
}

#[tokio::test]
async fn an_expiry_is_committed_though_nobody_asks() {
    let store = FaultyStore::new();
    let faults = store.faults();
    let clock = std::sync::Arc::new(SystemClock);
    let engine = Engine::start(Box::new(store), clock, Settings::default()).unwrap();
    engine.submit(create("job")).await.unwrap();
    engine.submit(acquire("job", "alice", 1)).await.unwrap();
    let commits = faults.commits();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(faults.commits(), commits, "I4: not before its time");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(faults.commits(), commits + 1);
}

#[tokio::test]
async fn i7_more_commands_than_the_queue_takes_are_refused_at_once() {
    let settings = Settings { max_queued: 1, ..Settings::default() };
    let service = Service::with(FaultyStore::new(), settings).await;
    service.create("job").await.unwrap();
    service.fail_next_commit(Fault::FrozenSync);
    let mut calls = JoinSet::new();
    for n in 0..5 {
        let engine = service.engine.clone();
        let command = acquire("job", &format!("p{n}"), 60);
        calls.spawn(async move { timeout(A_WHILE, engine.submit(command)).await });
    }
    let outcomes = calls.join_all().await;
    let overloaded = outcomes.iter().filter(|o| matches!(o, Ok(Err(Failure::Overloaded)))).count();
    assert!(overloaded >= 3, "one is in the frozen commit, one waits: {outcomes:?}");
}

#[tokio::test]
async fn draining_answers_what_is_queued_resigns_and_refuses_the_rest() {
    let service = Service::start().await;
    let mut calls = JoinSet::new();
    for n in 0..100 {
        let engine = service.engine.clone();
        calls.spawn(async move { engine.submit(create(&format!("lock-{n}"))).await });
    }
    tokio::task::yield_now().await;
    service.engine.drain().await;
    let created = calls.join_all().await.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(service.create("late").await.is_err());

    let mut next = service.faults.rival();
    let epoch = next.claim().await.unwrap();
    let mut locks = 0;
    next.load(epoch, &mut |row| locks += usize::from(matches!(row, Row::Lock { .. })))
        .await
        .unwrap();
    assert_eq!(locks, created, "what was acknowledged, and nothing else");
}

#[tokio::test]
async fn rows_that_break_a_promise_stop_the_loop_and_readiness_says_why() {
    let mut store = FaultyStore::new();
    let epoch = store.claim().await.unwrap();
    let mut batch = leasehold_core::Batch::default();
    batch.put(Row::Hold {
        hold: hold("ghost", "alice"),
        token: FencingToken::new(1).unwrap(),
        timeout: leasehold_core::TimeoutSecs::new(60).unwrap(),
        acquired_at: leasehold_core::Wall(0),
        renewed_at: leasehold_core::Wall(0),
        note: None,
        idempotency_key: None,
        acquired_by: None,
    });
    store.commit(epoch, &batch).await.unwrap();

    let clock = std::sync::Arc::new(SystemClock);
    let engine = Engine::start(Box::new(store), clock, Settings::default()).unwrap();
    let mut state = engine.watch_state();
    let stopped = state.wait_for(|state| matches!(state, ReplicaState::Stopped { .. }));
    let stopped = timeout(Duration::from_secs(5), stopped).await.unwrap().unwrap().clone();
    let ReplicaState::Stopped { reason } = stopped else { panic!("{stopped:?}") };
    assert!(reason.contains("no such lock"), "{reason}");
    let outcome = engine.submit(create("job")).await;
    assert!(matches!(outcome, Err(Failure::NotReady(_))), "{outcome:?}");
}

#[test]
fn the_system_clock_moves_forward() {
    let first = SystemClock.now();
    std::thread::sleep(Duration::from_millis(5));
    let elapsed = SystemClock.now().mono.since(first.mono);
    assert!(elapsed >= Duration::from_millis(5), "{elapsed:?}");
    assert!(first.wall.0 > 1_700_000_000_000, "milliseconds since 1970");
}
