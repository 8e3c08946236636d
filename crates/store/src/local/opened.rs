//! An open data directory: batches go to the log, and every now and then all at once to the database.

use leasehold_core::{Batch, Row, RowWrite};

use super::contents::Contents;
use super::database::Database;
use super::fence::{FORMAT, FORMAT_KEY, Fence, encode_format};
use super::log::Log;
use super::pending::Pending;
use super::trouble::Trouble;
use super::witness::Witness;
use crate::encoded::Write;
use crate::record;
use crate::store::Epoch;

/// Batches that are pending at most. The more, the more often one row stands for many writes, and the
/// longer the commit that puts all of them in their places.
const MAX_BATCHES: usize = 64;

/// Rows that are pending at most, but for those of the last batch, so that no caller waits much longer
/// than a millisecond for them.
const MAX_ROWS: usize = 1_024;

/// A directory that holds all that was acknowledged, as far as its fence can tell.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) log: Log,
    /// What is in the log alone.
    pub(super) pending: Pending,
    pub(super) fence: Fence,
    /// Known once all rows have been read.
    pub(super) contents: Option<Contents>,
}

impl Opened {
    /// Begins an epoch. What is in the log is of an earlier one, so it goes to the database first.
    pub(super) fn claim(&mut self, witness: &Witness) -> Result<Epoch, Trouble> {
        let mut fence = self.fence;
        fence.epoch = Epoch(fence.epoch.0 + 1);
        fence.batch += 1;
        let format = (FORMAT_KEY.to_vec(), Some(encode_format(FORMAT)));
        self.database.write(self.pending.take().chain([format]), &fence)?;
        self.log.start_over();
        witness.record(fence.epoch, fence.batch)?;
        witness.sync()?;
        self.fence = fence;
        Ok(fence.epoch)
    }

    /// Makes a batch durable.
    pub(super) fn commit(&mut self, batch: &Batch, witness: &Witness) -> Result<(), Trouble> {
        let Some(contents) = &mut self.contents else {
            return Err(Trouble::Unwritten("the rows have not been read yet".to_owned()));
        };
        let writes = encode(batch, contents)?;
        let mut fence = self.fence;
        fence.batch += 1;
        fence.summary = contents.summary();
        let is_full = self.pending.batches() >= MAX_BATCHES || self.pending.rows() >= MAX_ROWS;
        let is_logged = !is_full && self.log.append(&fence, &writes)?;
        self.pending.add(writes);
        if !is_logged {
            self.database.write(self.pending.take(), &fence)?;
            self.log.start_over();
        }
        witness.record(fence.epoch, fence.batch)?;
        self.fence = fence;
        Ok(())
    }

    /// Reads all rows, once what is pending has been written to the database, and checks that they are
    /// exactly those that were committed.
    pub(super) fn load(&mut self, visit: &mut (dyn FnMut(Row) + Send)) -> Result<(), Trouble> {
        let mut contents = Contents::with_capacity(self.fence.summary.rows);
        if !self.pending.is_empty() {
            self.database.write(self.pending.take(), &self.fence)?;
            self.log.start_over();
        }
        self.database.scan(|key, value| {
            let row = record::decode(key, value)?;
            contents.put(key, record::carried(value));
            visit(row);
            Ok(())
        })?;
        let (found, committed) = (contents.summary(), self.fence.summary);
        if found != committed {
            return Err(Trouble::Damaged(format!(
                "{} rows were committed up to batch {}, but the database has {}, or older ones",
                committed.rows, self.fence.batch, found.rows
            )));
        }
        self.contents = Some(contents);
        Ok(())
    }
}

/// The writes of a batch, with which `contents` is kept up.
fn encode(batch: &Batch, contents: &mut Contents) -> Result<Vec<Write>, Trouble> {
    let mut writes = Vec::with_capacity(batch.len());
    for (key, write) in batch.writes() {
        writes.push(match write {
            RowWrite::Put(row) => {
                let (key, value) =
                    record::encode(row).map_err(|error| Trouble::Unwritten(error.to_string()))?;
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
    Ok(writes)
}
