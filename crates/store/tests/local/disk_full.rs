//! The local store on a disk that runs full: it stops acknowledging, keeps what it acknowledged, and
//! goes on once there is room. Needs the right to mount a small file system; says so where it has not.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Rows, Writer, block_on, hold, long_hold, start};
use leasehold_core::Batch;
use leasehold_store::{Store, StoreError};
use tempfile::TempDir;

const DISK_MIB: usize = 8;
const BALLAST_MIB: usize = 2;
/// More than fit on the disk.
const MAX_BATCHES: u64 = 4_000;
const ROWS_A_BATCH: u64 = 100;
/// The database closes in the background; a claim may come too early.
const MAX_CLAIMS: u32 = 50;

/// A file system in memory, gone with its value.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={DISK_MIB}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(dir)),
            refused => {
                eprintln!("SKIPPED: a full disk cannot be tested without mount: {refused:?}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{:?} stays mounted", self.path());
    }
}

/// Writes until a commit fails. Returns the error, and the batch that it was for.
fn fill(writer: &mut Writer) -> (StoreError, Batch) {
    for batch in 0..MAX_BATCHES {
        let mut writes = Batch::default();
        let mut rows = Rows::new();
        for number in batch * ROWS_A_BATCH..(batch + 1) * ROWS_A_BATCH {
            let row = long_hold(number);
            rows.insert(row.key(), row.clone());
            writes.put(row);
        }
        match block_on(writer.store.commit(writer.epoch, &writes)) {
            Ok(()) => writer.acknowledged.extend(rows),
            Err(error) => return (error, writes),
        }
    }
    panic!("the disk did not run full in {MAX_BATCHES} batches");
}

fn load(writer: &mut Writer) -> Rows {
    let mut rows = Rows::new();
    let mut visit = |row: leasehold_core::Row| drop(rows.insert(row.key(), row));
    block_on(writer.store.load(writer.epoch, &mut visit)).unwrap();
    rows
}

/// What was acknowledged is there; what is there besides is the one batch of unknown outcome, whole.
fn assert_kept(found: &Rows, acknowledged: &Rows, in_doubt: &Batch) {
    assert!(acknowledged.iter().all(|(key, row)| found.get(key) == Some(row)));
    let more = found.len() - acknowledged.len();
    assert!(more == 0 || more == in_doubt.len(), "{more} rows of a batch of {}", in_doubt.len());
}

#[test]
fn i2_a_full_disk_loses_nothing_and_room_brings_the_service_back() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_MIB * 1024 * 1024]).unwrap();
    let dir = disk.path().join("data");
    let mut writer = Writer::open(&dir);
    let (error, in_doubt) = fill(&mut writer);
    assert!(matches!(error, StoreError::OutcomeUnknown(_)), "{error}");
    assert!(writer.acknowledged.len() > 1_000, "the disk was full too soon");

    let late = block_on(writer.store.commit(writer.epoch, &in_doubt));
    assert_eq!(late, Err(StoreError::Fenced(writer.epoch)), "the epoch ended with the failure");
    let still_full = block_on(async {
        let epoch = writer.store.claim().await?;
        writer.store.commit(epoch, &in_doubt).await
    });
    if let Err(error) = still_full {
        assert!(!matches!(error, StoreError::Corrupt(_)), "a full disk is no damage: {error}");
    }

    fs::remove_file(&ballast).unwrap();
    let claimed = (0..MAX_CLAIMS).find_map(|_| block_on(writer.store.claim()).ok());
    writer.epoch = claimed.expect("room was made, but no claim succeeds");
    let found = load(&mut writer);
    assert_kept(&found, &writer.acknowledged, &in_doubt);
    writer.acknowledged = found;
    writer.write(vec![hold("after-the-flood", 1)], None);

    let acknowledged = writer.acknowledged.clone();
    drop(writer);
    assert!(start(&dir).unwrap() == acknowledged, "a restart finds something else");
}

/// An operator may stop the service before making room: the start on the full disk must not lose
/// anything, whether it succeeds or not.
#[test]
fn i2_a_restart_on_a_full_disk_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_MIB * 1024 * 1024]).unwrap();
    let dir = disk.path().join("data");
    let mut writer = Writer::open(&dir);
    let (_, in_doubt) = fill(&mut writer);
    let acknowledged = writer.acknowledged.clone();
    drop(writer);
    if let Ok(found) = start(&dir) {
        assert_kept(&found, &acknowledged, &in_doubt);
    }
    fs::remove_file(&ballast).unwrap();
    assert_kept(&start(&dir).unwrap(), &acknowledged, &in_doubt);
}
