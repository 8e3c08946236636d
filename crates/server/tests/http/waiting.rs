//! Standing in line: who is served, who is told what, and who is in the way.

use std::thread::sleep;
use std::time::{Duration, Instant};

use leasehold_core::Limits;
use serde_json::{Value, json};

use crate::support::service::ADMIN_KEY;
use crate::support::{Service, Setup};

const LOCK: &str = "/v1/distributed_lock/report";

fn hold(mode: &str, process_id: &str) -> String {
    format!("{LOCK}/{mode}-process/{process_id}")
}

fn waiting(mode: &str, process_id: &str) -> String {
    format!("{}?wait_seconds=15", hold(mode, process_id))
}

/// A service whose lock a writer holds.
fn taken() -> Service {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    service
}

fn names<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap()).collect()
}

#[test]
fn a_wait_ends_with_the_release_that_makes_room() {
    let service = taken();
    let waiter = service.begin("PUT", &waiting("write", "next"));
    service.waits(1);
    assert_eq!(service.call("GET", LOCK).ok(200)["waiter_count"], 1);
    sleep(Duration::from_millis(200));
    service.call("DELETE", &hold("write", "holder")).ok(200);
    let lock = waiter.join().unwrap().ok(200);
    let held = &lock["write_process_list"][0];
    assert_eq!(held["process_id"], "next");
    assert_eq!(lock["fencing_token"], held["fencing_token"]);
    assert_eq!(held["remaining_ms"], 60_000, "the hold begins with the grant, not with the wait");
    assert!(lock["waited_ms"].as_u64().unwrap() >= 200, "{lock}");
    assert_eq!(lock["waiter_count"], 0);
    service.waits(0);
}

#[test]
fn i6_waiters_are_served_in_the_order_of_their_coming_and_neighbouring_readers_together() {
    let service = taken();
    let mut waiters = Vec::new();
    for (place, (mode, name)) in
        [("write", "w1"), ("read", "r1"), ("read", "r2"), ("write", "w2"), ("read", "r3")]
            .into_iter()
            .enumerate()
    {
        waiters.push(service.begin("PUT", &waiting(mode, name)));
        service.waits(place + 1);
    }
    let [w1, r1, r2, w2, r3] = waiters.try_into().unwrap();
    service.call("DELETE", &hold("write", "holder")).ok(200);
    let first = w1.join().unwrap().ok(200)["fencing_token"].as_u64().unwrap();
    service.waits(4);
    service.call("DELETE", &hold("write", "w1")).ok(200);
    let tokens =
        [r1, r2].map(|reader| reader.join().unwrap().ok(200)["fencing_token"].as_u64().unwrap());
    assert!(first < tokens[0] && tokens[0] < tokens[1], "{first} {tokens:?}");
    // The writer in between keeps the third reader out.
    assert_eq!(names(&json!(service.waits(2)), "process_id"), ["w2", "r3"]);
    service.call("DELETE", &hold("read", "r1")).ok(200);
    service.call("DELETE", &hold("read", "r2")).ok(200);
    w2.join().unwrap().ok(200);
    service.call("DELETE", &hold("write", "w2")).ok(200);
    r3.join().unwrap().ok(200);
}

#[test]
fn i6_nobody_overtakes_a_waiter_and_the_refusal_says_that_somebody_waits() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "read", "reader");
    let writer = service.begin("PUT", &waiting("write", "writer"));
    service.waits(1);
    let problem = service.call("PUT", &hold("read", "late")).refusal(409, "held");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("1 request(s) stand in line"), "{detail}");
    assert_eq!(problem["lock"]["waiter_count"], 1);
    service.call("DELETE", &hold("read", "reader")).ok(200);
    writer.join().unwrap().ok(200);
}

#[test]
fn a_wait_that_ends_without_a_grant_tells_the_place_and_who_is_in_the_way() {
    let service = taken();
    let first = service.begin("PUT", &waiting("write", "first"));
    service.waits(1);
    let began = Instant::now();
    let target = format!("{}?wait_seconds=1", hold("read", "second"));
    let problem = service.call("PUT", &target).refusal(409, "wait_timed_out");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(2), "{took:?}");
    assert_eq!(problem["retryable"], true);
    assert_eq!(problem["outcome"], "none");
    assert_eq!(problem["position"], 2);
    let blockers = json!([
        { "process_id": "holder", "mode": "write", "holds": true },
        { "process_id": "first", "mode": "write", "holds": false },
    ]);
    assert_eq!(problem["blockers"], blockers);
    assert_eq!(problem["lock"]["current_state"], "WRITE");

    // The order is kept for a moment: a client that came meanwhile is behind.
    let third = service.begin("PUT", &waiting("read", "third"));
    service.waits(2);
    let second = service.begin("PUT", &waiting("read", "second"));
    let waits = json!(service.waits(3));
    assert_eq!(names(&waits, "process_id"), ["first", "second", "third"]);
    service.call("DELETE", &hold("write", "holder")).ok(200);
    first.join().unwrap().ok(200);
    service.call("DELETE", &hold("write", "first")).ok(200);
    second.join().unwrap().ok(200);
    third.join().unwrap().ok(200);
}

#[test]
fn why_am_i_waiting_has_an_answer() {
    let service = Service::start();
    service.create("report", true);
    let target = format!("{}?note=deploy+4711", hold("write", "holder"));
    let lock = service.call("PUT", &target).ok(200);
    assert_eq!(lock["write_process_list"][0]["note"], "deploy 4711");
    let waiter = service.begin("PUT", &format!("{}&note=hotfix%2012", waiting("write", "next")));
    let waits = service.waits(1);
    let wait = &waits[0];
    let remaining_ms = wait["remaining_ms"].as_u64().unwrap();
    assert!((10_000..=15_000).contains(&remaining_ms), "{wait}");
    let expected = json!({
        "lock_id": "report",
        "process_id": "next",
        "mode": "write",
        "position": 1,
        "remaining_ms": remaining_ms,
        "note": "hotfix 12",
        "blockers": [{ "process_id": "holder", "mode": "write", "holds": true }],
    });
    assert_eq!(*wait, expected);
    service.call("DELETE", &hold("write", "holder")).ok(200);
    assert_eq!(waiter.join().unwrap().ok(200)["write_process_list"][0]["note"], "hotfix 12");
}

#[test]
fn a_wait_that_would_never_end_is_refused_with_the_circle() {
    let service = Service::start();
    service.create("a", true);
    service.create("b", true);
    service.acquire("a", "write", "p");
    service.acquire("b", "write", "q");
    let of = |lock: &str, process: &str| {
        format!("/v1/distributed_lock/{lock}/write-process/{process}?wait_seconds=15")
    };
    let waiter = service.begin("PUT", &of("b", "p"));
    service.waits(1);
    let began = Instant::now();
    let problem = service.call("PUT", &of("a", "q")).refusal(409, "deadlock");
    assert!(began.elapsed() < Duration::from_secs(2), "at once: {:?}", began.elapsed());
    assert_eq!(problem["retryable"], false);
    let cycle = json!([
        { "process_id": "q", "lock_id": "a", "mode": "write" },
        { "process_id": "p", "lock_id": "b", "mode": "write" },
    ]);
    assert_eq!(problem["cycle"], cycle);
    // The advice of the refusal works: q lets go, and p has both.
    service.call("DELETE", "/v1/distributed_lock/b/write-process/q").ok(200);
    waiter.join().unwrap().ok(200);
}

#[test]
fn the_same_process_coming_back_takes_its_own_place_over() {
    let service = taken();
    let older = service.begin("PUT", &waiting("write", "next"));
    service.waits(1);
    let newer = service.begin("PUT", &waiting("write", "next"));
    let problem = older.join().unwrap().refusal(409, "superseded");
    assert_eq!(problem["retryable"], false);
    service.waits(1);
    service.call("DELETE", &hold("write", "holder")).ok(200);
    newer.join().unwrap().ok(200);
}

#[test]
fn i7_the_line_has_an_end() {
    let default = Limits::default();
    for (limits, says) in [
        (Limits { max_waiters_per_lock: 1, ..default }, "for this lock"),
        (Limits { max_waiters_per_namespace: 1, ..default }, "in this namespace"),
        (Limits { max_waiters: 1, ..default }, "in the service"),
    ] {
        let mut setup = Setup::default();
        setup.engine.limits = limits;
        let service = setup.start().ready();
        service.create("report", true);
        service.acquire("report", "write", "holder");
        let waiter = service.begin("PUT", &waiting("write", "next"));
        service.waits(1);
        let refused = service.call("PUT", &waiting("write", "more"));
        let problem = refused.refusal(429, "too_many_waiters");
        assert_eq!(refused.header("retry-after"), Some("1"));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("1 requests wait {says}")), "{detail}");
        // Who asks without waiting is no waiter, and who comes back to its place is none more.
        service.call("PUT", &hold("write", "more")).refusal(409, "held");
        let again = service.begin("PUT", &waiting("write", "next"));
        waiter.join().unwrap().refusal(409, "superseded");
        service.call("DELETE", &hold("write", "holder")).ok(200);
        again.join().unwrap().ok(200);
    }
}

#[test]
fn writers_who_share_come_in_together_too() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "read", "reader");
    let writers: Vec<_> = ["w1", "w2", "w3"]
        .into_iter()
        .enumerate()
        .map(|(place, name)| {
            let writer = service.begin("PUT", &waiting("write", name));
            service.waits(place + 1);
            writer
        })
        .collect();
    service.call("DELETE", &hold("read", "reader")).ok(200);
    let tokens = writers
        .into_iter()
        .map(|writer| writer.join().unwrap().ok(200)["fencing_token"].as_u64().unwrap());
    assert!(tokens.collect::<Vec<_>>().is_sorted(), "I6: in the order of their coming");
    assert_eq!(service.call("GET", LOCK).ok(200)["write_process_count"], 3);
}

/// The story: a wait that timed out kept the lock for two seconds. With clients that gave up at least that
/// often, a free lock was given to no client for ever: 30 times `wait_timed_out` on a lock that was free.
#[test]
fn a_free_lock_is_granted_however_many_clients_have_given_up() {
    let service = Service::start();
    service.create("report", true);
    service.call("PUT", &format!("{}?timeout=2", hold("write", "holder"))).ok(200);
    let clients: Vec<_> = (0..12)
        .map(|n| {
            let target = format!("{}?wait_seconds=1&timeout=1", hold("write", &format!("c{n}")));
            let client = service.begin("PUT", &target);
            sleep(Duration::from_millis(400));
            client
        })
        .collect();
    let granted = clients.into_iter().map(|client| client.join().unwrap().status);
    let granted = granted.filter(|status| *status == 200).count();
    // Holds of one second each, over the three seconds that are left.
    assert!(granted >= 2, "{granted} grants");
}

/// A wait that timed out keeps the order of its client, never the lock.
#[test]
fn i6_a_client_that_comes_back_in_time_is_before_those_that_came_after_it() {
    let service = taken();
    let target = format!("{}?wait_seconds=1", hold("write", "away"));
    service.call("PUT", &target).refusal(409, "wait_timed_out");
    let later = service.begin("PUT", &waiting("write", "later"));
    service.waits(1);
    let back = service.begin("PUT", &waiting("write", "away"));
    service.waits(2);
    service.call("DELETE", &hold("write", "holder")).ok(200);
    back.join().unwrap().ok(200);
    service.call("DELETE", &hold("write", "away")).ok(200);
    later.join().unwrap().ok(200);
}

#[test]
fn a_client_that_has_gone_does_not_keep_the_lock() {
    let service = taken();
    let target = format!("{}?wait_seconds=1", hold("write", "away"));
    service.call("PUT", &target).refusal(409, "wait_timed_out");
    assert_eq!(service.call("GET", LOCK).ok(200)["waiter_count"], 0);
    service.call("DELETE", &hold("write", "holder")).ok(200);
    service.call("PUT", &hold("write", "next")).ok(200);
}

#[test]
fn an_expiry_makes_room_like_a_release() {
    let service = Service::start();
    service.create("report", true);
    service.call("PUT", &format!("{}?timeout=1", hold("write", "holder"))).ok(200);
    let began = Instant::now();
    let lock = service.call("PUT", &waiting("read", "next")).ok(200);
    assert!(began.elapsed() > Duration::from_millis(700), "{:?}", began.elapsed());
    assert_eq!(lock["current_state"], "READ");
}

#[test]
fn a_reader_key_may_see_who_waits_and_not_wait_itself() {
    let service = Service::start_with_keys();
    let made = service.post_as(ADMIN_KEY, "/v1/keys", r#"{"role": "read"}"#).ok(201);
    let reader = made["key"].as_str().unwrap();
    service.call_as(ADMIN_KEY, "POST", LOCK).ok(201);
    service.call_as(reader, "PUT", &waiting("read", "p")).refusal(403, "forbidden");
    assert_eq!(service.call_as(reader, "GET", "/v1/waits").ok(200), json!({ "waits": [] }));
    service.call("GET", "/v1/waits").refusal(401, "unauthorized");
}

#[test]
fn i7_a_wait_has_bounds_and_a_note_too() {
    let service = taken();
    for wait in ["301", "-1", "1.5", "", "ten", "99999999999999999999999"] {
        let target = format!("{}?wait_seconds={wait}", hold("write", "next"));
        let problem = service.call("PUT", &target).refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains("0 to 300"), "{problem}");
    }
    service.call("PUT", &format!("{}?wait_seconds=0", hold("write", "next"))).refusal(409, "held");
    for note in ["x".repeat(257), "a%00b".to_owned()] {
        let target = format!("{}?note={note}", hold("write", "next"));
        let problem = service.call("PUT", &target).refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains("256 bytes"), "{problem}");
    }
    service.create("free", true);
    let note = "x".repeat(256);
    let target = format!("/v1/distributed_lock/free/write-process/p?note={note}&wait_seconds=300");
    assert_eq!(service.call("PUT", &target).ok(200)["write_process_list"][0]["note"], note);
}

/// Header timeouts are for clients that dawdle: one that waits in line has sent all of its request.
#[test]
fn a_wait_may_be_longer_than_a_request_may_take_to_arrive() {
    let mut setup = Setup::default();
    setup.listen.header_read_timeout = Duration::from_millis(300);
    let service = setup.start().ready();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    let waiter = service.begin("PUT", &waiting("write", "next"));
    sleep(Duration::from_millis(1_000));
    service.waits(1);
    service.call("DELETE", &hold("write", "holder")).ok(200);
    waiter.join().unwrap().ok(200);
}

/// A stop used to wait for open requests first and for the commit loop then: one waiter would have
/// held it up for the whole grace period.
#[test]
fn a_stop_answers_those_in_line_at_once() {
    let service = taken();
    let waiters = ["a", "b", "c"].map(|name| service.begin("PUT", &waiting("write", name)));
    service.waits(3);
    let began = Instant::now();
    service.stop.send(()).unwrap();
    service.engine.turn_waiters_away();
    for waiter in waiters {
        let problem = waiter.join().unwrap().refusal(503, "draining");
        assert_eq!(problem["outcome"], "none");
    }
    service.runtime.block_on(service.serving).unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
