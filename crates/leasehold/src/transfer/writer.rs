//! Writes an export, line by line.

use std::io::{self, Write};

use leasehold_core::{Row, Wall};
use sha2::{Digest as _, Sha256};

use super::counts::Counts;
use super::line::{FORMAT, FORMAT_VERSION, Footer, Header, Line};
use super::text::{Time, hex};
use crate::version::VERSION;

/// An export that is being written.
pub(super) struct ExportWriter<W> {
    out: W,
    digest: Sha256,
    counts: Counts,
    text: Vec<u8>,
}

impl<W: Write> ExportWriter<W> {
    /// Writes the header.
    pub(super) fn begin(out: W, exported_at: Wall) -> io::Result<Self> {
        let mut writer =
            Self { out, digest: Sha256::new(), counts: Counts::default(), text: Vec::new() };
        writer.line(&Line::Header(Header {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            service_version: VERSION.to_owned(),
            exported_at: Time(exported_at),
        }))?;
        Ok(writer)
    }

    /// Writes one row.
    pub(super) fn row(&mut self, row: &Row, line: &Line) -> io::Result<()> {
        self.counts.add(row);
        self.line(line)
    }

    /// What has been written so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Writes the footer: from here on the export is complete.
    pub(super) fn end(mut self) -> io::Result<(W, Counts)> {
        let counts = self.counts;
        let sha256 = hex(&std::mem::take(&mut self.digest).finalize());
        self.line(&Line::Footer(Footer { counts, sha256 }))?;
        self.out.flush()?;
        Ok((self.out, counts))
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, line)?;
        self.text.push(b'\n');
        self.digest.update(&self.text);
        self.out.write_all(&self.text)
    }
}
