//! `GET /v1/distributed_lock/{lock_id}/history`: who held a lock, and how that ended.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::service::ADMIN_KEY;
use crate::support::store::Mood;
use crate::support::{Service, Setup};

const JOB: &str = "/v1/distributed_lock/job";
const HISTORY: &str = "/v1/distributed_lock/job/history";

/// Each entry's process, mode and cause.
fn told(page: &Value) -> Vec<String> {
    let word = |past: &Value, field: &str| past[field].as_str().unwrap().to_owned();
    let entries = page["history"].as_array().unwrap();
    let words = |past| ["process_id", "mode", "cause"].map(|field| word(past, field)).join(" ");
    entries.iter().map(words).collect()
}

fn tokens(page: &Value) -> Vec<u64> {
    let entries = page["history"].as_array().unwrap();
    entries.iter().map(|past| past["fencing_token"].as_u64().unwrap()).collect()
}

/// Acquires for reading and releases.
fn hold_once(service: &Service, process_id: &str) -> u64 {
    let token = service.acquire("job", "read", process_id);
    service.call("DELETE", &format!("{JOB}/read-process/{process_id}")).ok(200);
    token
}

#[test]
fn history_shows_how_every_hold_ended_the_newest_first() {
    let service = Service::start();
    service.create("job", true);
    let page = service.call("GET", HISTORY).ok(200);
    assert_eq!(page, json!({ "lock_id": "job", "history": [], "next_cursor": null }));

    let target = format!("{JOB}/write-process/alice?note=deploy%204711&timeout_seconds=60");
    let granted = service.call("PUT", &target).ok(200);
    service.call("DELETE", &format!("{JOB}/write-process/alice")).ok(200);
    service.call("PUT", &format!("{JOB}/write-process/bob?timeout_seconds=1")).ok(200);
    sleep(Duration::from_millis(1_100));
    service.acquire("job", "write", "carol");
    service.call("PUT", &format!("{JOB}/write-process/carol/downgrade")).ok(200);
    service.call("DELETE", "/v1/process/carol").ok(200);
    service.acquire("job", "write", "dave");
    service.call("DELETE", &format!("{JOB}?force=true")).ok(200);

    let page = service.call("GET", HISTORY).ok(200);
    assert_eq!(
        told(&page),
        [
            "dave write forced",
            "carol read released",
            "carol write converted",
            "bob write expired",
            "alice write released",
        ]
    );
    assert_eq!(tokens(&page), [5, 4, 3, 2, 1]);
    let (first, held) = (&page["history"][4], &granted["write_process_list"][0]);
    assert_eq!(first["lock_acquired_at"], held["lock_acquired_at"]);
    assert_eq!(first["note"], "deploy 4711");
    let times = |past: &Value| {
        ["lock_acquired_at", "ended_at"].map(|field| past[field].as_str().unwrap().to_owned())
    };
    let [since, until] = times(&page["history"][3]);
    assert!(since < until, "bob held it for a second: {since} {until}");
    for past in page["history"].as_array().unwrap() {
        let [since, until] = times(past);
        assert!(since <= until, "{past}");
        assert!(past["ended_by"].is_null(), "nobody has a key in dev mode: {past}");
    }
}

#[test]
fn history_names_the_key_that_ended_a_hold() {
    let service = Service::start_with_keys();
    let body = r#"{"namespace": "default", "role": "write"}"#;
    let key = service.post_as(ADMIN_KEY, "/v1/keys", body).ok(201);
    let (key, key_id) = (key["key"].as_str().unwrap(), &key["key_id"]);
    let hold = format!("{JOB}/write-process/alice?create_if_missing=true");
    let release = format!("{JOB}/write-process/alice");
    for call in [("PUT", &hold), ("DELETE", &release), ("PUT", &hold)] {
        service.call_as(key, call.0, call.1).ok(200);
    }
    service.call_as(key, "DELETE", "/v1/process/alice").ok(200);
    service.call_as(key, "PUT", &hold).ok(200);
    service.call_as(ADMIN_KEY, "DELETE", &format!("{JOB}?force=true")).ok(200);

    let page = service.call_as(key, "GET", HISTORY).ok(200);
    let by: Vec<&Value> =
        page["history"].as_array().unwrap().iter().map(|past| &past["ended_by"]).collect();
    assert_eq!(by, [&json!("LEASEHOLD_API_KEY"), key_id, key_id]);
}

#[test]
fn a_key_that_reads_sees_the_history_of_its_namespace_alone() {
    let service = Service::start_with_keys();
    let key = |namespace: &str, role: &str| {
        let body = format!(r#"{{"namespace": "{namespace}", "role": "{role}"}}"#);
        let made = service.post_as(ADMIN_KEY, "/v1/keys", &body).ok(201);
        made["key"].as_str().unwrap().to_owned()
    };
    let (writes, reads, other) = (key("red", "write"), key("red", "read"), key("blue", "admin"));
    let hold = format!("{JOB}/write-process/alice?create_if_missing=true&ephemeral=true");
    service.call_as(&writes, "PUT", &hold).ok(200);
    service.call_as(&writes, "DELETE", "/v1/process/alice").ok(200);
    let page = service.call_as(&reads, "GET", HISTORY).ok(200);
    assert_eq!(told(&page), ["alice write released"]);
    service.call_as(&other, "GET", HISTORY).refusal(404, "no_such_lock");
    service.call("GET", HISTORY).refusal(401, "unauthorized");
}

#[test]
fn history_outlives_its_lock_and_a_reload_of_the_table() {
    let service = Service::start();
    service.call("GET", HISTORY).refusal(404, "no_such_lock");
    service.create("job", false);
    let first = hold_once(&service, "alice");
    service.call("DELETE", JOB).ok(200);
    service.call("GET", JOB).refusal(404, "no_such_lock");
    assert_eq!(tokens(&service.call("GET", HISTORY).ok(200)), [first]);
    service.create("job", true);
    let second = hold_once(&service, "bob");
    assert_eq!(tokens(&service.call("GET", HISTORY).ok(200)), [second, first]);

    // The release after which the table is loaded again from what the store has.
    let third = service.acquire("job", "read", "carol");
    service.store.set(Mood::LosesAnswers);
    service.call("DELETE", &format!("{JOB}/read-process/carol")).refusal(503, "outcome_unknown");
    service.store.set(Mood::Works);
    let service = service.ready();
    assert_eq!(tokens(&service.call("GET", HISTORY).ok(200)), [third, second, first]);
}

#[test]
fn history_comes_a_page_at_a_time() {
    let service = Service::start();
    service.create("job", false);
    let mut all: Vec<u64> =
        (0..7).map(|number| hold_once(&service, &format!("p{number}"))).collect();
    all.reverse();
    for limit in 1..=8 {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = service.call("GET", &format!("{HISTORY}?limit={limit}{cursor}")).ok(200);
            assert!(tokens(&page).len() <= limit, "{page}");
            seen.extend(tokens(&page));
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all, "limit {limit}");
        assert_eq!(pages, all.len().div_ceil(limit), "limit {limit}");
    }
    let page = service.call("GET", &format!("{HISTORY}?limit=2")).ok(200);
    let newer = hold_once(&service, "later");
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = service.call("GET", &format!("{HISTORY}?limit=2&cursor={cursor}")).ok(200);
    assert_eq!(tokens(&next), all[2..4], "a newer end moves no page");
    assert_eq!(tokens(&service.call("GET", HISTORY).ok(200))[0], newer);
}

#[test]
fn i7_history_is_bounded_and_can_be_off() {
    let mut setup = Setup::default();
    setup.engine.limits.max_history_per_lock = 2;
    let service = setup.start().ready();
    service.create("job", false);
    let all: Vec<u64> = (0..4).map(|number| hold_once(&service, &format!("p{number}"))).collect();
    assert_eq!(tokens(&service.call("GET", HISTORY).ok(200)), [all[3], all[2]]);

    let mut setup = Setup::default();
    setup.engine.limits.max_history_per_lock = 0;
    let service = setup.start().ready();
    service.create("job", false);
    hold_once(&service, "alice");
    assert_eq!(tokens(&service.call("GET", HISTORY).ok(200)), [0_u64; 0]);
    service.call("DELETE", JOB).ok(200);
    service.call("GET", HISTORY).refusal(404, "no_such_lock");
}

#[test]
fn a_history_refuses_what_it_does_not_understand() {
    let service = Service::start();
    service.create("job", false);
    for (query, says) in [
        ("limit=0", "1 to 1000"),
        ("limit=1001", "1 to 1000"),
        ("cursor=16162", "`next_cursor` of the page before"),
        ("cursor=", "`next_cursor` of the page before"),
    ] {
        let problem = service.call("GET", &format!("{HISTORY}?{query}"));
        let problem = problem.refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    service.call("GET", &format!("{HISTORY}?prefix=a")).refusal(400, "unknown_parameter");
    service.call("GET", "/v1/distributed_lock/%0A/history").refusal(400, "invalid_id");
    let allow = service.call("DELETE", HISTORY);
    allow.refusal(405, "method_not_allowed");
}
