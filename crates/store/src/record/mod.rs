//! Rows as bytes: what a store that keeps bytes writes, and how it is read back.
//!
//! A key is text: `lock/{namespace}/{lock_id}`, `hold/{namespace}/{lock_id}/{r|w}/{process_id}`,
//! `release/…` likewise, `history/{slot}`, `key/{key_id}`, `meta/sequence`, `meta/import` or
//! `meta/stored-deadlines`, with `%` and `/` inside a name written as `%25` and `%2F`.
//! A value is one version byte, the row's facts in postcard, and a CRC-32 (little endian) over key
//! and value, so that a damaged row and a row in another row's place are both noticed.

mod checksum;
mod key;
mod value;

use leasehold_core::{Row, RowKey};
use thiserror::Error;

pub(crate) use checksum::{CHECKSUM_BYTES, carried, seal, unseal};
pub use value::VERSION;

/// Why stored bytes are not a row. Nothing can be done about it but to restore a backup.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RecordError {
    /// The key names no kind of row, or its names are not ones that were ever accepted.
    #[error("row {key:?} has a key that this version does not know")]
    UnknownKey {
        /// The key, made printable.
        key: String,
    },
    /// Key and value do not belong together, or one of them has changed since it was written.
    #[error("row {key:?} is damaged: its checksum is {found:08x} and should be {expected:08x}")]
    Checksum {
        /// The key, made printable.
        key: String,
        /// The checksum beside the value.
        found: u32,
        /// The checksum of what is stored.
        expected: u32,
    },
    /// The value is shorter than any value can be.
    #[error("row {key:?} is damaged: its value has only {len} bytes")]
    TooShort {
        /// The key, made printable.
        key: String,
        /// Length of the value in bytes.
        len: usize,
    },
    /// A later version of Leasehold wrote the row.
    #[error(
        "row {key:?} is in version {found}; this version of Leasehold reads versions 1 to {VERSION}"
    )]
    UnknownVersion {
        /// The key, made printable.
        key: String,
        /// The version found.
        found: u8,
    },
    /// The checksum is right but the value makes no row: it was written wrongly.
    #[error("row {key:?} cannot be read: {what}")]
    Malformed {
        /// The key, made printable.
        key: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A row as it is stored: its key and its value.
///
/// # Errors
/// [`RecordError::Malformed`] if a value cannot be written, which no row that core makes can cause.
pub fn encode(row: &Row) -> Result<(Vec<u8>, Vec<u8>), RecordError> {
    let key = encode_key(&row.key());
    let value = value::encode(row, &key)?;
    Ok((key, value))
}

/// A row's name as it is stored.
#[must_use]
pub fn encode_key(key: &RowKey) -> Vec<u8> {
    key::encode(key)
}

/// The row that these bytes are.
///
/// # Errors
/// [`RecordError`] names the row and what is wrong with it.
pub fn decode(key: &[u8], value: &[u8]) -> Result<Row, RecordError> {
    let row_key =
        key::decode(key).ok_or_else(|| RecordError::UnknownKey { key: printable(key) })?;
    value::decode(row_key, key, value)
}

/// A stored key as a message can show it.
pub(crate) fn printable(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

#[cfg(test)]
mod tests;
