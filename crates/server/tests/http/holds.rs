//! Acquire, refresh and release, for readers and writers.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Service;

const LOCK: &str = "/v1/distributed_lock/report";

fn hold(mode: &str, process_id: &str) -> String {
    format!("{LOCK}/{mode}-process/{process_id}")
}

fn processes(lock: &Value, mode: &str) -> Vec<String> {
    let list = lock[format!("{mode}_process_list")].as_array().unwrap();
    list.iter().map(|process| process["process_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn readers_share_and_are_listed_in_the_order_of_their_coming() {
    let service = Service::start();
    service.create("report", true);
    for process_id in ["zoe", "adam", "mia"] {
        let lock = service.call("PUT", &hold("read", process_id)).ok(200);
        assert_eq!(lock["current_state"], "READ");
    }
    let lock = service.call("GET", LOCK).ok(200);
    assert_eq!(processes(&lock, "read"), ["zoe", "adam", "mia"]);
    assert_eq!(lock["read_process_count"], 3);
    let tokens: Vec<u64> = lock["read_process_list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["fencing_token"].as_u64().unwrap())
        .collect();
    assert!(tokens.is_sorted() && tokens[0] >= 1, "{tokens:?}");
}

#[test]
fn writers_share_unless_the_lock_is_write_exclusive() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "write", "w2");
    service.acquire("report", "write", "w1");
    let lock = service.call("GET", LOCK).ok(200);
    assert_eq!(lock["current_state"], "WRITE");
    assert_eq!(processes(&lock, "write"), ["w2", "w1"]);
}

#[test]
fn i1_a_writer_excludes_readers_and_readers_exclude_a_writer() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "write", "w");
    let problem = service.call("PUT", &hold("read", "r")).refusal(409, "held");
    assert_eq!(problem["retryable"], true);
    assert_eq!(problem["outcome"], "none");
    assert_eq!(problem["lock"]["current_state"], "WRITE");
    assert_eq!(processes(&problem["lock"], "write"), ["w"]);
    service.call("DELETE", &hold("write", "w")).ok(200);

    service.acquire("report", "read", "r");
    let problem = service.call("PUT", &hold("write", "w")).refusal(409, "held");
    assert_eq!(problem["lock"]["current_state"], "READ");
    let until = problem["lock"]["read_process_list"][0]["remaining_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&until), "{until}");
    assert_eq!(service.call("GET", LOCK).ok(200)["write_process_count"], 0, "nothing changed");
}

#[test]
fn i1_a_write_exclusive_lock_has_one_writer() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "write", "w1");
    let problem = service.call("PUT", &hold("write", "w2")).refusal(409, "held");
    assert_eq!(processes(&problem["lock"], "write"), ["w1"]);
}

#[test]
fn acquiring_again_is_refused_and_shows_the_hold() {
    let service = Service::start();
    service.create("report", false);
    for mode in ["read", "write"] {
        let token = service.acquire("report", mode, "p");
        let problem = service.call("PUT", &hold(mode, "p")).refusal(406, "already_held");
        assert_eq!(problem["retryable"], false);
        let shown = &problem["lock"][format!("{mode}_process_list")][0];
        assert_eq!(shown["process_id"], "p");
        assert_eq!(shown["fencing_token"], token);
        service.call("DELETE", &hold(mode, "p")).ok(200);
    }
}

#[test]
fn a_timeout_has_two_spellings_and_a_default() {
    let service = Service::start();
    service.create("report", false);
    for (process_id, query, timeout) in [
        ("a", "", 60),
        ("b", "?timeout_seconds=7", 7),
        ("c", "?timeout=8", 8),
        ("d", "?timeout_seconds=0009", 9),
    ] {
        let lock = service.call("PUT", &format!("{}{query}", hold("read", process_id))).ok(200);
        let shown = lock["read_process_list"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(shown["timeout"], timeout, "{query}");
        assert_eq!(shown["remaining_ms"], timeout * 1_000, "a grant begins with all its time");
    }
    for (query, timeout) in [("?timeout=20", 20), ("?timeout_seconds=21", 21), ("", 60)] {
        let target = format!("{}/refresh{query}", hold("read", "a"));
        let lock = service.call("PUT", &target).ok(200);
        assert_eq!(lock["read_process_list"][0]["timeout"], timeout, "{query}");
    }
}

#[test]
fn a_refresh_starts_the_timeout_anew_and_keeps_the_token() {
    let service = Service::start();
    service.create("report", false);
    for mode in ["read", "write"] {
        let list = format!("{mode}_process_list");
        let before = service.call("PUT", &hold(mode, "p")).ok(200)[&list][0].clone();
        sleep(Duration::from_millis(30));
        let running = service.call("GET", LOCK).ok(200)[&list][0].clone();
        assert!(running["remaining_ms"].as_u64().unwrap() <= 59_970, "{running}");
        let target = format!("{}/refresh?timeout_seconds=60", hold(mode, "p"));
        let after = service.call("PUT", &target).ok(200)[&list][0].clone();
        assert_eq!(after["remaining_ms"], 60_000);
        assert_eq!(after["fencing_token"], before["fencing_token"]);
        assert_eq!(after["lock_acquired_at"], before["lock_acquired_at"]);
        assert!(after["expires_at"].as_str() > before["expires_at"].as_str());
        service.call("DELETE", &hold(mode, "p")).ok(200);
    }
}

#[test]
fn a_release_frees_the_lock_and_cannot_be_repeated() {
    let service = Service::start();
    service.create("report", false);
    for mode in ["read", "write"] {
        service.acquire("report", mode, "p");
        let lock = service.call("DELETE", &hold(mode, "p")).ok(200);
        assert_eq!(lock["current_state"], "FREE");
        assert_eq!(lock[format!("{mode}_process_list")], json!([]));
        let problem = service.call("DELETE", &hold(mode, "p")).refusal(400, "nothing_to_release");
        assert_eq!(problem["retryable"], false);
        assert_eq!(problem["lock"]["current_state"], "FREE");
    }
}

#[test]
fn i3_tokens_grow_over_releases_and_over_locks() {
    let service = Service::start();
    service.create("report", false);
    service.create("other", false);
    let mut last = 0;
    for _ in 0..5 {
        for lock_id in ["report", "other"] {
            let token = service.acquire(lock_id, "write", "p");
            assert!(token > last, "{token} after {last}");
            last = token;
            let target = format!("/v1/distributed_lock/{lock_id}/write-process/p");
            service.call("DELETE", &target).ok(200);
        }
    }
}

#[test]
fn i4_a_hold_ends_when_it_is_due_though_nobody_asks_in_between() {
    let service = Service::start();
    service.create("report", true);
    let asked = Instant::now();
    service.call("PUT", &format!("{}?timeout_seconds=1", hold("write", "w1"))).ok(200);
    let granted = Instant::now();

    // Not early: just before a second has passed the lock is still held.
    sleep(Duration::from_millis(900).saturating_sub(asked.elapsed()));
    let early = service.call("GET", LOCK).ok(200);
    if asked.elapsed() < Duration::from_secs(1) {
        assert_eq!(early["current_state"], "WRITE");
    }

    // Nobody asks until well after it is due: the hold ended by itself, and its end is dated so.
    sleep(Duration::from_millis(1_600).saturating_sub(granted.elapsed()));
    let lock = service.call("GET", LOCK).ok(200);
    assert_eq!(lock["current_state"], "FREE");
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let ended = time(&lock["updated_at"]);
    let due = time(&early["write_process_list"][0]["expires_at"]);
    let late_ms = ended.as_millisecond() - due.as_millisecond();
    assert!((-2..=250).contains(&late_ms), "ended {late_ms} ms after it was due");
}

#[test]
fn i4_the_next_holder_gets_in_right_after_the_timeout() {
    let service = Service::start();
    service.create("report", true);
    let asked = Instant::now();
    service.call("PUT", &format!("{}?timeout=1", hold("write", "w1"))).ok(200);
    let granted = Instant::now();
    let entered = loop {
        let reply = service.call("PUT", &hold("write", "w2"));
        if reply.status == 200 {
            break Instant::now();
        }
        reply.refusal(409, "held");
        assert!(granted.elapsed() < Duration::from_secs(5), "never expired");
        sleep(Duration::from_millis(10));
    };
    assert!(entered - asked >= Duration::from_secs(1), "early: {:?}", entered - asked);
    assert!(entered - granted < Duration::from_millis(1_500), "late: {:?}", entered - granted);
}

/// The old service re-added a process that refreshed after its timeout: two processes then believed
/// to hold a write-exclusive lock.
#[test]
fn i5_a_refresh_after_expiry_is_refused_and_the_lock_stays_free() {
    let service = Service::start();
    service.create("report", true);
    for mode in ["read", "write"] {
        service.call("PUT", &format!("{}?timeout_seconds=1", hold(mode, "p"))).ok(200);
        sleep(Duration::from_millis(1_300));
        let target = format!("{}/refresh", hold(mode, "p"));
        let problem = service.call("PUT", &target).refusal(409, "not_held");
        assert_eq!(problem["retryable"], false);
        assert_eq!(problem["lock"]["current_state"], "FREE");
        assert_eq!(service.call("GET", LOCK).ok(200)["current_state"], "FREE");
    }
}

#[test]
fn i5_a_refresh_by_one_who_never_held_is_refused() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "read", "p");
    // Held for reading is not held for writing.
    service.call("PUT", &format!("{}/refresh", hold("write", "p"))).refusal(409, "not_held");
    service.call("PUT", &format!("{}/refresh", hold("read", "q"))).refusal(409, "not_held");
    service.call("DELETE", &hold("write", "p")).refusal(400, "nothing_to_release");
    assert_eq!(processes(&service.call("GET", LOCK).ok(200), "read"), ["p"]);
}

#[test]
fn a_minimal_reply_lists_the_callers_own_hold_alone() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "read", "other");
    for (method, target) in [
        ("PUT", hold("read", "p")),
        ("PUT", format!("{}/refresh", hold("read", "p"))),
        ("DELETE", hold("read", "p")),
    ] {
        let preference = ("Prefer", "respond-async, Return = \"Minimal\"");
        let reply = service.call_with(method, &target, &[preference]);
        let lock = reply.ok(200);
        assert_eq!(reply.header("preference-applied"), Some("return=minimal"));
        let listed = if method == "DELETE" { vec![] } else { vec!["p"] };
        assert_eq!(processes(&lock, "read"), listed, "{method} {target}");
        assert_eq!(lock["read_process_count"], 1 + listed.len(), "{method} {target}");
    }
    let reply =
        service.call_with("PUT", &hold("read", "q"), &[("prefer", "return=representation")]);
    assert_eq!(processes(&reply.ok(200), "read"), ["other", "q"]);
    assert_eq!(reply.header("preference-applied"), None);
}

#[test]
fn a_refusal_lists_few_of_many_holders_and_counts_them_all() {
    let service = Service::start();
    service.create("report", false);
    for number in 0..40 {
        service.acquire("report", "read", &format!("p{number}"));
    }
    let problem = service.call("PUT", &hold("write", "w")).refusal(409, "held");
    let listed = processes(&problem["lock"], "read").len();
    assert!((1..40).contains(&listed), "{listed}");
    assert_eq!(problem["lock"]["read_process_count"], 40);
    assert_eq!(processes(&service.call("GET", LOCK).ok(200), "read").len(), 40);
}
