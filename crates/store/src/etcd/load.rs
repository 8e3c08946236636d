//! Reading what is stored as it stood at one moment of the term: the log, and the rows.

use std::collections::BTreeMap;

use leasehold_core::Row;

use super::Etcd;
use super::keys::Fence;
use super::log::{Log, decode_entry};
use super::term::{Term, unavailable};
use super::wire::{KeyValue, RANGE, RangeRequest, RangeResponse};
use crate::record::{self, RecordError};
use crate::store::StoreError;

/// Rows in one answer.
const PAGE_ROWS: usize = 1_000;
/// Entries of the log in one answer: each may be as large as a request.
pub(super) const PAGE_ENTRIES: usize = 32;

impl Term {
    pub(super) async fn load(
        &mut self,
        etcd: &mut Etcd,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let log = self.take_log(etcd).await?;
        let visited = self.visit(etcd, &log, visit).await;
        self.log = Some(log);
        visited
    }

    async fn visit(
        &mut self,
        etcd: &mut Etcd,
        log: &Log,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let moment = self.check(etcd).await?;
        let mut see = |key: &[u8], value: &[u8]| {
            visit(record::decode(key, value).map_err(|error| corrupt(&error))?);
            Ok::<_, StoreError>(())
        };
        let mut rows = Pages::of(etcd.keys.rows(), PAGE_ROWS, moment);
        let prefix = etcd.keys.rows().0.len();
        while let Some(page) = rows.next(etcd).await? {
            for KeyValue { key, value, .. } in &page {
                if !log.has(&key[prefix..]) {
                    see(&key[prefix..], value)?;
                }
            }
            self.keep(etcd).await?;
        }
        for (number, (key, value)) in log.rows().enumerate() {
            see(key, value)?;
            if number % PAGE_ROWS == 0 {
                self.keep(etcd).await?;
            }
        }
        self.check(etcd).await?;
        Ok(())
    }

    /// The log, read if it is not known. It is to be given back once it agrees with etcd again.
    pub(super) async fn take_log(&mut self, etcd: &mut Etcd) -> Result<Log, StoreError> {
        match self.log.take() {
            Some(log) => Ok(log),
            None => self.read_log(etcd).await,
        }
    }

    async fn read_log(&self, etcd: &mut Etcd) -> Result<Log, StoreError> {
        let Fence { from, to, .. } = self.fence;
        let mut entries = BTreeMap::new();
        let mut pages = Pages::of(etcd.keys.log(), PAGE_ENTRIES, 0);
        while let Some(page) = pages.next(etcd).await? {
            for KeyValue { key, value, .. } in page {
                let (position, writes) =
                    decode_entry(&key, &value).map_err(|error| corrupt(&error))?;
                // Others are left from earlier, or from a batch that was never decided on.
                if (from..to).contains(&position) {
                    entries.insert(position, writes);
                }
            }
        }
        if entries.len() as u64 != to - from {
            self.check(etcd).await?;
            let (found, of) = (entries.len(), to - from);
            let what = format!("{found} of the {of} entries of the log are there, before {to}");
            return Err(StoreError::Corrupt(what));
        }
        let mut log = Log::starting_at(from);
        entries.into_values().for_each(|writes| log.push(writes));
        Ok(log)
    }

    /// Confirms that the term lasts, and that all that is written is known. Returns the revision.
    async fn check(&self, etcd: &mut Etcd) -> Result<i64, StoreError> {
        let state = etcd.state().await?;
        if self.agrees(&state) { Ok(state.revision) } else { Err(StoreError::Fenced(self.epoch)) }
    }
}

/// All keys of a range, page by page, as they stood in one revision.
pub(super) struct Pages {
    request: Option<RangeRequest>,
}

impl Pages {
    /// Pages of `limit` keys; revision 0 is now.
    pub(super) fn of((key, range_end): (Vec<u8>, Vec<u8>), limit: usize, revision: i64) -> Self {
        let limit = limit as i64;
        Self { request: Some(RangeRequest { key, range_end, limit, revision }) }
    }

    pub(super) async fn next(
        &mut self,
        etcd: &mut Etcd,
    ) -> Result<Option<Vec<KeyValue>>, StoreError> {
        let Some(mut request) = self.request.take() else { return Ok(None) };
        let page: RangeResponse = etcd.client.ask(RANGE, &request).await.map_err(unavailable)?;
        if let Some(last) = page.kvs.last()
            && page.more
        {
            request.key.clone_from(&last.key);
            request.key.push(0);
            if request.revision == 0 {
                request.revision = page.header.unwrap_or_default().revision;
            }
            self.request = Some(request);
        }
        Ok(Some(page.kvs))
    }
}

pub(super) fn corrupt(error: &RecordError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
