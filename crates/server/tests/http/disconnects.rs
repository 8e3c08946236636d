//! Clients that hang up: nobody waits for them, and nothing is held for them.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::store::Mood;
use crate::support::{Service, client};

const LOCK: &str = "/v1/distributed_lock/report";

/// How soon a client that hung up must be out of the line.
const AT_ONCE: Duration = Duration::from_millis(100);

fn hold(process_id: &str) -> String {
    format!("{LOCK}/write-process/{process_id}")
}

/// A request in line, on a connection that the test can cut.
fn in_line(service: &Service, method: &str, target: &str, body: &str) -> TcpStream {
    let mut stream = client::connect(service.address);
    let head = client::head(method, target, &[], body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    stream
}

fn waits(service: &Service) -> Vec<Value> {
    service.call("GET", "/v1/waits").ok(200)["waits"].as_array().unwrap().clone()
}

fn assert_gone_at_once(service: &Service, stream: TcpStream) {
    drop(stream);
    let cut = Instant::now();
    while waits(service).iter().any(|wait| wait["process_id"] == "gone") {
        assert!(cut.elapsed() < AT_ONCE, "still in line after {:?}", cut.elapsed());
    }
}

#[test]
fn a_client_that_hangs_up_leaves_the_line_at_once() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    let wait = "?wait_seconds=15";
    let several = r#"{"process_id": "gone", "wait_seconds": 15,
                      "locks": [{"lock_id": "report", "mode": "write"}]}"#;
    for (method, target, body) in [
        ("PUT", format!("{}{wait}", hold("gone")), ""),
        ("PUT", hold("gone"), r#"{"wait_seconds": 15}"#),
        ("POST", "/v1/acquire".to_owned(), several),
    ] {
        let gone = in_line(&service, method, &target, body);
        service.waits(1);
        let next = service.begin("PUT", &format!("{}{wait}", hold("next")));
        service.waits(2);
        assert_gone_at_once(&service, gone);
        assert_eq!(waits(&service)[0]["position"], 1, "the next one has moved up");

        let released = Instant::now();
        service.call("DELETE", &hold("holder")).ok(200);
        next.join().unwrap().ok(200);
        assert!(released.elapsed() < Duration::from_secs(1), "{:?}", released.elapsed());
        service.call("DELETE", &hold("next")).ok(200);
        service.acquire("report", "write", "holder");
    }
}

#[test]
fn an_upgrader_that_hangs_up_stays_a_reader_and_lets_others_in() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "read", "gone");
    service.acquire("report", "read", "other");
    let target = format!("{LOCK}/read-process/gone/upgrade?wait_seconds=15");
    let gone = in_line(&service, "PUT", &target, "");
    service.waits(1);
    let reader = service.begin("PUT", &format!("{LOCK}/read-process/late?wait_seconds=15"));
    service.waits(2);
    assert_gone_at_once(&service, gone);
    let lock = reader.join().unwrap().ok(200);
    assert_eq!(lock["read_process_count"], 3);
}

#[test]
fn a_grant_whose_client_hung_up_before_it_was_told_is_given_back() {
    let service = Service::start();
    service.create("report", true);
    service.acquire("report", "write", "holder");
    let gone = in_line(&service, "PUT", &format!("{}?wait_seconds=15", hold("gone")), "");
    service.waits(1);
    service.store.set(Mood::Hangs);
    let release = service.begin("DELETE", &hold("holder"));
    // By now the release and the grant that it makes room for are in one commit, which hangs.
    sleep(Duration::from_millis(200));
    drop(gone);
    sleep(Duration::from_millis(200));
    service.store.set(Mood::Works);
    release.join().unwrap().ok(200);
    let released = Instant::now();
    while service.call("GET", LOCK).ok(200)["current_state"] != "FREE" {
        assert!(released.elapsed() < Duration::from_secs(1), "held for nobody");
    }
}
