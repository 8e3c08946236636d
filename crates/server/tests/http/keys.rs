//! API keys: who is let in, what a role may do, and that namespaces never meet.

use serde_json::{Value, json};

use crate::support::service::ADMIN_KEY;
use crate::support::{Service, client};

const LOCK: &str = "/v1/distributed_lock/report";

/// Makes a key and hands out its text.
#[track_caller]
fn make_key(service: &Service, by: &str, namespace: &str, role: &str) -> String {
    let body = json!({ "namespace": namespace, "role": role, "label": "test" }).to_string();
    let made = service.post_as(by, "/v1/keys", &body).ok(201);
    made["key"].as_str().unwrap().to_owned()
}

fn key_id(key: &str) -> &str {
    &key[3..15]
}

#[test]
fn nothing_but_the_service_itself_answers_without_a_key() {
    let service = Service::start_with_keys();
    for (method, target) in [
        ("POST", LOCK),
        ("GET", LOCK),
        ("PUT", "/v1/distributed_lock/report/read-process/p"),
        ("DELETE", "/v1/distributed_lock/report/write-process/p"),
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("PATCH", "/v1/keys/abc"),
        ("DELETE", "/v1/keys/abc"),
    ] {
        let reply = service.call(method, target);
        let problem = reply.refusal(401, "unauthorized");
        assert!(problem["detail"].as_str().unwrap().contains("x-api-key"), "{target}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"leasehold\""));
    }
    for target in ["/v1/healthcheck", "/livez", "/readyz", "/metrics", "/v1/docs"] {
        assert_eq!(service.call("GET", target).status, 200, "{target}");
    }
}

#[test]
fn a_key_is_taken_from_either_header_or_the_query() {
    let service = Service::start_with_keys();
    let key = make_key(&service, ADMIN_KEY, "default", "write");
    service.call_as(&key, "POST", LOCK).ok(201);
    let bearer = format!("Bearer {key}");
    service.call_with("GET", LOCK, &[("authorization", &bearer)]).ok(200);
    let bearer = format!("bearer  {key}");
    service.call_with("GET", LOCK, &[("authorization", &bearer)]).ok(200);
    service.call("GET", &format!("{LOCK}?key={key}")).ok(200);
    // The header goes first: a wrong one is not made good by a right one in the query.
    service.call_as("wrong", "GET", &format!("{LOCK}?key={key}")).refusal(401, "unauthorized");
}

#[test]
fn a_wrong_key_is_not_let_in_however_near_it_comes() {
    let service = Service::start_with_keys();
    let key = make_key(&service, ADMIN_KEY, "default", "admin");
    let mut last_changed = key.clone();
    let last = last_changed.pop().unwrap();
    last_changed.push(if last == '0' { '1' } else { '0' });
    let other_id = format!("lh_{}_{}", "0".repeat(12), &key[16..]);
    let wrong = [
        "",
        " ",
        "lh_",
        &key[..key.len() - 1],
        &format!("{key}0"),
        &key.to_uppercase(),
        &last_changed,
        &other_id,
        &format!("lh_{}_", key_id(&key)),
        key_id(&key),
        "the operator's kex",
    ];
    for text in wrong {
        service.call_as(text, "GET", LOCK).refusal(401, "unauthorized");
    }
    service.call_as(&key, "GET", LOCK).refusal(404, "no_such_lock");
}

#[test]
fn a_role_may_do_what_it_says_and_no_more() {
    let service = Service::start_with_keys();
    let reader = make_key(&service, ADMIN_KEY, "default", "read");
    let writer = make_key(&service, ADMIN_KEY, "default", "write");
    service.call_as(&writer, "POST", LOCK).ok(201);
    service.call_as(&reader, "GET", LOCK).ok(200);
    for (method, rest) in [
        ("POST", ""),
        ("PUT", "/read-process/p"),
        ("PUT", "/read-process/p/refresh"),
        ("DELETE", "/read-process/p"),
        ("PUT", "/write-process/p"),
        ("PUT", "/write-process/p/refresh"),
        ("DELETE", "/write-process/p"),
    ] {
        let problem =
            service.call_as(&reader, method, &format!("{LOCK}{rest}")).refusal(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("`write`"), "{problem}");
    }
    for (method, target) in [("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/abc")]
    {
        for key in [&reader, &writer] {
            let problem = service.call_as(key, method, target).refusal(403, "forbidden");
            assert!(problem["detail"].as_str().unwrap().contains("`admin`"), "{problem}");
        }
    }
    assert_eq!(service.call_as(&reader, "GET", LOCK).ok(200)["current_state"], "FREE");
}

#[test]
fn locks_of_two_namespaces_never_meet() {
    let service = Service::start_with_keys();
    let red = make_key(&service, ADMIN_KEY, "red", "write");
    let blue = make_key(&service, ADMIN_KEY, "blue", "write");
    let write = "/v1/distributed_lock/report/write-process/p";
    let red_id =
        service.call_as(&red, "POST", &format!("{LOCK}?is_exclusive=1")).ok(201)["id"].clone();
    service.call_as(&red, "PUT", write).ok(200);

    service.call_as(&blue, "GET", LOCK).refusal(404, "no_such_lock");
    service.call_as(&blue, "DELETE", write).refusal(404, "no_such_lock");
    service.call_as(ADMIN_KEY, "GET", LOCK).refusal(404, "no_such_lock");
    let blue_id = service.call_as(&blue, "POST", LOCK).ok(201)["id"].clone();
    assert_ne!(red_id, blue_id);
    service.call_as(&blue, "PUT", write).ok(200);
    service.call_as(&blue, "DELETE", write).ok(200);
    assert_eq!(service.call_as(&red, "GET", LOCK).ok(200)["current_state"], "WRITE");

    // The old service believed a header; a namespace comes from the key alone.
    let reply = service.call_with("GET", LOCK, &[("x-api-key", &blue), ("user-id", "red")]);
    assert_eq!(reply.ok(200)["id"], blue_id);
}

#[test]
fn a_key_is_shown_once_and_listed_without_its_secret() {
    let service = Service::start_with_keys();
    let reply = service.post_as(
        ADMIN_KEY,
        "/v1/keys",
        r#"{"namespace": "billing", "role": "write", "label": "nightly jobs"}"#,
    );
    let made = reply.ok(201);
    let key = made["key"].as_str().unwrap();
    assert_eq!(key.len(), 80);
    assert_eq!(made["key_id"], key_id(key));
    assert_eq!(made["namespace"], "billing");
    assert_eq!(made["role"], "write");
    assert_eq!(made["label"], "nightly jobs");
    assert!(made["created_at"].as_str().unwrap().ends_with('Z'));

    let reply = service.call_as(ADMIN_KEY, "GET", "/v1/keys");
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("key");
    assert_eq!(reply.ok(200), json!({ "keys": [expected] }));
    assert!(!reply.text().contains(&key[16..]));
}

#[test]
fn a_revoked_key_is_shut_out_at_once() {
    let service = Service::start_with_keys();
    let key = make_key(&service, ADMIN_KEY, "default", "write");
    service.call_as(&key, "POST", LOCK).ok(201);
    let target = format!("/v1/keys/{}", key_id(&key));
    let revoked = service.call_as(ADMIN_KEY, "DELETE", &target).ok(200);
    assert_eq!(revoked["key_id"], key_id(&key));
    assert_eq!(revoked.get("key"), None);
    service.call_as(&key, "GET", LOCK).refusal(401, "unauthorized");
    service.call_as(ADMIN_KEY, "DELETE", &target).refusal(404, "no_such_key");
    service.call_as(ADMIN_KEY, "DELETE", "/v1/keys/-not-a-slug").refusal(400, "invalid_id");
}

#[test]
fn an_admin_manages_its_own_namespace_and_the_operator_all() {
    let service = Service::start_with_keys();
    let red_admin = make_key(&service, ADMIN_KEY, "red", "admin");
    let blue = make_key(&service, ADMIN_KEY, "blue", "read");
    let red = make_key(&service, &red_admin, "red", "read");

    let ids = |list: &Value| -> Vec<String> {
        let keys = list["keys"].as_array().unwrap();
        keys.iter().map(|key| key["key_id"].as_str().unwrap().to_owned()).collect()
    };
    let mut own = vec![key_id(&red_admin).to_owned(), key_id(&red).to_owned()];
    own.sort_unstable();
    assert_eq!(ids(&service.call_as(&red_admin, "GET", "/v1/keys").ok(200)), own);
    assert_eq!(ids(&service.call_as(ADMIN_KEY, "GET", "/v1/keys").ok(200)).len(), 3);

    let target = format!("/v1/keys/{}", key_id(&blue));
    service.call_as(&red_admin, "DELETE", &target).refusal(404, "no_such_key");
    let body = r#"{"namespace": "blue", "role": "read"}"#;
    service.post_as(&red_admin, "/v1/keys", body).refusal(403, "forbidden");
    // Without a namespace it is the maker's own.
    let made = service.post_as(&red_admin, "/v1/keys", r#"{"role": "read"}"#).ok(201);
    assert_eq!(made["namespace"], "red");
    assert_eq!(made["label"], "");
    service.call_as(ADMIN_KEY, "DELETE", &target).ok(200);
}

#[test]
fn a_malformed_request_for_a_key_is_refused() {
    let service = Service::start_with_keys();
    let long = "x".repeat(257);
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"role": "owner"}"#,
        r#"{"role": "Read"}"#,
        r#"{"role": "read", "colour": "red"}"#,
        r#"{"role": "read", "namespace": ""}"#,
        r#"{"role": "read", "namespace": "a/b"}"#,
        r#"{"role": "read", "namespace": 7}"#,
        r#"{"role": "read", "label": "a\nb"}"#,
        &format!(r#"{{"role": "read", "label": "{long}"}}"#),
    ] {
        service.post_as(ADMIN_KEY, "/v1/keys", body).refusal(400, "invalid_body");
    }
    let body = r#"{"role": "read"}"#;
    let headers = [("x-api-key", ADMIN_KEY), ("content-type", "text/plain")];
    let reply = client::send(service.address, "POST", "/v1/keys", &headers, body);
    reply.refusal(415, "unsupported_media_type");
    for media_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let headers = [("x-api-key", ADMIN_KEY), ("content-type", media_type)];
        client::send(service.address, "POST", "/v1/keys", &headers, body).ok(201);
    }
    assert_eq!(
        service.call_as(ADMIN_KEY, "GET", "/v1/keys").ok(200)["keys"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn in_dev_mode_everybody_is_the_operator() {
    let service = Service::start();
    service.call("POST", LOCK).ok(201);
    service.post_as("whatever", "/v1/keys", r#"{"namespace": "red", "role": "read"}"#).ok(201);
}

/// Keys could be guessed as fast as the network allows, and one of them is chosen by a person.
#[test]
fn guessing_keys_is_slowed_down_for_one_address() {
    let service = Service::start_with_keys();
    let made = service.post_as(ADMIN_KEY, "/v1/keys", r#"{"role": "write"}"#).ok(201);
    let made = made["key"].as_str().unwrap();
    let guess = |number: u32| service.call_as(&format!("guess {number}"), "GET", "/v1/waits");
    for number in 0..30 {
        guess(number).refusal(401, "unauthorized");
    }
    let problem = guess(30).refusal(429, "too_many_failed_keys");
    assert_eq!(problem["outcome"], "none");
    // Neither is the right guess told from a wrong one; a key that cannot be guessed goes on working.
    service.call_as(ADMIN_KEY, "GET", "/v1/waits").refusal(429, "too_many_failed_keys");
    service.call_as(made, "GET", "/v1/waits").ok(200);
    // Nor does a caller name its own address.
    let forged =
        [("x-api-key", "guess"), ("x-leasehold-link", "x"), ("x-forwarded-for", "192.0.2.7")];
    service.call_with("GET", "/v1/waits", &forged).refusal(429, "too_many_failed_keys");
    // A call without a key guesses nothing.
    service.call("GET", "/v1/waits").refusal(401, "unauthorized");
}

/// Browsers and caches were told nothing of what a reply is.
#[test]
fn replies_are_for_their_callers_alone() {
    let service = Service::start_with_keys();
    for target in
        ["/v1/waits", "/v1/healthcheck", "/v1/docs", "/v1/docs/errors", "/nothing", "/metrics"]
    {
        let reply = service.call_as(ADMIN_KEY, "GET", target);
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{target}");
        let is_page =
            reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        assert_eq!(is_page, reply.header("content-security-policy").is_some(), "{target}");
    }
    let script = service.call("GET", "/v1/docs/start.js");
    assert_eq!(script.header("cache-control"), Some("max-age=86400"));
    assert_eq!(script.header("x-content-type-options"), Some("nosniff"));
}

/// Two names that look the same were two locks, and a line with an override read backwards in a log.
#[test]
fn names_and_notes_with_hidden_characters_are_refused() {
    let service = Service::start_with_keys();
    for hidden in ["%E2%80%AE", "%E2%80%8B", "%E2%80%A8", "%EF%BB%BF"] {
        let lock = format!("/v1/distributed_lock/a{hidden}b");
        let problem = service.call_as(ADMIN_KEY, "POST", &lock).refusal(400, "invalid_id");
        assert!(problem["detail"].as_str().unwrap().contains("U+"), "{problem}");
    }
    let body = r#"{"role": "read", "label": "a\u202eb"}"#;
    service.post_as(ADMIN_KEY, "/v1/keys", body).refusal(400, "invalid_body");
}
