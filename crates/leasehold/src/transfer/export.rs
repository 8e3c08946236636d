//! `leasehold export`: everything that a store holds, as lines of JSON.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use clap::Args;
use leasehold_core::{FencingToken, Row};
use leasehold_engine::{Clock as _, SystemClock};
use leasehold_store::{Epoch, Store};

use super::TransferError;
use super::counts::Counts;
use super::lead::{leading, while_leading};
use super::line::Line;
use super::progress::{Progress, say};
use super::writer::ExportWriter;
use crate::config::{Settings, StoreChoice, StoreFlags};

/// What `leasehold export` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Stop the service first. While a replica leads, nothing is exported and nothing is disturbed; the
data directory of a running server is refused as being in use. A leader that crashed counts as
one until its lease has run out: give --lease-seconds as the service has it. Instances that lead on
demand have no lead that could be seen: make sure that none runs.

The export has all locks, holds, past holds, remembered releases, API keys (only their hashes)
and the highest fencing token, one JSON object a line. Its last line has a checksum, so that
`leasehold import` notices a file that was cut off or changed. It is a backup as well.

After a move, never start the service on the old store again: it would give out tokens and locks
that the new one gives out too.

Examples:
  leasehold export --output leasehold.jsonl
  leasehold export --store etcd://127.0.0.1:2379/leasehold --output - | gzip > leasehold.jsonl.gz
  LEASEHOLD_STORE=postgres://me:PASSWORD@db/leasehold leasehold export --output leasehold.jsonl")]
pub(crate) struct ExportArguments {
    /// File to write, readable by you alone; it must not exist. - is standard output
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    output: String,
    #[command(flatten)]
    store: StoreFlags,
}

/// What other replicas see as the leader's address.
const ADDRESS: &str = "leasehold-export.invalid:1";
const STDOUT: &str = "-";

/// Exports the store that the settings name.
///
/// # Errors
/// [`TransferError`] says what to do. A file that is not complete is deleted.
pub(crate) fn export(arguments: ExportArguments) -> Result<(), TransferError> {
    let ExportArguments { output, store } = arguments;
    let settings = Settings::load_store(store)?;
    let data_dir = &settings.data_dir.value;
    if settings.store.value == StoreChoice::Local && !data_dir.exists() {
        // Opening it would make it.
        return Err(TransferError::NoDirectory(data_dir.clone()));
    }
    super::run(
        &settings,
        leading(&settings, ADDRESS, async |store, epoch| {
            if output == STDOUT {
                write_rows(store, epoch, "standard output", io::stdout()).await?;
                return Ok(());
            }
            let (file, mut unfinished) = create(&output)?;
            let file = write_rows(store, epoch, &output, file).await?;
            file.sync_all().map_err(|error| cannot_write(&output, error))?;
            unfinished.is_complete = true;
            Ok(())
        }),
    )
}

/// A file that is deleted with this value unless it is complete.
struct NewFile<'n> {
    name: &'n str,
    is_complete: bool,
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.is_complete {
            // If it stays, an import refuses it all the same.
            let _ = fs::remove_file(self.name);
        }
    }
}

fn create(name: &str) -> Result<(File, NewFile<'_>), TransferError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(name);
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => TransferError::OutputExists(name.to_owned()),
        _ => cannot_write(name, error),
    })?;
    Ok((file, NewFile { name, is_complete: false }))
}

fn cannot_write(name: &str, error: io::Error) -> TransferError {
    TransferError::Output { name: name.to_owned(), error }
}

/// Writes the export and gives back where it went, flushed.
async fn write_rows<W: Write + Send>(
    store: &mut dyn Store,
    epoch: Epoch,
    name: &str,
    out: W,
) -> Result<W, TransferError> {
    let now = SystemClock.now().wall;
    let out = BufWriter::with_capacity(64 * 1024, out);
    let mut writer = ExportWriter::begin(out, now).map_err(|error| cannot_write(name, error))?;
    let mut progress = Progress::begin("exporting", None);
    let mut failed = None;
    let mut highest = FencingToken::default();
    let mut visit = |row| {
        if failed.is_some() {
            return;
        }
        if let Row::Sequence(token) = &row {
            highest = *token;
        }
        failed = match Line::of(&row) {
            None => Some(TransferError::NothingWhole),
            Some(line) => writer.row(&row, &line).err().map(|error| cannot_write(name, error)),
        };
        progress.add(1);
    };
    store.load(epoch, &mut visit).await.map_err(while_leading)?;
    // Who led meanwhile may have granted what is not among these rows.
    store.renew(epoch).await.map_err(while_leading)?;
    if let Some(error) = failed {
        return Err(error);
    }
    if writer.counts().total() == 0 {
        return Err(TransferError::NothingThere);
    }
    let (out, counts) = writer.end().map_err(|error| cannot_write(name, error))?;
    let out = out.into_inner().map_err(|error| cannot_write(name, error.into_error()))?;
    tell(counts, highest, name, progress.end());
    Ok(out)
}

fn tell(counts: Counts, highest: FencingToken, name: &str, seconds: f64) {
    say(&format!(
        "Exported {counts} to {name} in {seconds:.1} s. The highest fencing token is {highest}."
    ));
}
