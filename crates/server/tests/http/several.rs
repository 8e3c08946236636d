//! `POST /v1/acquire`: several locks at once, all or none.

use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use crate::support::Service;
use crate::support::client::{self, Reply};

const JSON: (&str, &str) = ("content-type", "application/json");

fn ask(service: &Service, body: &Value) -> Reply {
    client::send(service.address, "POST", "/v1/acquire", &[JSON], &body.to_string())
}

fn begin(service: &Service, body: &Value) -> JoinHandle<Reply> {
    let (address, body) = (service.address, body.to_string());
    thread::spawn(move || client::send(address, "POST", "/v1/acquire", &[JSON], &body))
}

fn wanted(process_id: &str, wait_seconds: u32, locks: &[(&str, &str)]) -> Value {
    let locks: Vec<Value> =
        locks.iter().map(|(lock_id, mode)| json!({ "lock_id": lock_id, "mode": mode })).collect();
    json!({ "process_id": process_id, "wait_seconds": wait_seconds, "locks": locks })
}

fn service() -> Service {
    let service = Service::start();
    for lock_id in ["a", "b", "c"] {
        service.create(lock_id, true);
    }
    service
}

fn state(service: &Service, lock_id: &str) -> Value {
    service.call("GET", &format!("/v1/distributed_lock/{lock_id}")).ok(200)["current_state"].clone()
}

#[test]
fn all_locks_are_granted_in_one_reply_in_the_order_of_the_request() {
    let service = service();
    let mut body = wanted("p", 0, &[("b", "write"), ("a", "read")]);
    body["timeout_seconds"] = json!(30);
    body["note"] = json!("move 7");
    body["locks"].as_array_mut().unwrap().push(json!({
        "lock_id": "new/one", "mode": "write", "create_if_missing": true, "max_writers": 2,
        "max_readers": 3, "ephemeral": true,
    }));
    let granted = ask(&service, &body).ok(200);
    assert_eq!(granted["process_id"], "p");
    let (safe, waited) = (&granted["safe_for_ms"], &granted["waited_ms"]);
    assert!((25_000..=30_000).contains(&safe.as_u64().unwrap()), "{granted}");
    assert!(waited.as_u64().unwrap() < 5_000, "{granted}");
    let grants = granted["grants"].as_array().unwrap();
    let mut tokens = Vec::new();
    for (grant, (lock_id, mode)) in
        grants.iter().zip([("b", "write"), ("a", "read"), ("new/one", "write")])
    {
        assert_eq!(grant["lock_id"], lock_id);
        assert_eq!(grant["mode"], mode);
        assert_eq!(grant["lock"]["lock_id"], lock_id);
        let held = &grant["lock"][format!("{mode}_process_list")][0];
        assert_eq!(held["process_id"], "p");
        assert_eq!(held["timeout"], 30);
        assert_eq!(held["note"], "move 7");
        assert_eq!(held["fencing_token"], grant["fencing_token"]);
        tokens.push(grant["fencing_token"].as_u64().unwrap());
    }
    assert_eq!(grants.len(), 3);
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 3, "I3: one token for each lock");
    let made = &grants[2]["lock"];
    let kind = [&made["max_writers"], &made["max_readers"], &made["is_ephemeral"]];
    assert_eq!(json!(kind), json!([2, 3, true]));
}

#[test]
fn if_one_cannot_be_had_none_is() {
    let service = service();
    service.acquire("b", "write", "other");
    let problem = ask(&service, &wanted("p", 0, &[("a", "write"), ("b", "read"), ("c", "write")]))
        .refusal(409, "held");
    assert_eq!(problem["lock"]["lock_id"], "b");
    let missing = wanted("p", 0, &[("a", "write"), ("missing", "write")]);
    ask(&service, &missing).refusal(404, "no_such_lock");
    service.acquire("c", "write", "p");
    ask(&service, &wanted("p", 0, &[("a", "write"), ("c", "write")])).refusal(406, "already_held");
    assert_eq!(state(&service, "a"), "FREE");
}

#[test]
fn a_wait_for_several_holds_none_until_it_has_all() {
    let service = service();
    service.acquire("b", "write", "other");
    let waiter = begin(&service, &wanted("p", 15, &[("a", "write"), ("b", "write")]));
    let waits = service.waits(2);
    let lines: Vec<_> = waits.iter().map(|wait| (&wait["lock_id"], &wait["process_id"])).collect();
    assert_eq!(lines, [(&json!("a"), &json!("p")), (&json!("b"), &json!("p"))]);
    assert_eq!(state(&service, "a"), "FREE", "nothing is held meanwhile");
    service.call("DELETE", "/v1/distributed_lock/b/write-process/other").ok(200);
    let granted = waiter.join().unwrap().ok(200);
    assert_eq!(granted["grants"].as_array().unwrap().len(), 2);
    assert_eq!(state(&service, "a"), "WRITE");
}

#[test]
fn two_that_want_the_same_locks_in_another_order_never_block_each_other() {
    let service = service();
    let callers: Vec<_> = (0..8)
        .map(|number| {
            let address = service.address;
            let mut locks = [("a", "write"), ("b", "write"), ("c", "read")];
            locks.rotate_left(number % 3);
            let process_id = format!("p{number}");
            let body = wanted(&process_id, 15, &locks).to_string();
            thread::spawn(move || {
                for _ in 0..10 {
                    client::send(address, "POST", "/v1/acquire", &[JSON], &body).ok(200);
                    let target = format!("/v1/process/{process_id}");
                    client::send(address, "DELETE", &target, &[], "").ok(200);
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

#[test]
fn i7_a_request_for_several_locks_is_checked_before_anything_is_taken() {
    let service = service();
    let lock = json!({ "lock_id": "a", "mode": "write" });
    let many: Vec<Value> =
        (0..65).map(|n| json!({ "lock_id": format!("l{n}"), "mode": "read" })).collect();
    let with = |field: &str, value: Value| {
        let mut body = json!({ "process_id": "p", "locks": [lock] });
        body[field] = value;
        body
    };
    let of_lock = |field: &str, value: Value| {
        let mut lock = lock.clone();
        lock[field] = value;
        json!({ "process_id": "p", "locks": [lock] })
    };
    for (body, says) in [
        (json!([]), "invalid"),
        (json!({ "locks": [lock] }), "missing field `process_id`"),
        (json!({ "process_id": "p" }), "missing field `locks`"),
        (with("process_id", json!("")), "`process_id` is empty"),
        (with("locks", json!([])), "give 1 to 64"),
        (with("locks", json!(many)), "65 items"),
        (with("locks", json!([lock, lock])), "names \"a\" twice"),
        (with("timeout_seconds", json!(0)), "1 or more"),
        (with("timeout_seconds", json!(1.5)), "timeout_seconds"),
        (with("wait_seconds", json!(301)), "0 to 300"),
        (with("note", json!("x".repeat(257))), "`note` is 257 bytes"),
        (with("timeout", json!(5)), "unknown field `timeout`"),
        (of_lock("mode", json!("exclusive")), "is not `read` or `write`"),
        (of_lock("lock_id", json!("a\nb")), "`locks[0].lock_id`"),
        (of_lock("max_writers", json!(2)), "`create_if_missing`"),
        (of_lock("max_readers", json!(0)), "0 is not a whole number, 1 to"),
        (of_lock("colour", json!("red")), "unknown field `colour`"),
    ] {
        let problem = ask(&service, &body).refusal(400, "invalid_body");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{says}: {detail}");
    }
    let mut contradiction = of_lock("create_if_missing", json!(true));
    contradiction["locks"][0]["is_exclusive"] = json!(true);
    contradiction["locks"][0]["max_writers"] = json!(2);
    let problem = ask(&service, &contradiction).refusal(400, "invalid_body");
    assert!(problem["detail"].as_str().unwrap().contains("contradict"), "{problem}");
    let body = with("timeout_seconds", json!(604_801));
    ask(&service, &body).refusal(400, "timeout_too_long");
    let text = client::send(
        service.address,
        "POST",
        "/v1/acquire",
        &[("content-type", "text/plain")],
        "a",
    );
    text.refusal(415, "unsupported_media_type");
    assert_eq!(state(&service, "a"), "FREE");
    // As many as are allowed, and that once.
    let all: Vec<Value> = (0..64)
        .map(|n| json!({ "lock_id": format!("l{n}"), "mode": "read", "create_if_missing": true }))
        .collect();
    let body = with("locks", json!(all));
    assert_eq!(ask(&service, &body).ok(200)["grants"].as_array().unwrap().len(), 64);
}

#[test]
fn a_minimal_reply_lists_the_callers_own_holds_alone() {
    let service = service();
    service.acquire("a", "read", "other");
    let body = wanted("p", 0, &[("a", "read")]).to_string();
    let headers = [JSON, ("prefer", "return=minimal")];
    let reply = client::send(service.address, "POST", "/v1/acquire", &headers, &body);
    let lock = reply.ok(200)["grants"][0]["lock"].clone();
    assert_eq!(reply.header("preference-applied"), Some("return=minimal"));
    assert_eq!(lock["read_process_count"], 2);
    assert_eq!(lock["read_process_list"].as_array().unwrap().len(), 1);
    assert_eq!(lock["read_process_list"][0]["process_id"], "p");
}
