//! What bounds a key: its rate, and how far it may fill its namespace.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::service::{ADMIN_KEY, Replica};
use crate::support::store::{Mood, MoodyStore};
use crate::support::{Service, Setup, client};

const LOCK: &str = "/v1/distributed_lock/report";

/// Makes a key for writing with these limits and hands out its text.
#[track_caller]
fn make_key(service: &Service, namespace: &str, limits: &Value) -> String {
    let mut body = json!({ "namespace": namespace, "role": "write" });
    body.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    let made = service.post_as(ADMIN_KEY, "/v1/keys", &body.to_string()).ok(201);
    for (name, limit) in limits.as_object().unwrap() {
        assert_eq!(made[name], *limit);
    }
    made["key"].as_str().unwrap().to_owned()
}

fn target_of(key: &str) -> String {
    format!("/v1/keys/{}", &key[3..15])
}

#[track_caller]
fn change(service: &Service, key: &str, limits: &Value) -> Value {
    service.patch_as(ADMIN_KEY, &target_of(key), &limits.to_string()).ok(200)
}

/// What is left, and after how many seconds all is.
#[track_caller]
fn left(reply: &Reply) -> (u32, u32) {
    let told = reply.header("ratelimit").unwrap_or_else(|| panic!("{reply:?}"));
    let (left, after) = told.strip_prefix("\"requests\";r=").unwrap().split_once(";t=").unwrap();
    (left.parse().unwrap(), after.parse().unwrap())
}

/// Calls until a call is refused for the rate, and says how many were let in before.
#[track_caller]
fn drain(service: &Service, key: &str) -> (usize, Reply) {
    for let_in in 0..100 {
        let reply = service.call_as(key, "GET", "/v1/waits");
        if reply.status != 200 {
            return (let_in, reply);
        }
        left(&reply);
    }
    panic!("100 calls were let in");
}

#[test]
fn a_key_makes_as_many_requests_as_its_rate_allows_and_is_told_so() {
    let service = Service::start_with_keys();
    let key = make_key(&service, "red", &json!({ "requests_per_second": 1, "burst": 3 }));
    let other = make_key(&service, "red", &json!({ "requests_per_second": 1 }));
    let first = service.call_as(&key, "POST", LOCK);
    first.ok(201);
    assert_eq!(first.header("ratelimit-policy"), Some("\"requests\";q=3;w=3"));
    assert_eq!(left(&first), (2, 1));

    let (let_in, refused) = drain(&service, &key);
    assert!(let_in >= 2, "{let_in}");
    let problem = refused.refusal(429, "rate_limited");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("1 requests a second, and 3 at once"), "{detail}");
    assert_eq!((&problem["retryable"], &problem["outcome"]), (&json!(true), &json!("none")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"requests\";q=3;w=3"));
    assert_eq!(left(&refused), (0, 1));

    // Each key has its own; one without a rate is told nothing.
    assert_eq!(left(&service.call_as(&other, "GET", LOCK)), (0, 1));
    let free = service.call_as(ADMIN_KEY, "GET", "/v1/keys");
    assert_eq!((free.header("ratelimit"), free.header("ratelimit-policy")), (None, None));
    let metrics = service.call("GET", "/metrics");
    assert!(metrics.text().contains("code=\"rate_limited\""), "{}", metrics.text());

    thread::sleep(Duration::from_millis(1_100));
    service.call_as(&key, "GET", LOCK).ok(200);
}

#[test]
fn every_reply_counts_and_tells_but_not_one_to_a_stranger() {
    let service = Service::start_with_keys();
    let key = make_key(&service, "red", &json!({ "requests_per_second": 1, "burst": 50 }));
    let stranger = format!("{}{}", &key[..key.len() - 4], "ffff");
    for _ in 0..10 {
        let reply = service.call_as(&stranger, "GET", LOCK);
        reply.refusal(401, "unauthorized");
        assert_eq!(reply.header("ratelimit"), None);
    }
    assert_eq!(left(&service.call_as(&key, "POST", LOCK)).0, 49);
    let forbidden = service.call_as(&key, "GET", "/v1/keys");
    forbidden.refusal(403, "forbidden");
    let malformed = service.call_as(&key, "PUT", &format!("{LOCK}/read-process/p?colour=red"));
    malformed.refusal(400, "unknown_parameter");
    assert!(left(&malformed).0 < left(&forbidden).0 && left(&forbidden).0 < 49);
    // A reply that was long in coming tells as well.
    service.call_as(&key, "PUT", &format!("{LOCK}/write-process/p")).ok(200);
    let late = service.call_as(&key, "PUT", &format!("{LOCK}/read-process/q?wait_seconds=1"));
    late.refusal(409, "wait_timed_out");
    assert!(left(&late).0 < left(&malformed).0);
}

/// The replica that a request comes in at hands it on before it looks at the key, so the leader counts. If
/// each counted for itself, a load balancer before three of them would make three rates of one.
#[test]
fn a_key_has_one_rate_at_whichever_replicas_its_requests_come_in() {
    let store = MoodyStore::new(Mood::Works);
    let replica = |token: &str| {
        let replica = Some(Replica { token: token.to_owned() });
        Setup { store: store.clone(), replica, ..Setup::with_keys() }.start()
    };
    let leader = replica("leader").ready();
    let follower = replica("follower").following();
    let limits = json!({ "requests_per_second": 1, "burst": 20 });
    let key = make_key(&follower, "red", &limits);

    let began = Instant::now();
    let ask = |service: &Service| service.call_as(&key, "GET", "/v1/waits");
    let replies = [&follower, &leader].into_iter().cycle().map(ask);
    let let_in = replies.take_while(|reply| reply.status == 200).count();
    let added = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!((20..=20 + added).contains(&let_in), "{let_in} were let in, {added} added");
    let refused = drain(&follower, &key).1;
    refused.refusal(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(left(&refused), (0, 1));

    leader.runtime.block_on(leader.engine.drain());
    let next = follower.ready();
    assert_eq!(left(&ask(&next)).0, 19, "a new leader begins with a full burst");
}

#[test]
fn limits_change_at_once_and_a_merge_patch_names_those_that_do() {
    let service = Service::start_with_keys();
    let key = make_key(&service, "red", &json!({ "requests_per_second": 1, "max_locks": 7 }));
    drain(&service, &key).1.refusal(429, "rate_limited");
    let changed = change(&service, &key, &json!({ "burst": 20, "max_locks": null }));
    assert_eq!(changed["requests_per_second"], 1);
    assert_eq!((&changed["burst"], &changed["max_locks"]), (&json!(20), &Value::Null));
    assert_eq!(left(&service.call_as(&key, "GET", "/v1/waits")).0, 19);
    // What is left stays, if the rate does.
    change(&service, &key, &json!({ "max_holds": 5 }));
    assert!(left(&service.call_as(&key, "GET", "/v1/waits")).0 < 19);

    let listed = service.call_as(ADMIN_KEY, "GET", "/v1/keys").ok(200);
    assert_eq!(
        (&listed["keys"][0]["burst"], &listed["keys"][0]["max_holds"]),
        (&json!(20), &json!(5))
    );
    let changed = change(&service, &key, &json!({ "requests_per_second": null }));
    assert_eq!((&changed["burst"], &changed["max_holds"]), (&Value::Null, &json!(5)));
    assert_eq!(service.call_as(&key, "GET", "/v1/waits").header("ratelimit"), None);
    assert_eq!(change(&service, &key, &json!({})), changed);
}

#[test]
fn limits_that_make_no_sense_are_refused_and_change_nothing() {
    let service = Service::start_with_keys();
    let key = make_key(&service, "red", &json!({}));
    let target = target_of(&key);
    for limits in [
        r#""requests_per_second": 0"#,
        r#""requests_per_second": 1000001"#,
        r#""requests_per_second": 1, "burst": 0"#,
        r#""burst": 5"#,
        r#""max_locks": -1"#,
        r#""max_holds": 4294967296"#,
        r#""max_waiters": "many""#,
        r#""max_readers": 1"#,
    ] {
        let new = format!(r#"{{"role": "read", {limits}}}"#);
        service.post_as(ADMIN_KEY, "/v1/keys", &new).refusal(400, "invalid_body");
        let patch = format!("{{{limits}}}");
        service.patch_as(ADMIN_KEY, &target, &patch).refusal(400, "invalid_body");
    }
    service.patch_as(ADMIN_KEY, &target, r#"{"role": "admin"}"#).refusal(400, "invalid_body");
    let unchanged = service.call_as(ADMIN_KEY, "GET", "/v1/keys").ok(200)["keys"].clone();
    assert_eq!(unchanged, json!([change(&service, &key, &json!({}))]));
}

#[test]
fn who_may_revoke_a_key_may_limit_it() {
    let service = Service::start_with_keys();
    let admin = r#"{"namespace": "blue", "role": "admin"}"#;
    let made = service.post_as(ADMIN_KEY, "/v1/keys", admin).ok(201);
    let blue_admin = made["key"].as_str().unwrap();
    let (red, blue) =
        (make_key(&service, "red", &json!({})), make_key(&service, "blue", &json!({})));
    let patch = r#"{"max_holds": 3}"#;
    service.patch_as(&blue, &target_of(&blue), patch).refusal(403, "forbidden");
    service.patch_as(blue_admin, &target_of(&red), patch).refusal(404, "no_such_key");
    service.patch_as(blue_admin, "/v1/keys/-no-slug", patch).refusal(400, "invalid_id");
    let headers = [("x-api-key", blue_admin), ("content-type", "application/merge-patch+json")];
    let changed =
        client::send(service.address, "PATCH", &target_of(&blue), &headers, patch).ok(200);
    assert_eq!(changed["max_holds"], 3);
    client::send(service.address, "POST", "/v1/acquire", &headers, "{}")
        .refusal(415, "unsupported_media_type");
}

#[test]
fn a_key_fills_its_namespace_as_far_as_its_quotas_allow() {
    let service = Service::start_with_keys();
    let quotas = json!({ "max_locks": 2, "max_holds": 2, "max_waiters": 0 });
    let key = make_key(&service, "red", &quotas);
    let call = |method: &str, rest: &str| {
        service.call_as(&key, method, &format!("/v1/distributed_lock/{rest}"))
    };
    let used_up = |reply: &Reply, name: &str, max: u32, count: u32| {
        let problem = reply.refusal(429, "quota_exceeded");
        assert_eq!(problem["quota"], json!({ "name": name, "max": max, "count": count }));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("`{name}` is {max}")), "{detail}");
        assert_eq!((&problem["retryable"], &problem["outcome"]), (&json!(true), &json!("none")));
        assert_eq!(reply.header("retry-after"), Some("5"));
    };
    call("POST", "a?is_exclusive=true").ok(201);
    call("PUT", "b/read-process/p?create_if_missing=true").ok(200);
    used_up(&call("POST", "c"), "max_locks", 2, 2);
    used_up(&call("PUT", "c/read-process/p?create_if_missing=true"), "max_locks", 2, 2);
    let both = json!({ "process_id": "q", "locks": [
        { "lock_id": "a", "mode": "write" }, { "lock_id": "b", "mode": "read" },
    ] });
    used_up(&service.post_as(&key, "/v1/acquire", &both.to_string()), "max_holds", 2, 1);
    call("PUT", "a/write-process/q").ok(200);
    used_up(&call("PUT", "b/read-process/r"), "max_holds", 2, 2);
    used_up(&call("PUT", "a/write-process/r?wait_seconds=1"), "max_waiters", 0, 0);
    call("PUT", "b/read-process/p/refresh").ok(200);

    // A higher quota counts from the next call on; another namespace was never touched.
    change(&service, &key, &json!({ "max_holds": 3 }));
    call("PUT", "b/read-process/r").ok(200);
    used_up(&call("PUT", "b/read-process/p/upgrade?wait_seconds=1"), "max_waiters", 0, 0);
    let blue = make_key(&service, "blue", &quotas);
    service.call_as(&blue, "POST", LOCK).ok(201);
    let metrics = service.call("GET", "/metrics");
    assert!(metrics.text().contains("code=\"quota_exceeded\""), "{}", metrics.text());
}

/// An admin of a namespace took its own limits away with one `PATCH`, or made itself a key without any.
#[test]
fn an_admin_of_a_namespace_cannot_lift_its_own_limits() {
    let service = Service::start_with_keys();
    let body = json!({
        "namespace": "red", "role": "admin",
        "requests_per_second": 1_000, "burst": 2_000, "max_locks": 10,
    });
    let made = service.post_as(ADMIN_KEY, "/v1/keys", &body.to_string()).ok(201);
    let admin = made["key"].as_str().unwrap();
    let refused = |reply: Reply, name: &str| {
        let problem = reply.refusal(403, "forbidden");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(name) && detail.contains("your own key"), "{detail}");
    };
    for (change, name) in [
        (json!({ "max_locks": null }), "max_locks"),
        (json!({ "max_locks": 11 }), "max_locks"),
        (json!({ "requests_per_second": null }), "requests_per_second"),
        (json!({ "burst": 2_001 }), "burst"),
    ] {
        refused(service.patch_as(admin, &target_of(admin), &change.to_string()), name);
    }
    let limits = json!({ "requests_per_second": 1_000, "max_locks": 10 });
    let new = |change: Value| {
        let mut body = json!({ "role": "admin", "requests_per_second": 1_000, "max_locks": 10 });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        service.post_as(admin, "/v1/keys", &body.to_string())
    };
    refused(new(json!({ "max_locks": null })), "max_locks");
    refused(new(json!({ "max_locks": 11 })), "max_locks");
    refused(new(json!({ "requests_per_second": null })), "requests_per_second");
    let other = new(json!({})).ok(201);
    let other = other["key"].as_str().unwrap();
    // Not by way of another key either, in whichever direction.
    refused(service.patch_as(other, &target_of(admin), r#"{"max_locks": 12}"#), "max_locks");
    refused(service.patch_as(admin, &target_of(other), r#"{"max_locks": 12}"#), "max_locks");
    // To lower a limit, and to set one that is not of its own, is its business.
    service.patch_as(admin, &target_of(other), r#"{"max_locks": 9, "max_holds": 5}"#).ok(200);
    // A key that the operator gave more: what is not changed is not judged.
    let rich = make_key(&service, "red", &json!({ "max_locks": 50, "max_holds": 5 }));
    let changed = service.patch_as(admin, &target_of(&rich), r#"{"max_holds": 4}"#).ok(200);
    assert_eq!(changed["max_locks"], 50);
    // The operator can.
    change(&service, admin, &json!({ "max_locks": null }));
    change(&service, &rich, &limits);
    change(&service, &rich, &json!({ "max_locks": 1_000 }));
}
