//! Opening a data directory: whose it is, whether it is free, and whether it is all there.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tracing::warn;

use super::database::Database;
use super::fence::{
    FENCE_KEY, FIRST_FORMAT_WITH_LOG_FILE, FORMAT, FORMAT_KEY, Fence, OLDEST_FORMAT, decode_fence,
    decode_format,
};
use super::log::Log;
use super::opened::Opened;
use super::pending::Pending;
use super::trouble::{Trouble, guarded};
use super::witness::{Acknowledged, Witness};
use crate::listed::read_writes;
use crate::record::{RecordError, unseal};

const DATABASE: &str = "fjall";
/// The database while it is being made: under its own name it is complete.
const UNFINISHED: &str = "fjall-unfinished";
const ACKNOWLEDGED: &str = "acknowledged";
const LOG: &str = "log";
/// File systems put this into their root; it is nobody's data.
const LOST_AND_FOUND: &str = "lost+found";

/// Without one of these the database takes itself, or its table, for new, and clears the rest away.
const VITAL_FILES: [&str; 3] = ["version", "keyspaces/0/current", "keyspaces/1/current"];
const JOURNAL_EXTENSION: &str = "jnl";

/// Why a data directory cannot be used. The text says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be made, read or written.
    #[error("data directory {} cannot be used: {error}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the operating system says.
        error: String,
    },
    /// There is no room on the disk.
    #[error("data directory {} has no room: {error}; free some space", dir.display())]
    Full {
        /// The directory.
        dir: PathBuf,
        /// What the operating system says.
        error: String,
    },
    /// The directory holds something else.
    #[error(
        "{} is not a Leasehold data directory: it holds {found:?}; choose an empty or new directory",
        dir.display()
    )]
    NotOurs {
        /// The directory.
        dir: PathBuf,
        /// One of the files in it.
        found: String,
    },
    /// Another process serves from the directory.
    #[error(
        "data directory {} is in use by another process; stop that one, or choose another directory",
        dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// Another version of Leasehold wrote the directory.
    #[error(
        "data directory {} has format {found}, and this version of Leasehold knows formats up to {FORMAT}; \
         start the version that wrote it",
        dir.display()
    )]
    UnknownFormat {
        /// The directory.
        dir: PathBuf,
        /// Its format.
        found: u32,
    },
    /// What was acknowledged is not all there.
    #[error("data directory {} is damaged: {what}; restore it from a backup", dir.display())]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What is damaged or missing.
        what: String,
    },
}

/// Makes the directory if need be and takes it for this process.
pub(super) fn take_directory(dir: &Path) -> Result<Witness, OpenError> {
    let on_error = |error| error_in(dir, Trouble::Disk(io::Error::to_string(&error)));
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(on_error)?;
    check_ours(dir)?;
    Witness::open(&dir.join(ACKNOWLEDGED)).map_err(|error| match error {
        TryLockError::WouldBlock => error_in(dir, Trouble::Locked),
        TryLockError::Error(error) => on_error(error),
    })
}

fn check_ours(dir: &Path) -> Result<(), OpenError> {
    let on_error = |error| error_in(dir, Trouble::Disk(io::Error::to_string(&error)));
    let mut foreign = None;
    for entry in fs::read_dir(dir).map_err(on_error)? {
        let name = entry.map_err(on_error)?.file_name();
        if [ACKNOWLEDGED, LOG, DATABASE, UNFINISHED].iter().any(|ours| name == *ours) {
            return Ok(());
        }
        if name != LOST_AND_FOUND {
            foreign = Some(name.to_string_lossy().into_owned());
        }
    }
    match foreign {
        Some(found) => Err(OpenError::NotOurs { dir: dir.to_owned(), found }),
        None => Ok(()),
    }
}

/// Opens the database in a directory that this process has taken, or makes it in a new one.
pub(super) fn open_database(dir: &Path, witness: &Witness) -> Result<Opened, OpenError> {
    guarded(|| {
        let acknowledged = witness.read()?;
        let path = dir.join(DATABASE);
        if !path.try_exists()? {
            refuse_if_lost(acknowledged)?;
            create(dir, &path)?;
        }
        check_vital_files(&path)?;
        Ok((Database::open(&path)?, acknowledged))
    })
    .map_err(|trouble| error_in(dir, trouble))
    .and_then(|(database, acknowledged)| {
        let format = check_format(dir, &database)?;
        guarded(|| {
            let opened = open_log(dir, format, database)?;
            check_end(&opened.fence, acknowledged)?;
            Ok(opened)
        })
        .map_err(|trouble| error_in(dir, trouble))
    })
}

/// Reads what the log has beyond the database.
fn open_log(dir: &Path, format: u32, database: Database) -> Result<Opened, Trouble> {
    let path = dir.join(LOG);
    let mut pending = Pending::default();
    if format < FIRST_FORMAT_WITH_LOG_FILE {
        Log::create(&path)?;
        File::open(dir)?.sync_all()?;
        for row in database.log_rows() {
            let (key, value) = row?;
            pending.add(read_writes(&key, unseal(&key, &value)?)?);
            // The row itself goes with the next write.
            pending.add([(key, None)]);
        }
    } else if !path.try_exists()? {
        return Err(Trouble::Damaged(format!("the file {LOG:?} is missing")));
    }
    let fence: Fence = describe(&database, FENCE_KEY, decode_fence)?;
    let (log, fence) = Log::open(&path, fence, |writes| pending.add(writes))?;
    Ok(Opened { database, log, pending, fence, contents: None })
}

fn create(dir: &Path, path: &Path) -> Result<(), Trouble> {
    let unfinished = dir.join(UNFINISHED);
    if unfinished.try_exists()? {
        fs::remove_dir_all(&unfinished)?;
    }
    Database::create(&unfinished)?;
    Log::create(&dir.join(LOG))?;
    fs::rename(&unfinished, path)?;
    File::open(dir)?.sync_all()?;
    Ok(())
}

fn refuse_if_lost(acknowledged: Acknowledged) -> Result<(), Trouble> {
    match acknowledged {
        Acknowledged::Nothing => Ok(()),
        Acknowledged::Unreadable => Err(Trouble::Damaged(format!(
            "the folder {DATABASE:?} is missing, and the file {ACKNOWLEDGED:?} is unreadable"
        ))),
        Acknowledged::Batch(_, batch) => Err(Trouble::Damaged(format!(
            "the folder {DATABASE:?} is missing, but batch {batch} had been acknowledged"
        ))),
    }
}

fn check_vital_files(database: &Path) -> Result<(), Trouble> {
    for file in VITAL_FILES {
        if !database.join(file).try_exists()? {
            return Err(Trouble::Damaged(format!("the file \"{DATABASE}/{file}\" is missing")));
        }
    }
    for entry in fs::read_dir(database)? {
        if entry?.path().extension().is_some_and(|extension| extension == JOURNAL_EXTENSION) {
            return Ok(());
        }
    }
    Err(Trouble::Damaged(format!("the journal \"{DATABASE}/*.{JOURNAL_EXTENSION}\" is missing")))
}

fn check_format(dir: &Path, database: &Database) -> Result<u32, OpenError> {
    let found = guarded(|| describe(database, FORMAT_KEY, decode_format))
        .map_err(|trouble| error_in(dir, trouble))?;
    if (OLDEST_FORMAT..=FORMAT).contains(&found) {
        Ok(found)
    } else {
        Err(OpenError::UnknownFormat { dir: dir.to_owned(), found })
    }
}

/// Reads a row that describes the directory.
fn describe<T>(
    database: &Database,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, RecordError>,
) -> Result<T, Trouble> {
    let value = database.get(key)?.ok_or_else(|| {
        Trouble::Damaged(format!("the row {:?} is missing", String::from_utf8_lossy(key)))
    })?;
    Ok(decode(&value)?)
}

fn check_end(fence: &Fence, acknowledged: Acknowledged) -> Result<(), Trouble> {
    let end = fence.batch;
    match acknowledged {
        Acknowledged::Batch(epoch, batch) if batch > end => Err(Trouble::Damaged(format!(
            "the journal ends at batch {end}, but batch {batch} (epoch {}) had been acknowledged",
            epoch.0
        ))),
        Acknowledged::Batch(_, _) => Ok(()),
        Acknowledged::Nothing if end == 0 => Ok(()),
        Acknowledged::Nothing | Acknowledged::Unreadable => {
            warn!(
                batch = end,
                "the file {ACKNOWLEDGED:?} is empty or unreadable: that the journal is whole up to \
                 its last batch cannot be checked this time"
            );
            Ok(())
        }
    }
}

fn error_in(dir: &Path, trouble: Trouble) -> OpenError {
    let dir = dir.to_owned();
    match trouble {
        Trouble::Unwritten(error) | Trouble::Disk(error) => OpenError::Io { dir, error },
        Trouble::Full(error) => OpenError::Full { dir, error },
        Trouble::Damaged(what) => OpenError::Damaged { dir, what },
        Trouble::Locked => OpenError::Locked { dir },
    }
}
