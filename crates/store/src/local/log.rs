//! The file `log`: the batches since the database was written to last, each synced as it comes.
//!
//! It has its full length, written as zeros, from the beginning. A write into it changes nothing that
//! the file system keeps about the file, so a sync is one write of data and costs about half of one
//! that makes a file grow, as the database's own journal does.
//!
//! An entry is its length (4 bytes, little endian), the fence (`fence.rs`), the list of writes
//! (`crate::pending`) and the checksum of all that. Entries follow each other from the start of the file; once the database has their rows, the
//! next one goes to the start again. What is left of earlier rounds ends the reading: an entry counts if
//! it is of the epoch that the database has, which a claim raises, and of the batch that comes next.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::fence::{FENCE_BYTES, Fence, decode_fence, encode_fence};
use super::trouble::Trouble;
use crate::encoded::Write;
use crate::listed::{list_writes, read_writes};
use crate::record::{CHECKSUM_BYTES, RecordError, seal, unseal};

/// Length of the file. A batch that does not fit into what is left goes to the database directly.
const LOG_BYTES: usize = 4 * 1024 * 1024;
const LENGTH_BYTES: usize = 4;
/// What the checksum of an entry is tied to.
const NAME: &[u8] = b"log";

pub(super) struct Log {
    file: File,
    /// Where the next entry goes.
    end: usize,
    entry: Vec<u8>,
}

impl Log {
    /// Makes the file, empty, in place of whatever is there.
    pub(super) fn create(path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all_at(&vec![0; LOG_BYTES], 0)?;
        file.sync_all()
    }

    /// Opens the file, and hands the batches in it that follow `fence` to `visit`. Returns the fence of
    /// the last of them.
    ///
    /// # Errors
    /// [`Trouble::Damaged`] if the file is not all there. An entry that is cut off or damaged ends the
    /// reading: the file `acknowledged` knows whether it had been vouched for.
    pub(super) fn open(
        path: &Path,
        mut fence: Fence,
        mut visit: impl FnMut(Vec<Write>),
    ) -> Result<(Self, Fence), Trouble> {
        let sync = i32::try_from(OFlags::DSYNC.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).custom_flags(sync).open(path)?;
        let mut bytes = vec![0; LOG_BYTES];
        file.read_exact_at(&mut bytes, 0)?;
        let mut end = 0;
        while let Some((entry, length)) = entry_at(&bytes[end..]) {
            let (next, writes) = read_entry(entry)?;
            if next.epoch != fence.epoch || next.batch != fence.batch + 1 {
                break;
            }
            visit(writes);
            fence = next;
            end += length;
        }
        Ok((Self { file, end, entry: Vec::new() }, fence))
    }

    /// Makes a batch durable. False if there is no room for it: then nothing was written.
    pub(super) fn append(&mut self, fence: &Fence, writes: &[Write]) -> Result<bool, Trouble> {
        write_entry(fence, writes, &mut self.entry);
        if self.entry.len() > LOG_BYTES - self.end {
            return Ok(false);
        }
        self.file.write_all_at(&self.entry, self.end as u64)?;
        self.end += self.entry.len();
        Ok(true)
    }

    /// Begins at the start again, because the database has all that is in the log.
    pub(super) fn start_over(&mut self) {
        self.end = 0;
    }
}

fn write_entry(fence: &Fence, writes: &[Write], entry: &mut Vec<u8>) {
    entry.clear();
    entry.extend_from_slice(&[0; LENGTH_BYTES]);
    entry.extend_from_slice(&encode_fence(fence));
    list_writes(writes, entry);
    // What is too long for its length to be written is too long for the file as well.
    let length = (entry.len() + CHECKSUM_BYTES).to_le_bytes();
    entry[..LENGTH_BYTES].copy_from_slice(&length[..LENGTH_BYTES]);
    seal(NAME, entry);
}

/// The entry that these bytes begin with, without its checksum, and its length with it. `None` if they
/// begin with anything else.
fn entry_at(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let length = usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let entry = unseal(NAME, bytes.get(..length)?).ok()?;
    Some((entry, length))
}

fn read_entry(entry: &[u8]) -> Result<(Fence, Vec<Write>), RecordError> {
    let rest = entry.get(LENGTH_BYTES..).unwrap_or_default();
    let (fence, writes) = rest.split_at(FENCE_BYTES.min(rest.len()));
    Ok((decode_fence(fence)?, read_writes(NAME, writes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::contents::Summary;
    use crate::store::Epoch;

    fn fence(epoch: u64, batch: u64) -> Fence {
        Fence { epoch: Epoch(epoch), batch, summary: Summary { rows: 3, digest: 4 } }
    }

    fn writes(number: u64) -> Vec<Write> {
        vec![
            (format!("key {number}").into_bytes(), Some(b"value".to_vec())),
            (b"bc".to_vec(), None),
        ]
    }

    /// The batches that are read after a fence, and the fence of the last.
    fn read(path: &Path, after: Fence) -> (Log, Vec<Vec<Write>>, Fence) {
        let mut found = Vec::new();
        let (log, last) = Log::open(path, after, |writes| found.push(writes)).unwrap();
        (log, found, last)
    }

    fn new_log() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        Log::create(&path).unwrap();
        (dir, path)
    }

    #[test]
    fn golden_bytes_of_an_entry_in_format_3() {
        let mut entry = Vec::new();
        write_entry(&fence(1, 2), &[(b"a".to_vec(), Some(b"xyz".to_vec()))], &mut entry);
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(&entry),
            "36000000\
             0100000000000000020000000000000003000000000000000400000000000000f7cbf509\
             0100610300000078797a\
             aac1e496"
        );
    }

    #[test]
    fn i2_what_was_appended_is_read_back_and_goes_on() {
        let (_dir, path) = new_log();
        let (mut log, found, last) = read(&path, fence(1, 5));
        assert_eq!((found.len(), last), (0, fence(1, 5)));
        for batch in 6..9 {
            assert!(log.append(&fence(1, batch), &writes(batch)).unwrap());
        }
        let (mut log, found, last) = read(&path, fence(1, 5));
        assert_eq!((found, last), (vec![writes(6), writes(7), writes(8)], fence(1, 8)));
        assert!(log.append(&fence(1, 9), &writes(9)).unwrap());
        assert_eq!(read(&path, fence(1, 5)).2, fence(1, 9));
    }

    #[test]
    fn i2_what_an_earlier_round_or_epoch_left_is_not_read() {
        let (_dir, path) = new_log();
        let (mut log, _, _) = read(&path, fence(1, 0));
        for batch in 1..=4 {
            assert!(log.append(&fence(1, batch), &writes(batch)).unwrap());
        }
        log.start_over();
        assert_eq!(read(&path, fence(1, 4)).2, fence(1, 4), "the database has them all");
        assert!(log.append(&fence(1, 5), &writes(5)).unwrap());
        assert_eq!(read(&path, fence(1, 4)).2, fence(1, 5), "batches 2 to 4 follow it");
        // A power loss took batches 2 to 4 back, and other batches with their numbers came to be. The
        // new batch 2 is exactly as long as the old one, so that the old batch 3 follows it.
        let (_dir, path) = new_log();
        let (mut log, _, _) = read(&path, fence(1, 1));
        for batch in 2..=4 {
            assert!(log.append(&fence(1, batch), &writes(batch)).unwrap());
        }
        log.start_over();
        assert!(log.append(&fence(2, 2), &writes(7)).unwrap());
        let (_, found, last) = read(&path, fence(2, 1));
        assert_eq!((found, last), (vec![writes(7)], fence(2, 2)));
    }

    #[test]
    fn i2_a_damaged_entry_ends_the_log_before_it() {
        let (_dir, path) = new_log();
        let (mut log, _, _) = read(&path, fence(1, 0));
        for batch in 1..=2 {
            assert!(log.append(&fence(1, batch), &writes(batch)).unwrap());
        }
        let whole = std::fs::read(&path).unwrap();
        let (first, both) = (log.end / 2, log.end);
        for at in 0..both {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                std::fs::write(&path, &bytes).unwrap();
                let expected = if at < first { 0 } else { 1 };
                assert_eq!(
                    read(&path, fence(1, 0)).2,
                    fence(1, expected),
                    "bit {bit} of byte {at}"
                );
            }
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let cut = Log::open(&path, fence(1, 0), |_| {}).map(drop).unwrap_err();
        assert!(matches!(cut, Trouble::Damaged(_)), "{cut:?}");
    }

    #[test]
    fn a_batch_that_does_not_fit_is_left_to_the_database() {
        let (_dir, path) = new_log();
        let (mut log, _, _) = read(&path, fence(1, 0));
        let long = |len| vec![(b"a".to_vec(), Some(vec![7; len]))];
        let room = LOG_BYTES - LENGTH_BYTES - FENCE_BYTES - CHECKSUM_BYTES - 7;
        assert!(!log.append(&fence(1, 1), &long(room + 1)).unwrap());
        assert!(log.append(&fence(1, 1), &long(room)).unwrap());
        assert!(!log.append(&fence(1, 2), &[]).unwrap());
        log.start_over();
        assert!(log.append(&fence(1, 2), &[]).unwrap());
    }
}
