//! A log that cannot be written, or that is not read, costs log lines and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, pipe};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, sleep};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Launch, Server, assert_refused, eventually};

const LOCK: &str = "/v1/distributed_lock/job";
const DROPPED: &str = "leasehold_log_lines_dropped_total ";

/// A device on which every write fails as on a full disk.
fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

fn dev(dir: &tempfile::TempDir) -> Launch {
    Launch::new(dir.path()).arg("--dev")
}

fn hold(process_id: &str) -> String {
    format!("{LOCK}/write-process/{process_id}")
}

/// How many log lines were dropped, as the metrics say.
fn dropped(server: &Server) -> u64 {
    let metrics = server.ask("GET", "/metrics").text;
    let value = metrics.lines().find_map(|line| line.strip_prefix(DROPPED));
    value.unwrap_or_else(|| panic!("no {DROPPED}in {metrics}")).parse().unwrap()
}

/// An address that was free just now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// `leasehold serve 2>/dev/full` died at its start with SIGABRT: the first log line could not be written,
/// the log library reported that on the same stderr, and panicked; the panic hook logged the panic.
#[test]
fn a_full_log_disk_costs_log_lines_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir).stderr(full_disk()).start();
    assert_eq!(server.ask("POST", LOCK).status, 201);
    assert_eq!(server.ask("PUT", &hold("a")).status, 200);
    assert!(dropped(&server) > 0);
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// `leasehold serve 2>&1 | head -1`, then SIGTERM: the line that announces the stop found no reader, and
/// the process aborted. A waiter was cut off without its 503, and the leader did not resign.
#[test]
fn a_log_without_a_reader_leaves_the_stop_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    let server = dev(&dir).stderr(writer).start();
    let mut lines = BufReader::new(reader);
    lines.read_line(&mut String::new()).unwrap();
    drop(lines);

    assert_eq!(server.ask("POST", &format!("{LOCK}?is_exclusive=true")).status, 201);
    assert_eq!(server.ask("PUT", &hold("holder")).status, 200);
    let mut waiter = server.connect();
    let path = format!("{}?wait_seconds=30", hold("waiter"));
    waiter.send(&format!("PUT {path} HTTP/1.1\r\nhost: test\r\n\r\n")).unwrap();
    eventually(Duration::from_secs(5), "the waiter", || {
        let lock = server.ask("GET", LOCK).json();
        (lock["waiter_count"] == 1).then_some(())
    });
    server.signal(Signal::TERM);
    let reply = waiter.receive().unwrap();
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.json()["outcome"], "none", "{reply:?}");
    let ended = server.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// A pipe holds 64 KiB. When no process read it, the thread that wrote one line more was stuck, then the next
/// one, until no thread was left to answer; one of them was the commit loop's.
#[test]
fn a_log_that_is_not_read_does_not_hold_calls_up() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    let server = dev(&dir).arg("--log-level=debug").stderr(writer).start();
    assert_eq!(server.ask("POST", LOCK).status, 201);
    // Each call writes a line, which has the request id in it.
    let head = format!("HTTP/1.1\r\nhost: test\r\nx-request-id: {}\r\n\r\n", "x".repeat(100));
    let mut connection = server.connect();
    for _ in 0..6_000 {
        for method in ["PUT", "DELETE"] {
            connection.send(&format!("{method} {} {head}", hold("worker"))).unwrap();
            assert_eq!(connection.receive().unwrap().status, 200);
        }
    }
    assert!(dropped(&server) > 0, "more lines would have to be written to prove anything");

    // Once the pipe is read, the log goes on, and says what is missing.
    let reading = thread::spawn(move || {
        BufReader::new(reader).lines().map(Result::unwrap).collect::<Vec<String>>()
    });
    sleep(Duration::from_millis(500));
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = reading.join().unwrap();
    assert!(lines.iter().any(|line| line.contains("log lines were dropped")), "{}", lines.len());
    assert!(lines.last().unwrap().contains("stopped"), "{:?}", lines.last());
}

/// A process that ends must not wait for a reader of its log: it kept its supervisor waiting.
#[test]
fn a_log_that_is_not_read_does_not_hold_the_end_up() {
    for last_signals in [&[Signal::TERM][..], &[Signal::TERM, Signal::INT]] {
        let dir = tempfile::tempdir().unwrap();
        let (reader, writer) = pipe().unwrap();
        rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
        let server = dev(&dir).arg("--log-level=debug").stderr(writer).start();
        for _ in 0..100 {
            server.ask("GET", "/v1/healthcheck");
        }
        let mut body = server.connect();
        if last_signals.len() > 1 {
            // Holds the stop up, so that the second signal finds the process.
            body.send("POST /v1/keys HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\n{")
                .unwrap();
            sleep(Duration::from_millis(200));
        }
        for signal in last_signals {
            server.signal(*signal);
            sleep(Duration::from_millis(300));
        }
        let ended = server.ended();
        let expected = if last_signals.len() > 1 { 130 } else { 0 };
        assert_eq!(ended.code, Some(expected), "{ended:?}");
        drop(reader);
    }
}

/// What goes before the end matters most, and a queue in front of the log could lose it.
#[test]
fn the_last_lines_are_written_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir).arg("--log-level=debug").start();
    for _ in 0..500 {
        server.ask("GET", "/v1/healthcheck");
    }
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr.matches("route=\"/v1/healthcheck\"").count(), 500);
    assert!(ended.stderr.trim_end().ends_with("stopped"), "{ended:?}");

    let dir = tempfile::tempdir().unwrap();
    let failed = dev(&dir).arg("--store=etcd://127.0.0.1:1/a?b").start_in_vain();
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.trim_end().lines().last().unwrap().starts_with("leasehold: "));
}

/// `leasehold serve >/dev/full` gave up at its start, because it could not print where it listens.
#[test]
fn a_service_that_cannot_print_where_it_listens_serves_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir).stdout(full_disk()).start_at(free_address());
    assert_eq!(server.ask("POST", LOCK).status, 201);
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("cannot print where it listens"), "{ended:?}");
}

/// The first key is shown once. Where it cannot be shown, an operator has to hear of another way in.
#[test]
fn a_service_that_cannot_print_its_first_key_says_how_to_get_in() {
    let dir = tempfile::tempdir().unwrap();
    let ended = Launch::new(dir.path()).stdout(full_disk()).start_in_vain();
    assert_refused(&ended, &["cannot print the first API key", "LEASEHOLD_API_KEY"]);
}
