//! Refusals that come from limits and from the engine.

use std::thread;
use std::time::{Duration, Instant};

use leasehold_core::{FencingToken, Row};
use leasehold_engine::ReplicaState;

use crate::support::store::{Mood, MoodyStore};
use crate::support::{Service, Setup, client};

#[test]
fn i7_a_namespace_holds_so_many_locks() {
    let mut setup = Setup::default();
    setup.engine.limits.max_locks_per_namespace = 2;
    let service = setup.start().ready();
    service.create("a", false);
    service.create("b", false);
    let problem = service.call("POST", "/v1/distributed_lock/c").refusal(429, "too_many_locks");
    assert!(problem["detail"].as_str().unwrap().contains("has 2 locks"), "{problem}");
}

#[test]
fn i7_a_lock_has_so_many_holders() {
    let mut setup = Setup::default();
    setup.engine.limits.max_holders_per_lock = 1;
    let service = setup.start().ready();
    service.create("report", false);
    service.acquire("report", "read", "a");
    let target = "/v1/distributed_lock/report/read-process/b";
    service.call("PUT", target).refusal(429, "too_many_holders");
}

#[test]
fn i7_the_service_has_so_many_keys() {
    let mut setup = Setup::default();
    setup.engine.limits.max_keys = 1;
    let service = setup.start().ready();
    service.post_as("", "/v1/keys", r#"{"role": "read"}"#).ok(201);
    service.post_as("", "/v1/keys", r#"{"role": "read"}"#).refusal(429, "too_many_keys");
}

#[test]
fn i3_when_the_tokens_are_used_up_nothing_is_granted() {
    let setup = Setup {
        store: MoodyStore::filled(vec![Row::Sequence(FencingToken::MAX)]),
        ..Setup::default()
    };
    let service = setup.start().ready();
    service.create("report", false);
    let target = "/v1/distributed_lock/report/write-process/p";
    let problem = service.call("PUT", target).refusal(507, "tokens_exhausted");
    assert_eq!(problem["retryable"], false);
    let lock = service.call("GET", "/v1/distributed_lock/report").ok(200);
    assert_eq!(lock["current_state"], "FREE");
}

#[test]
fn before_the_table_is_loaded_nothing_is_answered() {
    let store = MoodyStore::new(Mood::RefusesClaims);
    let service = Setup { store, ..Setup::default() }.start();
    let problem = service.call("GET", "/v1/distributed_lock/report").refusal(503, "not_ready");
    assert_eq!(problem["outcome"], "none");
    let (mut state, why) = (service.engine.watch_state(), "the test said so");
    let told = state.wait_for(
        |state| matches!(state, ReplicaState::Recovering { reason } if reason.contains(why)),
    );
    drop(service.runtime.block_on(told).unwrap());
    let problem = service.call("GET", "/readyz").refusal(503, "not_ready");
    assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    assert_eq!(service.call("GET", "/livez").status, 200);
    service.call("GET", "/v1/healthcheck").ok(200);
    service.store.set(Mood::Works);
    let service = service.ready();
    assert_eq!(service.call("GET", "/readyz").ok(200)["ready"], true);
    service.call("GET", "/v1/distributed_lock/report").refusal(404, "no_such_lock");
}

/// Before recovery no key is known, so a valid one looks like a wrong one. Its owner must be told to
/// wait, not to give up.
#[test]
fn before_the_keys_are_loaded_nobody_is_told_that_theirs_is_wrong() {
    let store = MoodyStore::new(Mood::RefusesClaims);
    let service = Setup { store, ..Setup::with_keys() }.start();
    let target = "/v1/distributed_lock/report";
    service.call("GET", target).refusal(503, "not_ready");
    service.call_as("lh_0123456789ab_00", "GET", target).refusal(503, "not_ready");
    service.store.set(Mood::Works);
    let service = service.ready();
    service.call("GET", target).refusal(401, "unauthorized");
}

#[test]
fn i2_a_commit_that_did_not_happen_is_said_not_to_have_happened() {
    let service = Service::start();
    service.store.set(Mood::RefusesCommits);
    let target = "/v1/distributed_lock/report";
    let problem = service.call("POST", target).refusal(503, "not_ready");
    assert_eq!(problem["outcome"], "none");
    service.store.set(Mood::Works);
    let service = service.ready();
    service.call("GET", target).refusal(404, "no_such_lock");
}

#[test]
fn i2_a_commit_whose_answer_is_lost_is_said_to_be_unknown() {
    let service = Service::start();
    service.store.set(Mood::LosesAnswers);
    let target = "/v1/distributed_lock/report";
    let problem = service.call("POST", target).refusal(503, "outcome_unknown");
    assert_eq!(problem["outcome"], "unknown");
    service.store.set(Mood::Works);
    let service = service.ready();
    service.call("GET", target).ok(200);
}

#[test]
fn i7_more_requests_than_may_wait_are_refused_at_once() {
    let mut setup = Setup::default();
    setup.engine.max_queued = 2;
    setup.engine.max_batch = 1;
    let service = setup.start().ready();
    service.store.set(Mood::Hangs);
    let call = |number: usize| {
        let address = service.address;
        let target = format!("/v1/distributed_lock/lock-{number}");
        thread::spawn(move || client::send(address, "POST", &target, &[], ""))
    };
    let until = |reached: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !reached() {
            assert!(began.elapsed() < Duration::from_secs(10));
            thread::sleep(Duration::from_millis(5));
        }
    };
    // One in the commit that hangs, two in the queue, and the rest is refused.
    let mut callers = vec![call(0)];
    until(&|| service.store.is_hanging());
    callers.extend((1..8).map(call));
    until(&|| service.engine.queue_depth() == 2);
    service.call("GET", "/v1/distributed_lock/report").refusal(503, "overloaded");
    // Whoever comes only once there is room again is let in.
    until(&|| callers.iter().filter(|caller| caller.is_finished()).count() == 5);
    service.store.set(Mood::Works);
    let replies: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(created, 3);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.refusal(503, "overloaded")["outcome"], "none");
    }
}

#[test]
fn a_service_that_shuts_down_says_so() {
    let service = Service::start();
    service.store.set(Mood::Hangs);
    let (engine, mut state) = (service.engine.clone(), service.engine.watch_state());
    let draining = service.runtime.spawn(async move { engine.drain().await });
    let reached = state.wait_for(|state| *state == ReplicaState::Draining);
    drop(service.runtime.block_on(reached).unwrap());
    for target in ["/v1/distributed_lock/report", "/readyz"] {
        let problem = service.call("GET", target).refusal(503, "draining");
        assert_eq!(problem["outcome"], "none");
    }
    assert_eq!(service.call("GET", "/livez").status, 200);

    service.store.set(Mood::Works);
    service.runtime.block_on(draining).unwrap();
    service.call("GET", "/v1/distributed_lock/report").refusal(503, "not_ready");
    service.call("GET", "/readyz").refusal(503, "not_ready");
}
