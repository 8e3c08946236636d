//! The embedded database as this store uses it: one table of rows, written in synced pieces.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy, PinningPolicy};
use fjall::{AbstractTree, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::fence::{FENCE_KEY, FORMAT, FORMAT_KEY, Fence, encode_fence, encode_format};
use super::retired::Retired;
use super::trouble::Trouble;
use crate::encoded::Write;

const TABLE: &str = "rows";
const LOG_PREFIX: &[u8] = b"log/";

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
        Ok(Self { rows, inner, retired: Retired::default() })
    }

    /// The value of one row.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        Ok(self.rows.get(key)?.map(|value| value.to_vec()))
    }

    /// The rows of the log, which format 2 kept here.
    pub(super) fn log_rows(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), Trouble>> {
        self.rows.prefix(LOG_PREFIX).map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((key.to_vec(), value.to_vec()))
        })
    }

    /// Hands the key and value of every row to `visit`, but for those that describe the directory.
    pub(super) fn scan(
        &self,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        for entry in self.rows.iter() {
            let (key, value) = entry.into_inner()?;
            if *key != *FORMAT_KEY && *key != *FENCE_KEY {
                visit(&key, &value)?;
            }
        }
        Ok(())
    }

    /// Makes these writes and the fence durable, in one piece.
    pub(super) fn write(
        &mut self,
        rows: impl IntoIterator<Item = Write>,
        fence: &Fence,
    ) -> Result<(), Trouble> {
        self.wait_for_workers()?;
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
