//! What goes wrong with a disk: taken, damaged, full. Nothing acknowledged is ever lost silently.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::support::{Launch, Server, eventually};

fn dev(data_dir: &Path) -> Launch {
    Launch::new(data_dir).arg("--dev")
}

fn lock(number: usize) -> String {
    format!("/v1/distributed_lock/job-{number}")
}

/// A server that has acknowledged this many locks and was killed.
fn killed_with_locks(data_dir: &Path, count: usize) {
    let server = dev(data_dir).start();
    let mut connection = server.connect();
    for number in 0..count {
        assert_eq!(connection.ask("POST", &lock(number)).unwrap().status, 201);
    }
    server.kill9();
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = dev(dir.path()).start();
    let second = dev(dir.path()).start_in_vain();
    assert_eq!(second.code, Some(1), "{second:?}");
    let named = dir.path().display().to_string();
    assert!(second.stderr.contains(&named), "{}", second.stderr);
    assert!(!second.stdout.contains("listening on"), "{}", second.stdout);
    assert_eq!(first.ask("POST", &lock(1)).status, 201);
}

#[test]
fn a_directory_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "do not touch").unwrap();
    let ended = dev(dir.path()).start_in_vain();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&dir.path().display().to_string()), "{}", ended.stderr);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["thesis.txt"]);
}

/// The journal: the biggest file below the directory that has been written to.
fn journal(dir: &Path) -> PathBuf {
    let mut dirs = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { dirs.push(path) } else { files.push(path) }
        }
    }
    let journals = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "jnl"));
    journals.max_by_key(|path| fs::metadata(path).unwrap().len()).expect("a journal")
}

#[test]
fn i2_a_damaged_journal_is_named_and_never_served() {
    check_damage(200, journal);
}

#[test]
fn i2_a_damaged_log_is_named_and_never_served() {
    // So few batches are all in it.
    check_damage(30, |dir| dir.join("log"));
}

fn check_damage(locks: usize, file_in: fn(&Path) -> PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    killed_with_locks(dir.path(), locks);
    let path = file_in(dir.path());
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let middle = used / 2;
    let damaged: Vec<u8> = bytes[middle..middle + 8].iter().map(|byte| !byte).collect();
    file.seek(SeekFrom::Start(middle as u64)).unwrap();
    file.write_all(&damaged).unwrap();
    drop(file);

    let ended = dev(dir.path()).start_in_vain();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!ended.stdout.contains("listening on"), "{}", ended.stdout);
    let error = ended.stderr.lines().find(|line| line.starts_with("leasehold: ")).unwrap();
    assert!(error.contains(&dir.path().display().to_string()), "{error}");
}

/// A file system of its own that is quickly full. Unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    const BYTES: usize = 96 * 1024 * 1024;

    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("size={}", Self::BYTES)).unwrap();
        match mount("tmpfs", dir.path(), "tmpfs", MountFlags::empty(), Some(options.as_c_str())) {
            Ok(()) => Some(Self(dir)),
            Err(error) => {
                eprintln!("SKIPPED: mounting a small tmpfs needs root: {error}");
                None
            }
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.0.path(), UnmountFlags::DETACH).unwrap();
    }
}

/// Creates locks from `from` on until one is refused; returns its number and the refusal.
fn create_until_refused(server: &Server, from: usize) -> (usize, serde_json::Value) {
    let mut connection = server.connect();
    for number in from..2_000_000 {
        let reply = connection.ask("POST", &lock(number)).unwrap();
        if reply.status != 201 {
            assert_eq!(reply.status, 503, "{reply:?}");
            return (number, reply.json());
        }
    }
    panic!("the disk never got full");
}

#[track_caller]
fn assert_all_there(server: &Server, count: usize) {
    let mut connection = server.connect();
    for number in 0..count {
        let reply = connection.ask("GET", &lock(number)).unwrap();
        assert_eq!(reply.status, 200, "I2: lock {number} was acknowledged: {reply:?}");
    }
}

#[test]
fn i2_a_database_that_is_gone_when_the_disk_was_full_is_told_by_readiness_and_not_served() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = dev(&disk.data_dir()).start();
    assert_eq!(server.ask("POST", &lock(0)).status, 201);
    fs::remove_dir_all(disk.data_dir().join("fjall")).unwrap();
    disk.fill();
    create_until_refused(&server, 1);

    let reason = eventually(Duration::from_secs(10), "/readyz names the loss", || {
        let reply = server.ask("GET", "/readyz");
        reply.text.contains("had been acknowledged").then_some(reply.text)
    });
    assert!(reason.contains(&disk.data_dir().display().to_string()), "{reason}");
    disk.free();
    assert_eq!(server.ask("GET", &lock(0)).status, 503, "half of the truth is not served");
    assert_eq!(server.ask("GET", "/livez").status, 200);
    server.kill9();
}

#[test]
fn i2_a_full_disk_stops_acknowledging_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = dev(&disk.data_dir()).start();
    let mut connection = server.connect();
    for number in 0..100 {
        assert_eq!(connection.ask("POST", &lock(number)).unwrap().status, 201);
    }
    disk.fill();
    let (acknowledged, refusal) = create_until_refused(&server, 100);
    assert!(["none", "unknown"].contains(&refusal["outcome"].as_str().unwrap()), "{refusal}");
    assert_eq!(refusal["retryable"], true, "{refusal}");

    let not_ready = eventually(Duration::from_secs(10), "/readyz says so", || {
        let reply = server.ask("GET", "/readyz");
        (reply.status == 503).then_some(reply.text)
    });
    let reason = not_ready.to_lowercase();
    assert!(reason.contains("space") || reason.contains("full"), "{not_ready}");
    assert_eq!(server.ask("GET", "/livez").status, 200);

    disk.free();
    eventually(Duration::from_secs(20), "it serves again", || {
        (server.ask("GET", "/readyz").status == 200).then_some(())
    });
    assert_all_there(&server, acknowledged);
    assert_eq!(server.ask("POST", "/v1/distributed_lock/after").status, 201);
    server.kill9();

    let server = dev(&disk.data_dir()).start();
    assert_all_there(&server, acknowledged);
    assert_eq!(server.ask("GET", "/v1/distributed_lock/after").status, 200);
}
