//! Time as callers see it: expiry is on time, and a restart gives every hold its full timeout anew.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Connection, Launch, Server, eventually};

const LOCK: &str = "/v1/distributed_lock/job";
const HOLD: &str = "/v1/distributed_lock/job/write-process/worker";

/// What a machine that is busy with other tests may add.
const SLACK: Duration = Duration::from_millis(200);

fn dev(dir: &tempfile::TempDir) -> Server {
    Launch::new(dir.path()).arg("--dev").start()
}

/// Acquires a new lock and returns the moments before the request and after the reply.
fn hold(connection: &mut Connection, timeout_seconds: u64) -> (Instant, Instant) {
    assert_eq!(connection.ask("POST", LOCK).unwrap().status, 201);
    let sent = Instant::now();
    let path = format!("{HOLD}?timeout_seconds={timeout_seconds}");
    assert_eq!(connection.ask("PUT", &path).unwrap().status, 200);
    (sent, Instant::now())
}

fn is_free(connection: &mut Connection) -> bool {
    connection.ask("GET", LOCK).unwrap().json()["current_state"] == "FREE"
}

/// When the lock is first seen free.
fn freed(connection: &mut Connection) -> Instant {
    eventually(Duration::from_secs(10), "the lock is free", || {
        is_free(connection).then(Instant::now)
    })
}

#[test]
fn i4_a_hold_ends_on_time_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir);
    let mut connection = server.connect();
    let (sent, answered) = hold(&mut connection, 1);
    let freed = freed(&mut connection);
    assert!(freed.duration_since(sent) >= Duration::from_secs(1), "{:?}", freed - sent);
    let late = freed.duration_since(answered);
    assert!(late <= Duration::from_secs(1) + SLACK, "{late:?}");
}

#[test]
fn a_hold_ends_on_time_though_nobody_asks() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir);
    let mut connection = server.connect();
    let (_, answered) = hold(&mut connection, 1);
    // The probes do not go through the commit loop, so nothing but its own alarm can wake it.
    let seen = eventually(Duration::from_secs(10), "the expiry", || {
        let metrics = connection.ask("GET", "/metrics").unwrap().text;
        metrics.contains("leasehold_expiries_total 1").then(Instant::now)
    });
    let late = seen.duration_since(answered);
    assert!(late <= Duration::from_secs(1) + SLACK, "{late:?}");
    assert!(is_free(&mut connection));
}

#[test]
fn i4_a_restart_gives_a_hold_its_full_timeout_anew() {
    let dir = tempfile::tempdir().unwrap();
    let server = dev(&dir);
    let (sent, _) = hold(&mut server.connect(), 2);
    sleep(Duration::from_millis(1_500));
    server.kill9();

    let restarted = Instant::now();
    let server = dev(&dir);
    let ready = Instant::now();
    let mut connection = server.connect();
    let freed = freed(&mut connection);
    assert!(freed.duration_since(sent) > Duration::from_millis(3_500), "{:?}", freed - sent);
    assert!(freed.duration_since(restarted) >= Duration::from_secs(2), "{:?}", freed - restarted);
    assert!(freed.duration_since(ready) <= Duration::from_secs(2) + SLACK, "{:?}", freed - ready);
}
