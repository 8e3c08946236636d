//! Parameters in a request body. `curl -X POST …/c -d is_exclusive=true` made a shared lock, and a body
//! with `timeout_seconds=600` gave a hold of 60 seconds: the body was ignored, without a word.

use serde_json::Value;

use crate::support::client::{self, Reply};
use crate::support::{Service, Setup};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const LOCK: &str = "/v1/distributed_lock/c";
const HOLD: &str = "/v1/distributed_lock/c/write-process/p";

fn send(service: &Service, method: &str, target: &str, body: &str) -> Reply {
    client::send(service.address, method, target, &[JSON], body)
}

#[track_caller]
fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap()
}

#[test]
fn a_json_object_is_as_good_as_a_query() {
    let service = Service::start();
    let lock = send(&service, "POST", LOCK, r#"{"is_exclusive": true, "max_readers": 7}"#).ok(201);
    assert_eq!((&lock["is_write_exclusive"], &lock["max_readers"]), (&true.into(), &7.into()));
    let body = r#"{"timeout_seconds": 600, "note": "deploy"}"#;
    let lock = send(&service, "PUT", HOLD, body).ok(200);
    assert_eq!(lock["write_process_list"][0]["timeout"], 600);
    assert_eq!(lock["write_process_list"][0]["note"], "deploy");
    // Aliases, a parameter in the query beside one in the body, and no media type.
    let token = lock["fencing_token"].to_string();
    let target = format!("{HOLD}/refresh?fencing_token={token}");
    let lock = client::send(service.address, "PUT", &target, &[], r#" {"timeout": 30} "#).ok(200);
    assert_eq!(lock["write_process_list"][0]["timeout"], 30);
    send(&service, "DELETE", LOCK, r#"{"force": true}"#).ok(200);
    service.call("GET", LOCK).refusal(404, "no_such_lock");
    let target = "/v1/distributed_lock/d?is_write_exclusive=true";
    send(&service, "POST", target, r#"{"ephemeral": true}"#).ok(201);
}

#[test]
fn an_empty_body_and_an_empty_object_say_nothing() {
    let service = Service::start();
    let address = service.address;
    client::send(address, "POST", LOCK, &[FORM], "").ok(201);
    client::send(address, "PUT", HOLD, &[JSON], "").ok(200);
    send(&service, "DELETE", HOLD, "{}").ok(200);
    // `null` is a parameter that is left out.
    let target = format!("{HOLD}?note=a");
    let lock = send(&service, "PUT", &target, r#"{"timeout": null, "note": null}"#).ok(200);
    assert_eq!(lock["write_process_list"][0]["timeout"], 60);
}

#[test]
fn a_body_that_is_not_a_json_object_is_refused_and_told_what_to_send() {
    let service = Service::start();
    for (media_type, body) in [
        ("application/x-www-form-urlencoded", "is_exclusive=true"),
        ("application/x-www-form-urlencoded", r#"{"is_exclusive": true}"#),
        ("text/plain", "is_exclusive=true"),
        ("multipart/form-data; boundary=x", "--x--"),
    ] {
        let headers = [("content-type", media_type)];
        let reply = client::send(service.address, "POST", LOCK, &headers, body);
        let problem = reply.refusal(415, "unsupported_media_type");
        let media_type = media_type.split(';').next().unwrap();
        for part in [media_type, "Content-Type: application/json", "query"] {
            assert!(detail(&problem).contains(part), "{problem}");
        }
    }
    for body in ["is_exclusive=true", "[]", "[true]", "true", "\"x\"", "null", "{", "{} {}"] {
        for headers in [&[][..], &[JSON][..]] {
            let reply = client::send(service.address, "POST", LOCK, headers, body);
            let problem = reply.refusal(400, "invalid_body");
            assert!(detail(&problem).contains("JSON object"), "{problem}");
        }
    }
    service.call("GET", LOCK).refusal(404, "no_such_lock");
}

#[test]
fn a_parameter_stands_in_one_place() {
    let service = Service::start();
    service.create("c", true);
    for (query, body) in [
        ("timeout_seconds=5", r#"{"timeout_seconds": 5}"#),
        ("timeout=5", r#"{"timeout_seconds": 6}"#),
        ("", r#"{"timeout_seconds": 6, "timeout": 6}"#),
        ("", r#"{"note": "a", "note": "a"}"#),
    ] {
        let target = format!("{HOLD}?{query}");
        send(&service, "PUT", &target, body).refusal(400, "duplicate_parameter");
    }
    let reply = send(&service, "PUT", &format!("{HOLD}?note=a"), r#"{"note": "b"}"#);
    let problem = reply.refusal(400, "duplicate_parameter");
    assert!(detail(&problem).contains("in the query and in the body"), "{problem}");
    assert_eq!(service.call("GET", LOCK).ok(200)["current_state"], "FREE");
}

#[test]
fn values_have_their_json_types() {
    let service = Service::start();
    service.create("c", true);
    for (body, name, wanted) in [
        (r#"{"timeout_seconds": "60"}"#, "timeout_seconds", "a JSON number"),
        (r#"{"timeout": 1.5}"#, "timeout", "a whole number"),
        (r#"{"timeout": -1}"#, "timeout", "a whole number"),
        (r#"{"timeout": 0}"#, "timeout", "1 or more"),
        (r#"{"timeout": 99999999999999999999999}"#, "timeout", "a whole number"),
        (r#"{"create_if_missing": "true"}"#, "create_if_missing", "a JSON boolean"),
        (r#"{"create_if_missing": 1}"#, "create_if_missing", "true or false"),
        (r#"{"note": 5}"#, "note", "a JSON string"),
        (r#"{"note": ["a"]}"#, "note", "a JSON string"),
        (r#"{"note": {"a": 1}}"#, "note", "a JSON string"),
    ] {
        let problem = send(&service, "PUT", HOLD, body).refusal(400, "invalid_parameter");
        for part in [&format!("`{name}`"), wanted] {
            assert!(detail(&problem).contains(part), "{body}: {problem}");
        }
    }
    let reply = send(&service, "PUT", HOLD, r#"{"timeout": 4294967296}"#);
    reply.refusal(400, "timeout_too_long");
    assert_eq!(service.call("GET", LOCK).ok(200)["current_state"], "FREE");
}

#[test]
fn names_in_a_body_are_taken_as_strictly_as_in_a_query() {
    let service = Service::start();
    service.create("c", true);
    let problem = send(&service, "PUT", HOLD, r#"{"timeot": 5}"#).refusal(400, "unknown_parameter");
    assert!(detail(&problem).contains("did you mean `timeout`?"), "{problem}");
    let reply = send(&service, "DELETE", HOLD, r#"{"timeout": 5}"#);
    reply.refusal(400, "unknown_parameter");
    // A key in a body would be looked at only after the caller was let in by another.
    let problem = send(&service, "PUT", HOLD, r#"{"key": "k"}"#).refusal(400, "unknown_parameter");
    assert!(!detail(&problem).contains("`key`"), "{problem}");
    for name in ["x".repeat(25_000), "é".repeat(12_500)] {
        let body = format!(r#"{{"{name}": 5}}"#);
        let reply = send(&service, "PUT", HOLD, &body);
        reply.refusal(400, "unknown_parameter");
        assert!(reply.body.len() < 1_000, "{}", reply.text());
    }
}

#[test]
fn a_call_that_only_looks_takes_no_body() {
    let service = Service::start();
    service.create("c", true);
    for target in [LOCK, "/v1/distributed_lock", "/v1/waits", "/v1/keys", "/v1/cluster"] {
        let problem = send(&service, "GET", target, r#"{"limit": 5}"#).refusal(400, "invalid_body");
        assert!(detail(&problem).contains("in the query"), "{problem}");
        assert_eq!(client::send(service.address, "GET", target, &[JSON], "").status, 200);
    }
}

#[test]
fn i7_a_body_with_parameters_is_bounded() {
    use std::io::Write;
    let mut setup = Setup::default();
    setup.server.max_body_bytes = 100;
    let service = setup.start().ready();
    service.create("c", true);
    let mut stream = client::connect(service.address);
    let head = format!("PUT {HOLD} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("65\r\n{}\r\n0\r\n\r\n", " ".repeat(0x65));
    stream.write_all(format!("{head}{chunk}").as_bytes()).unwrap();
    client::receive(&mut stream).unwrap().refusal(413, "body_too_large");
}
