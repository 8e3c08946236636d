//! Events over HTTP: every kind, filters, resuming, gaps, bounds, and how streams end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::service::ADMIN_KEY;
use crate::support::store::Mood;
use crate::support::stream::Stream;
use crate::support::{Service, Setup};

const ALL: &str = "/v1/events";
const LOCK: &str = "/v1/distributed_lock/report";

impl Service {
    fn follow(&self, target: &str) -> Stream {
        Stream::open(self.address, target, &[])
    }

    fn resume(&self, target: &str, last_event_id: &str) -> Stream {
        Stream::open(self.address, target, &[("Last-Event-ID", last_event_id)])
    }

    /// What `/metrics` says of a series. Tests of one process share the numbers.
    fn metric(&self, series: &str) -> f64 {
        let text = self.call("GET", "/metrics").text().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

/// An event without its time, which must be a real one.
fn timeless(mut event: Value) -> Value {
    let at: jiff::Timestamp = event["at"].as_str().unwrap().parse().unwrap();
    assert!((jiff::Timestamp::now().as_second() - at.as_second()).abs() <= 5, "{event}");
    event.as_object_mut().unwrap().remove("at");
    event
}

#[test]
fn a_stream_tells_of_each_kind_of_event() {
    let service = Service::start();
    let mut stream = service.follow(&format!("{ALL}?refreshed=true"));
    assert!(stream.headers.contains(&"content-type: text/event-stream".to_owned()));
    assert!(stream.headers.contains(&"cache-control: no-store".to_owned()));
    let mut next = || timeless(stream.event());

    service.create("report", true);
    assert_eq!(next(), json!({ "event": "created", "lock_id": "report" }));

    let ci_7 = format!("{LOCK}/write-process/ci-7");
    service.call("PUT", &format!("{ci_7}?timeout_seconds=30&note=deploy%204711")).ok(200);
    let party = |event: &str, fields: Value| {
        let mut all = json!({ "event": event, "lock_id": "report", "mode": "write" });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        all
    };
    let of_ci_7 = |event: &str, fields: Value| {
        let mut all = party(event, fields);
        all["process_id"] = json!("ci-7");
        all["note"] = json!("deploy 4711");
        all["fencing_token"] = json!(1);
        all
    };
    assert_eq!(next(), of_ci_7("granted", json!({ "timeout": 30 })));
    service.call("PUT", &format!("{ci_7}/refresh?timeout_seconds=40")).ok(200);
    assert_eq!(next(), of_ci_7("refreshed", json!({ "timeout": 40 })));

    let ci_8 = service.begin("PUT", &format!("{LOCK}/write-process/ci-8?wait_seconds=20"));
    assert_eq!(next(), party("queued", json!({ "process_id": "ci-8", "position": 1 })));
    service.waits(1);
    service.call("DELETE", &ci_7).ok(200);
    ci_8.join().unwrap().ok(200);
    assert_eq!(next(), of_ci_7("released", json!({})));
    let of_ci_8 = json!({ "process_id": "ci-8", "fencing_token": 2, "timeout": 60 });
    assert_eq!(next(), party("granted", of_ci_8));

    service.call("PUT", &format!("{LOCK}/write-process/ci-8/downgrade?timeout_seconds=1")).ok(200);
    let converted = next();
    assert_eq!((&converted["event"], &converted["mode"]), (&json!("converted"), &json!("write")));
    let granted = next();
    assert_eq!((&granted["mode"], &granted["fencing_token"]), (&json!("read"), &json!(3)));
    let expired = next();
    assert_eq!((&expired["event"], &expired["fencing_token"]), (&json!("expired"), &json!(3)));

    service.acquire("report", "write", "ci-9");
    let waiting = service.begin("PUT", &format!("{LOCK}/write-process/ci-10?wait_seconds=20"));
    service.waits(1);
    service.call("DELETE", &format!("{LOCK}?force=true")).ok(200);
    waiting.join().unwrap().refusal(409, "lock_deleted");
    assert_eq!(
        (next()["event"].clone(), next()["event"].clone()),
        (json!("granted"), json!("queued"))
    );
    let left = json!({ "process_id": "ci-10", "reason": "lock_deleted" });
    assert_eq!(next(), party("left_line", left));
    assert_eq!(next(), party("forced", json!({ "process_id": "ci-9", "fencing_token": 4 })));
    assert_eq!(next(), json!({ "event": "deleted", "lock_id": "report" }));
}

#[test]
fn refreshes_are_told_only_where_they_are_asked_for() {
    let service = Service::start();
    let mut stream = service.follow(ALL);
    service.create("report", true);
    service.acquire("report", "write", "p");
    service.call("PUT", &format!("{LOCK}/write-process/p/refresh")).ok(200);
    service.call("DELETE", &format!("{LOCK}/write-process/p")).ok(200);
    assert_eq!(stream.names(3), ["created", "granted", "released"]);
}

#[test]
fn one_lock_or_a_prefix_can_be_followed_also_before_there_is_any() {
    let service = Service::start();
    let mut of_lock = service.follow(&format!("{LOCK}/events"));
    let mut of_prefix = service.follow(&format!("{ALL}?prefix=deploy%2F"));
    for lock in ["other", "deploy%2Fa", "report", "deploy", "deploy%2Fb"] {
        service.create(lock, true);
    }
    assert_eq!(of_lock.event()["lock_id"], "report");
    assert_eq!(of_prefix.event()["lock_id"], "deploy/a");
    assert_eq!(of_prefix.event()["lock_id"], "deploy/b");
    assert!(of_lock.is_silent() && of_prefix.is_silent());
    service.call("GET", "/v1/distributed_lock/a%00b/events").refusal(400, "invalid_id");
}

#[test]
fn a_client_that_reconnects_misses_nothing_and_hears_nothing_twice() {
    let service = Service::start();
    let mut stream = service.follow(ALL);
    service.create("a", true);
    assert_eq!(stream.event()["lock_id"], "a");
    let id = stream.last_event_id.clone().unwrap();
    drop(stream);
    service.create("b", true);
    let mut by_header = service.resume(ALL, &id);
    let mut by_query = service.follow(&format!("{ALL}?last_event_id={id}"));
    let mut by_both = service.resume(&format!("{ALL}?last_event_id=0-0"), &id);
    service.create("c", true);
    for stream in [&mut by_header, &mut by_query, &mut by_both] {
        assert_eq!(stream.event()["lock_id"], "b");
        assert_eq!(stream.event()["lock_id"], "c");
        assert!(stream.is_silent());
    }
}

#[test]
fn a_client_that_was_told_nothing_yet_can_resume_as_well() {
    let service = Service::start();
    let id = service.follow(ALL).last_event_id.unwrap();
    service.create("a", true);
    assert_eq!(service.resume(ALL, &id).event()["lock_id"], "a");
}

#[test]
fn what_is_no_event_id_is_refused() {
    let service = Service::start();
    for bad in ["", "7", "seven-1"] {
        let with = [("last-event-id", bad)];
        service.call_with("GET", ALL, &with).refusal(400, "invalid_parameter");
        let target = format!("{ALL}?last_event_id={bad}");
        service.call("GET", &target).refusal(400, "invalid_parameter");
    }
    let twice = [("last-event-id", "1-1"), ("last-event-id", "1-2")];
    service.call_with("GET", ALL, &twice).refusal(400, "duplicate_parameter");
    service.call("GET", &format!("{ALL}?prefx=a")).refusal(400, "unknown_parameter");
    service.call("GET", &format!("{LOCK}/events?prefix=a")).refusal(400, "unknown_parameter");
}

#[test]
fn events_that_are_not_kept_any_more_are_a_gap() {
    let mut setup = Setup::default();
    setup.engine.max_buffered_events = 2;
    let service = setup.start().ready();
    let id = service.follow(ALL).last_event_id.unwrap();
    for lock in ["a", "b", "c", "d"] {
        service.create(lock, true);
    }
    let mut stream = service.resume(ALL, &id);
    let gap = stream.event();
    assert_eq!((&gap["event"], &gap["after"]), (&json!("gap"), &json!(id)));
    assert_eq!(gap["reason"], "forgotten");
    assert_eq!(gap["until"].as_str(), stream.last_event_id.as_deref());
    assert_eq!(stream.event()["lock_id"], "c");
    assert_eq!(stream.event()["lock_id"], "d");
}

#[test]
fn a_lost_commit_is_a_gap_in_a_stream_that_goes_on() {
    let service = Service::start();
    service.create("report", true);
    let mut stream = service.follow(ALL);
    let gaps = service.metric("leasehold_event_gaps_total");
    let id = stream.last_event_id.clone().unwrap();
    service.store.set(Mood::LosesAnswers);
    service.call("PUT", &format!("{LOCK}/write-process/p")).refusal(503, "outcome_unknown");
    service.store.set(Mood::Works);
    let gap = stream.event();
    assert_eq!((&gap["after"], &gap["reason"]), (&json!(id), &json!("new_term")));
    assert!(service.metric("leasehold_event_gaps_total") > gaps);
    service.create("other", true);
    assert_eq!(stream.event()["lock_id"], "other");
}

/// A client that does not read must not hold the service up; once it reads again it finds out.
#[test]
fn a_slow_reader_is_cut_off_with_a_gap_while_the_service_goes_on() {
    let mut setup = Setup::default();
    setup.engine.max_buffered_events = 1_000;
    let service = setup.start().ready();
    service.create("report", false);
    let mut stream = service.follow(ALL);
    let several: Vec<Value> = (0..64)
        .map(|n| {
            let lock_id = format!("{}-{n}", "x".repeat(240));
            json!({ "lock_id": lock_id, "mode": "read", "create_if_missing": true })
        })
        .collect();
    let body = json!({ "process_id": "p", "locks": several, "note": "n".repeat(250) }).to_string();
    // About 15 MB, which is more than the sockets between the two can hold.
    for _ in 0..200 {
        let asked = Instant::now();
        service.post_as("", "/v1/acquire", &body).ok(200);
        service.call("DELETE", "/v1/process/p").ok(200);
        assert!(asked.elapsed() < Duration::from_secs(5), "the service is held up");
    }
    let last = loop {
        let event = stream.event();
        if event["event"] == "gap" {
            break event;
        }
    };
    assert_eq!(last["reason"], "too_slow");
    assert_eq!(stream.block(), None, "cut off");
    let mut again = service.resume(ALL, stream.last_event_id.as_deref().unwrap());
    assert_ne!(again.event()["reason"], "new_term", "it goes on from there");
}

#[test]
fn a_silent_stream_is_kept_alive_and_moves_the_id_to_resume_from() {
    let mut setup = Setup::default();
    setup.server.event_heartbeat = Duration::from_millis(100);
    let service = setup.start().ready();
    let mut stream = service.follow(&format!("{ALL}?prefix=x"));
    let first = stream.last_event_id.clone();
    let opened = Instant::now();
    let alive = stream.block().unwrap();
    assert!(opened.elapsed() >= Duration::from_millis(90), "{:?}", opened.elapsed());
    assert_eq!((alive.comment.as_deref(), &alive.id), (Some("alive"), &first));
    assert_eq!((&alive.event, &alive.data), (&None, &None));
    service.create("elsewhere", true);
    while stream.last_event_id == first {
        let alive = stream.block().unwrap();
        assert_eq!(alive.data, None, "only the id moves");
        assert!(opened.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_stream_outlives_every_timeout_of_its_connection() {
    let mut setup = Setup::default();
    setup.listen.header_read_timeout = Duration::from_millis(200);
    let service = setup.start().ready();
    let mut stream = service.follow(ALL);
    std::thread::sleep(Duration::from_millis(700));
    service.create("late", true);
    assert_eq!(stream.event()["lock_id"], "late");
}

#[test]
fn a_key_hears_only_of_its_namespace_and_until_it_is_revoked() {
    let service = Service::start_with_keys();
    let key = |namespace: &str| {
        let body = json!({ "namespace": namespace, "role": "read" }).to_string();
        service.post_as(ADMIN_KEY, "/v1/keys", &body).ok(201)
    };
    let (one, two) = (key("default"), key("team-b"));
    let follow = |key: &Value| {
        Stream::open(service.address, ALL, &[("x-api-key", key["key"].as_str().unwrap())])
    };
    let (mut in_default, mut in_b) = (follow(&one), follow(&two));
    service.call_as(ADMIN_KEY, "POST", LOCK).ok(201);
    assert_eq!(in_default.event()["lock_id"], "report");
    assert!(in_b.is_silent());

    let revoke = format!("/v1/keys/{}", one["key_id"].as_str().unwrap());
    service.call_as(ADMIN_KEY, "DELETE", &revoke).ok(200);
    service.call_as(ADMIN_KEY, "POST", "/v1/distributed_lock/secret").ok(201);
    assert_eq!(in_default.block(), None, "the stream ends and tells nothing more");
    service.call("GET", ALL).refusal(401, "unauthorized");
}

#[test]
fn streams_are_bounded_and_a_client_that_hangs_up_makes_room() {
    let mut setup = Setup::default();
    setup.server.max_event_streams = 2;
    let service = setup.start().ready();
    let mut first = service.follow(ALL);
    let second = service.follow(&format!("{LOCK}/events"));
    service.call("GET", ALL).refusal(429, "too_many_streams");
    drop(second);
    let cut = Instant::now();
    while service.metric("leasehold_event_streams") > 1.0 {
        assert!(cut.elapsed() < Duration::from_secs(2), "the place is not given back");
    }
    let _third = service.follow(ALL);
    service.create("report", true);
    assert_eq!(first.names(1), ["created"], "the others notice nothing");
}

#[test]
fn nothing_can_be_followed_before_the_service_leads() {
    let setup = Setup {
        store: crate::support::store::MoodyStore::new(Mood::RefusesClaims),
        ..Setup::default()
    };
    let service = setup.start();
    service.call("GET", ALL).refusal(503, "not_ready");
}

#[test]
fn a_stop_ends_streams_at_once_and_cleanly() {
    let service = Service::start();
    let mut stream = service.follow(ALL);
    service.create("report", true);
    let stopped = Instant::now();
    let Service { engine, stop, serving, runtime, address, .. } = service;
    stop.send(()).unwrap();
    engine.turn_waiters_away();
    runtime.block_on(serving).unwrap().unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
    while let Some(block) = stream.block() {
        assert!(block.event.as_deref().is_none_or(|event| event == "created"), "{block:?}");
    }
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn the_time_of_a_stream_counts_until_it_is_open() {
    let service = Service::start();
    let series = |name: &str| {
        format!(
            "leasehold_http_request_seconds_{name}{{route=\"/v1/distributed_lock/{{lock_id}}/events\"}}"
        )
    };
    let before = service.metric(&series("count"));
    let _stream = service.follow(&format!("{LOCK}/events"));
    assert!(service.metric("leasehold_event_streams") >= 1.0);
    std::thread::sleep(Duration::from_millis(300));
    assert!(service.metric(&series("count")) > before, "counted while it is open");
}
