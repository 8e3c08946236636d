//! Turning what an earlier version wrote into this format.
//!
//! Format 1 had no log. Format 2 had one of another kind: a key for each batch, `log/EPOCH/BATCH`, all of
//! which count, with the writes in postcard. In both a batch that was too large for one transaction stood
//! below `pending/EPOCH/BATCH/`, where it counted once the fence said in how many pieces, and had what was
//! in the log by then in it too. Format 3 had no lease key: its leader key hung on a lease of etcd, and nothing
//! else is different.

use super::Etcd;
use super::keys::{FORMAT, Fence, encode};
use super::load::{PAGE_ENTRIES, Pages, corrupt};
use super::log::Log;
use super::term::Term;
use super::wire::{KeyValue, delete_range, put};
use crate::encoded::EncodedBatch;
use crate::record::unseal;
use crate::store::StoreError;

impl Term {
    /// Puts all that an earlier version left in a log or in pieces into its place. The last transaction does
    /// what makes it this format; until then the earlier version can go on as well.
    pub(super) async fn upgrade(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        let log = etcd.keys.log();
        let pieces = etcd.keys.below("pending");
        let mut all = Log::starting_at(0);
        for writes in self.left_behind(etcd).await? {
            all.push(writes);
        }
        let rows = all.only_in_oldest(usize::MAX);
        for ops in etcd.bounds.placing(&etcd.keys, rows) {
            self.prepare(etcd, ops).await?;
        }
        let ops = vec![
            delete_range(log.0, log.1),
            delete_range(pieces.0, pieces.1),
            put(etcd.keys.format(), encode(&FORMAT)?),
        ];
        let fence = self.next_fence(0, 0);
        self.advance(etcd, ops, fence).await
    }

    async fn left_behind(&self, etcd: &mut Etcd) -> Result<Vec<EncodedBatch>, StoreError> {
        let Fence { epoch, batch, pieces, .. } = self.fence;
        let range = match pieces {
            Some(_) => etcd.keys.below(&format!("pending/{epoch:020}/{batch:020}")),
            None => etcd.keys.log(),
        };
        let parts = read(etcd, range).await?;
        if pieces.is_some_and(|pieces| pieces as usize != parts.len()) {
            let found = parts.len();
            let what = format!("batch {batch} of epoch {epoch} is there in {found} pieces alone");
            return Err(StoreError::Corrupt(what));
        }
        parts.iter().map(|KeyValue { key, value, .. }| decode(key, value)).collect()
    }
}

async fn read(etcd: &mut Etcd, range: (Vec<u8>, Vec<u8>)) -> Result<Vec<KeyValue>, StoreError> {
    let mut pages = Pages::of(range, PAGE_ENTRIES, 0);
    let mut all = Vec::new();
    while let Some(page) = pages.next(etcd).await? {
        all.extend(page);
    }
    Ok(all)
}

fn decode(key: &[u8], value: &[u8]) -> Result<EncodedBatch, StoreError> {
    let body = unseal(key, value).map_err(|error| corrupt(&error))?;
    postcard::from_bytes(body).map_err(|error| StoreError::Corrupt(error.to_string()))
}
