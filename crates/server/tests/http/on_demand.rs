//! Two instances that lead on demand, on one store: who is let in by which, and when.

use std::time::Duration;

use leasehold_engine::{Leadership, ReplicaState};
use serde_json::{Value, json};

use crate::support::service::ADMIN_KEY;
use crate::support::store::{Mood, MoodyStore};
use crate::support::{Service, Setup};

const LOCK: &str = "/v1/distributed_lock/report";

fn instance(store: &MoodyStore) -> Service {
    let mut setup = Setup::with_keys();
    setup.engine.leadership = Leadership::OnDemand { max_clock_skew: Duration::from_secs(2) };
    Setup { store: store.clone(), ..setup }.start()
}

pub(crate) fn two() -> (Service, Service) {
    let store = MoodyStore::new(Mood::Works);
    (instance(&store), instance(&store))
}

/// A key with the role `write`, made through one instance.
#[track_caller]
fn make_key(service: &Service) -> String {
    let body = json!({ "role": "write", "label": "test" }).to_string();
    let made = service.post_as(ADMIN_KEY, "/v1/keys", &body).ok(201);
    made["key"].as_str().unwrap().to_owned()
}

/// Instances never talk to each other, so each knows only what came in at itself.
#[test]
fn each_instance_counts_the_requests_of_a_key_for_itself() {
    let (first, second) = two();
    let body = json!({ "role": "write", "requests_per_second": 1, "burst": 20 }).to_string();
    let made = first.post_as(ADMIN_KEY, "/v1/keys", &body).ok(201);
    let key = made["key"].as_str().unwrap();
    let left = |service: &Service| {
        let reply = service.call_as(key, "GET", "/v1/waits");
        let told = reply.header("ratelimit").unwrap().strip_prefix("\"requests\";r=").unwrap();
        told.split_once(';').unwrap().0.parse::<u32>().unwrap()
    };
    assert_eq!(left(&first), 19);
    for _ in 0..9 {
        left(&first);
    }
    assert_eq!(left(&second), 19);
    assert!(left(&first) < 19, "what was left outlasts a takeover");
}

fn stands_by(service: &Service) -> bool {
    *service.engine.state() == ReplicaState::Standby
}

#[test]
fn a_probe_and_a_request_without_a_key_do_not_make_it_lead() {
    let (first, second) = two();
    assert_eq!(first.call("GET", "/readyz").ok(200), json!({ "ready": true }));
    first.call("GET", LOCK).refusal(401, "unauthorized");
    assert!(stands_by(&first));
    // Whether a key is wrong, only the store can say.
    first.call_as("lh_000000000000_x", "GET", LOCK).refusal(401, "unauthorized");
    assert!(!stands_by(&first));
    assert!(stands_by(&second));
}

#[test]
fn a_key_made_through_one_works_at_the_other_and_a_revoked_one_does_not() {
    let (first, second) = two();
    first.call_as(ADMIN_KEY, "POST", &format!("{LOCK}?is_exclusive=true")).ok(201);
    second.call_as(ADMIN_KEY, "GET", LOCK).ok(200);
    let key = make_key(&first);
    second.call_as(&key, "GET", LOCK).ok(200);
    first.call_as(&key, "PUT", &format!("{LOCK}/write-process/p")).ok(200);
    second.call_as(&key, "PUT", &format!("{LOCK}/write-process/q")).refusal(409, "held");

    let target = format!("/v1/keys/{}", &key[3..15]);
    first.call_as(ADMIN_KEY, "DELETE", &target).ok(200);
    // It is not known there yet; but nothing is done for a client that it let in.
    let refused = second.call_as(&key, "DELETE", &format!("{LOCK}/write-process/p"));
    assert_eq!(refused.refusal(401, "unauthorized")["outcome"], "none");
    second.call_as(&key, "GET", LOCK).refusal(401, "unauthorized");
    first.call_as(&key, "GET", LOCK).refusal(401, "unauthorized");
    let lock = second.call_as(ADMIN_KEY, "GET", LOCK).ok(200);
    assert_eq!(lock["current_state"], "WRITE");
}

#[test]
fn who_leads_is_whoever_was_asked_last() {
    let (first, second) = two();
    let epoch = |service: &Service| -> Value {
        let cluster = service.call_as(ADMIN_KEY, "GET", "/v1/cluster").ok(200);
        assert_eq!(cluster["leader"]["address"], Value::Null);
        cluster["leader"]["epoch"].clone()
    };
    assert_eq!([epoch(&first), epoch(&second), epoch(&second), epoch(&first)], [1, 2, 2, 3]);
}

#[test]
fn what_the_store_does_not_confirm_is_not_answered() {
    let (first, _second) = two();
    first.call_as(ADMIN_KEY, "POST", LOCK).ok(201);
    first.store.set(Mood::RefusesCommits);
    let refused = first.call_as(ADMIN_KEY, "PUT", &format!("{LOCK}/write-process/p"));
    assert_eq!(refused.refusal(503, "not_ready")["outcome"], "none");
    assert_eq!(first.call("GET", "/readyz").status, 200, "the next request may succeed");
    first.store.set(Mood::Works);
    first.call_as(ADMIN_KEY, "PUT", &format!("{LOCK}/write-process/p")).ok(200);
}
