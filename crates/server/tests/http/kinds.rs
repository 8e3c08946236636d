//! What a lock allows, locks that are made on the way, and locks that go.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::service::ADMIN_KEY;
use crate::support::{Service, Setup};

const LOCK: &str = "/v1/distributed_lock/report";

fn kind(lock: &Value) -> Value {
    json!([
        lock["is_write_exclusive"],
        lock["max_writers"],
        lock["max_readers"],
        lock["is_ephemeral"]
    ])
}

#[test]
fn a_lock_is_made_as_it_was_asked_for() {
    let service = Service::start();
    for (number, (query, expected)) in [
        ("", json!([false, null, null, false])),
        ("?is_exclusive=true", json!([true, 1, null, false])),
        ("?max_writers=1", json!([true, 1, null, false])),
        ("?max_writers=1&is_exclusive=true", json!([true, 1, null, false])),
        ("?max_writers=3&max_readers=5", json!([false, 3, 5, false])),
        ("?max_writers=3&is_exclusive=false", json!([false, 3, null, false])),
        ("?ephemeral=true", json!([false, null, null, true])),
        ("?max_readers=4294967295", json!([false, null, 4_294_967_295_u32, false])),
    ]
    .into_iter()
    .enumerate()
    {
        let lock = service.call("POST", &format!("{LOCK}-{number}{query}")).ok(201);
        assert_eq!(kind(&lock), expected, "{query}");
        let lock = service.call("GET", &format!("{LOCK}-{number}")).ok(200);
        assert_eq!(kind(&lock), expected, "{query}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let service = Service::start();
    for (query, says) in [
        ("is_exclusive=true&max_writers=2", "contradict each other"),
        ("is_exclusive=false&max_writers=1", "contradict each other"),
        ("max_writers=0", "1 to 4294967295"),
        ("max_readers=0", "1 to 4294967295"),
        ("max_readers=4294967296", "1 to 4294967295"),
        ("max_writers=two", "1 to 4294967295"),
        ("ephemeral=perhaps", "true, false"),
    ] {
        let problem =
            service.call("POST", &format!("{LOCK}?{query}")).refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    service.call("GET", LOCK).refusal(404, "no_such_lock");
}

#[test]
fn a_semaphore_lets_so_many_in_and_the_rest_wait() {
    let service = Service::start();
    service.call("POST", &format!("{LOCK}?max_writers=2&max_readers=1")).ok(201);
    let hold = |process_id: &str| format!("{LOCK}/write-process/{process_id}");
    service.acquire("report", "write", "a");
    service.acquire("report", "write", "b");
    service.call("PUT", &hold("c")).refusal(409, "held");
    let waiter = service.begin("PUT", &format!("{}?wait_seconds=15", hold("c")));
    service.waits(1);
    service.call("DELETE", &hold("a")).ok(200);
    let lock = waiter.join().unwrap().ok(200);
    assert_eq!(lock["write_process_count"], 2);
    service.call("DELETE", &hold("b")).ok(200);
    service.call("DELETE", &hold("c")).ok(200);
    service.acquire("report", "read", "r");
    service.call("PUT", &format!("{LOCK}/read-process/s")).refusal(409, "held");
}

#[test]
fn an_acquire_makes_the_lock_only_if_it_is_told_to() {
    let service = Service::start();
    let target = format!("{LOCK}/write-process/p");
    service.call("PUT", &target).refusal(404, "no_such_lock");
    service.call("PUT", &format!("{target}?create_if_missing=false")).refusal(404, "no_such_lock");
    let query = "create_if_missing=true&is_exclusive=true&max_readers=3";
    let made = service.call("PUT", &format!("{target}?{query}")).ok(200);
    assert_eq!(kind(&made), json!([true, 1, 3, false]));
    assert_eq!(made["write_process_list"][0]["process_id"], "p");

    // A lock that exists is taken as it is.
    service.call("DELETE", &target).ok(200);
    let query = "create_if_missing=true";
    let found = service.call("PUT", &format!("{target}?{query}")).ok(200);
    assert_eq!(kind(&found), kind(&made));
    assert_eq!(found["id"], made["id"]);
}

#[test]
fn how_to_make_a_lock_needs_a_lock_to_be_made() {
    let service = Service::start();
    service.create("report", true);
    for query in [
        "is_exclusive=true",
        "is_write_exclusive=false",
        "max_writers=2",
        "max_readers=2",
        "ephemeral=false",
        "create_if_missing=false&max_writers=2",
    ] {
        let target = format!("{LOCK}/read-process/p?{query}");
        let problem = service.call("PUT", &target).refusal(400, "invalid_parameter");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("need `create_if_missing`"), "{query}: {detail}");
    }
    assert_eq!(service.call("GET", LOCK).ok(200)["current_state"], "FREE");
}

#[test]
fn i3_an_ephemeral_lock_goes_with_its_last_hold_and_tokens_grow_all_the_same() {
    let service = Service::start();
    let target = format!("{LOCK}/write-process/p?create_if_missing=true&ephemeral=true");
    let mut last = 0;
    for _ in 0..3 {
        let lock = service.call("PUT", &target).ok(200);
        let token = lock["fencing_token"].as_u64().unwrap();
        assert!(token > last, "{token} after {last}");
        last = token;
        let released = service.call("DELETE", &format!("{LOCK}/write-process/p")).ok(200);
        assert_eq!(released["is_ephemeral"], true);
        service.call("GET", LOCK).refusal(404, "no_such_lock");
    }
    // Nor does it outlive a holder that never comes back.
    service.call("PUT", &format!("{target}&timeout=1")).ok(200);
    sleep(Duration::from_millis(1_300));
    service.call("GET", LOCK).refusal(404, "no_such_lock");
}

#[test]
fn an_ephemeral_lock_stays_while_somebody_waits_for_it() {
    let service = Service::start();
    service.call("POST", &format!("{LOCK}?is_exclusive=true&ephemeral=true")).ok(201);
    let made = service.call("GET", LOCK).ok(200);
    service.acquire("report", "write", "first");
    let waiter = service.begin("PUT", &format!("{LOCK}/write-process/next?wait_seconds=15"));
    service.waits(1);
    service.call("DELETE", &format!("{LOCK}/write-process/first")).ok(200);
    assert_eq!(waiter.join().unwrap().ok(200)["id"], made["id"], "the same lock");
    service.call("DELETE", &format!("{LOCK}/write-process/next")).ok(200);
    service.call("GET", LOCK).refusal(404, "no_such_lock");
}

#[test]
fn a_lock_that_is_waited_for_can_be_made_on_the_way() {
    let service = Service::start();
    let target = |process: &str| {
        let query = "create_if_missing=true&max_writers=1&wait_seconds=15";
        format!("{LOCK}/write-process/{process}?{query}")
    };
    service.call("PUT", &target("a")).ok(200);
    let waiter = service.begin("PUT", &target("b"));
    service.waits(1);
    let problem = service.call("DELETE", LOCK).refusal(409, "not_free");
    assert_eq!(problem["lock"]["waiter_count"], 1);
    service.call("DELETE", &format!("{LOCK}/write-process/a")).ok(200);
    waiter.join().unwrap().ok(200);
}

#[test]
fn a_lock_that_is_not_in_use_can_be_deleted() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "read", "p");
    let problem = service.call("DELETE", LOCK).refusal(409, "not_free");
    assert_eq!(problem["lock"]["read_process_list"][0]["process_id"], "p");
    service.call("DELETE", &format!("{LOCK}/read-process/p")).ok(200);
    let deleted = service.call("DELETE", LOCK).ok(200);
    assert_eq!(deleted["current_state"], "FREE");
    assert_eq!(deleted["is_write_exclusive"], true);
    service.call("GET", LOCK).refusal(404, "no_such_lock");
    service.call("DELETE", LOCK).refusal(404, "no_such_lock");
}

#[test]
fn a_broken_lock_is_shown_as_it_was_and_its_waiters_are_told() {
    let service = Service::start();
    service.create("report", true);
    let token = service.acquire("report", "write", "stuck");
    let waiter = service.begin("PUT", &format!("{LOCK}/write-process/next?wait_seconds=15"));
    service.waits(1);
    let broken = service.call("DELETE", &format!("{LOCK}?force=true")).ok(200);
    assert_eq!(broken["write_process_list"][0]["fencing_token"], token);
    let problem = waiter.join().unwrap().refusal(409, "lock_deleted");
    assert_eq!(problem["retryable"], true);
    assert!(problem["detail"].as_str().unwrap().contains("deleted while you waited"), "{problem}");
    service.waits(0);
    // The holder was told 404 and to create the lock, as if it had never held it.
    let refresh = format!("{LOCK}/write-process/stuck/refresh");
    let problem = service.call("PUT", &refresh).refusal(409, "not_held");
    assert!(problem["detail"].as_str().unwrap().contains("was ended by force"), "{problem}");
    let other = format!("{LOCK}/write-process/other/refresh");
    service.call("PUT", &other).refusal(404, "no_such_lock");
    let unknown = format!("{refresh}?fencing_token={}", token + 1);
    service.call("PUT", &unknown).refusal(404, "no_such_lock");
    service.create("report", true);
    assert!(service.acquire("report", "write", "next") > token, "I3: over deletion too");
    // I5: the holder that was broken out has nothing to refresh.
    let target = format!("{LOCK}/write-process/stuck/refresh");
    service.call("PUT", &target).refusal(409, "not_held");
}

#[test]
fn only_an_admin_breaks_a_lock() {
    let service = Setup::with_keys().start().ready();
    let made = service.post_as(ADMIN_KEY, "/v1/keys", r#"{"role": "write"}"#).ok(201);
    let writer = made["key"].as_str().unwrap();
    for lock_id in ["a", "b"] {
        let target = format!("/v1/distributed_lock/{lock_id}");
        service.call_as(writer, "POST", &target).ok(201);
        service.call_as(writer, "PUT", &format!("{target}/read-process/p")).ok(200);
        let problem = service
            .call_as(writer, "DELETE", &format!("{target}?force=true"))
            .refusal(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("`admin`"), "{problem}");
        service.call_as(writer, "GET", &target).ok(200);
        service.call_as(ADMIN_KEY, "DELETE", &format!("{target}?force=true")).ok(200);
        service.call_as(writer, "GET", &target).refusal(404, "no_such_lock");
    }
}

/// Two versions of a program that disagree about a lock shared it without a word: one counted on being the
/// only writer, and the other let many in.
#[test]
fn an_acquire_that_describes_the_lock_is_not_given_another() {
    let service = Service::start();
    service.call("POST", &format!("{LOCK}?max_writers=3")).ok(201);
    let target = format!("{LOCK}/write-process/p?create_if_missing=true");
    for properties in [
        "is_exclusive=true",
        "max_writers=2",
        "max_writers=3&max_readers=1",
        "max_writers=3&ephemeral=true",
        "is_exclusive=false",
    ] {
        let reply = service.call("PUT", &format!("{target}&{properties}"));
        let problem = reply.refusal(409, "lock_differs");
        assert_eq!(problem["retryable"], false);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("`max_writers` 3, `max_readers` none"), "{detail}");
        assert!(detail.contains("you want one with"), "{detail}");
        assert_eq!(problem["lock"]["max_writers"], 3);
    }
    let body = r#"{"process_id": "p", "locks": [{"lock_id": "report", "mode": "write",
                   "create_if_missing": true, "max_writers": 1}]}"#;
    service.post_as("", "/v1/acquire", body).refusal(409, "lock_differs");
    service.call("PUT", &format!("{target}&max_writers=3&ephemeral=false")).ok(200);
    // Without a property it is taken as it is.
    service.call("PUT", &format!("{LOCK}/write-process/q?create_if_missing=true")).ok(200);
}
