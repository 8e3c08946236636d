//! Requests that are wrong: each gets a clear 4xx, and nothing changes.

use crate::support::{Service, Setup, client};

const CALLS: [(&str, &str); 11] = [
    ("POST", "/v1/distributed_lock/report"),
    ("GET", "/v1/distributed_lock/report"),
    ("DELETE", "/v1/distributed_lock/report"),
    ("PUT", "/v1/distributed_lock/report/read-process/p/upgrade"),
    ("PUT", "/v1/distributed_lock/report/write-process/p/downgrade"),
    ("PUT", "/v1/distributed_lock/report/read-process/p"),
    ("PUT", "/v1/distributed_lock/report/read-process/p/refresh"),
    ("DELETE", "/v1/distributed_lock/report/read-process/p"),
    ("PUT", "/v1/distributed_lock/report/write-process/p"),
    ("PUT", "/v1/distributed_lock/report/write-process/p/refresh"),
    ("DELETE", "/v1/distributed_lock/report/write-process/p"),
];

#[test]
fn i7_bad_ids_are_refused_wherever_they_stand() {
    let service = Service::start();
    service.create("report", false);
    let too_long = "x".repeat(256);
    let bad =
        [too_long.as_str(), "a%00b", "a%0Ab", "%C2%85", ".", "..", "%2e", "%2E%2e", "%ff", "a%C3"];
    for id in bad {
        for (method, target) in CALLS {
            let in_lock = target.replace("report", id);
            let problem = service.call(method, &in_lock).refusal(400, "invalid_id");
            assert!(problem["detail"].as_str().unwrap().contains("`lock_id`"), "{in_lock}");
            if target.contains("process/p") {
                let in_process = target.replace("process/p", &format!("process/{id}"));
                let problem = service.call(method, &in_process).refusal(400, "invalid_id");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains("`process_id`"), "{in_process}: {detail}");
            }
        }
    }
}

#[test]
fn an_empty_id_is_refused_and_the_refusal_says_why() {
    let service = Service::start();
    let target = "/v1/distributed_lock//read-process/p";
    let problem = service.call("PUT", target).refusal(400, "invalid_id");
    assert!(problem["detail"].as_str().unwrap().contains("`lock_id` in the path is empty"));
}

/// A typo in `timeout_seconds` must not become the default of 60 seconds.
#[test]
fn an_unknown_parameter_is_refused_with_the_nearest_known_one() {
    let service = Service::start();
    service.create("report", false);
    for (typo, nearest) in [
        ("timeout_second", "timeout_seconds"),
        ("timeoutseconds", "timeout_seconds"),
        ("Timeout", "timeout"),
        ("timout", "timeout"),
    ] {
        let target = format!("/v1/distributed_lock/report/write-process/p?{typo}=5");
        let problem = service.call("PUT", &target).refusal(400, "unknown_parameter");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("{typo:?}")), "{detail}");
        assert!(detail.contains(&format!("did you mean `{nearest}`?")), "{detail}");
    }
    let lock = service.call("GET", "/v1/distributed_lock/report").ok(200);
    assert_eq!(lock["current_state"], "FREE", "nothing was acquired");
}

#[test]
fn every_call_refuses_what_it_does_not_take() {
    let service = Service::start();
    service.create("report", false);
    for (method, target) in CALLS {
        let problem =
            service.call(method, &format!("{target}?colour=red")).refusal(400, "unknown_parameter");
        assert!(problem["detail"].as_str().unwrap().contains("this call takes"), "{target}");
    }
    // What another call takes is unknown here.
    let target = "/v1/distributed_lock/new?timeout=5";
    service.call("POST", target).refusal(400, "unknown_parameter");
    service.call("GET", "/v1/distributed_lock/new").refusal(404, "no_such_lock");
    let target = "/v1/distributed_lock/report/read-process/p?force=true";
    service.call("PUT", target).refusal(400, "unknown_parameter");
}

#[test]
fn a_parameter_is_given_once_under_one_name() {
    let service = Service::start();
    service.create("report", false);
    for query in [
        "timeout_seconds=5&timeout_seconds=5",
        "timeout=5&timeout_seconds=5",
        "timeout_seconds=5&timeout=6",
        "key=a&key=a",
    ] {
        let target = format!("/v1/distributed_lock/report/write-process/p?{query}");
        service.call("PUT", &target).refusal(400, "duplicate_parameter");
    }
    let target = "/v1/distributed_lock/new?is_exclusive=true&is_write_exclusive=true";
    let problem = service.call("POST", target).refusal(400, "duplicate_parameter");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`is_exclusive`") && detail.contains("`is_write_exclusive`"),
        "{detail}"
    );
    service.call("GET", "/v1/distributed_lock/new").refusal(404, "no_such_lock");
    // A name that is a parameter's and the key do not collide.
    service.call("PUT", "/v1/distributed_lock/report/write-process/p?key=a&timeout=5").ok(200);
}

#[test]
fn a_malformed_timeout_is_refused_and_the_refusal_says_what_is_allowed() {
    let service = Service::start();
    service.create("report", false);
    service.acquire("report", "read", "holder");
    let bad = ["", "0", "-1", "1.5", "5s", "abc", "+5", "%2B5", "0x10", "1e3", "NaN", "%205", "٥"];
    for value in bad {
        for target in [
            "/v1/distributed_lock/report/read-process/p",
            "/v1/distributed_lock/report/read-process/holder/refresh",
        ] {
            for name in ["timeout", "timeout_seconds"] {
                let target = format!("{target}?{name}={value}");
                let problem = service.call("PUT", &target).refusal(400, "invalid_parameter");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains(&format!("`{name}`")), "{detail}");
                assert!(detail.contains("a whole number of seconds, 1 or more"), "{detail}");
            }
        }
    }
}

#[test]
fn i7_a_timeout_past_the_limit_is_refused_with_the_limit() {
    let service = Service::start();
    service.create("report", false);
    for value in ["604801", "4294967295", "4294967296", "99999999999999999999999"] {
        let target = format!("/v1/distributed_lock/report/write-process/p?timeout={value}");
        let problem = service.call("PUT", &target).refusal(400, "timeout_too_long");
        assert!(problem["detail"].as_str().unwrap().contains("604800"), "{problem}");
    }
    service.call("PUT", "/v1/distributed_lock/report/write-process/p?timeout=604800").ok(200);
}

#[test]
fn a_malformed_boolean_is_refused() {
    let service = Service::start();
    for value in ["", "2", "t", "maybe", "tru", "truee", "null"] {
        let target = format!("/v1/distributed_lock/new?is_exclusive={value}");
        let problem = service.call("POST", &target).refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains("true, false"), "{problem}");
    }
    service.call("GET", "/v1/distributed_lock/new").refusal(404, "no_such_lock");
}

#[test]
fn a_long_text_of_the_caller_is_not_repeated_whole() {
    let service = Service::start();
    let long = "y".repeat(5_000);
    for query in [format!("{long}=1"), format!("is_exclusive={long}")] {
        let reply = service.call("POST", &format!("/v1/distributed_lock/new?{query}"));
        assert_eq!(reply.status, 400);
        assert!(reply.body.len() < 1_000, "{}", reply.text());
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let service = Service::start();
    for (method, target, allowed) in [
        ("PUT", "/v1/distributed_lock/report", vec!["DELETE", "GET", "HEAD", "POST"]),
        ("POST", "/v1/distributed_lock", vec!["GET", "HEAD"]),
        ("GET", "/v1/acquire", vec!["POST"]),
        ("POST", "/v1/process/p", vec!["DELETE", "GET", "HEAD"]),
        ("POST", "/v1/distributed_lock/report/read-process/p", vec!["DELETE", "PUT"]),
        ("DELETE", "/v1/distributed_lock/report/read-process/p/refresh", vec!["PUT"]),
        ("GET", "/v1/distributed_lock/report/write-process/p", vec!["DELETE", "PUT"]),
        ("PATCH", "/v1/distributed_lock/report/write-process/p/refresh", vec!["PUT"]),
        ("POST", "/v1/healthcheck", vec!["GET", "HEAD"]),
        ("BREW", "/readyz", vec!["GET", "HEAD"]),
    ] {
        let reply = service.call(method, target);
        reply.refusal(405, "method_not_allowed");
        let mut allow: Vec<&str> = reply.header("allow").unwrap().split(',').collect();
        allow.sort_unstable();
        assert_eq!(allow, allowed, "{method} {target}");
    }
}

#[test]
fn an_unknown_path_is_a_problem_document_too() {
    let service = Service::start();
    for target in ["/nothing", "/v1", "/v2/distributed_lock/a", "/v1/distributed_lock/a/b", "/%ff"]
    {
        service.call("GET", target).refusal(404, "no_such_route");
    }
}

#[test]
fn i7_a_body_that_is_too_large_is_refused_before_it_is_read() {
    let mut setup = Setup::default();
    setup.server.max_body_bytes = 1_000;
    let service = setup.start().ready();
    let body = "x".repeat(1_001);
    for target in ["/v1/distributed_lock/report", "/v1/keys"] {
        let reply = client::send(service.address, "POST", target, &[], &body);
        reply.refusal(413, "body_too_large");
    }
    service.call("GET", "/v1/distributed_lock/report").refusal(404, "no_such_lock");
    let fits = format!("{{}}{}", " ".repeat(998));
    client::send(service.address, "POST", "/v1/distributed_lock/report", &[], &fits).ok(201);
}

#[test]
fn i7_a_body_without_a_length_is_bounded_all_the_same() {
    use std::io::Write;
    let mut setup = Setup::default();
    setup.server.max_body_bytes = 1_000;
    let service = setup.start().ready();
    let mut stream = client::connect(service.address);
    let head = "POST /v1/keys HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(0x3e9));
    stream.write_all(chunk.as_bytes()).unwrap();
    client::receive(&mut stream).unwrap().refusal(413, "body_too_large");
}
