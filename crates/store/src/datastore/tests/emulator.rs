//! Google's emulators, the real programs. Debian does not have them; Google's packages
//! `google-cloud-cli-datastore-emulator` and `google-cloud-cli-firestore-emulator` do.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Java on a busy machine takes its time.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Ends an emulator whose test was killed.
const LIFETIME_SECS: &str = "600";

pub(super) struct Program {
    /// Names the program's path, where it is not the usual one.
    pub(super) variable: &'static str,
    pub(super) usual_path: &'static str,
    pub(super) flags: &'static [&'static str],
}

pub(super) const DATASTORE: Program = Program {
    variable: "LEASEHOLD_TEST_DATASTORE_EMULATOR",
    usual_path: "/usr/lib/google-cloud-sdk/platform/cloud-datastore-emulator/cloud_datastore_emulator",
    flags: &["--testing", "--firestore_in_datastore_mode"],
};

pub(super) const FIRESTORE: Program = Program {
    variable: "LEASEHOLD_TEST_FIRESTORE_EMULATOR",
    usual_path: "/usr/lib/google-cloud-sdk/platform/cloud-firestore-emulator/cloud_firestore_emulator",
    flags: &["--database-mode=datastore-mode"],
};

/// One that serves until it is dropped.
pub(super) struct Emulator {
    /// `host:port`.
    pub(super) host: String,
    process: Child,
    dir: TempDir,
}

impl Emulator {
    /// `None`, and a word about it, where the machine does not have the program.
    pub(super) fn start(program: &Program) -> Option<Self> {
        let path = match env::var_os(program.variable) {
            Some(path) => PathBuf::from(path),
            None if Path::new(program.usual_path).exists() => PathBuf::from(program.usual_path),
            None => {
                eprintln!(
                    "SKIPPED, NOTHING IS TESTED HERE: there is no {}; install Google's package, or set {}",
                    program.usual_path, program.variable
                );
                return None;
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = File::create(dir.path().join("log")).unwrap();
        // The program is a script with a child: both get a process group of their own, to end with.
        let process = Command::new("timeout")
            .arg("--kill-after=5")
            .arg(LIFETIME_SECS)
            .arg(path)
            .args(["start", "--host=127.0.0.1", &format!("--port={port}")])
            .args(program.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut emulator = Self { host: format!("127.0.0.1:{port}"), process, dir };
        emulator.wait();
        Some(emulator)
    }

    fn wait(&mut self) {
        let began = Instant::now();
        while !self.answers() {
            let ended = self.process.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > START_TIMEOUT {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap();
                panic!("the emulator does not serve ({ended:?}):\n{log}");
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut connection) = TcpStream::connect(&self.host) else { return false };
        let mut answer = [0; 64];
        connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let request = "GET / HTTP/1.1\r\nhost: emulator\r\n\r\n";
        connection.write_all(request.as_bytes()).is_ok()
            && connection.read(&mut answer).is_ok()
            && answer.starts_with(b"HTTP/1.1 200")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
