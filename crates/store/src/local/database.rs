//! The embedded database as this store uses it: one table of rows, one synced batch a commit.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy, PinningPolicy};
use fjall::{AbstractTree, Keyspace, KeyspaceCreateOptions, PersistMode};
use leasehold_core::{Batch, RowWrite};

use super::contents::Contents;
use super::fence::{FENCE_KEY, FORMAT, FORMAT_KEY, Fence, encode_fence, encode_format};
use super::pending::{LOG_PREFIX, Pending, Write};
use super::retired::Retired;
use super::trouble::Trouble;
use crate::record;

const TABLE: &str = "rows";

/// Rows are read once, at start, and in order: there is nothing worth caching.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// What is in memory before it goes to a table file; up to three such are in memory at once.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
const BLOCK_BYTES: u32 = 16 * 1024;
const MAX_JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// One flushes while the other compacts.
const WORKERS: usize = 2;

/// The database itself stops writers, without end, at 4 memtables or 30 table files that its
/// workers have not dealt with: for good if a worker has ended on a full disk. Waiting here, earlier,
/// notices that.
const MAX_SEALED_MEMTABLES: usize = 2;
const MAX_UNSORTED_TABLES: usize = 20;
const BACKLOG_PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Database {
    rows: Keyspace,
    inner: fjall::Database,
    pending: Pending,
    retired: Retired,
}

impl Database {
    /// Makes a database with no rows in it.
    pub(super) fn create(path: &Path) -> Result<(), Trouble> {
        let inner = open(path)?;
        let rows = inner.keyspace(TABLE, table_options)?;
        let mut batch = inner.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&rows, FORMAT_KEY, encode_format(FORMAT));
        batch.insert(&rows, FENCE_KEY, encode_fence(&Fence::default()));
        batch.commit()?;
        Ok(())
    }

    /// Opens a database that [`Database::create`] made.
    pub(super) fn open(path: &Path) -> Result<Self, Trouble> {
        let inner = open(path)?;
        if !inner.keyspace_exists(TABLE) {
            return Err(Trouble::Damaged("the database has lost its table of rows".to_owned()));
        }
        let rows = inner.keyspace(TABLE, table_options)?;
        let mut pending = Pending::default();
        for entry in rows.prefix(LOG_PREFIX) {
            let (key, value) = entry.into_inner()?;
            let read = pending.read_back(&key, &value);
            read.map_err(|error| Trouble::Damaged(error.to_string()))?;
        }
        Ok(Self { rows, inner, pending, retired: Retired::default() })
    }

    /// The value of one row.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        Ok(self.rows.get(key)?.map(|value| value.to_vec()))
    }

    /// Hands the key and value of every row to `visit`, but for those that describe the directory.
    /// Writes what is pending first; `fence` is the one that was committed last.
    pub(super) fn scan(
        &mut self,
        fence: &Fence,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        if !self.pending.is_empty() {
            self.commit_fence(fence)?;
        }
        for entry in self.rows.iter() {
            let (key, value) = entry.into_inner()?;
            if *key != *FORMAT_KEY && *key != *FENCE_KEY {
                visit(&key, &value)?;
            }
        }
        Ok(())
    }

    /// Writes a batch and the fence in one piece and syncs it, and keeps `contents` up with it.
    /// `fence` comes with the epoch and number of this batch; its summary is filled in here.
    pub(super) fn commit(
        &mut self,
        batch: &Batch,
        contents: &mut Contents,
        fence: &mut Fence,
    ) -> Result<(), Trouble> {
        self.wait_for_workers()?;
        let mut writes = Vec::with_capacity(batch.len());
        for (key, write) in batch.writes() {
            writes.push(match write {
                RowWrite::Put(row) => {
                    let (key, value) = record::encode(row)
                        .map_err(|error| Trouble::Unwritten(error.to_string()))?;
                    contents.put(&key, record::carried(&value));
                    (key, Some(value))
                }
                RowWrite::Delete => {
                    let key = record::encode_key(key);
                    contents.delete(&key);
                    (key, None)
                }
            });
        }
        fence.summary = contents.summary();
        let (key, value) = self.pending.add(fence.batch, writes);
        if self.pending.is_full() {
            let writes = self.pending.take();
            self.write(writes, fence)
        } else {
            self.write([(key, Some(value))], fence)
        }
    }

    /// Writes the fence, and puts in their places the rows that are pending.
    pub(super) fn commit_fence(&mut self, fence: &Fence) -> Result<(), Trouble> {
        self.wait_for_workers()?;
        let format = (FORMAT_KEY.to_vec(), Some(encode_format(FORMAT)));
        let writes = self.pending.take().chain([format]);
        self.write(writes, fence)
    }

    fn write(
        &mut self,
        rows: impl IntoIterator<Item = Write>,
        fence: &Fence,
    ) -> Result<(), Trouble> {
        let mut writes = self.inner.batch().durability(Some(PersistMode::SyncAll));
        for (key, value) in rows {
            match value {
                Some(value) => writes.insert(&self.rows, key, value),
                None => writes.remove(&self.rows, key),
            }
        }
        writes.insert(&self.rows, FENCE_KEY, encode_fence(fence));
        writes.commit()?;
        self.retired.follow(self.rows.tree.active_memtable());
        self.retired.free();
        Ok(())
    }

    fn wait_for_workers(&self) -> Result<(), Trouble> {
        while self.rows.sealed_memtable_count() > MAX_SEALED_MEMTABLES
            || self.rows.l0_table_count() > MAX_UNSORTED_TABLES
        {
            // Persisting nothing tells whether the database still works.
            self.inner.persist(PersistMode::Buffer)?;
            sleep(BACKLOG_PAUSE);
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<fjall::Database, Trouble> {
    Ok(fjall::Database::builder(path)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(MAX_JOURNAL_BYTES)
        .worker_threads(WORKERS)
        .open()?)
}

/// No filters and nothing pinned, because single rows are never looked up.
fn table_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::disabled())
        .index_block_compression_policy(CompressionPolicy::disabled())
        .filter_policy(FilterPolicy::disabled())
        .filter_block_pinning_policy(PinningPolicy::disabled())
        .index_block_pinning_policy(PinningPolicy::disabled())
}
