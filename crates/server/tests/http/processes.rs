//! A process as a whole: all that it holds, in one call.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Service;
use crate::support::service::ADMIN_KEY;

const PROCESS: &str = "/v1/process/worker-7";

fn service() -> Service {
    let service = Service::start();
    for lock_id in ["a", "b", "c"] {
        service.create(lock_id, true);
    }
    service
}

fn acquire(service: &Service, lock_id: &str, mode: &str, timeout: u32) -> u64 {
    let target =
        format!("/v1/distributed_lock/{lock_id}/{mode}-process/worker-7?timeout={timeout}");
    service.call("PUT", &target).ok(200)["fencing_token"].as_u64().unwrap()
}

fn named<'a>(list: &'a Value, fields: &[&str]) -> Vec<Vec<&'a Value>> {
    let entries = list.as_array().unwrap().iter();
    entries.map(|entry| fields.iter().map(|field| &entry[field]).collect()).collect()
}

#[test]
fn a_process_is_shown_with_all_that_it_holds() {
    let service = service();
    let nothing = json!({ "process_id": "worker-7", "holds": [], "lost": [] });
    assert_eq!(service.call("GET", PROCESS).ok(200), nothing);
    let tokens = [acquire(&service, "b", "write", 30), acquire(&service, "a", "read", 40)];
    service.acquire("c", "write", "somebody%20else");
    let shown = service.call("GET", PROCESS).ok(200);
    let fields = ["lock_id", "mode", "timeout", "fencing_token", "process_id"];
    assert_eq!(
        json!(named(&shown["holds"], &fields)),
        json!([
            ["a", "read", 40, tokens[1], "worker-7"],
            ["b", "write", 30, tokens[0], "worker-7"]
        ])
    );
    assert_eq!(shown["lost"], json!([]));
}

#[test]
fn one_refresh_keeps_all_holds_and_names_what_was_lost() {
    let service = service();
    acquire(&service, "a", "write", 30);
    let lost = acquire(&service, "b", "read", 1);
    acquire(&service, "c", "read", 40);
    sleep(Duration::from_millis(1_300));
    let target = format!("{PROCESS}/refresh");
    let refreshed = service.call("PUT", &target).ok(200);
    let fields = ["lock_id", "timeout", "remaining_ms"];
    let expected = json!([["a", 30, 30_000], ["c", 40, 40_000]]);
    assert_eq!(json!(named(&refreshed["holds"], &fields)), expected, "each with its own length");
    let fields = ["lock_id", "mode", "fencing_token", "cause"];
    assert_eq!(
        json!(named(&refreshed["lost"], &fields)),
        json!([["b", "read", lost, "expired"]]),
        "I5: not acquired again"
    );
    assert!(refreshed["lost"][0]["ended_at"].is_string());

    // The story: the answer was lost, the refresh was sent again, and named no loss: the client went on
    // working without the lock.
    let again = service.call("PUT", &target).ok(200);
    assert_eq!(again["lost"], refreshed["lost"], "told until it is acknowledged");
    let refreshed = service
        .call("PUT", &format!("{target}?timeout_seconds=50&acknowledge_lost={lost},4711"))
        .ok(200);
    assert_eq!(refreshed["lost"], json!([]), "acknowledged");
    assert_eq!(service.call("PUT", &target).ok(200)["lost"], json!([]));
    for wrong in ["", "x", "1,", "1;2", &vec!["1"; 101].join(",")] {
        let target = format!("{target}?acknowledge_lost={wrong}");
        service.call("PUT", &target).refusal(400, "invalid_parameter");
    }
    let refreshed = service.call("PUT", &format!("{target}?timeout_seconds=50")).ok(200);
    let expected = json!([["a", 50], ["c", 50]]);
    assert_eq!(json!(named(&refreshed["holds"], &["lock_id", "timeout"])), expected);
    service.call("PUT", &format!("{target}?timeout=604801")).refusal(400, "timeout_too_long");
    service.call("PUT", &format!("{target}?timeout=0")).refusal(400, "invalid_parameter");
}

#[test]
fn a_broken_lock_is_named_as_forced() {
    let service = service();
    acquire(&service, "a", "write", 60);
    acquire(&service, "b", "write", 60);
    service.call("DELETE", "/v1/distributed_lock/a?force=true").ok(200);
    let shown = service.call("GET", PROCESS).ok(200);
    assert_eq!(json!(named(&shown["lost"], &["lock_id", "cause"])), json!([["a", "forced"]]));
}

#[test]
fn one_release_gives_all_back() {
    let service = service();
    acquire(&service, "a", "write", 60);
    acquire(&service, "b", "read", 60);
    let waiter = service.begin("PUT", "/v1/distributed_lock/a/read-process/next?wait_seconds=15");
    service.waits(1);
    let held = service.call("DELETE", PROCESS).ok(200);
    let expected = json!([["a", "write"], ["b", "read"]]);
    assert_eq!(json!(named(&held["holds"], &["lock_id", "mode"])), expected);
    waiter.join().unwrap().ok(200);
    assert_eq!(service.call("GET", "/v1/distributed_lock/b").ok(200)["current_state"], "FREE");
}

/// The story: the process had 200,000 holds, and to release them in one batch took longer than the store
/// allows: 503 each time, the table dropped and loaded again, and other calls stalled for seconds.
#[test]
fn a_process_with_many_holds_is_refreshed_and_released_in_steps() {
    const BATCHES: usize = 50;
    const HOLDS: usize = BATCHES * 64;
    let service = service();
    for batch in 0..BATCHES {
        let locks = (0..64).map(|n| {
            json!({ "lock_id": format!("l-{batch}-{n}"), "mode": "write", "create_if_missing": true })
        });
        let body = json!({ "process_id": "worker-7", "locks": locks.collect::<Vec<_>>() });
        service.post_as(ADMIN_KEY, "/v1/acquire", &body.to_string()).ok(200);
    }
    let refreshed = service.call("PUT", &format!("{PROCESS}/refresh?timeout=99")).ok(200);
    let holds = refreshed["holds"].as_array().unwrap();
    assert_eq!(holds.len(), HOLDS);
    assert!(holds.iter().all(|hold| hold["timeout"] == 99));
    let key = [("Idempotency-Key", "all")];
    let held = service.call_with("DELETE", PROCESS, &key).ok(200);
    assert_eq!(held["holds"].as_array().unwrap().len(), HOLDS);
    assert_eq!(service.call("GET", PROCESS).ok(200)["holds"], json!([]));
    assert_eq!(service.call_with("DELETE", PROCESS, &key).ok(200)["holds"], json!([]));
    service.call("DELETE", PROCESS).refusal(404, "process_holds_nothing");
}

#[test]
fn who_holds_nothing_has_nothing_to_refresh_or_release() {
    let service = service();
    for (method, target) in [("PUT", format!("{PROCESS}/refresh")), ("DELETE", PROCESS.to_owned())]
    {
        let problem = service.call(method, &target).refusal(404, "process_holds_nothing");
        assert_eq!(problem["retryable"], false);
        assert!(problem["detail"].as_str().unwrap().contains("\"worker-7\""), "{problem}");
    }
    service.call("GET", "/v1/process/%00").refusal(400, "invalid_id");
    service.call("GET", &format!("/v1/process/{}", "x".repeat(256))).refusal(400, "invalid_id");
}
