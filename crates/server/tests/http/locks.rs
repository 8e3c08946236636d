//! `POST` and `GET /v1/distributed_lock/{lock_id}`, and the shape of a lock.

use serde_json::{Value, json};

use crate::support::Service;

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_new_lock_is_free() {
    let service = Service::start();
    let lock = service.call("POST", "/v1/distributed_lock/report").ok(201);
    assert_eq!(lock["lock_id"], "report");
    assert_eq!(lock["is_write_exclusive"], false);
    assert_eq!(lock["current_state"], "FREE");
    assert_eq!(lock["read_process_list"], json!([]));
    assert_eq!(lock["write_process_list"], json!([]));
    assert_eq!(lock["read_process_count"], 0);
    assert_eq!(lock["write_process_count"], 0);
    assert_eq!(lock["created_at"], lock["updated_at"]);
    let id = lock["id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().hyphenated().to_string(), id);
    assert_eq!(service.call("GET", "/v1/distributed_lock/report").ok(200), lock);
}

#[test]
fn is_exclusive_has_two_spellings_and_the_booleans_of_the_old_service() {
    let service = Service::start();
    let truths = ["true", "True", "TRUE", "1", "yes", "on", "On"];
    let falsehoods = ["false", "FALSE", "0", "no", "off"];
    let words = truths.map(|word| (word, true)).into_iter();
    for (number, (word, meant)) in words.chain(falsehoods.map(|word| (word, false))).enumerate() {
        for name in ["is_exclusive", "is_write_exclusive"] {
            let target = format!("/v1/distributed_lock/{name}-{number}?{name}={word}");
            let lock = service.call("POST", &target).ok(201);
            assert_eq!(lock["is_write_exclusive"], meant, "{target}");
        }
    }
}

#[test]
fn a_lock_cannot_be_created_twice() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "write", "w1");
    let problem = service.call("POST", "/v1/distributed_lock/report").refusal(400, "lock_exists");
    assert_eq!(problem["retryable"], false);
    assert_eq!(problem["outcome"], "none");
    assert_eq!(problem["lock"]["current_state"], "WRITE");
    assert_eq!(problem["lock"]["is_write_exclusive"], true, "the lock is not changed");
    assert_eq!(problem["lock"]["write_process_list"][0]["process_id"], "w1");
}

#[test]
fn what_was_not_created_is_not_there() {
    let service = Service::start();
    for (method, rest) in [
        ("GET", ""),
        ("PUT", "/read-process/p"),
        ("PUT", "/read-process/p/refresh"),
        ("DELETE", "/read-process/p"),
        ("PUT", "/write-process/p"),
        ("PUT", "/write-process/p/refresh"),
        ("DELETE", "/write-process/p"),
    ] {
        let target = format!("/v1/distributed_lock/missing{rest}");
        let problem = service.call(method, &target).refusal(404, "no_such_lock");
        assert_eq!(problem["retryable"], false, "{method} {target}");
        assert!(problem["detail"].as_str().unwrap().contains("\"missing\""), "{method} {target}");
    }
}

#[test]
fn a_held_lock_has_exactly_the_documented_fields() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "read", "p1");
    let lock = service.call("GET", "/v1/distributed_lock/report").ok(200);
    let mut lock_fields = keys(&lock);
    lock_fields.sort_unstable();
    let mut documented = [
        "id",
        "lock_id",
        "is_write_exclusive",
        "max_readers",
        "max_writers",
        "is_ephemeral",
        "current_state",
        "read_process_list",
        "write_process_list",
        "read_process_count",
        "write_process_count",
        "waiter_count",
        "created_at",
        "updated_at",
    ];
    documented.sort_unstable();
    assert_eq!(lock_fields, documented);
    let mut process_fields = keys(&lock["read_process_list"][0]);
    process_fields.sort_unstable();
    let mut documented = [
        "process_id",
        "lock_acquired_at",
        "timeout",
        "expires_at",
        "remaining_ms",
        "fencing_token",
        "note",
    ];
    documented.sort_unstable();
    assert_eq!(process_fields, documented);
}

#[test]
fn times_are_rfc_3339_in_utc_with_milliseconds() {
    let service = Service::start();
    service.create("report", false);
    let lock = service.call("PUT", "/v1/distributed_lock/report/write-process/p1").ok(200);
    let process = &lock["write_process_list"][0];
    for time in [
        &lock["created_at"],
        &lock["updated_at"],
        &process["lock_acquired_at"],
        &process["expires_at"],
    ] {
        let text = time.as_str().unwrap();
        let parsed: jiff::Timestamp = text.parse().unwrap();
        assert_eq!(format!("{parsed:.3}"), text);
        assert_eq!(text.len(), "2026-01-02T03:04:05.678Z".len());
    }
    assert_eq!(lock["updated_at"], process["lock_acquired_at"]);
}

#[test]
fn ids_are_decoded_once_and_given_back_as_they_were_meant() {
    let service = Service::start();
    for (encoded, meant) in [
        ("a%2Fb", "a/b"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ("Schlo%C3%9F", "Schloß"),
        ("...", "..."),
        ("x%3Fy%23z", "x?y#z"),
    ] {
        let created = service.call("POST", &format!("/v1/distributed_lock/{encoded}")).ok(201);
        assert_eq!(created["lock_id"], meant);
        let target = format!("/v1/distributed_lock/{encoded}/write-process/{encoded}");
        let held = service.call("PUT", &target).ok(200);
        assert_eq!(held["write_process_list"][0]["process_id"], meant);
    }
    let longest = "x".repeat(255);
    service.create(&longest, false);
    service.acquire(&longest, "read", &longest);
}
