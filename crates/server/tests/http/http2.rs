//! HTTP/2 without TLS, by prior knowledge, on the address that speaks HTTP/1.1 as well: many requests on
//! one connection, each bounded, counted, given up and finished like one on a connection of its own.

use std::io::Write as _;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::{StatusCode, Version};
use tokio::time::{sleep, timeout};

use crate::support::http2::Http2;
use crate::support::store::Mood;
use crate::support::{Service, Setup, client};

const LOCK: &str = "/v1/distributed_lock/report";

const HEALTH: &str = "/v1/healthcheck";

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough to see that something does not happen.
const A_WHILE: Duration = Duration::from_millis(200);

fn waiting(process: &str, seconds: u32) -> String {
    format!("{LOCK}/write-process/{process}?wait_seconds={seconds}")
}

#[test]
fn one_address_speaks_both() {
    let service = Service::start();
    service.runtime.block_on(async {
        let client = Http2::plain(service.address).await;
        let created = client.send("POST", &format!("{LOCK}?is_exclusive=true")).await.unwrap();
        let created = created.unwrap();
        assert_eq!((created.status(), created.version()), (StatusCode::CREATED, Version::HTTP_2));
        assert!(created.headers().contains_key("x-request-id"));
        let (status, lock) = client.ask("GET", LOCK).await;
        assert_eq!((status, &lock["lock_id"]), (StatusCode::OK, &"report".into()));
        let (status, problem) = client.ask("GET", "/v1/distributed_lock/none").await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &"no_such_lock".into()));
    });
    service.call("GET", LOCK).ok(200);
}

/// A client may send its bytes as it likes, and many begin like a preface.
#[test]
fn what_begins_like_a_preface_is_told_from_it() {
    let service = Service::start();
    let mut stream = client::connect(service.address);
    for byte in client::head("POST", LOCK, &[], 0).bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    client::receive(&mut stream).unwrap().ok(201);
    let propfind = client::send(service.address, "PROPFIND", LOCK, &[], "");
    propfind.refusal(405, "method_not_allowed");
}

#[test]
fn one_connection_carries_many_that_wait() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    service.runtime.block_on(async {
        let client = Http2::plain(service.address).await;
        let readers: Vec<_> = (0..50)
            .map(|number| format!("{LOCK}/read-process/r{number}?wait_seconds=30"))
            .map(|target| client.send("PUT", &target))
            .collect();
        service.waits(50);
        let (status, _) = client.ask("DELETE", &format!("{LOCK}/write-process/holder")).await;
        assert_eq!(status, StatusCode::OK);
        for reader in readers {
            assert_eq!(reader.await.unwrap().unwrap().status(), StatusCode::OK);
        }
    });
}

/// As a client that closes its connection is (`disconnects.rs`), although the connection stays.
#[test]
fn who_cancels_a_stream_leaves_the_line_at_once() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    service.runtime.block_on(async {
        let client = Http2::plain(service.address).await;
        let gone = client.send("PUT", &waiting("gone", 15));
        service.waits(1);
        let next = client.send("PUT", &waiting("next", 15));
        service.waits(2);
        gone.abort();
        let cut = Instant::now();
        let waits = service.waits(1);
        assert!(cut.elapsed() < Duration::from_millis(100), "{:?}", cut.elapsed());
        assert_eq!(waits[0]["process_id"], "next");
        client.ask("DELETE", &format!("{LOCK}/write-process/holder")).await;
        assert_eq!(next.await.unwrap().unwrap().status(), StatusCode::OK);
    });
    // And so does everybody on a connection that breaks: here with all that ran it.
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    let client = elsewhere.block_on(Http2::plain(service.address));
    let inside = elsewhere.enter();
    let _gone = client.send("PUT", &waiting("gone", 15));
    drop(inside);
    service.waits(1);
    elsewhere.shutdown_background();
    service.waits(0);
}

#[test]
fn events_are_followed_beside_other_requests() {
    let service = Service::start();
    service.runtime.block_on(async {
        let client = Http2::plain(service.address).await;
        let mut stream = client.send("GET", "/v1/events").await.unwrap().unwrap().into_body();
        let mut next = async || {
            let frame = timeout(PATIENCE, stream.frame()).await.unwrap().unwrap().unwrap();
            String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
        };
        assert!(next().await.starts_with(": open"));
        client.ask("POST", LOCK).await;
        let told = next().await;
        assert!(told.contains("event: created") && told.contains("report"), "{told}");
    });
}

#[test]
fn a_stop_lets_requests_under_way_finish_on_a_connection_that_says_goodbye() {
    let service = Service::start();
    let Service { address, runtime, serving, stop, store, engine: _engine } = service;
    runtime.block_on(async {
        let client = Http2::plain(address).await;
        let idle = Http2::plain(address).await;
        client.ask("GET", HEALTH).await;
        idle.ask("GET", HEALTH).await;
        store.set(Mood::Hangs);
        let under_way = client.send("POST", LOCK);
        sleep(A_WHILE).await;
        stop.send(()).unwrap();
        timeout(PATIENCE, idle.connection).await.unwrap().unwrap().unwrap();
        sleep(A_WHILE).await;
        assert!(!under_way.is_finished() && !serving.is_finished());
        assert!(client.send("GET", HEALTH).await.unwrap().is_err(), "it takes no more requests");
        store.set(Mood::Works);
        assert_eq!(under_way.await.unwrap().unwrap().status(), StatusCode::CREATED);
        timeout(PATIENCE, serving).await.unwrap().unwrap().unwrap();
    });
}

/// Else one connection would be a way around the limit of connections.
#[test]
fn i7_requests_on_one_connection_count_like_connections() {
    let mut setup = Setup::default();
    setup.listen.max_connections = 3;
    let service = setup.start().ready();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    service.runtime.block_on(async {
        let client = Http2::plain(service.address).await;
        let first = client.send("PUT", &waiting("first", 15));
        service.waits(1);
        let second = client.send("PUT", &waiting("second", 15));
        // The connection itself with its first request, the second one, and the look at the line.
        service.waits(2);
        let third = client.send("PUT", &waiting("third", 15));
        sleep(A_WHILE).await;
        // The last place is kept for the next connection.
        let fourth = client.send("GET", HEALTH);
        sleep(A_WHILE).await;
        assert!(!third.is_finished() && !fourth.is_finished());
        first.abort();
        second.abort();
        third.abort();
        assert_eq!(fourth.await.unwrap().unwrap().status(), StatusCode::OK);
    });
}

#[test]
fn i7_an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let mut setup = Setup::default();
    setup.listen.header_read_timeout = Duration::from_millis(300);
    let service = setup.start().ready();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    service.runtime.block_on(async {
        let (idle, busy) =
            (Http2::plain(service.address).await, Http2::plain(service.address).await);
        let waits = busy.send("PUT", &waiting("late", 2));
        let began = Instant::now();
        timeout(PATIENCE, idle.connection).await.unwrap().unwrap().unwrap();
        assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        // Short requests that come again and again keep it open, too.
        let short = Http2::plain(service.address).await;
        for _ in 0..15 {
            assert_eq!(short.ask("GET", HEALTH).await.0, StatusCode::OK);
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(waits.await.unwrap().unwrap().status(), StatusCode::CONFLICT);
    });
}

#[test]
fn i7_who_dawdles_over_the_preface_is_cut_off() {
    let mut setup = Setup::default();
    setup.listen.header_read_timeout = Duration::from_millis(200);
    let service = setup.start().ready();
    for bytes in ["", "P", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = client::connect(service.address);
        stream.write_all(bytes.as_bytes()).unwrap();
        let began = Instant::now();
        client::wait_for_end(&mut stream);
        assert!(began.elapsed() < Duration::from_secs(3), "{bytes:?}: {:?}", began.elapsed());
    }
    service.call("GET", "/v1/healthcheck").ok(200);
}

#[test]
fn i7_headers_that_are_too_long_cost_their_request_alone() {
    let service = Service::start();
    service.runtime.block_on(async {
        let client = Http2::plain(service.address).await;
        let target = format!("/v1/{}", "y".repeat(60_000));
        let refused = timeout(PATIENCE, client.send("GET", &target)).await.unwrap().unwrap();
        let is_refused =
            refused.is_err() || refused.is_ok_and(|response| response.status().is_client_error());
        assert!(is_refused);
    });
    service.call("GET", "/v1/healthcheck").ok(200);
}
