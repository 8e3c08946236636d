//! Some writes as one value: what a store with a log writes for a batch.

use crate::encoded::Write;
use crate::record::{RecordError, printable};

/// Length of the value of a row that is gone.
const GONE: u32 = u32::MAX;

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
}
