//! Writing a batch: one entry of the log, in the transaction that moves the fence and that also puts into
//! their places the rows of the entries that it pushes out.
//!
//! What is too large for one transaction is written as several entries, of which the last moves the
//! fence over all of them: that moment decides.

use leasehold_core::Batch;

use super::Etcd;
use super::keys::{Keys, LOG_SLOTS};
use super::log::{Log, encode_entry};
use super::term::Term;
use super::wire::{RequestOp, delete, nested, put};
use crate::encoded::{EncodedBatch, Write, encode_batch, packed};
use crate::store::StoreError;

/// Operations beside those on rows: the fence and an entry.
const OTHER_OPS: usize = 2;
/// What an operation takes beside its key and value, and a transaction beside its operations.
const OP_BYTES: usize = 32;
const TXN_BYTES: usize = 1024;

/// How much goes into one transaction.
///
/// etcd bounds the operations of a transaction, and those of the transactions in it, but not their
/// product: so some thousand rows go in one transaction, as transactions of some dozens.
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

    /// The operations that put rows into their places, for each transaction that they take.
    pub(super) fn placing(self, keys: &Keys, rows: EncodedBatch) -> Vec<Vec<RequestOp>> {
        let beside = keys.rows().0.len();
        let parts = packed(rows, (self.max_rows(), self.max_bytes), |row| size(row, beside));
        parts.into_iter().map(|part| self.grouped(row_ops(keys, part))).collect()
    }

    /// Parts of a batch in their order, each of them small enough for an entry.
    fn entries(self, keys: &Keys, writes: EncodedBatch) -> Vec<EncodedBatch> {
        let bytes = self.max_bytes - OP_BYTES - keys.entry(0).len();
        packed(writes, (usize::MAX, bytes), |write| size(write, 0))
    }

    /// Whether one transaction has room for all of these.
    fn take(self, keys: &Keys, rows: &[Write], entry: &[Write]) -> bool {
        let (row, entry_key) = (keys.rows().0.len(), OP_BYTES + keys.entry(0).len());
        let bytes = |writes: &[Write], more| writes.iter().map(|w| size(w, more)).sum::<usize>();
        rows.len() <= self.max_rows()
            && bytes(rows, row) + bytes(entry, 0) + entry_key <= self.max_bytes
    }
}

fn size((key, value): &Write, beside: usize) -> usize {
    OP_BYTES + beside + key.len() + value.as_ref().map_or(0, Vec::len)
}

impl Term {
    pub(super) async fn commit(
        &mut self,
        etcd: &mut Etcd,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let mut log = self.take_log(etcd).await?;
        let written = self.append(etcd, &mut log, encode_batch(batch)?).await;
        self.log = Some(log);
        written
    }

    async fn append(
        &mut self,
        etcd: &mut Etcd,
        log: &mut Log,
        writes: EncodedBatch,
    ) -> Result<(), StoreError> {
        let parts = etcd.bounds.entries(&etcd.keys, writes);
        let gone = log.in_the_way_of(&parts);
        let rows = log.only_in_oldest(gone);
        if let [entry] = parts.as_slice()
            && etcd.bounds.take(&etcd.keys, &rows, entry)
        {
            let mut ops = etcd.bounds.grouped(row_ops(&etcd.keys, rows));
            ops.push(entry_op(&etcd.keys, log.next(), entry));
            let fence = self.next_fence(gone, 1);
            self.advance(etcd, ops, fence).await?;
            log.forget_oldest(gone);
        } else {
            if parts.len() as u64 > LOG_SLOTS {
                let reason = format!("a batch in {} pieces does not fit", parts.len());
                return Err(StoreError::Unavailable(reason));
            }
            self.make_room(etcd, log, gone).await.map_err(before_this_batch)?;
            self.write_entries(etcd, log, &parts).await?;
        }
        parts.into_iter().for_each(|part| log.push(part));
        Ok(())
    }

    /// Puts the rows of the oldest entries into their places, and moves the fence: an entry that was
    /// prepared before cannot be written any more, wherever it still is on its way.
    async fn make_room(
        &mut self,
        etcd: &mut Etcd,
        log: &mut Log,
        gone: usize,
    ) -> Result<(), StoreError> {
        let rows = log.only_in_oldest(gone);
        let mut placing = etcd.bounds.placing(&etcd.keys, rows);
        let last = placing.pop().unwrap_or_default();
        for ops in placing {
            self.prepare(etcd, ops).await?;
        }
        let fence = self.next_fence(gone, 0);
        self.advance(etcd, last, fence).await?;
        log.forget_oldest(gone);
        Ok(())
    }

    async fn write_entries(
        &mut self,
        etcd: &mut Etcd,
        log: &Log,
        parts: &[EncodedBatch],
    ) -> Result<(), StoreError> {
        let ops = parts.iter().zip(log.next()..);
        let mut ops: Vec<_> =
            ops.map(|(part, position)| entry_op(&etcd.keys, position, part)).collect();
        let decisive = ops.pop();
        for op in ops {
            self.prepare(etcd, vec![op]).await?;
        }
        let fence = self.next_fence(0, parts.len());
        self.advance(etcd, decisive.into_iter().collect(), fence).await
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

fn entry_op(keys: &Keys, position: u64, writes: &[Write]) -> RequestOp {
    let key = keys.entry(position);
    let value = encode_entry(&key, position, writes);
    put(key, value)
}

fn row_ops(keys: &Keys, writes: EncodedBatch) -> Vec<RequestOp> {
    let op = |(key, value): Write| match value {
        Some(value) => put(keys.row(&key), value),
        None => delete(keys.row(&key)),
    };
    writes.into_iter().map(op).collect()
}
