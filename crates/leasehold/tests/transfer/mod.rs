//! `leasehold export` and `leasehold import`, from one real store to another.

pub(crate) mod engines;
mod files;

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, Launch, Server, assert_refused, run, spawn};

const KEY: &str = "the-operators-own-key-0123456789";

/// A directory for exports.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// Where a store is: what is set to use it.
#[derive(Clone, Debug)]
struct Place(Vec<(&'static str, String)>);

impl Place {
    fn local(dir: &Path) -> Self {
        Self(vec![("LEASEHOLD_DATA_DIR", dir.to_str().unwrap().to_owned())])
    }

    fn shared(url: String) -> Self {
        Self(vec![("LEASEHOLD_STORE", url), ("LEASEHOLD_LEASE_SECONDS", "1".to_owned())])
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.0.push((name, value));
        self
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let variables: Vec<_> = self.0.iter().map(|(name, value)| (*name, &**value)).collect();
        run(arguments, &variables)
    }

    fn spawn(&self, arguments: &[&str]) -> Server {
        let variables: Vec<_> = self.0.iter().map(|(name, value)| (*name, &**value)).collect();
        spawn(arguments, &variables)
    }

    #[track_caller]
    fn export(&self, file: &str) -> Ended {
        done(self.run(&["export", "--output", file]))
    }

    #[track_caller]
    fn import(&self, file: &str) -> Ended {
        done(self.run(&["import", "--input", file]))
    }

    fn launch(&self) -> Launch {
        let launch = Launch::anywhere().env("LEASEHOLD_API_KEY", KEY);
        self.0.iter().fold(launch, |launch, (name, value)| launch.env(name, value))
    }
}

#[track_caller]
fn done(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// One request with the operator's own key, which must succeed.
#[track_caller]
fn ask(server: &Server, method: &str, path: &str) -> Value {
    let reply = server.connect().with_key(KEY).ask(method, path).unwrap();
    assert!((200..300).contains(&reply.status), "{method} {path}: {reply:?}");
    reply.json()
}

/// Acquires a lock that is made for it, and tells the token.
#[track_caller]
fn acquire(server: &Server, lock: &str, process: &str) -> u64 {
    let path = format!(
        "/v1/distributed_lock/{lock}/write-process/{process}?timeout_seconds=3600&create_if_missing=true"
    );
    let lock = ask(server, "PUT", &path);
    let holds = lock["write_process_list"].as_array().unwrap();
    let own = holds.iter().find(|hold| hold["process_id"] == process).unwrap();
    own["fencing_token"].as_u64().unwrap()
}

/// A directory with something of every kind in it, and the highest token there.
fn filled(dir: &Path) -> u64 {
    let server = Place::local(dir).launch().start();
    for number in 0..20 {
        acquire(&server, &format!("lock-{number}"), "kept");
    }
    acquire(&server, "over", "p");
    ask(&server, "DELETE", "/v1/distributed_lock/over/write-process/p");
    let last = acquire(&server, "last", "kept");
    assert_eq!(server.terminate().code, Some(0));
    last
}
