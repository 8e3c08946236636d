//! The latest batches, each of them one key, until their rows are put into their places.
//!
//! What etcd does for a key that is written costs it more than all else that it does for a batch. So a
//! batch of some dozen rows is written as one key, an entry of the log, in the transaction that moves
//! the fence. When the log is full, each batch pushes the oldest ones out: only then is a row written
//! on its own, and only if no entry that is still in the log has it anew. Most have by then: holds are given
//! back, a past hold's row is used for the next one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::keys::LOG_SLOTS;
use crate::encoded::{EncodedBatch, Write};
use crate::listed::{list_writes, read_writes};
use crate::record::{RecordError, printable, seal, unseal};

/// Bytes of keys and values in the log, unless one batch alone has more: a new leader reads them all.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Length of what an entry has before its writes.
const POSITION_BYTES: usize = size_of::<u64>();

/// What is in the log.
#[derive(Default)]
pub(super) struct Log {
    /// Position of the oldest entry.
    from: u64,
    bytes: usize,
    /// The rows that each entry writes, and how many bytes they are.
    entries: VecDeque<(Vec<Arc<[u8]>>, usize)>,
    /// The last write of each of these rows.
    latest: HashMap<Arc<[u8]>, LoggedWrite>,
}

struct LoggedWrite {
    /// Of the entry that it is in.
    position: u64,
    value: Option<Vec<u8>>,
}

impl Log {
    /// An empty log whose first entry has this position.
    pub(super) fn starting_at(position: u64) -> Self {
        Self { from: position, ..Self::default() }
    }

    /// Position of the entry that is pushed next.
    pub(super) fn next(&self) -> u64 {
        self.from + self.entries.len() as u64
    }

    /// Takes a batch, as the entry after the last.
    pub(super) fn push(&mut self, writes: EncodedBatch) {
        let (position, bytes) = (self.next(), size(&writes));
        let mut keys = Vec::with_capacity(writes.len());
        for (key, value) in writes {
            let key: Arc<[u8]> = key.into();
            self.latest.insert(Arc::clone(&key), LoggedWrite { position, value });
            keys.push(key);
        }
        self.entries.push_back((keys, bytes));
        self.bytes += bytes;
    }

    /// How many of the oldest entries have to go before these are pushed.
    pub(super) fn in_the_way_of(&self, parts: &[EncodedBatch]) -> usize {
        let places = usize::try_from(LOG_SLOTS).unwrap_or(usize::MAX);
        let mut bytes = self.bytes + parts.iter().map(|part| size(part)).sum::<usize>();
        let too_many = (self.entries.len() + parts.len()).saturating_sub(places);
        let mut gone = 0;
        for (_, size) in &self.entries {
            if gone >= too_many && bytes <= MAX_BYTES {
                break;
            }
            bytes -= size;
            gone += 1;
        }
        gone
    }

    /// The rows that the oldest entries write and no later one does.
    pub(super) fn only_in_oldest(&self, entries: usize) -> EncodedBatch {
        let mut rows = EncodedBatch::new();
        for ((keys, _), position) in self.entries.iter().take(entries).zip(self.from..) {
            for key in keys {
                if let Some(last) = self.latest.get(key)
                    && last.position == position
                {
                    rows.push((key.to_vec(), last.value.clone()));
                }
            }
        }
        rows
    }

    /// Forgets the oldest entries, whose rows are in their places.
    pub(super) fn forget_oldest(&mut self, entries: usize) {
        for (keys, bytes) in self.entries.drain(..entries) {
            for key in keys {
                if self.latest.get(&key).is_some_and(|last| last.position == self.from) {
                    self.latest.remove(&key);
                }
            }
            self.bytes -= bytes;
            self.from += 1;
        }
    }

    /// Whether an entry writes this row, so that what stands in its place does not count.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.latest.contains_key(key)
    }

    /// The rows that there are by these entries.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.latest.iter().filter_map(|(key, last)| Some((&**key, last.value.as_deref()?)))
    }
}

fn size(writes: &[Write]) -> usize {
    writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum()
}

/// The value of the key that an entry stands in: its position (8 bytes, little endian), its writes as
/// `crate::listed` lists them, and a checksum.
pub(super) fn encode_entry(key: &[u8], position: u64, writes: &[Write]) -> Vec<u8> {
    let mut value = position.to_le_bytes().to_vec();
    list_writes(writes, &mut value);
    seal(key, &mut value);
    value
}

/// Position and writes of an entry.
pub(super) fn decode_entry(key: &[u8], value: &[u8]) -> Result<(u64, EncodedBatch), RecordError> {
    let body = unseal(key, value)?;
    let (position, writes) = body.split_first_chunk::<POSITION_BYTES>().ok_or_else(|| {
        RecordError::Malformed { key: printable(key), what: "it has no position" }
    })?;
    Ok((u64::from_le_bytes(*position), read_writes(key, writes)?))
}
