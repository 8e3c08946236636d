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
