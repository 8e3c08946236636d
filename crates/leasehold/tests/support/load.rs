//! Clients that acquire, refresh and release until their connection breaks, and remember what they
//! were told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread::scope;

use fastrand::Rng;

use super::model::{Belief, Mode, Token, i1_assert_exclusion, token_of};
use super::{Broken, Connection, Reply, Server};

/// Locks that all clients fight for, beside one of each client's own. Where there are readers, a
/// writer seldom gets its turn, so that some are for writers alone.
const SHARED: [(&str, &[Mode]); 4] = [
    ("shared-0", &[Mode::Read, Mode::Write]),
    ("shared-1", &[Mode::Read, Mode::Write]),
    ("shared-2", &[Mode::Write]),
    ("shared-3", &[Mode::Write]),
];

/// What the clients have been told, over all lives of the server.
pub(crate) struct Load {
    clients: Vec<Client>,
    /// Every token that was granted, to see that none is given twice.
    granted: BTreeSet<Token>,
}

/// One client and its holds.
struct Client {
    process: String,
    beliefs: BTreeMap<(String, Mode), Belief>,
    rng: Rng,
    /// The highest token that it was granted.
    highest: Token,
    /// Tokens granted since the last look, in order.
    fresh: Vec<Token>,
    acknowledged: usize,
    /// The last hold of its own lock that it was told is released.
    last_released: Option<Token>,
    /// How its connection ended.
    broken: Option<Broken>,
}

/// What a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Acquire,
    Refresh,
    Release,
    Look,
}

impl Load {
    /// Makes the locks and clients without holds.
    pub(crate) fn new(server: &Server, clients: usize, seed: u64) -> Self {
        let mut seeds = Rng::with_seed(seed);
        let mut connection = server.connect();
        let own: Vec<String> = (0..clients).map(|number| format!("own-{number}")).collect();
        for lock in SHARED.iter().map(|(lock, _)| *lock).chain(own.iter().map(String::as_str)) {
            let path = format!("/v1/distributed_lock/{lock}?is_exclusive=true");
            assert_eq!(connection.ask("POST", &path).unwrap().status, 201);
        }
        let client = |(number, own): (usize, &String)| Client {
            process: format!("client-{number}"),
            beliefs: [(own.as_str(), &[Mode::Read, Mode::Write][..])]
                .into_iter()
                .chain(SHARED)
                .flat_map(|(lock, modes)| modes.iter().map(|mode| (lock.to_owned(), *mode)))
                .map(|hold| (hold, Belief::Free))
                .collect(),
            rng: seeds.fork(),
            highest: 0,
            fresh: Vec::new(),
            acknowledged: 0,
            last_released: None,
            broken: None,
        };
        Self { clients: own.iter().enumerate().map(client).collect(), granted: BTreeSet::new() }
    }

    /// Runs all clients while `disturb` runs on this thread; they end when their connections break.
    pub(crate) fn run_while(&mut self, address: SocketAddr, disturb: impl FnOnce()) {
        scope(|threads| {
            for client in &mut self.clients {
                threads.spawn(move || client.run(address));
            }
            disturb();
        });
    }

    /// Looks at every lock: what was acknowledged is still so (I2), and tokens have only grown (I3).
    /// Returns how many replies rested on it.
    #[track_caller]
    pub(crate) fn i2_i3_assert_kept(&mut self, server: &Server) -> usize {
        let mut connection = server.connect();
        let before = self.granted.last().copied().unwrap_or(0);
        for client in &mut self.clients {
            for ((lock, mode), belief) in &mut client.beliefs {
                let path = format!("/v1/distributed_lock/{lock}");
                let reply = connection.ask("GET", &path).unwrap();
                let found = token_of(&reply.json(), *mode, &client.process);
                let process = &client.process;
                assert!(
                    belief.allows(found),
                    "I2: {process} in mode {mode:?}: believed {belief:?}, found {found:?}: {reply:?}"
                );
                *belief = Belief::after_look(found);
                if let Some(token) = found {
                    client.highest = client.highest.max(token);
                }
            }
            client.i2_assert_in_history(&mut connection);
            for token in client.fresh.drain(..) {
                assert!(
                    token > before,
                    "I3: {token} was granted, but {before} was in an earlier life"
                );
                assert!(self.granted.insert(token), "I3: {token} was granted twice");
            }
        }
        // A grant without a reply has used its token up as well.
        self.granted.extend(self.clients.iter().map(|client| client.highest));
        self.clients.iter_mut().map(|client| std::mem::take(&mut client.acknowledged)).sum()
    }

    /// No connection broke in the middle of a reply.
    #[track_caller]
    pub(crate) fn assert_replies_whole(&self) {
        for client in &self.clients {
            let broken = client.broken.as_ref().expect("the connection has ended");
            assert_eq!(broken.reply_bytes, 0, "a reply was cut off: {}", broken.error);
        }
    }
}

impl Client {
    fn own_lock(&self) -> String {
        self.process.replace("client", "own")
    }

    /// The release that was acknowledged last is in history, if at all with one after it whose reply was
    /// lost.
    #[track_caller]
    fn i2_assert_in_history(&self, connection: &mut Connection) {
        let Some(token) = self.last_released else { return };
        let path = format!("/v1/distributed_lock/{}/history?limit=2", self.own_lock());
        let history = connection.ask("GET", &path).unwrap().json();
        let is_kept = history["history"].as_array().is_some_and(|past| {
            past.iter().any(|past| past["fencing_token"] == token && past["cause"] == "released")
        });
        assert!(is_kept, "I2: the release of {token} was acknowledged: {history}");
    }

    fn run(&mut self, address: SocketAddr) {
        self.broken = None;
        let mut connection = match Connection::open(address) {
            Ok(connection) => connection,
            Err(error) => {
                self.broken = Some(Broken { reply_bytes: 0, error });
                return;
            }
        };
        while self.broken.is_none() {
            let number = self.rng.usize(..self.beliefs.len());
            let hold = self.beliefs.keys().nth(number).unwrap().clone();
            if let Err(broken) = self.step(&mut connection, &hold) {
                self.broken = Some(broken);
            }
        }
    }

    /// One request on one hold, and what is believed after it.
    fn step(&mut self, connection: &mut Connection, hold: &(String, Mode)) -> Result<(), Broken> {
        let (lock, mode) = hold;
        let before = self.beliefs[hold];
        let verb = self.choose(before);
        let lock_path = format!("/v1/distributed_lock/{lock}");
        let hold_path = format!("{lock_path}/{}-process/{}", mode.word(), self.process);
        let outcome = match verb {
            Verb::Acquire => connection.ask("PUT", &format!("{hold_path}?timeout_seconds=3600")),
            Verb::Refresh => {
                connection.ask("PUT", &format!("{hold_path}/refresh?timeout_seconds=3600"))
            }
            Verb::Release => connection.ask("DELETE", &hold_path),
            Verb::Look => connection.ask("GET", &lock_path),
        };
        let after = match &outcome {
            Ok(reply) => self.learn(hold, verb, before, reply),
            Err(_) => self.unknown_after(verb, before),
        };
        self.beliefs.insert(hold.clone(), after);
        outcome.map(drop)
    }

    fn choose(&mut self, belief: Belief) -> Verb {
        match belief {
            Belief::Free => Verb::Acquire,
            Belief::Held(_) if self.rng.u8(..3) == 0 => Verb::Refresh,
            Belief::Held(_) => Verb::Release,
            Belief::MaybeAcquired { .. } | Belief::MaybeReleased(_) => Verb::Look,
        }
    }

    fn unknown_after(&self, verb: Verb, before: Belief) -> Belief {
        match (verb, before) {
            (Verb::Acquire, _) => Belief::MaybeAcquired { above: self.highest },
            (Verb::Release, Belief::Held(token)) => Belief::MaybeReleased(token),
            (Verb::Release | Verb::Refresh | Verb::Look, before) => before,
        }
    }

    fn learn(
        &mut self,
        (lock, mode): &(String, Mode),
        verb: Verb,
        before: Belief,
        reply: &Reply,
    ) -> Belief {
        let body = reply.json();
        match (reply.status, verb) {
            (200, _) => {
                self.acknowledged += 1;
                i1_assert_exclusion(&body);
                let found = token_of(&body, *mode, &self.process);
                let is_right = match verb {
                    Verb::Acquire => found.is_some_and(|token| token > self.highest),
                    Verb::Refresh | Verb::Look => before.allows(found),
                    Verb::Release => found.is_none(),
                };
                assert!(
                    is_right,
                    "{verb:?} with {before:?} and tokens to {}: {reply:?}",
                    self.highest
                );
                if verb == Verb::Acquire {
                    self.fresh.extend(found);
                }
                if let (Verb::Release, Belief::Held(token)) = (verb, before)
                    && *lock == self.own_lock()
                {
                    self.last_released = Some(token);
                }
                self.highest = self.highest.max(found.unwrap_or(0));
                Belief::after_look(found)
            }
            (409, Verb::Acquire) => {
                i1_assert_exclusion(&body["lock"]);
                let is_shared = SHARED.iter().any(|(shared, _)| shared == lock);
                let in_own_way = || self.beliefs[&(lock.clone(), mode.other())] != Belief::Free;
                assert!(is_shared || in_own_way(), "nobody holds it: {reply:?}");
                before
            }
            (503, _) if body["outcome"] == "none" => before,
            (503, _) => self.unknown_after(verb, before),
            (status, _) => panic!("{status} to {verb:?} with {before:?}: {reply:?}"),
        }
    }
}
