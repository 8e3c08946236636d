//! I1, I3 and I6 against the real thing: 64 clients on 8 locks for 30 s, as readers and writers, for one
//! lock and for two at once, upgrading now and then. They hang up at random while they wait, and half of
//! them live in processes that are killed with `kill -9` and started anew.
//!
//! Nobody who stays may starve, and in the end every line must be empty and every lock free: a waiter
//! whose turn came and who was not told would stand there for ever, and those behind it.
//!
//! Seen to fail with a table that served nobody when a waiter left the line (clients stuck in the end),
//! and with one that let readers pass waiting writers (I6).

mod client;
mod hold;

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread::{scope, sleep};
use std::time::Duration;

use fastrand::Rng;

use self::client::Client;
use self::hold::{Hold, Moment, now};
use crate::support::{Collected, Launch, Server, eventually};

/// What the locks allow, and how many writers each may have at a time.
const LOCKS: [(&str, usize); 8] = [
    ("is_exclusive=true", 1),
    ("is_exclusive=true", 1),
    ("is_exclusive=true", 1),
    ("is_exclusive=true", 1),
    ("is_exclusive=true", 1),
    ("is_exclusive=true&max_readers=2", 1),
    ("max_writers=2", 2),
    ("is_exclusive=false", usize::MAX),
];

const PROCESSES: usize = 8;
/// Of the processes, those that are killed now and then.
const KILLED: usize = 4;
const CLIENTS_EACH: usize = 8;
const LOAD: Duration = Duration::from_secs(30);

/// Timeout of every hold: so long a lock stands still whose holder was killed.
const TIMEOUT: Duration = Duration::from_secs(2);
/// So long a line may stand still because a place in it is kept for a client that was killed.
const GRACE: Duration = Duration::from_secs(2);
/// From one kill to the next.
const BETWEEN_KILLS: Duration = Duration::from_secs(2);

/// Longest wait that is explained: the lines are short and quick, so that what takes time is holders and
/// kept places of those who are gone. A few of them may come one after the other.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Whoever stays gets so much of an equal share at least, as `1 / UNFAIRNESS`.
const UNFAIRNESS: usize = 4;

/// A request that was sent so much later did arrive later.
const CLEARLY_LATER: Duration = Duration::from_secs(1);

/// Handed to a process of clients.
const ADDRESS: &str = "LINE_ADDRESS";
const NAME: &str = "LINE_NAME";
const SEED: &str = "LINE_SEED";
const UNTIL: &str = "LINE_UNTIL";

#[test]
fn i1_i3_i6_nobody_starves_and_nothing_stays_stuck_whoever_hangs_up_or_is_killed() {
    let seed = env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("repeat with SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let server = Launch::new(dir.path()).arg("--dev").start();
    for (lock, (kind, _)) in LOCKS.iter().enumerate() {
        let path = format!("/v1/distributed_lock/lock-{lock}?{kind}");
        assert_eq!(server.ask("POST", &path).status, 201);
    }

    let until = now() + LOAD;
    let start = |number: usize, life: usize, rng: &mut Rng| {
        Clients::start(server.address, &format!("{number}-{life}"), rng.u64(..), until)
    };
    let mut clients: Vec<Clients> = (0..PROCESSES).map(|n| start(n, 0, &mut rng)).collect();
    let mut holds = Vec::new();
    let mut kills = 0;
    while now() + BETWEEN_KILLS < until {
        sleep(Duration::from_millis(rng.u64(..BETWEEN_KILLS.as_millis() as u64 * 2)));
        let victim = rng.usize(..KILLED);
        kills += 1;
        let anew = start(victim, kills, &mut rng);
        holds.extend(std::mem::replace(&mut clients[victim], anew).kill9());
    }
    let stayed: Vec<String> = clients[KILLED..].iter().flat_map(Clients::names).collect();
    holds.extend(clients.into_iter().flat_map(Clients::finish));
    assert_all_is_free_again(&server);
    assert_what_was_told(&holds, &stayed, kills);
}

/// Within the timeouts of those who were killed.
fn assert_all_is_free_again(server: &Server) {
    eventually(TIMEOUT + GRACE, "empty lines and free locks", || {
        let waits = server.ask("GET", "/v1/waits").json();
        let locks = server.ask("GET", "/v1/distributed_lock").json();
        let is_free =
            |lock: &serde_json::Value| lock["current_state"] == "FREE" && lock["waiter_count"] == 0;
        let all_free = locks["locks"].as_array().unwrap().iter().all(is_free);
        (all_free && waits["waits"].as_array().unwrap().is_empty()).then_some(())
    });
}

fn assert_what_was_told(holds: &[Hold], stayed: &[String], kills: usize) {
    let mut long_waits = 0;
    for (lock, (_, permits)) in LOCKS.iter().enumerate() {
        let of_lock: Vec<Hold> = holds.iter().filter(|hold| hold.lock == lock).cloned().collect();
        hold::i1_i3_assert_exclusion(&of_lock, *permits);
        long_waits += hold::i6_assert_order(&of_lock, CLEARLY_LATER);
    }
    let mut grants: BTreeMap<&str, usize> = stayed.iter().map(|c| (c.as_str(), 0)).collect();
    for hold in holds {
        grants.entry(&hold.client).and_modify(|count| *count += 1);
    }
    let least = grants.values().copied().min().unwrap();
    let longest = holds.iter().map(|hold| hold.granted - hold.asked).max().unwrap();
    println!(
        "{} grants, {kills} kills; at least {least} to each who stayed; waits of up to {longest:?}, \
         {long_waits} of more than {CLEARLY_LATER:?}",
        holds.len()
    );
    let share = holds.len() / (PROCESSES * CLIENTS_EACH);
    assert!(least * UNFAIRNESS >= share, "some of those who stayed got little: {grants:?}");
    assert!(longest < LONGEST_WAIT, "somebody waited for {longest:?}");
    assert!(kills > 5 && long_waits > 20, "too little has happened to prove anything");
}

/// A process with some of the clients.
struct Clients {
    name: String,
    child: Child,
    told: Collected,
    complaints: Collected,
}

impl Clients {
    /// This very program, told to run the test below and nothing else.
    fn start(server: SocketAddr, name: &str, seed: u64, until: Moment) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "lost_wakeups::the_clients_of_one_process"])
            .args(["--ignored", "--nocapture"])
            .env(ADDRESS, server.to_string())
            .env(NAME, name)
            .env(SEED, seed.to_string())
            .env(UNTIL, until.as_millis().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = Collected::from(child.stdout.take().unwrap());
        let complaints = Collected::from(child.stderr.take().unwrap());
        Self { name: name.to_owned(), child, told, complaints }
    }

    fn names(&self) -> Vec<String> {
        (0..CLIENTS_EACH).map(|number| client_name(&self.name, number)).collect()
    }

    /// Ends it without warning; gives the holds that it told of.
    fn kill9(mut self) -> Vec<Hold> {
        let killed = now();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        hold::read(&self.told.finish(), Some(killed))
    }

    /// Waits until all its clients have had their last turn.
    #[track_caller]
    fn finish(mut self) -> Vec<Hold> {
        let left = BETWEEN_KILLS + LONGEST_WAIT;
        let status = eventually(left, "the last turns", || self.child.try_wait().unwrap());
        let complaints = self.complaints.finish();
        assert!(status.success(), "{status}: {complaints}");
        hold::read(&self.told.finish(), None)
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client_name(process: &str, number: usize) -> String {
    format!("{process}-{number}")
}

#[test]
#[ignore = "not a test: the test above starts it, in processes of its own"]
fn the_clients_of_one_process() {
    let given = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let address = given(ADDRESS).parse().unwrap();
    let until = Duration::from_millis(given(UNTIL).parse().unwrap());
    let mut seeds = Rng::with_seed(given(SEED).parse().unwrap());
    scope(|threads| {
        for number in 0..CLIENTS_EACH {
            let name = client_name(&given(NAME), number);
            let mut client = Client::new(name, address, seeds.u64(..));
            threads.spawn(move || client.run(until));
        }
    });
}
