//! Plays scenario files. A line is a time in seconds, a command, `->`, and what must come back:
//!
//! ```text
//! # I5: refreshing what has expired never re-acquires
//! 0.000   create job exclusive                -> FREE
//!         write job alice timeout=10          -> WRITE [alice#1 for 10s]
//!         rows: +hold(job write alice#1 for 10s) +sequence(1)
//! 9.999   get job                             -> WRITE [alice#1 1ms left]
//! 10.000  refresh-write job alice timeout=10  -> refused not_held, FREE
//! ```
//!
//! A line without a time happens at the time of the line before; `#` begins a comment line. Before
//! each command the holds that are due expire, and each command is one durable batch, as in the
//! commit loop.
//!
//! **Commands.** `create LOCK [exclusive|shared] [writers=N] [readers=N] [ephemeral]`, `get LOCK`,
//! `delete LOCK [force] [as=KEY]`, `history LOCK [before=N] [limit=N]`, `list [prefix=P] [state=FREE] [process=P] [after=LOCK] [limit=N]`; `read`
//! and `write LOCK PROCESS` and `acquire PROCESS read:LOCK write:LOCK …`, each with `[timeout=60]
//! [own] [wait=SECS] [note=TEXT] [key=KEY] [create …]`, where what follows `create` is as in the
//! command of that name; `refresh-read` and `refresh-write LOCK PROCESS [timeout=60] [own]
//! [token=N]`; `release-read` and `release-write LOCK PROCESS [own] [token=N] [key=KEY] [as=KEY]`;
//! `downgrade` and `upgrade LOCK PROCESS [timeout=60] [own] [wait=SECS]`; `process`,
//! `refresh-process [timeout=N]` and `release-process PROCESS [as=KEY]`; `waits`; `create-key ID
//! [role=write]` and `limit-key ID`, each with `[rate=N|none] [burst=N|none] [max-locks=N|none]
//! [max-holds=N|none] [max-waiters=N|none]`, `list-keys [all]`, `revoke-key ID [any]`. `as=KEY` at `create`,
//! at an acquire or at `upgrade` is the key whose quotas count. Besides: `expire [most=N]` (ends what is
//! due and says how many holds, waits and places), `hang-up PROCESS` (the callers of its waits are
//! gone), `next-deadline`, `occupancy`. `repeat N COMMAND -> EXPECTED` puts 01, 02, … for `{n}`.
//!
//! **Waiting.** Who has to wait is answered `waits`. A line `told PROCESS -> EXPECTED` says what it
//! was told in the end, right after the command, or the moment, that brought it about; none may be
//! left out.
//!
//! **Expected** are facts with commas between. All that are written must be so; a list of holders
//! must be complete and in order, but what it says of each may be less than all. `alice#1` is a
//! process and its fencing token, `for` its timeout, `since` and `until` the wall clock at which it
//! was granted and expires, `left` what remains. A refusal comes first: `refused held, READ [bob]`;
//! `says: TEXT` comes last, with the whole text of a refusal.
//!
//! **Rows.** A line `rows:` checks exactly what the batch before it wrote (`+`) and deleted (`-`).
//!
//! **Events.** A line `events:` checks exactly what the batch before it told those who follow, in
//! order: `created(job)`, `granted(job write alice#1 for 60s)`, `queued(job read bob place 1)`,
//! `left(job read bob hung_up)`, `released(job write alice#1)`, `refreshed`, `expired`, `forced`,
//! `converted` and `deleted`. A note comes last, as in `(job write alice#1 note TEXT)`.
//!
//! **Directives.** `namespace NAME` for the commands that follow; `wall +SECS` or `wall -SECS` steps
//! the wall clock alone; `batch` … `commit` puts the commands between into one batch; `restart`
//! drops the table, with all that was not committed, and recovers it from its rows, on a monotonic
//! clock with another origin; `deadlines anew` or `deadlines stored skew=SECS` say how, from the next
//! `restart` on, whose first batch `rows:` checks; `limits [locks=N] [holders=N] [timeout=SECS] [keys=N] [waiters=N]
//! [waiters-of-lock=N] [waiters-of-namespace=N] [releases=N] [history=N] [history-of-lock=N]
//! [history-age=SECS]` and `sequence N` count from the
//! beginning, or from the next `restart`.
//!
//! After every line the table is looked through for whatever does not agree with itself, or with what
//! its events have told so far.

mod commands;
mod events;
mod facts;
mod mirror;
mod options;
mod stage;
mod views;
mod words;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stage::Stage;

/// The scenario files of a folder, by name.
pub(crate) fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    Ok(paths)
}

/// Plays one file to its end and tells what was not as it says, each with file and line.
pub(crate) fn failures_of(path: &Path) -> io::Result<Vec<String>> {
    let text = fs::read_to_string(path)?;
    let mut stage = Stage::new().map_err(io::Error::other)?;
    let mut failures = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Err(failure) = play(&mut stage, line.trim()) {
            failures.push(format!("{}:{}: {failure}", path.display(), index + 1));
        }
    }
    if let Err(failure) = stage.end() {
        failures.push(format!("{}:{}: {failure}", path.display(), text.lines().count()));
    }
    Ok(failures)
}

fn play(stage: &mut Stage, line: &str) -> Result<(), String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    if let Some(rows) = line.strip_prefix("rows:") {
        return stage.check_rows(rows.trim());
    }
    if let Some(events) = line.strip_prefix("events:") {
        return stage.check_events(events.trim());
    }
    let line = match line.split_once(char::is_whitespace) {
        Some((time, rest)) if time.starts_with(|c: char| c.is_ascii_digit()) => {
            stage.advance_to(words::millis(time)?)?;
            rest.trim()
        }
        Some(_) | None => line,
    };
    let Some((command, expected)) = line.split_once("->") else {
        return stage.direct(line);
    };
    let Some(repeated) = command.strip_prefix("repeat ") else {
        stage.ask(command.trim(), expected.trim())?;
        return stage.check();
    };
    let (times, command) = repeated.trim().split_once(' ').ok_or("repeat what?")?;
    for n in 1..=words::number(times)? {
        let n = format!("{n:02}");
        let at = |text: &str| text.trim().replace("{n}", &n);
        stage.ask(&at(command), &at(expected))?;
    }
    stage.check()
}
