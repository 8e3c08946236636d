//! What is malformed below the parameters: escapes, hosts, bodies. `%zz` was a name of its own with a second
//! spelling, a broken chunk was called too large, and a slow body an invalid one.

use std::io::Write;
use std::time::Duration;

use crate::support::client::{self, Reply};
use crate::support::{Service, Setup};

const HOLD: &str = "/v1/distributed_lock/report/write-process/p";

/// Sends bytes as they are.
fn send_raw(service: &Service, bytes: &[u8]) -> Reply {
    let mut stream = client::connect(service.address);
    stream.write_all(bytes).unwrap();
    client::receive(&mut stream).unwrap()
}

#[test]
fn a_malformed_escape_in_a_path_is_refused() {
    let service = Service::start();
    for id in ["%zz", "%2", "%", "a%", "a%2", "%%41", "%4g", "100%"] {
        for method in ["POST", "GET", "DELETE"] {
            let target = format!("/v1/distributed_lock/{id}");
            let problem = service.call(method, &target).refusal(400, "invalid_id");
            assert!(problem["detail"].as_str().unwrap().contains("`%25`"), "{problem}");
        }
    }
    // The name itself has one spelling.
    service.call("POST", "/v1/distributed_lock/%25zz").ok(201);
    let locks = service.call("GET", "/v1/distributed_lock").ok(200);
    assert_eq!(locks["locks"][0]["lock_id"], "%zz");
}

#[test]
fn a_malformed_query_is_refused() {
    let service = Service::start();
    service.create("report", true);
    for query in
        ["note=%ff", "note=a%C3", "%ff=1", "note=%zz", "note=100%", "note=%2", "%e9&timeout=5"]
    {
        let reply = service.call("PUT", &format!("{HOLD}?{query}"));
        let problem = reply.refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains("query"), "{problem}");
    }
    let lock = service.call("PUT", &format!("{HOLD}?note=100%25+%C3%A9")).ok(200);
    assert_eq!(lock["write_process_list"][0]["note"], "100% é");
}

#[test]
fn an_empty_id_at_the_end_of_a_path_is_an_invalid_id() {
    let service = Service::start();
    for (method, target, name) in [
        ("POST", "/v1/distributed_lock/", "lock_id"),
        ("GET", "/v1/distributed_lock/", "lock_id"),
        ("PUT", "/v1/distributed_lock/report/read-process/", "process_id"),
        ("DELETE", "/v1/distributed_lock/report/write-process/", "process_id"),
        ("GET", "/v1/process/", "process_id"),
        ("DELETE", "/v1/keys/", "key_id"),
    ] {
        let problem = service.call(method, target).refusal(400, "invalid_id");
        let wanted = format!("`{name}` in the path ");
        assert!(problem["detail"].as_str().unwrap().contains(&wanted), "{problem}");
    }
    for target in ["/v1/waits/", "/livez/", "/v1/distributed_lock/report/history/"] {
        service.call("GET", target).refusal(404, "no_such_route");
    }
}

#[test]
fn a_broken_chunk_is_malformed_and_not_too_large() {
    let service = Service::start();
    let head = format!("PUT {HOLD} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    let overlong = format!("1{}\r\n", "0".repeat(40));
    for chunk in
        ["zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}xx\r\n0\r\n\r\n", "-2\r\n{}\r\n", overlong.as_str()]
    {
        let problem = send_raw(&service, format!("{head}{chunk}").as_bytes());
        let problem = problem.refusal(400, "invalid_body");
        assert!(problem["detail"].as_str().unwrap().contains("chunk"), "{problem}");
    }
}

#[test]
fn a_slow_body_has_timed_out() {
    let mut setup = Setup::default();
    setup.server.body_timeout = Duration::from_millis(100);
    let service = setup.start().ready();
    for target in [format!("PUT {HOLD}"), "POST /v1/keys".to_owned(), "GET /v1/waits".to_owned()] {
        let request = format!("{target} HTTP/1.1\r\nhost: test\r\ncontent-length: 20\r\n\r\n{{");
        let problem = send_raw(&service, request.as_bytes()).refusal(408, "request_timeout");
        assert_eq!((&problem["retryable"], &problem["outcome"]), (&true.into(), &"none".into()));
    }
}

#[test]
fn a_request_names_its_host_once() {
    let service = Service::start();
    for hosts in ["", "host: a\r\nhost: a\r\n", "host: a\r\nhost: b\r\n"] {
        for target in ["/v1/distributed_lock/report", "/livez", "/nothing"] {
            let request = format!("GET {target} HTTP/1.1\r\n{hosts}\r\n");
            send_raw(&service, request.as_bytes()).refusal(400, "invalid_host");
        }
    }
    let old = send_raw(&service, b"GET /livez HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200);
}
