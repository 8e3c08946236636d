//! JSON bodies, taken strictly. `POST /v1/keys` with an array made a key, a number too large was told
//! that it is no `u32`, and `null` was an absent member in some places and a wrong type in others.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Service;
use crate::support::client::Reply;

fn acquire(service: &Service, body: &Value) -> Reply {
    service.post_as("", "/v1/acquire", &body.to_string())
}

#[test]
fn an_array_is_not_an_object() {
    let service = Service::start();
    service.create("a", true);
    for body in
        [r#"[null, "read"]"#, r#"["default", "read", "label"]"#, "[]", "\"read\"", "5", "null"]
    {
        let problem = service.post_as("", "/v1/keys", body).refusal(400, "invalid_body");
        assert!(problem["detail"].as_str().unwrap().contains("a JSON object"), "{problem}");
    }
    assert_eq!(service.call("GET", "/v1/keys").ok(200)["keys"], json!([]));
    for body in [
        json!(["p", 60, 0, null, [{"lock_id": "a", "mode": "write"}]]),
        json!({"process_id": "p", "locks": [["a", "write"]]}),
        json!({"process_id": "p", "locks": {"lock_id": "a", "mode": "write"}}),
    ] {
        acquire(&service, &body).refusal(400, "invalid_body");
    }
    let key = service.post_as("", "/v1/keys", r#"{"role": "read"}"#).ok(201);
    let target = format!("/v1/keys/{}", key["key_id"].as_str().unwrap());
    service.patch_as("", &target, "[5, 5]").refusal(400, "invalid_body");
}

#[test]
fn null_is_a_member_that_is_left_out() {
    let service = Service::start();
    let body = json!({"process_id": "p", "timeout_seconds": null, "wait_seconds": null, "note": null,
        "locks": [{"lock_id": "a", "mode": "write", "create_if_missing": true, "is_exclusive": null,
                   "max_writers": null, "max_readers": null, "ephemeral": null}]});
    acquire(&service, &body).ok(200);
    let lock = service.call("GET", "/v1/distributed_lock/a").ok(200);
    assert_eq!(lock["write_process_list"][0]["timeout"], 60);
    let body = json!({"process_id": "q",
        "locks": [{"lock_id": "b", "mode": "write", "create_if_missing": null}]});
    acquire(&service, &body).refusal(404, "no_such_lock");
    let body = json!({"namespace": null, "role": "read", "label": null, "requests_per_second": null,
        "burst": null, "max_locks": null, "max_holds": null, "max_waiters": null});
    let key = service.post_as("", "/v1/keys", &body.to_string()).ok(201);
    assert_eq!((&key["label"], &key["max_locks"]), (&json!(""), &Value::Null));
    for (body, missing) in [(json!({"role": null}), "role"), (json!({}), "role")] {
        let problem = service.post_as("", "/v1/keys", &body.to_string());
        let problem = problem.refusal(400, "invalid_body");
        assert!(problem["detail"].as_str().unwrap().contains(missing), "{problem}");
    }
}

#[test]
fn what_is_wrong_is_said_without_names_of_types() {
    let service = Service::start();
    let numbers =
        || [json!(-1), json!(1.5), json!("5"), json!(4_294_967_296_u64), json!(1e30), json!([5])];
    let mut refusals = Vec::new();
    for value in numbers() {
        for field in ["requests_per_second", "burst", "max_locks", "max_holds", "max_waiters"] {
            let mut body = json!({"role": "read"});
            body[field] = value.clone();
            refusals.push((field, service.post_as("", "/v1/keys", &body.to_string())));
        }
        for field in ["timeout_seconds", "wait_seconds"] {
            let mut body = json!({"process_id": "p", "locks": []});
            body[field] = value.clone();
            refusals.push((field, acquire(&service, &body)));
        }
        for field in ["max_writers", "max_readers"] {
            let mut body = json!({"process_id": "p", "locks": [{"lock_id": "a", "mode": "read"}]});
            body["locks"][0][field] = value.clone();
            refusals.push((field, acquire(&service, &body)));
        }
    }
    for body in [json!({"role": "boss"}), json!({"role": 5}), json!({"role": {}})] {
        refusals.push(("role", service.post_as("", "/v1/keys", &body.to_string())));
    }
    for body in [json!({"role": "read", "label": 5}), json!({"role": "read", "label": {}})] {
        refusals.push(("label", service.post_as("", "/v1/keys", &body.to_string())));
    }
    let zero =
        json!({"process_id": "p", "locks": [{"lock_id": "a", "mode": "read", "max_readers": 0}]});
    refusals.push(("max_readers", acquire(&service, &zero)));
    let yes =
        json!({"process_id": "p", "locks": [{"lock_id": "a", "mode": "read", "ephemeral": 1}]});
    refusals.push(("ephemeral", acquire(&service, &yes)));
    let text = json!({"process_id": "p", "locks": "a"});
    refusals.push(("locks", acquire(&service, &text)));
    for (field, reply) in refusals {
        let problem = reply.refusal(400, "invalid_body");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(field), "{field}: {detail}");
        for word in [
            "u32",
            "u64",
            "i64",
            "nonzero",
            "struct",
            "enum",
            "usize",
            "Option",
            "variant",
            "sequence",
            "map",
            "unit",
            "integer",
            "floating point",
        ] {
            assert!(!detail.contains(word), "{word}: {detail}");
        }
    }
}

#[test]
fn a_number_is_refused_as_it_was_given() {
    let service = Service::start();
    service.create("a", true);
    let target = "/v1/distributed_lock/a/write-process/p";
    for secs in ["4294967295", "4294967296", "18446744073709551616"] {
        let reply = service.call("PUT", &format!("{target}?timeout={secs}"));
        let problem = reply.refusal(400, "timeout_too_long");
        let detail = problem["detail"].as_str().unwrap();
        assert!(secs == "4294967295" || !detail.contains("4294967295"), "{detail}");
    }
    let body = json!({"process_id": "p", "timeout_seconds": 700_000,
                      "locks": [{"lock_id": "a", "mode": "write"}]});
    acquire(&service, &body).refusal(400, "timeout_too_long");
    for body in [
        json!({"process_id": "p", "timeout_seconds": 0, "locks": []}),
        json!({"process_id": "p", "wait_seconds": 301, "locks": []}),
    ] {
        let problem = acquire(&service, &body).refusal(400, "invalid_body");
        assert!(problem["detail"].as_str().unwrap().contains("_seconds` must be"), "{problem}");
    }
}

/// The search for the nearest known name compared a name of 25 KB with each known one, letter by letter.
#[test]
fn a_long_unknown_name_costs_little() {
    let service = Service::start();
    service.create("a", true);
    let target = "/v1/distributed_lock/a/write-process/p";
    let name = "x".repeat(25_000);
    let began = Instant::now();
    for _ in 0..20 {
        let reply = service.call("PUT", &format!("{target}?{name}=5"));
        let problem = reply.refusal(400, "unknown_parameter");
        assert!(!problem["detail"].as_str().unwrap().contains("did you mean"), "{problem}");
        let reply = service.post_as("", "/v1/keys", &format!(r#"{{"{name}": 5}}"#));
        reply.refusal(400, "invalid_body");
        assert!(reply.body.len() < 1_500, "{}", reply.text());
        let reply = service.post_as("", "/v1/keys", &format!(r#"{{"role": "{name}"}}"#));
        reply.refusal(400, "invalid_body");
        assert!(reply.body.len() < 1_500, "{}", reply.text());
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
