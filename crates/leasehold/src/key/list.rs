//! `leasehold key list`: the keys as a table.

use std::io::{self, Write as _};

use clap::Args;
use serde_json::Value;

use super::KeyError;
use super::client::Client;
use super::wire::{Key, KeyList};
use crate::printable::printable;

#[derive(Args, Debug)]
pub(super) struct ListArguments {
    /// Print the server's JSON as it is
    #[arg(long)]
    json: bool,
}

const KEYS: &str = "/v1/keys";

pub(super) fn list(client: &Client, arguments: &ListArguments) -> Result<(), KeyError> {
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", printable(&format!("{:#}", client.get::<Value>(KEYS)?)))?;
    } else {
        out.write_all(printable(&table(&client.get(KEYS)?)).as_bytes())?;
    }
    Ok(())
}

/// Left-aligned columns, each as wide as its widest cell. The label is last: it may be long.
fn table(list: &KeyList) -> String {
    let heads = ["KEY ID", "NAMESPACE", "ROLE", "CREATED", "LIMITS", "LABEL"];
    let limits: Vec<String> = list.keys.iter().map(Key::limits).collect();
    let cells = list.keys.iter().zip(&limits).map(|(key, limits)| {
        [&*key.key_id, &*key.namespace, &*key.role, &*key.created_at, &**limits, &*key.label]
    });
    let rows: Vec<[&str; 6]> = [heads].into_iter().chain(cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 6] = std::array::from_fn(|column| width(column).unwrap_or_default());
    rows.iter().fold(String::new(), |mut text, row| {
        let line: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let key = |key_id: &str, namespace: &str, label: &str| Key {
            key_id: key_id.to_owned(),
            namespace: namespace.to_owned(),
            role: "read".to_owned(),
            label: label.to_owned(),
            created_at: "2026-01-02".to_owned(),
            requests_per_second: None,
            burst: None,
            max_locks: None,
            max_holds: None,
            max_waiters: None,
        };
        let mut limited = key("key2", "a", "");
        (limited.requests_per_second, limited.burst) = (Some(50), Some(100));
        (limited.max_locks, limited.max_holds, limited.max_waiters) = (Some(1), Some(2), Some(0));
        let list = KeyList { keys: vec![key("k1", "default", "Schloß"), limited] };
        assert_eq!(
            table(&list),
            "KEY ID  NAMESPACE  ROLE  CREATED     LIMITS                                        LABEL\n\
             k1      default    read  2026-01-02  none                                          Schloß\n\
             key2    a          read  2026-01-02  50/s, burst 100, 1 locks, 2 holds, 0 waiters\n"
        );
    }
}
