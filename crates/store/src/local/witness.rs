//! The file `acknowledged`: which batch the service has vouched for, kept apart from the database.
//!
//! The database finds its own end by reading its journal until something is unreadable, so damage in
//! the middle looks to it like an interrupted last write, and it goes on without what came after.
//! This file tells the two apart. It is written after each batch was durable and is not synced
//! itself: a killed process leaves it exact; after a power loss it may only be older, which asks for
//! less. Being open, it also carries the lock that keeps a second process out of the directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::store::Epoch;

const MAGIC: [u8; 4] = *b"LHA1";
const RECORD_BYTES: usize = 24;

/// What the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acknowledged {
    /// It was never written, or was lost with the power.
    Nothing,
    /// It holds something that was not written by [`Witness::record`]. The record lies within one
    /// sector, so an interrupted write cannot do this: the file itself is damaged. That alone loses
    /// nothing, so it stops no start; but it can no longer vouch for the end of the journal.
    Unreadable,
    /// The last batch that was acknowledged, and the epoch it was written in.
    Batch(Epoch, u64),
}

pub(super) struct Witness {
    file: File,
}

impl Witness {
    /// Opens the file, making it if need be, and locks it until it is dropped.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`] if another process has it locked.
    pub(super) fn open(path: &Path) -> Result<Self, TryLockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(Self { file })
    }

    pub(super) fn read(&self) -> io::Result<Acknowledged> {
        let mut bytes = Vec::with_capacity(RECORD_BYTES + 1);
        let mut file = &self.file;
        io::Seek::rewind(&mut file)?;
        file.take(RECORD_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(parse(&bytes))
    }

    /// Notes that everything up to this batch is durable and may be acknowledged.
    pub(super) fn record(&self, epoch: Epoch, batch: u64) -> io::Result<()> {
        self.file.write_all_at(&encode(epoch, batch), 0)
    }

    /// Makes the note itself durable, so that a power loss takes it back no further than this.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.set_len(RECORD_BYTES as u64)?;
        self.file.sync_all()
    }
}

fn encode(epoch: Epoch, batch: u64) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..4].copy_from_slice(&MAGIC);
    record[4..12].copy_from_slice(&epoch.0.to_le_bytes());
    record[12..20].copy_from_slice(&batch.to_le_bytes());
    let sum = crc32fast::hash(&record[..20]);
    record[20..].copy_from_slice(&sum.to_le_bytes());
    record
}

fn parse(bytes: &[u8]) -> Acknowledged {
    if bytes.iter().all(|byte| *byte == 0) {
        return Acknowledged::Nothing;
    }
    let number = |from: usize| {
        let field = bytes.get(from..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*field))
    };
    match (number(4), number(12)) {
        (Some(epoch), Some(batch)) if bytes == encode(Epoch(epoch), batch) => {
            Acknowledged::Batch(Epoch(epoch), batch)
        }
        _ => Acknowledged::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i2_only_what_was_recorded_is_believed() {
        let record = encode(Epoch(3), 77);
        assert_eq!(parse(&record), Acknowledged::Batch(Epoch(3), 77));
        assert_eq!(parse(&[]), Acknowledged::Nothing);
        assert_eq!(parse(&[0; RECORD_BYTES]), Acknowledged::Nothing);
        for len in 1..RECORD_BYTES {
            assert_eq!(parse(&record[..len]), Acknowledged::Unreadable, "{len} bytes");
        }
        for bit in 0..RECORD_BYTES * 8 {
            let mut damaged = record;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&damaged), Acknowledged::Unreadable, "bit {bit}");
        }
    }
}
