//! An orderly stop: what is under way finishes, what was acknowledged is kept, the exit is 0.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::load::Load;
use crate::support::{Connection, Launch, Server};

/// The default of `shutdown-grace-seconds`.
const GRACE: Duration = Duration::from_secs(10);

fn dev(dir: &tempfile::TempDir) -> Server {
    Launch::new(dir.path()).arg("--dev").start()
}

#[test]
fn i2_sigterm_under_load_cuts_no_reply_off_and_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir);
    let seed = 7;
    let mut load = Load::new(&server, 16, seed);
    load.run_while(server.address, || {
        sleep(Duration::from_millis(700));
        let started = Instant::now();
        let ended = server.terminate();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(started.elapsed() < GRACE, "{:?}", started.elapsed());
    });
    load.assert_replies_whole();
    let acknowledged = load.i2_i3_assert_kept(&dev(&dir));
    assert!(acknowledged > 100, "{acknowledged} replies are too few to prove anything");
}

#[test]
fn sigint_and_sigterm_end_an_idle_server_at_once() {
    for signal in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let server = dev(&dir);
        // An idle keep-alive connection does not hold the stop up.
        let mut idle = server.connect();
        assert_eq!(idle.ask("GET", "/v1/healthcheck").unwrap().status, 200);
        let started = Instant::now();
        server.signal(signal);
        let ended = server.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}

#[test]
fn an_open_event_stream_does_not_hold_the_stop_up() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir);
    let mut stream = server.connect();
    stream.send("GET /v1/events HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    sleep(Duration::from_millis(200));
    let open = "leasehold_event_streams 1\n";
    assert!(server.ask("GET", "/metrics").text.contains(open), "the stream is not open");
    let started = Instant::now();
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// The body of a request, of which the end is still to come.
const BODY: (&str, &str) = (r#"{"role":"#, r#""read"}"#);

/// A server that is in the middle of a request.
fn with_a_request_under_way(launch: Launch) -> (Server, Connection) {
    let server = launch.start();
    let mut waiting = server.connect();
    let (begin, end) = BODY;
    let length = begin.len() + end.len();
    let head = "POST /v1/keys HTTP/1.1\r\nhost: test\r\ncontent-type: application/json";
    waiting.send(&format!("{head}\r\ncontent-length: {length}\r\n\r\n{begin}")).unwrap();
    sleep(Duration::from_millis(200));
    (server, waiting)
}

#[test]
fn i2_a_request_under_way_is_answered_after_the_signal_and_nothing_new_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (server, mut waiting) = with_a_request_under_way(Launch::new(dir.path()).arg("--dev"));
    server.signal(Signal::TERM);
    sleep(Duration::from_millis(300));
    assert!(Connection::open(server.address).is_err(), "the port is closed");
    waiting.send(BODY.1).unwrap();
    let reply = waiting.receive().unwrap();
    assert_eq!(reply.status, 201, "{reply:?}");
    let ended = server.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let kept = dev(&dir).ask("GET", "/v1/keys").json();
    assert_eq!(kept["keys"][0]["key_id"], reply.json()["key_id"], "{kept}");
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut server, _waiting) = with_a_request_under_way(Launch::new(dir.path()).arg("--dev"));
    server.signal(Signal::TERM);
    sleep(Duration::from_millis(500));
    assert!(server.is_running(), "the request is still under way");
    server.signal(Signal::INT);
    let ended = server.ended();
    assert_eq!(ended.code, Some(130), "{ended:?}");
}

#[test]
fn a_request_that_never_ends_holds_the_stop_up_for_the_grace_period_only() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::new(dir.path()).arg("--dev").arg("--shutdown-grace-seconds=1");
    let (server, _waiting) = with_a_request_under_way(launch);
    let started = Instant::now();
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");
}
