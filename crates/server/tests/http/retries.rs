//! Requests that are sent twice, tokens as preconditions, and how long a grant can be relied on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Service, client};

const LOCK: &str = "/v1/distributed_lock/report";
const HOLD: &str = "/v1/distributed_lock/report/write-process/p";

fn service() -> Service {
    let service = Service::start();
    service.create("report", true);
    service
}

fn token(lock: &Value) -> u64 {
    lock["fencing_token"].as_u64().unwrap()
}

fn with_key(service: &Service, method: &str, key: &str) -> client::Reply {
    service.call_with(method, HOLD, &[("Idempotency-Key", key)])
}

/// A reply that was lost on its way used to leave its caller locked out of its own lock (406).
#[test]
fn an_acquire_that_is_sent_twice_gets_the_same_grant() {
    let service = service();
    let first = token(&with_key(&service, "PUT", "try-1").ok(200));
    sleep(Duration::from_millis(100));
    let again = with_key(&service, "PUT", "try-1").ok(200);
    assert_eq!(token(&again), first);
    let left = again["safe_for_ms"].as_u64().unwrap();
    assert!(left <= 59_900, "the hold runs since the first time: {left}");
    with_key(&service, "PUT", "try-2").refusal(406, "already_held");
    service.call("PUT", HOLD).refusal(406, "already_held");
}

/// The story: a client acquired and released, and a proxy delivered a late copy of the acquire: 200, with a
/// new token, and the lock was held for no client until its timeout.
#[test]
fn a_late_copy_of_an_acquire_does_not_take_the_lock_again() {
    let service = service();
    let first = token(&with_key(&service, "PUT", "try-1").ok(200));
    service.call("DELETE", HOLD).ok(200);
    let problem = with_key(&service, "PUT", "try-1").refusal(409, "request_over");
    assert_eq!(problem["fencing_token"], first);
    assert_eq!(problem["retryable"], false);
    assert_eq!(service.call("GET", LOCK).ok(200)["current_state"], "FREE");
    assert!(token(&with_key(&service, "PUT", "try-2").ok(200)) > first);
    // A late copy of the first request does not touch the second hold either.
    with_key(&service, "PUT", "try-1").refusal(409, "request_over");
    with_key(&service, "PUT", "try-2").ok(200);
}

#[test]
fn an_idempotency_key_belongs_to_one_request() {
    let service = service();
    let key = [("Idempotency-Key", "try-1")];
    service.call_with("PUT", &format!("{HOLD}?timeout=30"), &key).ok(200);
    service.call_with("PUT", &format!("{HOLD}?timeout=30&wait_seconds=9"), &key).ok(200);
    for other in ["?timeout=31", "?timeout=30&note=x"] {
        let problem = service
            .call_with("PUT", &format!("{HOLD}{other}"), &key)
            .refusal(422, "idempotency_key_reused");
        assert_eq!(problem["outcome"], "none");
    }
    // Another process may draw the same key, and so may the release that follows.
    let other = format!("{LOCK}/write-process/q?timeout=30");
    service.call_with("PUT", &other, &key).refusal(409, "held");
    service.call_with("DELETE", HOLD, &key).ok(200);
    service.call_with("DELETE", HOLD, &key).ok(200);
}

/// The story: the answer to an upgrade was lost, the client sent it again, and was told 409 `not_held`,
/// "stop using what the lock protects", though it held the lock in its new mode.
#[test]
fn a_conversion_that_is_sent_twice_has_the_same_answer() {
    let service = service();
    let reader = format!("{LOCK}/read-process/p");
    service.call("PUT", &reader).ok(200);
    let upgrade = format!("{reader}/upgrade");
    let key = [("Idempotency-Key", "up-1")];
    let first = token(&service.call_with("PUT", &upgrade, &key).ok(200));
    assert_eq!(token(&service.call_with("PUT", &upgrade, &key).ok(200)), first);
    service.call("PUT", &upgrade).refusal(406, "already_held");
    let downgrade = format!("{HOLD}/downgrade");
    let key = [("Idempotency-Key", "down-1")];
    let second = token(&service.call_with("PUT", &downgrade, &key).ok(200));
    assert_eq!(token(&service.call_with("PUT", &downgrade, &key).ok(200)), second);
    service.call("PUT", &downgrade).refusal(406, "already_held");
    service.call_with("PUT", &upgrade, &[("Idempotency-Key", "up-1")]).refusal(409, "request_over");
}

#[test]
fn a_lock_is_created_and_deleted_once() {
    let service = Service::start();
    let key = [("Idempotency-Key", "once")];
    let made = service.call_with("POST", LOCK, &key).ok(201);
    assert_eq!(service.call_with("POST", LOCK, &key).ok(201)["id"], made["id"]);
    service
        .call_with("POST", &format!("{LOCK}?is_exclusive=true"), &key)
        .refusal(422, "idempotency_key_reused");
    service.call("POST", LOCK).refusal(400, "lock_exists");
    assert_eq!(service.call_with("DELETE", LOCK, &key).ok(200)["id"], made["id"]);
    assert_eq!(service.call_with("DELETE", LOCK, &key).ok(200)["id"], made["id"]);
    service.call("POST", LOCK).ok(201);
    // A late copy of the delete does not remove the lock that was created since.
    service.call_with("DELETE", LOCK, &key).ok(200);
    service.call("GET", LOCK).ok(200);
}

#[test]
fn an_acquire_of_several_that_is_sent_twice_gets_the_same_grants() {
    let service = service();
    let body = r#"{"process_id": "p", "locks": [{"lock_id": "report", "mode": "write"},
        {"lock_id": "other", "mode": "read", "create_if_missing": true}]}"#;
    let send = |key: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        client::send(service.address, "POST", "/v1/acquire", &headers, body)
    };
    let tokens = |granted: &Value| -> Vec<u64> {
        granted["grants"].as_array().unwrap().iter().map(token).collect()
    };
    let first = tokens(&send("try-1").ok(200));
    assert_eq!(tokens(&send("try-1").ok(200)), first);
    send("try-2").refusal(406, "already_held");
}

#[test]
fn a_release_that_is_sent_twice_is_answered_twice_and_ends_nothing_else() {
    let service = service();
    service.acquire("report", "write", "p");
    assert_eq!(with_key(&service, "DELETE", "done-1").ok(200)["current_state"], "FREE");
    assert_eq!(with_key(&service, "DELETE", "done-1").ok(200)["current_state"], "FREE");
    service.acquire("report", "write", "p");
    let lock = with_key(&service, "DELETE", "done-1").ok(200);
    assert_eq!(lock["current_state"], "WRITE", "the hold that the process took since is kept");
    with_key(&service, "DELETE", "done-2").ok(200);
    service.call("DELETE", HOLD).refusal(400, "nothing_to_release");
}

#[test]
fn i7_an_idempotency_key_is_bounded_and_given_once() {
    let service = service();
    let too_long = "x".repeat(256);
    for key in ["", "..", &too_long] {
        let problem = with_key(&service, "PUT", key).refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains("`Idempotency-Key`"), "{problem}");
    }
    let twice = [("Idempotency-Key", "a"), ("idempotency-key", "a")];
    service.call_with("PUT", HOLD, &twice).refusal(400, "duplicate_parameter");
    with_key(&service, "PUT", &"x".repeat(255)).ok(200);
}

#[test]
fn i5_a_stale_token_neither_refreshes_nor_releases_the_hold_that_followed() {
    let service = service();
    let stale = service.acquire("report", "write", "p");
    service.call("DELETE", HOLD).ok(200);
    let current = service.acquire("report", "write", "p");
    for (method, target) in [("PUT", format!("{HOLD}/refresh")), ("DELETE", HOLD.to_owned())] {
        let given = format!("{target}?fencing_token={stale}");
        let problem = service.call(method, &given).refusal(409, "stale_token");
        assert_eq!(problem["retryable"], false);
        assert_eq!(problem["lock"]["write_process_list"][0]["fencing_token"], current);
    }
    service.call("PUT", &format!("{HOLD}/refresh?fencing_token={current}&timeout=9")).ok(200);
    service.call("DELETE", &format!("{HOLD}?fencing_token={current}")).ok(200);
    for value in ["", "-1", "abc", "9007199254740992"] {
        let target = format!("{HOLD}?fencing_token={value}");
        service.call("DELETE", &target).refusal(400, "invalid_parameter");
    }
}

#[test]
fn i4_a_grant_says_how_long_it_can_be_relied_on() {
    let service = service();
    let sent = Instant::now();
    let lock = service.call("PUT", &format!("{HOLD}?timeout_seconds=10")).ok(200);
    let safe_for_ms = lock["safe_for_ms"].as_u64().unwrap();
    let remaining_ms = lock["write_process_list"][0]["remaining_ms"].as_u64().unwrap();
    assert!(safe_for_ms <= remaining_ms, "{lock}");
    assert!(safe_for_ms >= 9_000, "{lock}");
    assert!(u128::from(lock["waited_ms"].as_u64().unwrap()) <= sent.elapsed().as_millis());
}

/// What a holder may rely on, counted from when it sent its request, must be over before anybody else
/// can have the lock: with a wait before the grant, too.
#[test]
fn i4_nobody_else_gets_in_while_the_holder_may_rely_on_its_hold() {
    let service = service();
    service.call("PUT", &format!("{LOCK}/write-process/first?timeout=1")).ok(200);
    let sent = Instant::now();
    let target = format!("{LOCK}/write-process/second?timeout=1&wait_seconds=15");
    let lock = service.call("PUT", &target).ok(200);
    let ms = |field: &str| Duration::from_millis(lock[field].as_u64().unwrap());
    assert!(ms("waited_ms") >= Duration::from_millis(700), "{lock}");
    assert!(ms("safe_for_ms") <= Duration::from_secs(1), "{lock}");
    let safe_until = sent + ms("waited_ms") + ms("safe_for_ms");
    service.call("PUT", &format!("{LOCK}/write-process/third?wait_seconds=15")).ok(200);
    let late = Instant::now().saturating_duration_since(safe_until);
    assert!(Instant::now() >= safe_until, "the third got in too early");
    assert!(late < Duration::from_millis(500), "{late:?}: the figure is of use");
}
