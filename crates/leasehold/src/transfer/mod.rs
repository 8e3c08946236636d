//! `leasehold export` and `leasehold import`: from one store to another by way of a file.
//!
//! An export is lines of JSON. The first is a header, the last a footer, and each between them is one
//! row of the store (`line.rs`), in any order:
//!
//! ```text
//! {"type":"header","format":"leasehold-export","format_version":1,"service_version":"0.1.0","exported_at":"…"}
//! {"type":"lock","namespace":"default","lock_id":"deploy",…}
//! {"type":"sequence","fencing_token":17}
//! {"type":"footer","counts":{"locks":1,…},"sha256":"…"}
//! ```
//! The checksum is over the lines before it, with their line feeds: what `head -n -1 FILE | sha256sum`
//! prints. A file that was cut off or changed is therefore noticed.
//!
//! **Who serves.** Both verbs lead the store while they work (`lead.rs`), so that nothing changes under
//! them. They never take the lead from a replica that has a lease; one that leads on demand has none, and
//! gives way for so long.
//!
//! **Half an import is no store.** An import checks the whole file first, with the same code that checks
//! a store's rows before they are served. It then writes a row that says that an import has begun, in the
//! same batch as its first rows, and deletes it in the same batch as its last ones. Recovery refuses a
//! store with that row in it, and another import clears such a store and begins again.

mod check;
mod counts;
mod error;
mod export;
mod import;
mod input;
mod lead;
mod line;
mod progress;
mod reader;
#[cfg(test)]
mod tests;
mod text;
mod writer;

pub(crate) use error::TransferError;
pub(crate) use export::{ExportArguments, export};
pub(crate) use import::{ImportArguments, import};

use tokio::runtime;

use crate::config::Settings;
use crate::log;

/// Runs one verb to its end, with log lines as the settings say.
fn run(
    settings: &Settings,
    verb: impl Future<Output = Result<(), TransferError>>,
) -> Result<(), TransferError> {
    log::init(settings.log_format.value, &settings.log_level.value)
        .map_err(TransferError::NoLog)?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(TransferError::NoRuntime)?;
    runtime.block_on(verb)
}
