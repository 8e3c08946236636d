//! What the last batches wrote, before each row goes to its own place.
//!
//! To put a row in its place the database looks for it among some hundred thousand others, and most rows
//! do not stay as they are for long: a hold is given back, a lock is dated anew. So a batch is made
//! durable by the log (`log.rs`), and only what some batches together come to is written row by row, in
//! one piece.

use std::collections::BTreeMap;

use crate::record::{RecordError, printable, unseal};

/// Batches whose writes are pending at most. The more, the more often one row stands for many writes,
/// and the longer the commit that puts all of them in their places.
const MAX_BATCHES: usize = 64;

/// Rows that are pending at most, so that no caller waits much longer than a millisecond for them.
const MAX_ROWS: usize = 1_024;

/// Length of the value of a row that is gone.
const GONE: u32 = u32::MAX;

/// The key of a row, and its value unless it is gone.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// The writes that the database does not have yet.
#[derive(Default)]
pub(super) struct Pending {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    batches: usize,
}

impl Pending {
    /// Takes the writes of a batch.
    pub(super) fn add(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.rows.extend(writes);
        self.batches += 1;
    }

    /// Takes a batch that format 2 kept as a row of the database; that row is gone with the next write.
    pub(super) fn add_log_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), RecordError> {
        self.add(read_writes(key, unseal(key, value)?)?);
        self.rows.insert(key.to_vec(), None);
        Ok(())
    }

    /// Whether it is time to put the rows in their places.
    pub(super) fn is_full(&self) -> bool {
        self.batches >= MAX_BATCHES || self.rows.len() >= MAX_ROWS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches == 0
    }

    /// What it all comes to.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Write> + use<> {
        std::mem::take(self).rows.into_iter()
    }
}

/// Lists writes: length of the key (2 bytes), key, length of the value (4 bytes, all ones if the row is
/// gone), value. Lengths are little endian.
pub(super) fn list_writes(writes: &[Write], list: &mut Vec<u8>) {
    let mut part = |length: &[u8], part: &[u8]| {
        list.extend_from_slice(length);
        list.extend_from_slice(part);
    };
    for (key, value) in writes {
        part(&key.len().to_le_bytes()[..2], key);
        match value {
            Some(value) => part(&value.len().to_le_bytes()[..4], value),
            None => part(&GONE.to_le_bytes(), &[]),
        }
    }
}

/// Reads such a list; `name` says in an error whose it is.
pub(super) fn read_writes(name: &[u8], mut list: &[u8]) -> Result<Vec<Write>, RecordError> {
    let mut writes = Vec::new();
    while !list.is_empty() {
        writes.push(read_write(&mut list).ok_or_else(|| RecordError::Malformed {
            key: printable(name),
            what: "its last write is incomplete",
        })?);
    }
    Ok(writes)
}

fn read_write(rest: &mut &[u8]) -> Option<Write> {
    let length = u16::from_le_bytes(*rest.split_off(..2)?.first_chunk()?);
    let key = rest.split_off(..usize::from(length))?.to_vec();
    let value = match u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?) {
        GONE => None,
        length => Some(rest.split_off(..usize::try_from(length).ok()?)?.to_vec()),
    };
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::seal;

    fn writes() -> Vec<Write> {
        vec![(b"a".to_vec(), Some(b"xyz".to_vec())), (b"bc".to_vec(), None)]
    }

    fn listed() -> Vec<u8> {
        let mut list = Vec::new();
        list_writes(&writes(), &mut list);
        list
    }

    #[test]
    fn golden_bytes_of_a_list_of_writes() {
        assert_eq!(listed(), b"\x01\0a\x03\0\0\0xyz\x02\0bc\xff\xff\xff\xff");
    }

    #[test]
    fn i2_a_list_read_back_is_what_was_listed_and_ends_with_a_write() {
        let list = listed();
        assert_eq!(read_writes(b"log", &list), Ok(writes()));
        for len in 0..=list.len() {
            let read = read_writes(b"log", &list[..len]);
            // Where a write ends, so may a list.
            assert_eq!(read.is_ok(), [0, 10, 18].contains(&len), "{len}: {read:?}");
        }
    }

    #[test]
    fn i2_log_rows_of_format_2_come_to_their_writes_and_go() {
        let mut pending = Pending::default();
        let mut later = Vec::new();
        list_writes(&[(b"a".to_vec(), None)], &mut later);
        for (key, mut value) in [(b"log/1", listed()), (b"log/2", later)] {
            seal(key, &mut value);
            pending.add_log_row(key, &value).unwrap();
        }
        let gone: Vec<Vec<u8>> = pending
            .take()
            .map(|(key, value)| {
                assert_eq!(value, None);
                key
            })
            .collect();
        assert_eq!(gone, [&b"a"[..], b"bc", b"log/1", b"log/2"]);
        assert!(pending.is_empty());
    }
}
