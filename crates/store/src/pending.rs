//! What the last batches wrote, before each row goes to its own place.
//!
//! To put a row in its place costs a store more than all else, and most rows do not stay as they are for
//! long: a hold is given back, a lock is dated anew. So some stores make a batch durable by an entry in
//! a log, and only what some batches together come to is written row by row, in one piece.

use std::collections::BTreeMap;

use crate::encoded::Write;
use crate::record::{RecordError, printable};

/// Length of the value of a row that is gone.
const GONE: u32 = u32::MAX;

/// The writes that are in a log alone.
#[derive(Default)]
pub(crate) struct Pending {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    batches: usize,
}

impl Pending {
    /// Takes the writes of a batch.
    pub(crate) fn add(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.rows.extend(writes);
        self.batches += 1;
    }

    /// How many batches it is made of.
    pub(crate) fn batches(&self) -> usize {
        self.batches
    }

    /// How many rows they wrote.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches == 0
    }

    /// What it all comes to.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Write> + use<> {
        std::mem::take(self).rows.into_iter()
    }
}

/// Lists writes: length of the key (2 bytes), key, length of the value (4 bytes, all ones if the row is
/// gone), value. Lengths are little endian.
pub(crate) fn list_writes(writes: &[Write], list: &mut Vec<u8>) {
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
pub(crate) fn read_writes(name: &[u8], mut list: &[u8]) -> Result<Vec<Write>, RecordError> {
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
    fn i2_of_two_writes_of_a_row_the_later_counts() {
        let mut pending = Pending::default();
        pending.add(writes());
        pending.add([(b"a".to_vec(), None)]);
        assert_eq!((pending.batches(), pending.rows()), (2, 2));
        let all: Vec<Write> = pending.take().collect();
        assert_eq!(all, [(b"a".to_vec(), None), (b"bc".to_vec(), None)]);
        assert!(pending.is_empty());
    }
}
