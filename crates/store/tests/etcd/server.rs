//! A real etcd on free ports of this machine, in a directory of its own. Ends with the value.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use leasehold_store::{Candidate, EtcdStore};
use tempfile::TempDir;

/// Long enough for a slow machine to renew in time.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// Another process may take a port between the look and the start.
const ATTEMPTS: u32 = 5;
const START_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Etcd {
    dir: TempDir,
    flags: Vec<String>,
    pub(crate) client_port: u16,
    peer_port: u16,
    child: Child,
}

impl Etcd {
    pub(crate) fn start() -> Self {
        Self::start_with("http", &[])
    }

    /// Starts one that listens by `scheme`, with more flags.
    pub(crate) fn start_with(scheme: &str, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..ATTEMPTS {
            let [client_port, peer_port] = free_ports();
            let mut all = vec![
                format!("--data-dir={}", dir.path().join("data").display()),
                format!("--listen-client-urls={scheme}://127.0.0.1:{client_port}"),
                format!("--advertise-client-urls={scheme}://127.0.0.1:{client_port}"),
                format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"),
                "--heartbeat-interval=10".to_owned(),
                "--election-timeout=100".to_owned(),
            ];
            all.extend(flags.iter().map(|flag| (*flag).to_owned()));
            if let Some(child) = spawn(&dir, &all) {
                return Self { dir, flags: all, client_port, peer_port, child };
            }
            fs::remove_dir_all(dir.path().join("data")).ok();
        }
        panic!("etcd does not start:\n{}", log(&dir));
    }

    pub(crate) fn url(&self) -> String {
        url(self.client_port)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, on its data.
    pub(crate) fn restart(&mut self) {
        let Self { dir, flags, client_port, peer_port, .. } = &self;
        self.child = spawn(dir, flags).unwrap_or_else(|| {
            panic!("etcd does not start again on {client_port}, {peer_port}:\n{}", log(dir))
        });
    }

    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // If it has ended already, that is what was wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("etcd://127.0.0.1:{port}/leasehold")
}

pub(crate) fn candidate() -> Candidate {
    Candidate {
        address: "127.0.0.1:8000".to_owned(),
        lease: LEASE,
        link_token: "shared by replicas".to_owned().into(),
    }
}

pub(crate) fn open(url: &str) -> EtcdStore {
    EtcdStore::open(url, candidate()).unwrap()
}

/// `None` if it ends before it serves.
fn spawn(dir: &TempDir, flags: &[String]) -> Option<Child> {
    let program = std::env::var("LEASEHOLD_TEST_ETCD").unwrap_or_else(|_| "etcd".to_owned());
    let out = File::create(dir.path().join("log")).unwrap();
    let mut child = Command::new(&program)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "cannot run {program:?}: {error}. These tests need a real etcd, 3.4 or later: \
                 apt-get install etcd-server, or name the program in LEASEHOLD_TEST_ETCD"
            )
        });
    let began = Instant::now();
    while began.elapsed() < START_TIMEOUT {
        if log(dir).contains("ready to serve client requests") {
            return Some(child);
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn log(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("log")).unwrap_or_default()
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
