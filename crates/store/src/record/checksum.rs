//! The checksum that ends every value and ties it to its key.

use super::{RecordError, printable};

/// Length of the checksum at the end of a value.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// CRC-32 over a key and the body of its value.
fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

/// Appends the checksum to a value's body.
pub(crate) fn seal(key: &[u8], body: &mut Vec<u8>) {
    let sum = checksum(key, body);
    body.extend_from_slice(&sum.to_le_bytes());
}

/// The checksum that a value carries; zero for what is too short to carry one.
pub(crate) fn carried(value: &[u8]) -> u32 {
    value.last_chunk::<CHECKSUM_BYTES>().map_or(0, |sum| u32::from_le_bytes(*sum))
}

/// A value's body, once its checksum is found to be right.
pub(crate) fn unseal<'v>(key: &[u8], value: &'v [u8]) -> Result<&'v [u8], RecordError> {
    let (body, found) = value
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or_else(|| RecordError::TooShort { key: printable(key), len: value.len() })?;
    let (found, expected) = (u32::from_le_bytes(*found), checksum(key, body));
    if found == expected {
        Ok(body)
    } else {
        Err(RecordError::Checksum { key: printable(key), found, expected })
    }
}
