//! A client that stands in line again and again, hangs up at random, and tells of every hold.

use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::hold::{Hold, Moment, now};
use super::{LOCKS, TIMEOUT};
use crate::support::model::Mode;
use crate::support::{Broken, Connection, Reply};

/// Longer than any wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// A place in line outlives the wait by 2 s; whoever comes back later than this may have lost it.
const COMES_BACK_WITHIN: Duration = Duration::from_millis(1_500);

pub(super) struct Client {
    name: String,
    /// A client that hung up does not know what became of its request, and goes on under a new name.
    lives: usize,
    connection: Connection,
    address: SocketAddr,
    rng: Rng,
}

/// A request for one lock, or for several at once.
struct Request {
    method: &'static str,
    path: String,
    body: String,
    release: String,
}

/// A reply with a grant.
struct Granted {
    /// When the client stood in line.
    asked: Moment,
    /// When it sent the request that was granted.
    sent: Moment,
    reply: Reply,
}

impl Client {
    pub(super) fn new(name: String, address: SocketAddr, seed: u64) -> Self {
        let connection = connect(address);
        Self { name, lives: 0, connection, address, rng: Rng::with_seed(seed) }
    }

    /// Stands in line until this moment; whoever is in line by then waits for its turn all the same.
    pub(super) fn run(&mut self, until: Moment) {
        while now() < until {
            if self.take_a_turn().is_err() {
                self.lives += 1;
                self.connection = connect(self.address);
            }
        }
    }

    fn process(&self) -> String {
        format!("{}.{}", self.name, self.lives)
    }

    fn take_a_turn(&mut self) -> Result<(), Broken> {
        let mode = if self.rng.bool() { Mode::Read } else { Mode::Write };
        let locks = if self.rng.u8(..8) == 0 { 2 } else { 1 };
        let locks = self.rng.choose_multiple(0..LOCKS.len(), locks);
        let request = self.request(mode, &locks);
        let granted = self.wait_for_turn(&request)?;
        let mut holds = granted.holds(&self.name, &locks, mode);
        holds.iter().for_each(|hold| tell(&hold.told()));
        sleep(Duration::from_micros(self.rng.u64(..3_000)));
        // Whatever comes now may find that the hold is over, after a pause as long as its timeout.
        let mut release = request.release;
        holds.iter().for_each(|hold| tell(&Hold::end_told(hold.token)));
        if let (Mode::Read, [lock], 0) = (mode, &locks[..], self.rng.u8(..8))
            && let Some(hold) = self.upgrade(*lock)?
        {
            tell(&hold.told());
            release = path(*lock, Mode::Write, &self.process());
            tell(&Hold::end_told(hold.token));
            holds.push(hold);
        }
        let reply = self.connection.ask("DELETE", &release)?;
        let may_be_over = holds.iter().any(|hold| hold.safe_until < now());
        assert!(reply.status == 200 || may_be_over, "a release: {reply:?}");
        Ok(())
    }

    /// A wait is short, and comes back to its place, or longer than anybody should have to wait.
    fn request(&mut self, mode: Mode, locks: &[usize]) -> Request {
        let wait = if self.rng.u8(..4) == 0 { 1 } else { 60 };
        let (process, timeout) = (self.process(), TIMEOUT.as_secs());
        match locks {
            [lock] => {
                let release = path(*lock, mode, &process);
                let path = format!("{release}?timeout_seconds={timeout}&wait_seconds={wait}");
                Request { method: "PUT", path, body: String::new(), release }
            }
            several => {
                let wanted = |lock| json!({ "lock_id": name(lock), "mode": mode.word() });
                let locks: Vec<Value> = several.iter().copied().map(wanted).collect();
                let body = json!({ "process_id": process, "timeout_seconds": timeout,
                                   "wait_seconds": wait, "locks": locks });
                Request {
                    method: "POST",
                    path: "/v1/acquire".to_owned(),
                    body: body.to_string(),
                    release: format!("/v1/process/{process}"),
                }
            }
        }
    }

    /// Asks until it is granted. An error if the client lost its patience, as some do at random.
    fn wait_for_turn(&mut self, request: &Request) -> Result<Granted, Broken> {
        let hangs_up = self.rng.u8(..16) == 0;
        let patience = if hangs_up { Duration::from_millis(self.rng.u64(1..60)) } else { PATIENCE };
        self.connection.set_patience(patience);
        let (mut asked, mut answered) = (now(), now());
        loop {
            let sent = now();
            if sent - answered > COMES_BACK_WITHIN {
                asked = sent;
            }
            let reply = self.connection.ask_with(request.method, &request.path, &request.body)?;
            if reply.status == 200 {
                self.connection.set_patience(PATIENCE);
                return Ok(Granted { asked, sent, reply });
            }
            answered = now();
            let problem = reply.json();
            assert_eq!(problem["code"], "wait_timed_out", "{reply:?}");
            let is_next = problem["position"] == 1;
            let is_free = problem["lock"]["current_state"] == "FREE";
            assert!(!(is_next && is_free), "I6: nobody is in its way: {reply:?}");
        }
    }

    fn upgrade(&mut self, lock: usize) -> Result<Option<Hold>, Broken> {
        let (process, timeout) = (self.process(), TIMEOUT.as_secs());
        let reader = path(lock, Mode::Read, &process);
        let sent = now();
        let path = format!("{reader}/upgrade?timeout_seconds={timeout}&wait_seconds=60");
        let reply = self.connection.ask("PUT", &path)?;
        match reply.status {
            200 => {
                let granted = Granted { asked: sent, sent, reply };
                let hold = granted.holds(&self.name, &[lock], Mode::Write).pop();
                Ok(hold.map(|hold| Hold { is_upgrade: true, ..hold }))
            }
            // Another one upgrades, or the hold for reading ran out meanwhile.
            409 => Ok(None),
            _ => panic!("an upgrade: {reply:?}"),
        }
    }
}

fn connect(address: SocketAddr) -> Connection {
    let connection = Connection::open(address).unwrap();
    connection.set_patience(PATIENCE);
    connection
}

fn name(lock: usize) -> String {
    format!("lock-{lock}")
}

fn path(lock: usize, mode: Mode, process: &str) -> String {
    format!("/v1/distributed_lock/{}/{}-process/{process}", name(lock), mode.word())
}

impl Granted {
    fn holds(&self, client: &str, locks: &[usize], mode: Mode) -> Vec<Hold> {
        let (body, granted) = (self.reply.json(), now());
        let ms = |field: &str| Duration::from_millis(body[field].as_u64().unwrap());
        let safe_until = self.sent + ms("waited_ms") + ms("safe_for_ms");
        let hold = |(lock, grant): (&usize, &Value)| Hold {
            client: client.to_owned(),
            lock: *lock,
            mode,
            token: grant["fencing_token"].as_u64().unwrap(),
            asked: self.asked,
            sent: self.sent,
            granted,
            safe_until,
            ended: None,
            is_upgrade: false,
        };
        match body["grants"].as_array() {
            None => locks.iter().zip([&body]).map(hold).collect(),
            Some(grants) => locks.iter().zip(grants).map(hold).collect(),
        }
    }
}

/// In one write, so that lines of several threads do not mix.
fn tell(line: &str) {
    stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}
