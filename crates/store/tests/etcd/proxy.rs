//! A way to etcd that can keep requests back, or lose the answers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Keep,
    Lose,
}

struct Ways {
    requests: Mode,
    answers: Mode,
    /// What the first request has in it that is kept back, and all after it.
    first_kept: Option<Vec<u8>>,
    /// Since when requests are kept back, and those that are.
    since: Instant,
    kept: Vec<(Instant, TcpStream, Vec<u8>)>,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    ways: Arc<Mutex<Ways>>,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let ways = Arc::new(Mutex::new(Ways {
            requests: Mode::Pass,
            answers: Mode::Pass,
            first_kept: None,
            since: Instant::now(),
            kept: Vec::new(),
        }));
        let shared = Arc::clone(&ways);
        spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let [from, to] = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                let ways = Arc::clone(&shared);
                spawn(move || pump_requests(from, to, &ways));
                let ways = Arc::clone(&shared);
                spawn(move || pump_answers(server, client, &ways));
            }
        });
        Self { port: own_port, ways }
    }

    /// From now on requests wait here.
    pub(crate) fn keep_requests(&self) {
        let mut ways = self.ways.lock().unwrap();
        ways.requests = Mode::Keep;
        ways.since = Instant::now();
    }

    /// Requests wait here from the first one on that has these bytes in it.
    pub(crate) fn keep_requests_from(&self, bytes: &[u8]) {
        self.ways.lock().unwrap().first_kept = Some(bytes.to_vec());
    }

    /// Delivers what came in the first moments of waiting, and loses what came later, such as word
    /// that nobody waits for the answer any more. Returns how many bytes went out.
    pub(crate) fn deliver(&self, moments: Duration) -> usize {
        let mut ways = self.ways.lock().unwrap();
        ways.requests = Mode::Lose;
        let until = ways.since + moments;
        let mut delivered = 0;
        for (came, server, bytes) in &mut ways.kept {
            if *came < until {
                server.write_all(bytes).unwrap();
                delivered += bytes.len();
            }
        }
        delivered
    }

    pub(crate) fn lose_answers(&self) {
        self.ways.lock().unwrap().answers = Mode::Lose;
    }

    pub(crate) fn pass(&self) {
        let mut ways = self.ways.lock().unwrap();
        ways.requests = Mode::Pass;
        ways.answers = Mode::Pass;
    }
}

/// The connection to etcd stays open when the client's ends: what waits here is still on its way.
fn pump_requests(mut from: TcpStream, mut to: TcpStream, ways: &Mutex<Ways>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        let mut ways = ways.lock().unwrap();
        if ways.first_kept.take_if(|first| has(&bytes[..len], first)).is_some() {
            ways.requests = Mode::Keep;
            ways.since = Instant::now();
        }
        match ways.requests {
            Mode::Pass => {
                if to.write_all(&bytes[..len]).is_err() {
                    return;
                }
            }
            Mode::Keep => {
                let server = to.try_clone().unwrap();
                ways.kept.push((Instant::now(), server, bytes[..len].to_vec()));
            }
            Mode::Lose => {}
        }
    }
    if ways.lock().unwrap().requests == Mode::Pass {
        to.shutdown(Shutdown::Both).ok();
    }
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn pump_answers(mut from: TcpStream, mut to: TcpStream, ways: &Mutex<Ways>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        let is_passed = ways.lock().unwrap().answers == Mode::Pass;
        if is_passed && to.write_all(&bytes[..len]).is_err() {
            return;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
