//! Reading every row as it stood at one moment of the term.

use leasehold_core::Row;

use super::Etcd;
use super::term::{Term, unavailable};
use super::wire::{KeyValue, RANGE, RangeRequest, RangeResponse};
use crate::record;
use crate::store::StoreError;

/// Rows in one answer.
const PAGE_ROWS: i64 = 1_000;
/// Entries of the log, or pieces, in one answer: each may be as large as a request.
pub(super) const PAGE_PARTS: i64 = 16;

impl Term {
    pub(super) async fn load(
        &mut self,
        etcd: &mut Etcd,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.finish(etcd).await?;
        self.empty_log(etcd).await?;
        let moment = self.check(etcd).await?;
        let (from, end) = etcd.keys.rows();
        let prefix = from.len();
        range(etcd, from, end, (PAGE_ROWS, moment), |kv| {
            let row = record::decode(&kv.key[prefix..], &kv.value)
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            visit(row);
            Ok(())
        })
        .await?;
        self.check(etcd).await?;
        Ok(())
    }

    /// Confirms that the term lasts, and that all that is written is known. Returns the revision.
    async fn check(&self, etcd: &mut Etcd) -> Result<i64, StoreError> {
        let state = etcd.state().await?;
        if self.agrees(&state) { Ok(state.revision) } else { Err(StoreError::Fenced(self.epoch)) }
    }
}

/// Hands every key of a range to `visit`, in pages of `limit` keys, all as they stood in one revision;
/// 0 is now.
pub(super) async fn range(
    etcd: &mut Etcd,
    from: Vec<u8>,
    range_end: Vec<u8>,
    (limit, revision): (i64, i64),
    mut visit: impl FnMut(KeyValue) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut request = RangeRequest { key: from, range_end, limit, revision };
    loop {
        let page: RangeResponse = etcd.client.ask(RANGE, &request).await.map_err(unavailable)?;
        if request.revision == 0 {
            request.revision = page.header.unwrap_or_default().revision;
        }
        let mut last = None;
        for kv in page.kvs {
            last = Some(kv.key.clone());
            visit(kv)?;
        }
        match last {
            Some(mut next) if page.more => {
                next.push(0);
                request.key = next;
            }
            Some(_) | None => return Ok(()),
        }
    }
}
