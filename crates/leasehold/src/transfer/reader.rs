//! Reads an export, line by line, and knows at its end whether it was all there.

use std::io::{self, BufRead, Read as _};

use leasehold_core::Row;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::counts::Counts;
use super::line::{FORMAT, FORMAT_VERSION, Footer, Header, Line, Misfit};
use super::text::hex;

/// Longest line that is read, in bytes (I7): many times what a row takes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// Why a file is not an export, or not a whole one.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("cannot read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is empty")]
    Empty,
    #[error(
        "its first line is not that of an export, which begins with \
         {{\"type\":\"header\",\"format\":\"{FORMAT}\""
    )]
    NotAnExport,
    #[error(
        "it has format version {found}, written by Leasehold {writer}; this version reads version \
         {FORMAT_VERSION}"
    )]
    UnknownVersion { found: u32, writer: String },
    #[error("line {line}: {what}")]
    Line { line: u64, what: Misfit },
    #[error("it ends after line {0} without the last line of an export: it was cut off")]
    CutOff(u64),
    #[error("line {0}: the export ended before this line")]
    Trailing(u64),
    #[error("its last line counts {said}, but there are {found}: lines are missing or added")]
    Counts { said: Counts, found: Counts },
    #[error(
        "its checksum is {found}, and its last line says {said}: it has changed since it was written"
    )]
    Checksum { said: String, found: String },
}

/// An export that is being read.
pub(super) struct ExportReader<R> {
    input: R,
    digest: Sha256,
    counts: Counts,
    line: u64,
    text: Vec<u8>,
}

/// What was read in all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Whole {
    pub(super) counts: Counts,
    pub(super) sha256: String,
}

/// What comes next in an export.
pub(super) enum Next {
    Row(Row),
    /// The last line, which agrees with all lines before.
    End(Whole),
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the header.
    pub(super) fn begin(input: R) -> Result<Self, Fault> {
        let mut reader = Self {
            input,
            digest: Sha256::new(),
            counts: Counts::default(),
            line: 0,
            text: Vec::new(),
        };
        if !reader.read_line()? {
            return Err(Fault::Empty);
        }
        let Ok(Line::Header(header)) = serde_json::from_slice(&reader.text) else {
            return Err(Fault::NotAnExport);
        };
        let Header { format, format_version, service_version, exported_at: _ } = header;
        if format != FORMAT {
            return Err(Fault::NotAnExport);
        }
        if format_version != FORMAT_VERSION {
            return Err(Fault::UnknownVersion { found: format_version, writer: service_version });
        }
        reader.digest.update(&reader.text);
        Ok(reader)
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Reads one more line.
    pub(super) fn next(&mut self) -> Result<Next, Fault> {
        if !self.read_line()? {
            return Err(Fault::CutOff(self.line));
        }
        let parsed = serde_json::from_slice(&self.text);
        let row = match parsed.map_err(|error| self.misfit(without_line(&error)))? {
            Line::Header(_) => Err("an export has one header".to_owned()),
            Line::Lock(line) => line.into_row(),
            Line::Hold(line) => line.into_row(),
            Line::PastHold(line) => line.into_row(),
            Line::Release(line) => line.into_row(),
            Line::Key(line) => line.into_row(),
            Line::Sequence(line) => line.into_row(),
            Line::Footer(footer) => return self.end(footer).map(Next::End),
        };
        let row = row.map_err(|what| self.misfit(what))?;
        self.digest.update(&self.text);
        self.counts.add(&row);
        Ok(Next::Row(row))
    }

    fn end(&mut self, footer: Footer) -> Result<Whole, Fault> {
        let Footer { counts: said, sha256 } = footer;
        if said != self.counts {
            return Err(Fault::Counts { said, found: self.counts });
        }
        let found = hex(&std::mem::take(&mut self.digest).finalize());
        if found != sha256 {
            return Err(Fault::Checksum { said: sha256, found });
        }
        if self.read_line()? {
            return Err(Fault::Trailing(self.line));
        }
        Ok(Whole { counts: said, sha256 })
    }

    /// False at the end of the input.
    fn read_line(&mut self) -> Result<bool, Fault> {
        self.text.clear();
        let mut bounded = (&mut self.input).take(MAX_LINE_BYTES);
        bounded.read_until(b'\n', &mut self.text)?;
        if self.text.is_empty() {
            return Ok(false);
        }
        self.line += 1;
        if self.text.last() != Some(&b'\n') && self.text.len() as u64 == MAX_LINE_BYTES {
            return Err(self.misfit(format!("is longer than {MAX_LINE_BYTES} bytes")));
        }
        Ok(true)
    }

    pub(super) fn misfit(&self, what: Misfit) -> Fault {
        Fault::Line { line: self.line, what }
    }
}

/// What the parser says, without its own count of lines, which is always 1 here.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((what, "0")) => what.to_owned(),
        Some((what, column)) => format!("{what}, at column {column}"),
        None => text,
    }
}
