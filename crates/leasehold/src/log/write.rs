//! The thread that writes the log. It alone may wait for a slow disk or a reader that does not read.

use std::io::{self, ErrorKind, Write};
use std::thread::sleep;
use std::time::Duration;

use tracing::warn;

use super::queue::LineQueue;

/// Pause before another try on a stderr that never waits because another process has set it so.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// Writes lines as they come, for as long as the process lives. What cannot be written is dropped.
pub(super) fn write_lines(queue: &LineQueue, out: &mut impl Write) {
    let mut reported = 0;
    let mut is_torn = false;
    loop {
        let line = queue.next();
        let written = write_line(out, &line, &mut is_torn);
        if written.is_err() {
            queue.count_dropped();
            continue;
        }
        // Only when there is room for the report, which would be dropped and counted itself.
        let dropped = queue.dropped();
        if dropped > reported && queue.is_empty() {
            warn!(dropped = dropped - reported, "log lines were dropped");
            reported = dropped;
        }
    }
}

/// Writes one line. If the line before was cut short, this one still begins at the start of a line.
fn write_line(out: &mut impl Write, line: &[u8], is_torn: &mut bool) -> io::Result<()> {
    if *is_torn {
        write_whole(out, b"\n").map_err(|(_, error)| error)?;
        *is_torn = false;
    }
    write_whole(out, line).map_err(|(written, error)| {
        *is_torn = written > 0;
        error
    })
}

/// Writes all bytes, or tells how many it wrote before the failure.
fn write_whole(out: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(RETRY_PAUSE),
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at each call; zero stands for a failure.
    struct Disk {
        takes: Vec<usize>,
        written: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.takes.pop() {
                Some(0) => Err(ErrorKind::StorageFull.into()),
                limit => {
                    let count = bytes.len().min(limit.unwrap_or(usize::MAX));
                    self.written.extend_from_slice(&bytes[..count]);
                    Ok(count)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A disk that filled up in the middle of a line glued the next line to it: JSON that no program can parse.
    #[test]
    fn a_line_after_one_that_was_cut_short_stands_on_its_own() {
        let mut disk = Disk { takes: vec![0, 0, 2], written: Vec::new() };
        let mut is_torn = false;
        write_line(&mut disk, b"first\n", &mut is_torn).unwrap_err();
        write_line(&mut disk, b"second\n", &mut is_torn).unwrap_err();
        write_line(&mut disk, b"third\n", &mut is_torn).unwrap();
        write_line(&mut disk, b"fourth\n", &mut is_torn).unwrap();
        assert_eq!(String::from_utf8(disk.written).unwrap(), "fi\nthird\nfourth\n");
    }
}
