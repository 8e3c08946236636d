//! `leasehold import`: an export into an empty store.

use std::time::{Duration, Instant};

use clap::Args;
use leasehold_core::{Batch, Row, RowKey};
use leasehold_engine::{Clock as _, SystemClock};
use leasehold_store::{Epoch, Store, StoreError};

use super::TransferError;
use super::check::check;
use super::counts::Counts;
use super::input::Input;
use super::lead::{LEASE_SECS, leading, while_leading};
use super::progress::{Progress, say};
use super::reader::{Next, Whole};
use crate::config::{Settings, StoreFlags};

/// What `leasehold import` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
The store must be empty, and nobody may have served from it: even one start of the service makes
an API key. Instances that lead on demand have no lead that could be seen: make sure that none runs.

The whole file is checked before anything is written: one that was cut off or changed, or whose
rows contradict each other, is refused, with the number of the line.

An import that was broken off leaves a store that nobody serves from. Run it again: it clears the
store and begins anew.

Fencing tokens go on where the export stood, so the next one is higher than any before. Holds keep
their tokens and the lengths of their timeouts; each timeout starts anew when the service starts,
as after any restart. API keys go on working. Settings are not in the export: take them along.

Examples:
  leasehold import --store etcd://127.0.0.1:2379/leasehold --input leasehold.jsonl
  LEASEHOLD_STORE=postgres://me:PASSWORD@db/leasehold leasehold import --input leasehold.jsonl
  gunzip < leasehold.jsonl.gz | leasehold import --data-dir /var/lib/leasehold --input -")]
pub(crate) struct ImportArguments {
    /// File to read, as `leasehold export` wrote it. - is standard input
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    input: String,
    #[command(flatten)]
    store: StoreFlags,
}

/// What other replicas see as the leader's address.
const ADDRESS: &str = "leasehold-import.invalid:1";

/// Rows of one batch: what every store writes in one piece, however long the ids.
const BATCH_ROWS: usize = 400;

const RENEW_AFTER: Duration = Duration::from_secs(LEASE_SECS / 6);

/// Fills the store that the settings name.
///
/// # Errors
/// [`TransferError`] says what to do.
pub(crate) fn import(arguments: ImportArguments) -> Result<(), TransferError> {
    let ImportArguments { input, store } = arguments;
    let settings = Settings::load_store(store)?;
    super::run(&settings, async {
        let input = Input::open(&input)?;
        let whole = check(&input)?;
        leading(&settings, ADDRESS, async |store, epoch| {
            import_into(store, epoch, &input, &whole).await
        })
        .await
        .map_err(|error| match error {
            TransferError::Interrupted(_) => unfinished(error),
            error => error,
        })
    })
}

/// Fills the store that this process leads with an input that [`check`] has found to be whole.
pub(super) async fn import_into(
    store: &mut dyn Store,
    epoch: Epoch,
    input: &Input,
    whole: &Whole,
) -> Result<(), TransferError> {
    let mut filling = Filling { store, epoch, renewed: Instant::now() };
    filling.clear().await?;
    filling.fill(input, whole).await
}

/// A store that is being filled.
struct Filling<'s> {
    store: &'s mut dyn Store,
    epoch: Epoch,
    renewed: Instant,
}

impl Filling<'_> {
    /// Makes sure that the store is empty but for what an import left that was broken off, and deletes
    /// that. The row that says so stays until the import is complete.
    async fn clear(&mut self) -> Result<(), TransferError> {
        let (mut counts, mut is_left_over) = (Counts::default(), false);
        let mut look = |row: Row| match row {
            Row::Import { .. } => is_left_over = true,
            row => counts.add(&row),
        };
        self.store.load(self.epoch, &mut look).await.map_err(while_leading)?;
        if counts.total() == 0 {
            return Ok(());
        }
        if !is_left_over {
            return Err(TransferError::NotEmpty(counts));
        }
        say(&format!("Clearing what an import left that was broken off: {counts}."));
        let mut keys = Vec::new();
        let mut collect =
            |row: Row| keys.extend(Some(row.key()).filter(|key| *key != RowKey::Import));
        self.store.load(self.epoch, &mut collect).await.map_err(while_leading)?;
        let mut progress = Progress::begin("clearing", Some(counts.total()));
        for some in keys.chunks(BATCH_ROWS) {
            let mut batch = Batch::default();
            some.iter().for_each(|key| batch.delete(key.clone()));
            self.commit(&batch).await.map_err(unfinished)?;
            progress.add(some.len() as u64);
        }
        progress.end();
        Ok(())
    }

    async fn fill(&mut self, input: &Input, whole: &Whole) -> Result<(), TransferError> {
        let mut reader = input.read().map_err(|fault| input.fault(fault))?;
        let mut progress = Progress::begin("importing", Some(whole.counts.total()));
        let mut batch = Batch::default();
        batch.put(Row::Import { begun_at: SystemClock.now().wall });
        // The holds come without the times of their last refreshes.
        batch.delete(RowKey::StoredDeadlines);
        let found = loop {
            match reader.next() {
                Ok(Next::Row(row)) => {
                    if batch.len() == BATCH_ROWS {
                        self.commit(&batch).await.map_err(unfinished)?;
                        progress.add(BATCH_ROWS as u64);
                        batch = Batch::default();
                    }
                    batch.put(row);
                }
                Ok(Next::End(found)) => break found,
                Err(_) => return Err(unfinished(changed(input))),
            }
        };
        if found != *whole {
            return Err(unfinished(changed(input)));
        }
        batch.delete(RowKey::Import);
        self.commit(&batch).await.map_err(|error| match error {
            TransferError::Store(error @ StoreError::OutcomeUnknown(_)) => {
                TransferError::Unclear(error)
            }
            error => unfinished(error),
        })?;
        let seconds = progress.end();
        say(&format!(
            "Imported {} in {seconds:.1} s. Start the service on this store, and never again on the old one.",
            whole.counts
        ));
        Ok(())
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), TransferError> {
        if self.renewed.elapsed() >= RENEW_AFTER {
            self.store.renew(self.epoch).await.map_err(while_leading)?;
            self.renewed = Instant::now();
        }
        self.store.commit(self.epoch, batch).await.map_err(while_leading)
    }
}

fn unfinished(error: TransferError) -> TransferError {
    TransferError::Unfinished(Box::new(error))
}

fn changed(input: &Input) -> TransferError {
    TransferError::InputChanged { name: input.name.clone() }
}
