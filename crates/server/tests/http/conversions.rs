//! From writer to reader, and from reader to writer.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::support::Service;

const LOCK: &str = "/v1/distributed_lock/report";

fn service() -> Service {
    let service = Service::start();
    service.create("report", true);
    service
}

fn upgrade(process_id: &str) -> String {
    format!("{LOCK}/read-process/{process_id}/upgrade")
}

fn downgrade(process_id: &str) -> String {
    format!("{LOCK}/write-process/{process_id}/downgrade")
}

#[test]
fn a_writer_becomes_a_reader_and_readers_at_the_head_of_the_line_come_in_with_it() {
    let service = service();
    let token = service.acquire("report", "write", "p");
    let reader = service.begin("PUT", &format!("{LOCK}/read-process/r?wait_seconds=15"));
    service.waits(1);
    let writer = service.begin("PUT", &format!("{LOCK}/write-process/w?wait_seconds=15"));
    service.waits(2);
    let target = format!("{}?timeout_seconds=40&note=reading", downgrade("p"));
    let lock = service.call("PUT", &target).ok(200);
    assert_eq!(lock["current_state"], "READ");
    assert!(lock["fencing_token"].as_u64().unwrap() > token, "I3: a new token");
    let held = &lock["read_process_list"][0];
    assert_eq!(
        json!([held["process_id"], held["timeout"], held["note"]]),
        json!(["p", 40, "reading"])
    );
    assert!(lock["safe_for_ms"].as_u64().unwrap() <= 40_000);
    reader.join().unwrap().ok(200);
    service.waits(1);
    service.call("DELETE", &format!("{LOCK}/read-process/p")).ok(200);
    service.call("DELETE", &format!("{LOCK}/read-process/r")).ok(200);
    writer.join().unwrap().ok(200);
}

#[test]
fn the_only_reader_becomes_a_writer_at_once() {
    let service = service();
    let token = service.acquire("report", "read", "p");
    let lock = service.call("PUT", &upgrade("p")).ok(200);
    assert_eq!(lock["current_state"], "WRITE");
    assert_eq!(lock["read_process_list"], json!([]));
    assert!(lock["fencing_token"].as_u64().unwrap() > token);
}

#[test]
fn an_upgrade_waits_for_the_other_readers_ahead_of_everybody_in_line() {
    let service = service();
    service.acquire("report", "read", "p");
    service.acquire("report", "read", "other");
    service.call("PUT", &upgrade("p")).refusal(409, "held");
    let writer = service.begin("PUT", &format!("{LOCK}/write-process/w?wait_seconds=15"));
    service.waits(1);
    let upgrader = service.begin("PUT", &format!("{}?wait_seconds=15", upgrade("p")));
    service.waits(2);
    service.call("DELETE", &format!("{LOCK}/read-process/other")).ok(200);
    let lock = upgrader.join().unwrap().ok(200);
    assert_eq!(lock["write_process_list"][0]["process_id"], "p");
    service.call("DELETE", &format!("{LOCK}/write-process/p")).ok(200);
    writer.join().unwrap().ok(200);
}

#[test]
fn two_upgraders_are_a_deadlock_and_the_second_is_told_so() {
    let service = service();
    service.acquire("report", "read", "p");
    service.acquire("report", "read", "q");
    let first = service.begin("PUT", &format!("{}?wait_seconds=15", upgrade("p")));
    service.waits(1);
    let target = format!("{}?wait_seconds=15", upgrade("q"));
    let problem = service.call("PUT", &target).refusal(409, "deadlock");
    let mut processes: Vec<_> = problem["cycle"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["process_id"].as_str().unwrap())
        .collect();
    processes.sort_unstable();
    assert_eq!(processes, ["p", "q"]);
    service.call("DELETE", &format!("{LOCK}/read-process/q")).ok(200);
    first.join().unwrap().ok(200);
}

#[test]
fn an_upgrade_that_waits_too_long_leaves_a_reader() {
    let service = service();
    service.acquire("report", "read", "p");
    service.acquire("report", "read", "other");
    let target = format!("{}?wait_seconds=1", upgrade("p"));
    let problem = service.call("PUT", &target).refusal(409, "wait_timed_out");
    assert_eq!(problem["position"], 1);
    assert_eq!(
        problem["blockers"],
        json!([{ "process_id": "other", "mode": "read", "holds": true }])
    );
    let lock = service.call("GET", LOCK).ok(200);
    assert_eq!(lock["read_process_count"], 2);
}

#[test]
fn i5_what_is_not_held_is_not_converted() {
    let service = service();
    service.call("PUT", &upgrade("p")).refusal(409, "not_held");
    service.call("PUT", &downgrade("p")).refusal(409, "not_held");
    service.call("PUT", &format!("{LOCK}/read-process/p?timeout=1")).ok(200);
    sleep(Duration::from_millis(1_300));
    service.call("PUT", &upgrade("p")).refusal(409, "not_held");
    let missing = "/v1/distributed_lock/missing/read-process/p/upgrade";
    service.call("PUT", missing).refusal(404, "no_such_lock");
    assert_eq!(service.call("GET", LOCK).ok(200)["current_state"], "FREE");
}

#[test]
fn i1_one_of_several_writers_cannot_become_a_reader() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "write", "p");
    service.acquire("report", "write", "q");
    service.call("PUT", &downgrade("p")).refusal(409, "held");
    service.call("DELETE", &format!("{LOCK}/write-process/q")).ok(200);
    service.call("PUT", &downgrade("p")).ok(200);
}
