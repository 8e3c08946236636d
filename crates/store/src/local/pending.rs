//! What the last batches wrote, before each row goes to its own place.
//!
//! To put a row in its place the database looks for it among some hundred thousand others, and most rows
//! do not stay as they are for long: a hold is given back, a lock is dated anew. So a batch is
//! committed as one row, `log/{number}`, and only what some batches together come to is written row by
//! row, in one piece with the end of their log.
//!
//! A log row lists its writes: length of the key (2 bytes), key, length of the value (4 bytes, all ones
//! if the row is gone), value. Lengths are little endian. It ends in the checksum that all rows have.

use std::collections::BTreeMap;

use crate::record::{RecordError, printable, seal, unseal};

pub(super) const LOG_PREFIX: &[u8] = b"log/";

/// Batches whose writes are pending at most. The more, the more often one row stands for many writes,
/// and the longer the commit that puts all of them in their places.
const MAX_BATCHES: usize = 64;

/// Rows that are pending at most, so that no caller waits much longer than a millisecond for them.
const MAX_ROWS: usize = 1_024;

/// Length of the value of a row that is gone.
const GONE: u32 = u32::MAX;

/// The key of a row, and its value unless it is gone.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// The writes that the database has in its log alone.
#[derive(Default)]
pub(super) struct Pending {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The keys of the log rows.
    log: Vec<Vec<u8>>,
}

impl Pending {
    /// Takes the writes of a batch, and gives the log row that makes them durable.
    pub(super) fn add(&mut self, batch: u64, writes: Vec<Write>) -> (Vec<u8>, Vec<u8>) {
        let key = format!("log/{batch:020}").into_bytes();
        let mut value = Vec::with_capacity(writes.len() * 128);
        for (row, content) in &writes {
            write_part(&mut value, &row.len().to_le_bytes()[..2], row);
            match content {
                Some(content) => write_part(&mut value, &content.len().to_le_bytes()[..4], content),
                None => write_part(&mut value, &GONE.to_le_bytes(), &[]),
            }
        }
        seal(&key, &mut value);
        self.rows.extend(writes);
        self.log.push(key.clone());
        (key, value)
    }

    /// Takes a log row that was committed before.
    pub(super) fn read_back(&mut self, key: &[u8], value: &[u8]) -> Result<(), RecordError> {
        let mut rest = unseal(key, value)?;
        while !rest.is_empty() {
            let write = read_write(&mut rest).ok_or_else(|| RecordError::Malformed {
                key: printable(key),
                what: "its last write is incomplete",
            })?;
            self.rows.extend([write]);
        }
        self.log.push(key.to_vec());
        Ok(())
    }

    /// Whether it is time to put the rows in their places.
    pub(super) fn is_full(&self) -> bool {
        self.log.len() >= MAX_BATCHES || self.rows.len() >= MAX_ROWS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// What it all comes to: the writes, and the log rows that are gone once those are made.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Write> + use<> {
        let Self { rows, log } = std::mem::take(self);
        rows.into_iter().chain(log.into_iter().map(|key| (key, None)))
    }
}

fn write_part(log: &mut Vec<u8>, length: &[u8], part: &[u8]) {
    log.extend_from_slice(length);
    log.extend_from_slice(part);
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

    #[test]
    fn golden_bytes_of_the_log_in_format_2() {
        let (key, value) = Pending::default().add(258, writes());
        assert_eq!(key, b"log/00000000000000000258");
        let (body, checksum) = value.split_at(value.len() - 4);
        assert_eq!(body, b"\x01\0a\x03\0\0\0xyz\x02\0bc\xff\xff\xff\xff");
        assert_eq!(checksum.len(), 4);
    }

    #[test]
    fn i2_the_log_read_back_is_what_was_added() {
        let mut before = Pending::default();
        let logged = [before.add(1, writes()), before.add(2, vec![(b"a".to_vec(), None)])];
        let mut after = Pending::default();
        for (key, value) in &logged {
            after.read_back(key, value).unwrap();
        }
        let all: Vec<Write> = after.take().collect();
        assert_eq!(all, before.take().collect::<Vec<_>>());
        let [(one, _), (two, _)] = logged;
        assert_eq!(all, [(b"a".to_vec(), None), (b"bc".to_vec(), None), (one, None), (two, None)]);
        assert!(after.is_empty());
    }

    #[test]
    fn i2_a_log_row_that_ends_early_is_an_error_even_with_a_right_checksum() {
        let (key, value) = Pending::default().add(1, writes());
        let body = &value[..value.len() - 4];
        for len in 0..=body.len() {
            let mut cut = body[..len].to_vec();
            seal(&key, &mut cut);
            let read = Pending::default().read_back(&key, &cut);
            // Where a write ends, so may a log.
            assert_eq!(read.is_ok(), [0, 10, 18].contains(&len), "{len}: {read:?}");
        }
    }
}
