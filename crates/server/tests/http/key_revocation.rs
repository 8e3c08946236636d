//! What ends when an API key is revoked: its next requests, what waits with it, and its holds if asked for.
//!
//! The story: a revoked key's waits stayed in the queue and were granted after the revocation, for up to
//! the longest timeout, and no client with that key could release them.

use serde_json::{Value, json};

use crate::support::service::ADMIN_KEY;
use crate::support::{Service, client};

const LOCK: &str = "/v1/distributed_lock/report";

fn make_key(service: &Service) -> String {
    let made = service.post_as(ADMIN_KEY, "/v1/keys", r#"{"role": "write"}"#).ok(201);
    made["key"].as_str().unwrap().to_owned()
}

fn revoke(service: &Service, key: &str, query: &str) -> Value {
    let target = format!("/v1/keys/{}{query}", &key[3..15]);
    service.call_as(ADMIN_KEY, "DELETE", &target).ok(200)
}

/// A request of a key on its way, which waits.
fn begin(service: &Service, key: &str, target: &str) -> std::thread::JoinHandle<client::Reply> {
    let (address, key, target) = (service.address, key.to_owned(), target.to_owned());
    std::thread::spawn(move || client::send(address, "PUT", &target, &[("x-api-key", &key)], ""))
}

fn until_waiting(service: &Service, count: usize) {
    for _ in 0..500 {
        let waits = service.call_as(ADMIN_KEY, "GET", "/v1/waits").ok(200);
        if waits["waits"].as_array().unwrap().len() == count {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("there are not {count} waits");
}

#[test]
fn what_waits_with_a_revoked_key_ends_and_is_never_granted() {
    let service = Service::start_with_keys();
    let (revoked, other) = (make_key(&service), make_key(&service));
    service.call_as(&revoked, "POST", &format!("{LOCK}?is_exclusive=true")).ok(201);
    service.call_as(&other, "PUT", &format!("{LOCK}/read-process/a")).ok(200);
    service.call_as(&revoked, "PUT", &format!("{LOCK}/read-process/b")).ok(200);
    let upgrade =
        begin(&service, &revoked, &format!("{LOCK}/read-process/b/upgrade?wait_seconds=60"));
    until_waiting(&service, 1);
    let first = begin(&service, &revoked, &format!("{LOCK}/write-process/c?wait_seconds=60"));
    until_waiting(&service, 2);
    let second = begin(&service, &other, &format!("{LOCK}/write-process/d?wait_seconds=60"));
    until_waiting(&service, 3);
    revoke(&service, &revoked, "");
    for ended in [upgrade, first] {
        let problem = ended.join().unwrap().refusal(401, "unauthorized");
        assert_eq!(problem["outcome"], "none");
        assert!(problem["detail"].as_str().unwrap().contains("has been revoked"), "{problem}");
    }
    until_waiting(&service, 1);
    // What the key held stays held, as it always did.
    let lock = service.call_as(&other, "GET", LOCK).ok(200);
    assert_eq!(lock["read_process_count"], 2);
    service.call_as(&other, "DELETE", &format!("{LOCK}/read-process/a")).ok(200);
    service.call_as(&other, "DELETE", &format!("{LOCK}/read-process/b")).ok(200);
    second.join().unwrap().ok(200);
}

/// The same where the key is revoked through another instance, which leads on demand as well: the one with the
/// waits finds out when it looks whether it still leads.
#[test]
fn what_waits_at_one_instance_ends_when_its_key_is_revoked_through_another() {
    let (first, second) = crate::on_demand::two();
    let key = make_key(&first);
    first.call_as(ADMIN_KEY, "POST", &format!("{LOCK}?is_exclusive=true")).ok(201);
    first.call_as(ADMIN_KEY, "PUT", &format!("{LOCK}/write-process/holder")).ok(200);
    let waiter = begin(&first, &key, &format!("{LOCK}/write-process/late?wait_seconds=60"));
    until_waiting(&first, 1);
    revoke(&second, &key, "");
    waiter.join().unwrap().refusal(401, "unauthorized");
    second.call_as(ADMIN_KEY, "DELETE", &format!("{LOCK}/write-process/holder")).ok(200);
    assert_eq!(second.call_as(ADMIN_KEY, "GET", LOCK).ok(200)["current_state"], "FREE");
}

#[test]
fn a_key_is_made_limited_and_revoked_once() {
    let service = Service::start_with_keys();
    let send = |method: &str, target: &str, mark: &str, body: &str| {
        let headers = [
            ("x-api-key", ADMIN_KEY),
            ("content-type", "application/json"),
            ("idempotency-key", mark),
        ];
        client::send(service.address, method, target, &headers, body)
    };
    let made = send("POST", "/v1/keys", "m", r#"{"role": "write"}"#).ok(201);
    let again = send("POST", "/v1/keys", "m", r#"{"role": "write"}"#);
    let problem = again.refusal(409, "key_shown_before");
    assert!(problem["detail"].as_str().unwrap().contains(made["key_id"].as_str().unwrap()));
    send("POST", "/v1/keys", "m", r#"{"role": "read"}"#).refusal(422, "idempotency_key_reused");
    let target = format!("/v1/keys/{}", made["key_id"].as_str().unwrap());
    send("PATCH", &target, "l", r#"{"max_locks": 3}"#).ok(200);
    send("PATCH", &target, "l", r#"{"max_locks": 3}"#).ok(200);
    send("PATCH", &target, "l", r#"{"max_locks": 4}"#).refusal(422, "idempotency_key_reused");
    assert_eq!(send("DELETE", &target, "r", "").ok(200)["key_id"], made["key_id"]);
    assert_eq!(send("DELETE", &target, "r", "").ok(200)["key_id"], made["key_id"]);
    send("DELETE", &target, "s", "").refusal(404, "no_such_key");
}

#[test]
fn the_holds_of_a_revoked_key_end_if_asked_for() {
    let service = Service::start_with_keys();
    let (revoked, other) = (make_key(&service), make_key(&service));
    service.call_as(&other, "POST", &format!("{LOCK}?is_exclusive=true")).ok(201);
    service.call_as(&other, "POST", "/v1/distributed_lock/log").ok(201);
    service.call_as(&revoked, "PUT", &format!("{LOCK}/write-process/p")).ok(200);
    service.call_as(&revoked, "PUT", "/v1/distributed_lock/log/read-process/p").ok(200);
    service.call_as(&other, "PUT", "/v1/distributed_lock/log/read-process/q").ok(200);
    let waiter = begin(&service, &other, &format!("{LOCK}/write-process/r?wait_seconds=60"));
    until_waiting(&service, 1);
    let key = revoke(&service, &revoked, "?end_holds=true");
    assert_eq!(key["key_id"], &revoked[3..15]);
    waiter.join().unwrap().ok(200);
    let log = service.call_as(&other, "GET", "/v1/distributed_lock/log").ok(200);
    assert_eq!(log["read_process_count"], 1);
    assert_eq!(log["read_process_list"][0]["process_id"], "q");
    let history = service.call_as(&other, "GET", &format!("{LOCK}/history")).ok(200);
    let past = &history["history"][0];
    assert_eq!([&past["process_id"], &past["cause"]], [&json!("p"), &json!("forced")]);
    service
        .call_as(ADMIN_KEY, "DELETE", &format!("/v1/keys/{}?end_holds=maybe", &other[3..15]))
        .refusal(400, "invalid_parameter");
}
