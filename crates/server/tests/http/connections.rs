//! The socket: keep-alive, malformed bytes, slow clients, bounds, and a stop that loses nothing.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::store::Mood;
use crate::support::{Service, Setup, client};

#[test]
fn one_connection_carries_many_requests() {
    let service = Service::start();
    service.create("report", false);
    let mut stream = client::connect(service.address);
    for number in 0..50 {
        let target = format!("/v1/distributed_lock/report/read-process/p{number}");
        stream.write_all(client::head("PUT", &target, &[], 0).as_bytes()).unwrap();
        client::receive(&mut stream).unwrap().ok(200);
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let service = Service::start();
    let mut stream = client::connect(service.address);
    let targets = ["a", "b", "c"].map(|id| format!("/v1/distributed_lock/{id}"));
    let bytes: String = targets.iter().map(|t| client::head("POST", t, &[], 0)).collect();
    stream.write_all(bytes.as_bytes()).unwrap();
    for id in ["a", "b", "c"] {
        assert_eq!(client::receive(&mut stream).unwrap().ok(201)["lock_id"], id);
    }
}

#[test]
fn malformed_http_costs_its_sender_the_connection_and_nobody_else_anything() {
    let service = Service::start();
    let long_head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1_000));
    let long_target = format!("GET /{} HTTP/1.1\r\nhost: t\r\n\r\n", "y".repeat(70_000));
    for bytes in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "POST /v1/distributed_lock/a HTTP/1.1\r\nhost: t\r\ncontent-length: x\r\n\r\n",
        "POST /v1/distributed_lock/a HTTP/1.1\r\nhost: t\r\ncontent-length: -1\r\n\r\n",
        &long_head,
        &many_headers,
        &long_target,
    ] {
        let mut stream = client::connect(service.address);
        // The server may hang up before it has taken all of it.
        let _ = stream.write_all(bytes.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let shown = &bytes[..bytes.len().min(60)];
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{shown:?} gave {answer:?}");
        service.call("GET", "/v1/healthcheck").ok(200);
    }
    service.call("GET", "/v1/distributed_lock/a").refusal(404, "no_such_lock");
}

/// Slow clients used to tie up a server with a few bytes a minute.
#[test]
fn i7_a_client_that_dawdles_over_its_headers_is_cut_off() {
    let mut setup = Setup::default();
    setup.listen.header_read_timeout = Duration::from_millis(300);
    let service = setup.start().ready();
    let mut stream = client::connect(service.address);
    let began = Instant::now();
    stream.write_all(b"GET /v1/healthcheck HTTP/1.1\r\n").unwrap();
    let dripping = stream.try_clone().unwrap();
    let drip = thread::spawn(move || {
        let mut stream = dripping;
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(50));
            if stream.write_all(b"x: y\r\n").is_err() {
                return;
            }
        }
    });
    client::wait_for_end(&mut stream);
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    drop(stream);
    drip.join().unwrap();
    service.call("GET", "/v1/healthcheck").ok(200);
}

#[test]
fn i7_connections_past_the_limit_wait_for_their_turn() {
    let mut setup = Setup::default();
    setup.listen.max_connections = 2;
    let service = setup.start().ready();
    let taken = [client::connect(service.address), client::connect(service.address)];
    for mut stream in &taken {
        stream.write_all(client::head("GET", "/livez", &[], 0).as_bytes()).unwrap();
    }
    for stream in &taken {
        assert_eq!(client::receive(&mut stream.try_clone().unwrap()).unwrap().status, 200);
    }
    let mut waiting = client::connect(service.address);
    waiting.write_all(client::head("GET", "/livez", &[], 0).as_bytes()).unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut byte = [0];
    assert!(waiting.read(&mut byte).is_err(), "it was not to be served yet");
    drop(taken);
    waiting.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(client::receive(&mut waiting).unwrap().status, 200);
}

#[test]
fn a_stop_lets_requests_under_way_finish_and_takes_no_new_ones() {
    let service = Service::start();
    let address = service.address;
    let mut idle = client::connect(address);
    idle.write_all(client::head("GET", "/livez", &[], 0).as_bytes()).unwrap();
    client::receive(&mut idle).unwrap();

    service.store.set(Mood::Hangs);
    let under_way = thread::spawn(move || {
        client::send(address, "POST", "/v1/distributed_lock/report", &[], "")
    });
    thread::sleep(Duration::from_millis(200));
    service.stop.send(()).unwrap();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(idle.read(&mut [0]).unwrap(), 0, "an idle connection is closed");
    assert!(std::net::TcpStream::connect(address).is_err(), "no new connection is taken");
    assert!(!service.serving.is_finished(), "it waits for the request under way");

    service.store.set(Mood::Works);
    under_way.join().unwrap().ok(201);
    service.runtime.block_on(service.serving).unwrap().unwrap();
}

#[test]
fn a_stop_does_not_wait_forever() {
    let mut setup = Setup::default();
    setup.listen.shutdown_grace = Duration::from_millis(200);
    let service = setup.start().ready();
    service.store.set(Mood::Hangs);
    let mut stream = client::connect(service.address);
    let head = client::head("POST", "/v1/distributed_lock/report", &[], 0);
    stream.write_all(head.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    service.stop.send(()).unwrap();
    service.runtime.block_on(service.serving).unwrap().unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(5), "{took:?}");
    service.store.set(Mood::Works);
}
