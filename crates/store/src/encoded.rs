//! Encoded rows in memory, so that what runs on them in a test goes through the encoding.

use std::collections::BTreeMap;

use leasehold_core::{Batch, Row, RowKey, RowWrite};

use crate::record::{self, RecordError};
use crate::store::StoreError;

/// The key of a row, and its value unless it is gone.
pub(crate) type Write = (Vec<u8>, Option<Vec<u8>>);

/// A batch as bytes.
pub(crate) type EncodedBatch = Vec<Write>;

pub(crate) fn encode_batch(batch: &Batch) -> Result<EncodedBatch, StoreError> {
    let encoded = |(key, write): (&RowKey, &RowWrite)| match write {
        RowWrite::Put(row) => record::encode(row).map(|(key, value)| (key, Some(value))),
        RowWrite::Delete => Ok((record::encode_key(key), None)),
    };
    batch
        .writes()
        .map(encoded)
        .collect::<Result<_, RecordError>>()
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Parts of these in their order, none with more than `most` of them or more bytes than it may have, unless
/// one alone has.
pub(crate) fn packed<T>(
    items: impl IntoIterator<Item = T>,
    (most, bytes): (usize, usize),
    size: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut parts = Vec::new();
    let (mut part, mut used) = (Vec::new(), 0);
    for item in items {
        let size = size(&item);
        if !part.is_empty() && (part.len() == most || used + size > bytes) {
            parts.push(std::mem::take(&mut part));
            used = 0;
        }
        used += size;
        part.push(item);
    }
    parts.push(part);
    parts
}

#[derive(Clone, Default, Debug)]
pub(crate) struct EncodedRows(BTreeMap<Vec<u8>, Vec<u8>>);

impl EncodedRows {
    pub(crate) fn apply(&mut self, batch: EncodedBatch) {
        for (key, value) in batch {
            match value {
                Some(value) => drop(self.0.insert(key, value)),
                None => drop(self.0.remove(&key)),
            }
        }
    }

    pub(crate) fn visit(&self, visit: &mut (dyn FnMut(Row) + Send)) -> Result<(), StoreError> {
        for (key, value) in &self.0 {
            let row = record::decode(key, value)
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            visit(row);
        }
        Ok(())
    }
}
