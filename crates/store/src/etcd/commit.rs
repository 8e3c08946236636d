//! Writing a batch: into the log, or row by row together with all that is in the log; in one transaction
//! where etcd takes it in one, else in pieces.
//!
//! etcd bounds the operations of a transaction, and those of the transactions in it, but not their
//! product: so some thousand rows go in one transaction, as transactions of some dozens.

use leasehold_core::Batch;

use super::Etcd;
use super::keys::Keys;
use super::term::Term;
use super::wire::{RequestOp, delete, delete_range, nested, put};
use crate::encoded::{EncodedBatch, encode_batch};
use crate::pending::Pending;
use crate::store::StoreError;

/// Operations beside those on rows: the fence, and the log or the pieces to delete.
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

    /// Whether a value fits into a transaction beside a key.
    pub(super) fn takes(self, key: &[u8], value: &[u8]) -> bool {
        OP_BYTES + key.len() + value.len() <= self.max_bytes
    }

    /// Operations in each transaction within a transaction. etcd asks that this number, and that of
    /// the operations around it, do not add up to more than its bound.
    fn inner_ops(self) -> usize {
        self.max_ops - self.max_ops / 2
    }

    pub(super) fn max_rows(self) -> usize {
        let flat = self.max_ops - OTHER_OPS;
        let groups = (self.max_ops / 2).saturating_sub(OTHER_OPS);
        flat.max(groups * self.inner_ops())
    }

    /// As many operations, but in a number that etcd takes.
    pub(super) fn grouped(self, mut ops: Vec<RequestOp>) -> Vec<RequestOp> {
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
    pub(super) fn parts(self, keys: &Keys, writes: EncodedBatch) -> Vec<EncodedBatch> {
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
        match self.log(etcd, writes).await? {
            None => Ok(()),
            Some(writes) => self.write(etcd, writes).await,
        }
    }

    /// Writes each of these rows into its place, and with them what is in the log.
    pub(super) async fn write(
        &mut self,
        etcd: &mut Etcd,
        writes: EncodedBatch,
    ) -> Result<(), StoreError> {
        let mut all = self.pending.take().unwrap_or_default();
        all.add(writes);
        let fence = self.next_fence();
        let mut parts = etcd.bounds.parts(&etcd.keys, all.take().collect());
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => {
                let mut ops = etcd.bounds.grouped(row_ops(&etcd.keys, only));
                let (from, end) = etcd.keys.log();
                ops.push(delete_range(from, end));
                self.advance(etcd, ops, fence).await?;
            }
            (last, _) => {
                parts.extend(last);
                self.commit_in_pieces(etcd, parts, fence).await?;
            }
        }
        self.pending = Some(Pending::default());
        Ok(())
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

pub(super) fn row_ops(keys: &Keys, writes: EncodedBatch) -> Vec<RequestOp> {
    let op = |(key, value): (Vec<u8>, Option<Vec<u8>>)| match value {
        Some(value) => put(keys.row(&key), value),
        None => delete(keys.row(&key)),
    };
    writes.into_iter().map(op).collect()
}
