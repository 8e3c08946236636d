//! Writing a batch: in one transaction where etcd takes it in one, else in pieces.
//!
//! etcd bounds the operations of a transaction, and those of the transactions in it, but not their
//! product: so a batch of some thousand rows goes in one transaction, as transactions of some dozens.
//! A batch that is larger still is first written down in pieces, below `pending/`. The transaction
//! with the last piece moves the fence, which names the pieces: that moment decides, and what is left
//! to do, putting the rows into their places, anybody can do again who leads.

use leasehold_core::Batch;
use tracing::warn;

use super::keys::{Fence, Keys};
use super::term::Term;
use super::wire::{RequestOp, delete, delete_range, nested, put};
use super::{Etcd, load};
use crate::encoded::{EncodedBatch, encode_batch};
use crate::record::{seal, unseal};
use crate::store::StoreError;

/// Operations beside those on rows: the fence, and the pieces to delete.
const OTHER_OPS: usize = 2;
/// What an operation takes beside its key and value, and a transaction beside its operations.
const OP_BYTES: usize = 32;
const TXN_BYTES: usize = 1024;

/// How much goes into one transaction.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    max_ops: usize,
    max_bytes: usize,
}

impl Bounds {
    pub(super) fn new(max_txn_ops: usize, max_request_bytes: usize) -> Self {
        Self { max_ops: max_txn_ops, max_bytes: max_request_bytes - TXN_BYTES }
    }

    /// Operations in each transaction within a transaction. etcd asks that this number, and that of
    /// the operations around it, do not add up to more than its bound.
    fn inner_ops(self) -> usize {
        self.max_ops - self.max_ops / 2
    }

    fn max_rows(self) -> usize {
        let flat = self.max_ops - OTHER_OPS;
        let groups = (self.max_ops / 2).saturating_sub(OTHER_OPS);
        flat.max(groups * self.inner_ops())
    }

    /// As many operations, but in a number that etcd takes.
    fn grouped(self, mut ops: Vec<RequestOp>) -> Vec<RequestOp> {
        if ops.len() <= self.max_ops - OTHER_OPS {
            return ops;
        }
        let mut groups = Vec::new();
        while !ops.is_empty() {
            let rest = ops.split_off(ops.len().min(self.inner_ops()));
            groups.push(nested(ops));
            ops = rest;
        }
        groups
    }

    /// Parts of a batch in their order, each of them small enough.
    fn parts(self, keys: &Keys, writes: EncodedBatch) -> Vec<EncodedBatch> {
        let prefix = keys.rows().0.len();
        let mut parts = vec![];
        let (mut part, mut bytes) = (EncodedBatch::new(), 0);
        for (key, value) in writes {
            let size = OP_BYTES + prefix + key.len() + value.as_ref().map_or(0, Vec::len);
            if !part.is_empty() && (part.len() == self.max_rows() || bytes + size > self.max_bytes)
            {
                parts.push(std::mem::take(&mut part));
                bytes = 0;
            }
            bytes += size;
            part.push((key, value));
        }
        parts.push(part);
        parts
    }
}

impl Term {
    pub(super) async fn commit(
        &mut self,
        etcd: &mut Etcd,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let writes = encode_batch(batch)?;
        self.finish(etcd).await.map_err(before_this_batch)?;
        let fence = self.next_fence();
        let mut parts = etcd.bounds.parts(&etcd.keys, writes);
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => {
                let ops = etcd.bounds.grouped(row_ops(&etcd.keys, only));
                self.advance(etcd, ops, fence).await
            }
            (last, _) => {
                parts.extend(last);
                self.commit_in_pieces(etcd, parts, fence).await
            }
        }
    }

    async fn commit_in_pieces(
        &mut self,
        etcd: &mut Etcd,
        parts: Vec<EncodedBatch>,
        mut fence: Fence,
    ) -> Result<(), StoreError> {
        let mut pieces = Vec::with_capacity(parts.len());
        for (part, number) in parts.iter().zip(0..) {
            let key = etcd.keys.piece(&fence, number);
            let value = encode_piece(&key, part)?;
            pieces.push(put(key, value));
        }
        fence.pieces = Some(u32::try_from(parts.len()).unwrap_or(u32::MAX));
        let decisive = pieces.pop();
        for piece in pieces {
            self.prepare(etcd, vec![piece]).await?;
        }
        self.advance(etcd, decisive.into_iter().collect(), fence).await?;
        // It is decided. What may go wrong from here on is made good before the next batch.
        if let Err(error) = self.place(etcd, parts).await {
            warn!(%error, "the rows of a committed batch are not all in their places yet");
        }
        Ok(())
    }

    /// Puts the rows of a batch that was written in pieces into their places, if they are not there.
    pub(super) async fn finish(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        let Some(count) = self.fence.pieces else { return Ok(()) };
        let (from, end) = etcd.keys.pieces(&self.fence);
        let mut pieces = Vec::new();
        load::range(etcd, from, end, (load::PAGE_PIECES, 0), |kv| {
            pieces.push(decode_piece(&kv.key, &kv.value)?);
            Ok(())
        })
        .await?;
        if pieces.len() != count as usize {
            return Err(self.missing_pieces(etcd, pieces.len()).await?);
        }
        // Who wrote the pieces may have had other bounds.
        let (bounds, keys) = (etcd.bounds, &etcd.keys);
        let parts = pieces.into_iter().flat_map(|piece| bounds.parts(keys, piece)).collect();
        self.place(etcd, parts).await
    }

    /// What it means that only so many pieces were found.
    async fn missing_pieces(
        &self,
        etcd: &mut Etcd,
        found: usize,
    ) -> Result<StoreError, StoreError> {
        let state = etcd.state().await?;
        let Fence { epoch, batch, pieces } = &self.fence;
        Ok(if self.agrees(&state) {
            StoreError::Corrupt(format!(
                "batch {batch} of epoch {epoch} was written in {} pieces, but there are {found}",
                pieces.unwrap_or_default()
            ))
        } else {
            StoreError::Fenced(self.epoch)
        })
    }

    async fn place(&mut self, etcd: &mut Etcd, parts: Vec<EncodedBatch>) -> Result<(), StoreError> {
        for part in parts {
            let ops = etcd.bounds.grouped(row_ops(&etcd.keys, part));
            self.prepare(etcd, ops).await?;
        }
        let (from, end) = etcd.keys.pending();
        let placed = Fence { pieces: None, ..self.fence.clone() };
        self.advance(etcd, vec![delete_range(from, end)], placed).await
    }
}

/// What an earlier batch ran into leaves this one unwritten for certain.
fn before_this_batch(error: StoreError) -> StoreError {
    match error {
        StoreError::OutcomeUnknown(reason) => StoreError::Unavailable(reason),
        other @ (StoreError::Fenced(_)
        | StoreError::Led(_)
        | StoreError::Unavailable(_)
        | StoreError::Corrupt(_)) => other,
    }
}

fn row_ops(keys: &Keys, writes: EncodedBatch) -> Vec<RequestOp> {
    let op = |(key, value): (Vec<u8>, Option<Vec<u8>>)| match value {
        Some(value) => put(keys.row(&key), value),
        None => delete(keys.row(&key)),
    };
    writes.into_iter().map(op).collect()
}

fn encode_piece(key: &[u8], part: &EncodedBatch) -> Result<Vec<u8>, StoreError> {
    let mut value =
        postcard::to_stdvec(part).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    seal(key, &mut value);
    Ok(value)
}

fn decode_piece(key: &[u8], value: &[u8]) -> Result<EncodedBatch, StoreError> {
    let body = unseal(key, value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    postcard::from_bytes(body).map_err(|error| StoreError::Corrupt(error.to_string()))
}
