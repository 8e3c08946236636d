//! What came back, as the words that a scenario may expect.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use leasehold_core::{Batch, HoldKey, LockId, Mode, Namespace, Row, RowKey, RowWrite, Wall};

/// The wall clock at the beginning of every scenario.
pub(super) const FIRST_WALL_MS: i64 = 1_700_000_000_000;

/// One thing that is so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fact {
    /// In so many words.
    Words(String),
    /// A list: what it is of, and what is said of each entry.
    List(String, Vec<Vec<String>>),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::List(of, entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|entry| entry.join(" ").replacen(" #", "#", 1)).collect();
                write!(f, "{of} [{}]", entries.join(", "))
            }
        }
    }
}

/// Facts as a line of text.
pub(super) fn text_of(facts: &[Fact]) -> String {
    facts.iter().map(Fact::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether all that is expected is so. A refusal has to be expected before all else.
pub(super) fn meet(actual: &[Fact], expected: &[Fact]) -> bool {
    let refused =
        actual.first().filter(|fact| matches!(fact, Fact::Words(w) if w.starts_with("refused")));
    refused.is_none_or(|refused| expected.first() == Some(refused))
        && expected.iter().all(|due| actual.iter().any(|fact| covers(fact, due)))
}

fn covers(fact: &Fact, due: &Fact) -> bool {
    match (fact, due) {
        (Fact::List(of, entries), Fact::List(due_of, due_entries)) => {
            let says_all = |(entry, due): (&Vec<String>, &Vec<String>)| {
                entry.first() == due.first() && due.iter().all(|word| entry.contains(word))
            };
            of == due_of
                && entries.len() == due_entries.len()
                && entries.iter().zip(due_entries).all(says_all)
        }
        (Fact::Words(_), _) | (_, Fact::Words(_)) => fact == due,
    }
}

/// Reads what a line expects.
pub(super) fn parse(text: &str) -> Result<Vec<Fact>, String> {
    let mut facts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if rest.starts_with("says:") {
            facts.push(Fact::Words(rest.to_owned()));
            break;
        }
        let end = rest.find([',', '[']).unwrap_or(rest.len());
        if rest[end..].starts_with('[') {
            let (entries, after) =
                rest[end + 1..].split_once(']').ok_or(format!("no `]` in `{text}`"))?;
            facts.push(Fact::List(rest[..end].trim().to_owned(), parse_entries(entries)));
            rest = after.strip_prefix(',').unwrap_or(after).trim();
        } else {
            facts.push(Fact::Words(rest[..end].trim().to_owned()));
            rest = rest[end..].strip_prefix(',').unwrap_or_default().trim();
        }
    }
    if facts.is_empty() { Err("nothing is expected".to_owned()) } else { Ok(facts) }
}

fn parse_entries(text: &str) -> Vec<Vec<String>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let mut words = entry.split_whitespace();
            let (name, token) = match words.next().unwrap_or_default().split_once('#') {
                Some((name, token)) => (name.to_owned(), vec![format!("#{token}")]),
                None => {
                    (entry.split_whitespace().next().unwrap_or_default().to_owned(), Vec::new())
                }
            };
            let details: Vec<&str> = words.collect();
            let details = details.chunks(2).map(|pair| pair.join(" "));
            [name].into_iter().chain(token).chain(details).collect()
        })
        .collect()
}

/// What a batch writes, in the words of a `rows:` line.
pub(super) fn of_batch(batch: &Batch) -> BTreeSet<String> {
    batch.writes().map(|(key, write)| of_write(key, write)).collect()
}

fn of_write(key: &RowKey, write: &RowWrite) -> String {
    match write {
        RowWrite::Put(Row::Lock { namespace, lock_id, updated_at, .. }) => {
            format!("+lock({} updated {})", place(namespace, lock_id), wall(*updated_at))
        }
        RowWrite::Put(Row::Hold { hold, token, timeout, .. }) => {
            format!("+hold({}#{token} for {}s)", of_hold_key(hold), timeout.get())
        }
        RowWrite::Put(Row::Release { hold, .. }) => format!("+release({})", of_hold_key(hold)),
        RowWrite::Put(Row::Past { slot, namespace, lock_id, past }) => {
            let (mode, process) = (mode_word(past.mode), &past.process_id);
            let token = past.token;
            format!("+history({slot}: {} {mode} {process}#{token})", place(namespace, lock_id))
        }
        RowWrite::Put(Row::Key(key)) => format!("+key({})", key.key_id),
        RowWrite::Put(Row::Sequence(token)) => format!("+sequence({token})"),
        RowWrite::Put(Row::Import { .. }) => "+import".to_owned(),
        RowWrite::Put(Row::StoredDeadlines { since }) => {
            format!("+stored-deadlines(since {})", wall(*since))
        }
        RowWrite::Delete => match key {
            RowKey::Lock(namespace, lock_id) => format!("-lock({})", place(namespace, lock_id)),
            RowKey::Hold(hold) => format!("-hold({})", of_hold_key(hold)),
            RowKey::Release(hold) => format!("-release({})", of_hold_key(hold)),
            RowKey::Past(slot) => format!("-history({slot})"),
            RowKey::Key(key_id) => format!("-key({key_id})"),
            RowKey::Sequence => "-sequence".to_owned(),
            RowKey::Import => "-import".to_owned(),
            RowKey::StoredDeadlines => "-stored-deadlines()".to_owned(),
        },
    }
}

/// How a lock is held.
pub(super) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Read => "read",
        Mode::Write => "write",
    }
}

fn of_hold_key(hold: &HoldKey) -> String {
    let mode = mode_word(hold.mode);
    format!("{} {mode} {}", place(&hold.namespace, &hold.lock_id), hold.process_id)
}

pub(super) fn place(namespace: &Namespace, lock_id: &LockId) -> String {
    match namespace.as_str() {
        "default" => lock_id.to_string(),
        other => format!("{other}/{lock_id}"),
    }
}

/// Reads a `rows:` line.
pub(super) fn parse_rows(text: &str) -> Result<BTreeSet<String>, String> {
    if text == "none" {
        return Ok(BTreeSet::new());
    }
    text.split_inclusive(')')
        .map(str::trim)
        .map(|row| match row.starts_with(['+', '-']) && row.ends_with(')') {
            true => Ok(row.to_owned()),
            false => Err(format!("`{row}` is not a row such as +sequence(1)")),
        })
        .collect()
}

/// Seconds since the scenario began, as the wall clock shows them.
pub(super) fn wall(at: Wall) -> String {
    let since_ms = at.0 - FIRST_WALL_MS;
    let sign = if since_ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", since_ms.abs() / 1_000, since_ms.abs() % 1_000)
}

/// A span in whole seconds, or in milliseconds.
pub(super) fn span(span: Duration) -> String {
    match span.subsec_nanos() {
        0 => format!("{}s", span.as_secs()),
        _ => format!("{}ms", span.as_millis()),
    }
}
