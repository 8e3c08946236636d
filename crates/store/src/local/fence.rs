//! The rows `meta/format` and `meta/fence`: what the directory says about itself.
//!
//! Both end in the checksum that all rows have. Numbers are little endian.

use crate::record::{RecordError, printable, seal, unseal};
use crate::store::Epoch;

use super::contents::Summary;

/// Version of the directory: which files it has and what the rows in it mean. Format 1 had no log, format
/// 2 had it in rows of the database; a claim turns both into format 3, with the log in a file (`log.rs`).
pub(super) const FORMAT: u32 = 3;
pub(super) const OLDEST_FORMAT: u32 = 1;
pub(super) const FIRST_FORMAT_WITH_LOG_FILE: u32 = 3;

pub(super) const FORMAT_KEY: &[u8] = b"meta/format";
pub(super) const FENCE_KEY: &[u8] = b"meta/fence";

/// Where the committed history stands. Written with every batch, so it is exactly as old as the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fence {
    /// The latest epoch that was claimed.
    pub(super) epoch: Epoch,
    /// How many batches have been committed, claims among them.
    pub(super) batch: u64,
    /// What the rows add up to.
    pub(super) summary: Summary,
}

/// Length of an encoded fence.
pub(super) const FENCE_BYTES: usize = 36;

pub(super) fn encode_format(format: u32) -> Vec<u8> {
    let mut value = format.to_le_bytes().to_vec();
    seal(FORMAT_KEY, &mut value);
    value
}

pub(super) fn decode_format(value: &[u8]) -> Result<u32, RecordError> {
    match unseal(FORMAT_KEY, value)?.first_chunk() {
        Some(format) => Ok(u32::from_le_bytes(*format)),
        None => Err(RecordError::TooShort { key: printable(FORMAT_KEY), len: value.len() }),
    }
}

pub(super) fn encode_fence(fence: &Fence) -> Vec<u8> {
    let Fence { epoch, batch, summary: Summary { rows, digest } } = *fence;
    let mut value = Vec::with_capacity(FENCE_BYTES);
    for number in [epoch.0, batch, rows, digest] {
        value.extend_from_slice(&number.to_le_bytes());
    }
    seal(FENCE_KEY, &mut value);
    value
}

pub(super) fn decode_fence(value: &[u8]) -> Result<Fence, RecordError> {
    let body = unseal(FENCE_KEY, value)?;
    let (numbers, rest) = body.as_chunks::<8>();
    match (numbers, rest) {
        (&[epoch, batch, rows, digest], []) => Ok(Fence {
            epoch: Epoch(u64::from_le_bytes(epoch)),
            batch: u64::from_le_bytes(batch),
            summary: Summary { rows: u64::from_le_bytes(rows), digest: u64::from_le_bytes(digest) },
        }),
        _ => Err(RecordError::Malformed {
            key: printable(FENCE_KEY),
            what: "it has not the length of a fence",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_of_format_3() {
        let fence = Fence { epoch: Epoch(1), batch: 2, summary: Summary { rows: 3, digest: 4 } };
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(&encode_format(FORMAT)), "03000000bc2c3b3b");
        assert_eq!(
            hex(&encode_fence(&fence)),
            "0100000000000000020000000000000003000000000000000400000000000000f7cbf509"
        );
        assert_eq!(decode_format(&encode_format(FORMAT)), Ok(FORMAT));
        assert_eq!(decode_fence(&encode_fence(&fence)), Ok(fence));
    }
}
