//! What replicas know of each other.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::service::{ADMIN_KEY, Replica};
use crate::support::store::{Mood, MoodyStore};
use crate::support::{Service, Setup};

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
