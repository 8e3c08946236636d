//! Batches as single keys, until some of them together are written row by row.
//!
//! What etcd does for a key that is written costs it more than all else that it does for a batch. So a
//! batch of some dozen rows is written as one key, in the transaction that moves the fence. What many
//! batches come to goes to its places in one transaction that also empties the log.

use super::Etcd;
use super::load::{self, PAGE_PARTS};
use super::pieces::{decode_part, encode_part};
use super::term::Term;
use super::wire::put;
use crate::encoded::EncodedBatch;
use crate::pending::Pending;
use crate::store::StoreError;

/// Batches in the log at most: a new leader reads them all.
const MAX_BATCHES: usize = 128;

/// Rows in the log at most, so that the transaction that puts them in their places takes no caller
/// longer than some milliseconds.
const MAX_ROWS: usize = 1_024;

impl Term {
    /// Writes a batch into the log. Gives it back if it has to be written row by row.
    pub(super) async fn log(
        &mut self,
        etcd: &mut Etcd,
        writes: EncodedBatch,
    ) -> Result<Option<EncodedBatch>, StoreError> {
        let Some(pending) = &self.pending else { return Ok(Some(writes)) };
        let max_rows = MAX_ROWS.min(etcd.bounds.max_rows());
        if pending.batches() >= MAX_BATCHES || pending.rows() + writes.len() > max_rows {
            return Ok(Some(writes));
        }
        let fence = self.next_fence();
        let key = etcd.keys.entry(&fence);
        let entry = encode_part(&key, &writes)?;
        if !etcd.bounds.takes(&key, &entry) {
            return Ok(Some(writes));
        }
        self.advance(etcd, vec![put(key, entry)], fence).await?;
        if let Some(pending) = &mut self.pending {
            pending.add(writes);
        }
        Ok(None)
    }

    /// Learns what is in the log, if that is not known.
    pub(super) async fn read_log(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        if self.pending.is_some() {
            return Ok(());
        }
        let mut pending = Pending::default();
        let (from, end) = etcd.keys.log();
        load::range(etcd, from, end, (PAGE_PARTS, 0), |kv| {
            pending.add(decode_part(&kv.key, &kv.value)?);
            Ok(())
        })
        .await?;
        self.pending = Some(pending);
        Ok(())
    }

    /// Puts all that is in the log into its places.
    pub(super) async fn empty_log(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        match &self.pending {
            Some(pending) if !pending.is_empty() => self.write(etcd, EncodedBatch::new()).await,
            Some(_) | None => Ok(()),
        }
    }
}
