//! Requests as bytes, written out once and sent many times.

use std::fmt::Write as _;
use std::net::SocketAddr;

use clap::ValueEnum;

use crate::locks::{NUMBER_DIGITS, lock_name};

/// Which kind of hold is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Mode {
    /// Shared with other readers.
    Read,
    /// Write-process; the locks are made write-exclusive.
    Write,
}

/// Where requests go, and what every one of them carries.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// Sent as `x-api-key`.
    pub api_key: Option<String>,
    /// Asks for `Prefer: return=minimal`.
    pub minimal: bool,
}

impl Target {
    fn request(&self, method: &str, path: &str) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        if let Some(key) = &self.api_key {
            // Writing to a String cannot fail.
            let _ = write!(text, "x-api-key: {key}\r\n");
        }
        if self.minimal {
            text.push_str("prefer: return=minimal\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// Makes a lock, write-exclusive.
    #[must_use]
    pub fn create(&self, lock: usize) -> Vec<u8> {
        self.request("POST", &format!("{}?is_exclusive=true", lock_path(lock)))
    }

    /// Takes a hold for so long, standing in line so long if need be.
    #[must_use]
    pub fn acquire(&self, hold: &Hold, timeout_secs: u32, wait_secs: u32) -> Vec<u8> {
        let mut path = format!("{}?timeout_seconds={timeout_secs}", hold.path());
        if wait_secs > 0 {
            // Writing to a String cannot fail.
            let _ = write!(path, "&wait_seconds={wait_secs}");
        }
        self.request("PUT", &path)
    }

    fn release(&self, hold: &Hold) -> Vec<u8> {
        self.request("DELETE", &hold.path())
    }
}

fn lock_path(lock: usize) -> String {
    format!("/v1/distributed_lock/{}", lock_name(lock))
}

/// Names a hold on the wire.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The lock's number.
    pub lock: usize,
    /// How it is held.
    pub mode: Mode,
    /// Who holds it.
    pub process_id: String,
}

impl Hold {
    fn path(&self) -> String {
        let kind = match self.mode {
            Mode::Read => "read-process",
            Mode::Write => "write-process",
        };
        format!("{}/{kind}/{}", lock_path(self.lock), self.process_id)
    }
}

/// The two requests of a cycle, which can be re-aimed at another lock without writing them anew.
pub(crate) struct Cycle {
    pub(crate) acquire: Vec<u8>,
    pub(crate) release: Vec<u8>,
}

/// Timeout of a hold that is released within milliseconds: the service's default.
const TIMEOUT_SECS: u32 = 60;

impl Cycle {
    pub(crate) fn new(target: &Target, mode: Mode, process_id: String, wait_secs: u32) -> Self {
        let hold = Hold { lock: 0, mode, process_id };
        let acquire = target.acquire(&hold, TIMEOUT_SECS, wait_secs);
        Self { acquire, release: target.release(&hold) }
    }

    /// Both requests are now about this lock.
    pub(crate) fn aim_at(&mut self, lock: usize) {
        set_number(&mut self.acquire, "PUT".len(), lock);
        set_number(&mut self.release, "DELETE".len(), lock);
    }
}

/// Overwrites the digits of the lock's name in a request whose method is so long.
fn set_number(request: &mut [u8], method_bytes: usize, lock: usize) {
    let start = method_bytes + " /v1/distributed_lock/bench-".len();
    let mut rest = lock;
    for digit in request[start..start + NUMBER_DIGITS].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(api_key: Option<&str>, minimal: bool) -> Target {
        let address = "127.0.0.1:8000".parse().unwrap();
        Target { address, api_key: api_key.map(str::to_owned), minimal }
    }

    #[test]
    fn a_request_is_what_the_wire_expects() {
        let request = target(Some("k"), true).create(7);
        assert_eq!(
            String::from_utf8(request).unwrap(),
            "POST /v1/distributed_lock/bench-00000007?is_exclusive=true HTTP/1.1\r\n\
             host: 127.0.0.1:8000\r\nx-api-key: k\r\nprefer: return=minimal\r\n\r\n"
        );
    }

    #[test]
    fn a_cycle_re_aimed_is_a_cycle_written_anew() {
        let target = target(None, false);
        let mut cycle = Cycle::new(&target, Mode::Write, "worker-3".to_owned(), 30);
        cycle.aim_at(12_345_678);
        let hold = Hold { lock: 12_345_678, mode: Mode::Write, process_id: "worker-3".to_owned() };
        assert_eq!(cycle.acquire, target.acquire(&hold, TIMEOUT_SECS, 30));
        assert!(cycle.acquire.starts_with(
            b"PUT /v1/distributed_lock/bench-12345678/write-process/worker-3?\
              timeout_seconds=60&wait_seconds=30 HTTP/1.1\r\n"
        ));
        assert_eq!(cycle.release, target.release(&hold));
        assert!(cycle.release.starts_with(
            b"DELETE /v1/distributed_lock/bench-12345678/write-process/worker-3 HTTP/1.1\r\n"
        ));
    }
}
