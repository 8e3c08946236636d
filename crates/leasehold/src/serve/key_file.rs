//! A file for the first key, which its owner alone can read.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tracing::info;

use super::ServeError;

const OWNER_ALONE: u32 = 0o600;

/// The file, which goes again if no key is written to it.
pub(super) struct KeyFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl KeyFile {
    /// Makes the file. One that exists may be open to others, or hold a key: it is left alone.
    pub(super) fn create(path: &Path) -> Result<Self, ServeError> {
        let options = OpenOptions::new().write(true).create_new(true).mode(OWNER_ALONE).to_owned();
        let file = options.open(path).map_err(|error| ServeError::FirstKeyFile {
            path: path.display().to_string(),
            error,
        })?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    /// Writes the key, alone on a line.
    pub(super) fn write(mut self, key: &str) -> Result<(), ServeError> {
        let written = writeln!(self.file, "{key}").and_then(|()| self.file.sync_all());
        written.map_err(ServeError::FirstKeyNotShown)?;
        self.is_written = true;
        info!(path = %self.path.display(), "the first API key, an admin of the namespace `default`, is in a file");
        Ok(())
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if !self.is_written {
            // An empty file that stays is in the way of the next start, which says so.
            let _ = fs::remove_file(&self.path);
        }
    }
}
