//! What followers are told: everything that became durable, nothing else, and where something is missing.

use std::time::Duration;

use leasehold_core::{Event, EventKind, LockId, Namespace};
use leasehold_engine::{EventId, Failure, Filter, Follower, Gap, GapReason, Locks, Settings, Told};
use leasehold_store::{Fault, FaultyStore};
use tokio::time::timeout;

use crate::support::{Service, acquire_waiting, namespace};

const A_WHILE: Duration = Duration::from_millis(150);

fn all() -> Filter {
    let locks = Locks::WithPrefix(String::new());
    Filter { namespace: namespace(), locks, with_refreshes: false }
}

impl Service {
    fn follow(&self, filter: Filter) -> Follower {
        self.engine.follow(filter, None).unwrap()
    }

    fn resume(&self, after: EventId) -> Follower {
        self.engine.follow(all(), Some(after)).unwrap()
    }
}

async fn next(follower: &mut Follower) -> Option<Told> {
    timeout(Duration::from_secs(5), follower.next()).await.expect("something is told")
}

/// What a follower is told until it has been told so much, with ids that follow each other.
async fn told(follower: &mut Follower, count: usize) -> Vec<(EventId, Event)> {
    let mut all: Vec<(EventId, Event)> = Vec::new();
    while all.len() < count {
        match next(follower).await {
            Some(Told::Events(events)) => all.extend(events),
            other => panic!("expected events, got {other:?} after {all:?}"),
        }
    }
    assert!(all.is_sorted_by(|a, b| a.0 < b.0), "{all:?}");
    all
}

async fn words(follower: &mut Follower, count: usize) -> Vec<String> {
    told(follower, count).await.iter().map(|(_, event)| word(event)).collect()
}

fn word(event: &Event) -> String {
    let lock = &event.lock_id;
    match &event.kind {
        EventKind::Created => format!("created {lock}"),
        EventKind::Granted { holder, token, .. } => {
            format!("granted {lock} {}#{token}", holder.process_id)
        }
        EventKind::Queued { waiter, position } => {
            format!("queued {lock} {} {position}", waiter.process_id)
        }
        EventKind::LeftLine { waiter, why } => format!("left {lock} {} {why:?}", waiter.process_id),
        EventKind::Refreshed { holder, .. } => format!("refreshed {lock} {}", holder.process_id),
        EventKind::Ended { holder, cause, .. } => {
            format!("{cause:?} {lock} {}", holder.process_id)
        }
        EventKind::Deleted => format!("deleted {lock}"),
    }
}

async fn gap(follower: &mut Follower) -> Gap {
    match next(follower).await {
        Some(Told::Gap(gap)) => gap,
        other => panic!("expected a gap, got {other:?}"),
    }
}

async fn is_silent(follower: &mut Follower) -> bool {
    timeout(A_WHILE, follower.next()).await.is_err()
}

#[tokio::test]
async fn a_follower_is_told_in_order_of_what_comes_after_it_came() {
    let service = Service::start().await;
    service.create("before").await.unwrap();
    let mut follower = service.follow(all());
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 10).await.unwrap();
    let engine = service.engine.clone();
    let bob =
        tokio::spawn(async move { engine.submit(acquire_waiting("job", "bob", 60, 60)).await });
    assert_eq!(
        words(&mut follower, 3).await,
        ["created job", "granted job alice#1", "queued job bob 1"]
    );
    service.release("job", "alice").await.unwrap();
    bob.await.unwrap().unwrap();
    assert_eq!(words(&mut follower, 2).await, ["Released job alice", "granted job bob#2"]);
    service.clock.advance(60);
    assert_eq!(words(&mut follower, 1).await, ["Expired job bob"]);
    assert!(is_silent(&mut follower).await);
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_told_of_as_well() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let mut follower = service.follow(all());
    let wait = service.engine.submit(acquire_waiting("job", "bob", 60, 60));
    timeout(A_WHILE, wait).await.unwrap_err();
    assert_eq!(words(&mut follower, 2).await, ["queued job bob 1", "left job bob HungUp"]);
}

#[tokio::test]
async fn i2_nothing_is_told_before_it_is_durable() {
    let service = Service::start().await;
    service.create("job").await.unwrap();
    let mut follower = service.follow(all());
    service.fail_next_commit(Fault::FrozenSync);
    assert!(timeout(A_WHILE, service.acquire("job", "alice", 60)).await.is_err());
    assert!(is_silent(&mut follower).await);
}

#[tokio::test]
async fn what_a_failed_commit_held_is_a_gap_whether_it_happened_or_not() {
    for fault in [Fault::UnknownKept, Fault::UnknownLost, Fault::Unavailable, Fault::RivalClaim] {
        let service = Service::start().await;
        service.create("job").await.unwrap();
        let mut follower = service.follow(all());
        let before = follower.seen();
        service.fail_next_commit(fault);
        service.acquire("job", "alice", 60).await.unwrap_err();
        service.get("job").await.unwrap();
        let gap = gap(&mut follower).await;
        assert_eq!((gap.after, gap.reason), (before, GapReason::NewTerm), "{fault:?}");
        assert!(gap.until > before && gap.until.number == 0, "ids only grow: {gap:?}");
        service.create("other").await.unwrap();
        assert_eq!(words(&mut follower, 1).await, ["created other"], "it goes on");
    }
}

#[tokio::test]
async fn a_follower_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let service = Service::start().await;
    let mut follower = service.follow(all());
    service.create("a").await.unwrap();
    service.create("b").await.unwrap();
    let first = told(&mut follower, 1).await[0].0;
    drop(follower);
    service.create("c").await.unwrap();
    let mut again = service.resume(first);
    assert_eq!(words(&mut again, 2).await, ["created b", "created c"]);
    assert_eq!(again.seen(), EventId { number: first.number + 2, ..first });
    assert!(is_silent(&mut again).await);
}

#[tokio::test]
async fn an_id_of_another_term_or_of_none_is_a_gap_and_then_comes_what_there_is() {
    let service = Service::start().await;
    service.create("a").await.unwrap();
    let last = service.follow(all()).seen();
    let after = Service::on(service.faults.crash(0)).await;
    after.create("b").await.unwrap();
    let late = EventId { number: last.number + 1_000, ..after.follow(all()).seen() };
    let of_the_future = EventId { term: last.term + 1_000, number: 1 };
    for id in [last, late, of_the_future] {
        let mut follower = after.resume(id);
        let gap = gap(&mut follower).await;
        assert_eq!((gap.after, gap.reason), (id, GapReason::NewTerm));
        assert_eq!(words(&mut follower, 1).await, ["created b"]);
        assert!(is_silent(&mut follower).await);
    }
}

/// A service that keeps no more than so many events.
async fn forgetful(max_buffered_events: usize) -> Service {
    let settings = Settings { max_buffered_events, ..Settings::default() };
    Service::with(FaultyStore::new(), settings).await
}

#[tokio::test]
async fn whoever_comes_back_too_late_is_told_and_goes_on_with_what_is_kept() {
    let service = forgetful(3).await;
    let begin = service.follow(all()).seen();
    for lock in ["a", "b", "c", "d", "e"] {
        service.create(lock).await.unwrap();
    }
    let mut follower = service.resume(begin);
    let gap = gap(&mut follower).await;
    let until = EventId { number: begin.number + 2, ..begin };
    assert_eq!(gap, Gap { after: begin, until, reason: GapReason::Forgotten });
    assert_eq!(words(&mut follower, 3).await, ["created c", "created d", "created e"]);

    // The id of the gap is as good as any to resume from.
    assert_eq!(words(&mut service.resume(until), 3).await[0], "created c");
}

#[tokio::test]
async fn a_slow_follower_is_cut_off_with_a_gap_and_slows_nobody() {
    let service = forgetful(8).await;
    service.create("job").await.unwrap();
    let mut slow = service.follow(all());
    service.create("seen").await.unwrap();
    assert_eq!(words(&mut slow, 1).await, ["created seen"]);
    for _ in 0..50 {
        service.acquire("job", "alice", 60).await.unwrap();
        service.release("job", "alice").await.unwrap();
    }
    let gap = gap(&mut slow).await;
    assert_eq!((gap.reason, gap.until.number), (GapReason::TooSlow, gap.after.number + 92));
    assert_eq!(next(&mut slow).await, None, "cut off");
}

#[tokio::test]
async fn refreshes_are_told_to_those_who_ask_and_push_nothing_else_out() {
    let service = forgetful(4).await;
    let begin = service.follow(all()).seen();
    service.create("job").await.unwrap();
    service.acquire("job", "alice", 60).await.unwrap();
    let mut keen = service.follow(Filter { with_refreshes: true, ..all() });
    for _ in 0..20 {
        service.refresh("job", "alice", 60).await.unwrap();
        assert_eq!(words(&mut keen, 1).await, ["refreshed job alice"]);
    }
    service.release("job", "alice").await.unwrap();
    assert_eq!(words(&mut keen, 1).await, ["Released job alice"]);
    assert_eq!(
        words(&mut service.resume(begin), 3).await,
        ["created job", "granted job alice#1", "Released job alice"]
    );

    let filter = Filter { with_refreshes: true, ..all() };
    let mut too_late = service.engine.follow(filter, Some(begin)).unwrap();
    assert_eq!(gap(&mut too_late).await.reason, GapReason::Forgotten, "refreshes are missing");
    let mut rest = words(&mut too_late, 5).await;
    assert_eq!(rest.pop().unwrap(), "Released job alice", "in order with the others");
    assert_eq!(rest, vec!["refreshed job alice"; 4]);
}

#[tokio::test]
async fn a_follower_hears_only_of_its_namespace_and_locks() {
    let service = Service::start().await;
    let one = |name| Locks::One(LockId::parse(name).unwrap());
    let mut of_a = service.follow(Filter { locks: one("a"), ..all() });
    let mut with_b = service.follow(Filter { locks: Locks::WithPrefix("b".to_owned()), ..all() });
    let other = Namespace::parse("other").unwrap();
    let mut elsewhere = service.follow(Filter { namespace: other, ..all() });
    for lock in ["a", "ab", "b", "ba", "c"] {
        service.create(lock).await.unwrap();
    }
    assert_eq!(words(&mut of_a, 1).await, ["created a"]);
    assert_eq!(words(&mut with_b, 2).await, ["created b", "created ba"]);
    for follower in [&mut of_a, &mut with_b, &mut elsewhere] {
        assert!(is_silent(follower).await);
        // It knows all the same how far it has come.
        assert_eq!(follower.seen(), service.follow(all()).seen());
    }
}

#[tokio::test]
async fn many_events_at_once_are_all_told() {
    let service = Service::start().await;
    let begin = service.follow(all()).seen();
    let locks: Vec<String> = (0..1_500).map(|n| format!("lock-{n:04}")).collect();
    let mut calls = tokio::task::JoinSet::new();
    for lock in &locks {
        let (engine, create) = (service.engine.clone(), crate::support::create(lock));
        calls.spawn(async move { engine.submit(create).await });
    }
    while let Some(created) = calls.join_next().await {
        created.unwrap().unwrap();
    }
    let told = told(&mut service.resume(begin), locks.len()).await;
    let numbers = told.iter().map(|(id, _)| id.number);
    assert!(numbers.eq(begin.number + 1..=begin.number + 1_500));
    let mut names: Vec<String> = told.iter().map(|(_, event)| event.lock_id.to_string()).collect();
    names.sort_unstable();
    assert_eq!(names, locks);
}

#[tokio::test]
async fn a_stop_ends_what_follows_and_takes_no_new_followers() {
    let service = Service::start().await;
    let mut follower = service.follow(all());
    service.engine.turn_waiters_away();
    assert_eq!(next(&mut follower).await, None);
    let refused = service.engine.follow(all(), None).err();
    assert_eq!(refused, Some(Failure::Draining));
    service.create("job").await.unwrap();
    service.engine.drain().await;
    assert!(matches!(service.engine.follow(all(), None).err(), Some(Failure::NotReady(_))));
}
