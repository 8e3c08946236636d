//! Where an import comes from. It is read twice: once to check it, once to write it to the store.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};

use super::TransferError;
use super::reader::{ExportReader, Fault};

const STDIN: &str = "-";
const BUFFER_BYTES: usize = 256 * 1024;

/// A file that can be read more than once.
pub(super) struct Input {
    pub(super) name: String,
    file: File,
}

impl Input {
    /// Opens the file; a pipe is copied into a file without a name first.
    pub(super) fn open(name: &str) -> Result<Self, TransferError> {
        let is_stdin = name == STDIN;
        let name = if is_stdin { "standard input" } else { name }.to_owned();
        let opened = if is_stdin { spool(io::stdin().lock()) } else { open_or_spool(&name) };
        match opened {
            Ok(file) => Ok(Self { name, file }),
            Err(error) => Err(TransferError::Input { name, error }),
        }
    }

    /// Reads it from its beginning.
    pub(super) fn read(&self) -> Result<ExportReader<BufReader<&File>>, Fault> {
        (&self.file).seek(SeekFrom::Start(0))?;
        ExportReader::begin(BufReader::with_capacity(BUFFER_BYTES, &self.file))
    }

    pub(super) fn fault(&self, fault: Fault) -> TransferError {
        TransferError::Fault { name: self.name.clone(), fault: Box::new(fault) }
    }
}

fn open_or_spool(name: &str) -> io::Result<File> {
    let file = File::open(name)?;
    if file.metadata()?.is_file() { Ok(file) } else { spool(file) }
}

fn spool(mut input: impl io::Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut input, &mut file)?;
    Ok(file)
}
