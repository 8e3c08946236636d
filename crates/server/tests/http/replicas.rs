//! What replicas know of each other.

use std::net::TcpListener;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::Reply;
use crate::support::service::{ADMIN_KEY, Replica};
use crate::support::store::{Mood, MoodyStore};
use crate::support::stream::Stream;
use crate::support::{Service, Setup};

const LOCK: &str = "/v1/distributed_lock/report";

fn replica(store: &MoodyStore, token: &str) -> Service {
    let replica = Some(Replica { token: token.to_owned() });
    Setup { store: store.clone(), replica, ..Setup::with_keys() }.start()
}

/// The addresses of those who were in touch with the leader.
fn members(leader: &Service) -> Vec<String> {
    let cluster = leader.call_as(ADMIN_KEY, "GET", "/v1/cluster").ok(200);
    let members = cluster["members"].as_array().unwrap();
    members.iter().map(|member| member["address"].as_str().unwrap().to_owned()).collect()
}

/// A replica greeted two seconds after its start at the earliest. In a rolling restart the leader was asked to
/// stop before that: it knew of nobody to call on, and the next leader came only with its regular try.
#[test]
fn a_replica_greets_its_leader_as_soon_as_it_knows_of_it() {
    let store = MoodyStore::new(Mood::Works);
    let leader = replica(&store, "leader").ready();
    let follower = replica(&store, "follower").following();
    let began = Instant::now();
    while members(&leader) != [follower.address.to_string()] {
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", members(&leader));
        sleep(Duration::from_millis(10));
    }
    let cluster = follower.call_as(ADMIN_KEY, "GET", "/v1/cluster").ok(200);
    assert_eq!(cluster["leader"]["address"], Value::from(leader.address.to_string()));
}

/// A leader, and a follower that reaches the store on a way of its own. No keys are needed.
fn leader_and_follower(store: MoodyStore) -> (Service, Service) {
    let start = |store, token: &str| {
        let replica = Some(Replica { token: token.to_owned() });
        Setup { store, replica, ..Setup::default() }.start()
    };
    let follows = store.by_another_way();
    (start(store, "leader").ready(), start(follows, "follower").following())
}

/// A request that waits at the leader and came through the follower.
fn forwarded_waiter(leader: &Service, follower: &Service) -> JoinHandle<Reply> {
    leader.create("report", true);
    leader.acquire("report", "write", "holder");
    let waiter = follower.begin("PUT", &format!("{LOCK}/write-process/waiter?wait_seconds=15"));
    leader.waits(1);
    waiter
}

/// PostgreSQL was restarted, for 1.2 s. The leader went on. Each follower failed to look at the store
/// once, took that for the end of its leader, and told every waiter that it had forwarded, after
/// 0.1 s, that the leader "leads no more". Requests that came to it were refused meanwhile.
#[test]
fn a_follower_that_loses_sight_of_the_store_goes_on_forwarding() {
    let (leader, follower) = leader_and_follower(MoodyStore::new(Mood::Works));
    let waiter = forwarded_waiter(&leader, &follower);
    follower.store.set(Mood::RefusesClaims);
    sleep(Duration::from_millis(500));
    assert!(!waiter.is_finished(), "{:?}", waiter.join());
    follower.call("GET", LOCK).ok(200);
    follower.call("GET", "/readyz").ok(200);
    follower.store.set(Mood::Works);
    sleep(Duration::from_millis(200));
    leader.call("DELETE", &format!("{LOCK}/write-process/holder")).ok(200);
    waiter.join().unwrap().ok(200);
}

/// A leader that nothing is heard of for a whole lease may be gone, and its callers would wait in vain.
#[test]
fn after_a_lease_without_a_sign_of_the_leader_forwarded_requests_end() {
    let lease = Duration::from_secs(1);
    let (leader, follower) = leader_and_follower(MoodyStore::new(Mood::Works).with_lease(lease));
    let waiter = forwarded_waiter(&leader, &follower);
    let began = Instant::now();
    follower.store.set(Mood::RefusesClaims);
    let problem = waiter.join().unwrap().refusal(503, "outcome_unknown");
    let took = began.elapsed();
    assert!(took > lease / 2 && took < lease * 2, "{took:?}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("may not lead any more"), "{detail}");
    follower.call("GET", LOCK).refusal(503, "not_ready");
}

/// What ends a forwarded request for good: its leader is replaced.
#[test]
fn a_request_forwarded_to_a_leader_that_was_replaced_ends_and_names_the_next_one() {
    let lease = Duration::from_secs(1);
    let (leader, follower) = leader_and_follower(MoodyStore::new(Mood::Works).with_lease(lease));
    let waiter = forwarded_waiter(&leader, &follower);
    // Its loop is stuck in a commit, so it neither renews nor answers.
    leader.store.set(Mood::Hangs);
    let blocked = leader.begin("POST", "/v1/distributed_lock/other");
    let problem = waiter.join().unwrap().refusal(503, "outcome_unknown");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("this replica leads now"), "{detail}");
    leader.store.set(Mood::Works);
    blocked.join().unwrap().refusal(503, "not_ready");
}

/// A follower that was asked to stop waited for what it had forwarded, 10 s, and then cut it off without
/// an answer: a leader's own waiters get their 503 immediately.
#[test]
fn a_follower_that_stops_answers_what_it_forwarded_and_ends_streams() {
    let (leader, follower) = leader_and_follower(MoodyStore::new(Mood::Works));
    let waiter = forwarded_waiter(&leader, &follower);
    let mut stream = Stream::open(follower.address, "/v1/events", &[]);
    let began = Instant::now();
    follower.engine.turn_waiters_away();
    assert!(!waiter.is_finished(), "ordinary calls get some time");
    let problem = waiter.join().unwrap().refusal(503, "outcome_unknown");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("shutting down"), "{detail}");
    while stream.block().is_some() {}
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    leader.waits(0);
}

/// Any address in a greeting became a member. A leader that stopped called 35 forged ones one by one, a second
/// each. The token that a greeting needs stood in the log.
#[test]
fn a_greeting_lists_only_a_replica_that_proves_its_address() {
    let leader = replica(&MoodyStore::new(Mood::Works), "leader").ready();
    // Takes connections and never answers, as a forged address does at worst.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    // Answers everything, and has not read the store.
    let stranger = Service::start();
    let stranger = stranger.address.to_string();
    let began = Instant::now();
    for address in [&silent, &stranger] {
        let greeting = [
            ("x-leasehold-link", "leader"),
            ("x-leasehold-member", address),
            ("x-leasehold-member-link", "theirs"),
        ];
        let reply = leader.call_with("POST", "/internal/greeting", &greeting);
        let problem = reply.refusal(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("prove"), "{problem}");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(members(&leader), Vec::<String>::new());
    leader
        .call_with("POST", "/internal/proof", &[("x-leasehold-link", "guessed")])
        .refusal(403, "forbidden");
}

/// Any key, and for some refusals no key at all, told where the replicas listen.
#[test]
fn addresses_of_replicas_are_for_the_operator() {
    let store = MoodyStore::new(Mood::Works);
    let leader = replica(&store, "leader").ready();
    let follower = replica(&store, "follower").following();
    let began = Instant::now();
    while members(&leader).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(2), "the follower is not listed");
        sleep(Duration::from_millis(10));
    }
    let body = r#"{"namespace": "tenant", "role": "admin"}"#;
    let made = leader.post_as(ADMIN_KEY, "/v1/keys", body).ok(201);
    let cluster = leader.call_as(made["key"].as_str().unwrap(), "GET", "/v1/cluster").ok(200);
    assert!(cluster["leader"]["epoch"].is_u64(), "{cluster}");
    assert_eq!(cluster["leader"]["address"], Value::Null);
    assert_eq!(cluster["members"][0]["address"], Value::Null);
    assert!(cluster["members"][0]["silent_for_ms"].is_u64(), "{cluster}");
    let address = leader.address.to_string();
    drop(leader);
    let reply = follower.call("GET", LOCK);
    assert!(reply.status >= 400 && !reply.text().contains(&address), "{}", reply.text());
}
