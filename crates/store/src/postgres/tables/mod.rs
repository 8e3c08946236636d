//! The tables, one a kind of row, and the one statement that writes to those that a batch changes.

mod hold;
mod import;
mod key;
mod lock;
mod past;
mod release;
mod stored_deadlines;

use leasehold_core::{Batch, Mode, Row, RowKey, RowWrite};
use tokio_postgres::types::ToSql;

use super::cell::Cell;
pub(super) use hold::read_token;

/// A kind of row that has a table of its own. The sequence of fencing tokens stands in `meta`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Lock,
    Hold,
    Release,
    Past,
    Key,
    Import,
    StoredDeadlines,
}

/// What a table is called, and its columns with their types.
struct Table {
    name: &'static str,
    key: &'static [(&'static str, &'static str)],
    facts: &'static [(&'static str, &'static str)],
}

/// The key of the tables `holds` and `releases`.
const HOLD_KEY: &[(&str, &str)] =
    &[("namespace", "text"), ("lock_id", "text"), ("mode", "text"), ("process_id", "text")];

/// What makes stored values no row, in words.
pub(super) type Misfit = String;

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Lock,
        Self::Hold,
        Self::Release,
        Self::Past,
        Self::Key,
        Self::Import,
        Self::StoredDeadlines,
    ];

    fn table(self) -> &'static Table {
        match self {
            Self::Lock => &lock::TABLE,
            Self::Hold => &hold::TABLE,
            Self::Release => &release::TABLE,
            Self::Past => &past::TABLE,
            Self::Key => &key::TABLE,
            Self::Import => &import::TABLE,
            Self::StoredDeadlines => &stored_deadlines::TABLE,
        }
    }

    /// Reads rows in the order of their keys, the columns in that of the table's description; from the
    /// first, or from the first after the key that the parameters give.
    pub(super) fn page_sql(self, rows: usize, goes_on: bool) -> String {
        let Table { name, key, facts } = self.table();
        let columns = join(key.iter().chain(*facts).map(|(column, _)| (*column).to_owned()));
        let keys = join(key.iter().map(|(column, _)| (*column).to_owned()));
        let after = if goes_on {
            let last = join((1..=key.len()).map(|at| format!("${at}")));
            format!("WHERE ({keys}) > ({last})")
        } else {
            String::new()
        };
        format!("SELECT {columns} FROM {name} {after} ORDER BY {keys} LIMIT {rows}")
    }

    /// Makes a row of what [`Kind::page_sql`] found.
    pub(super) fn read(self, found: &tokio_postgres::Row) -> Result<Row, Misfit> {
        let read = match self {
            Self::Lock => lock::read(found),
            Self::Hold => hold::read(found),
            Self::Release => release::read(found),
            Self::Past => past::read(found),
            Self::Key => key::read(found),
            Self::Import => import::read(found),
            Self::StoredDeadlines => stored_deadlines::read(found),
        };
        read.map_err(|misfit| {
            format!("a row of table {} {}: {misfit}", self.table().name, self.name(found))
        })
    }

    /// A stored row's key, for people.
    fn name(self, found: &tokio_postgres::Row) -> String {
        let key = self.table().key.iter().enumerate();
        let parts = key.map(|(at, (column, _))| {
            match (found.try_get::<_, &str>(at), found.try_get::<_, i64>(at)) {
                (Ok(text), _) => format!("{column}={text:?}"),
                (Err(_), Ok(number)) => format!("{column}={number}"),
                (Err(_), Err(_)) => format!("{column}=unreadable"),
            }
        });
        format!("({})", parts.collect::<Vec<_>>().join(", "))
    }
}

/// Reads a column; what is no such value is told as a misfit.
fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    found: &'r tokio_postgres::Row,
    at: usize,
) -> Result<T, Misfit> {
    found.try_get(at).map_err(|error| super::trouble::text_of(&error))
}

/// Reads how many of something are allowed; null is any number.
fn count(found: &tokio_postgres::Row, at: usize) -> Result<Option<u32>, Misfit> {
    let stored: Option<i64> = column(found, at)?;
    stored.map(|n| u32::try_from(n).map_err(|_| format!("{n} are allowed"))).transpose()
}

fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Read => "read",
        Mode::Write => "write",
    }
}

fn mode_of(text: &str) -> Result<Mode, Misfit> {
    match text {
        "read" => Ok(Mode::Read),
        "write" => Ok(Mode::Write),
        other => Err(format!("its mode is {other:?}")),
    }
}

/// Which tables a batch puts rows into (even bits) and deletes rows from (odd bits). One prepared
/// statement a shape: a batch pays for no table that it leaves alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Shape(u32);

impl Shape {
    fn bit(kind: Kind, is_delete: bool) -> u32 {
        1 << (kind as u32 * 2 + u32::from(is_delete))
    }

    fn has(self, kind: Kind, is_delete: bool) -> bool {
        self.0 & Self::bit(kind, is_delete) != 0
    }

    /// The parts of a commit in the order of their parameters.
    fn parts(self) -> impl Iterator<Item = (Kind, bool)> {
        let parts = Kind::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]);
        parts.filter(move |(kind, is_delete)| self.has(*kind, *is_delete))
    }
}

/// A batch as columns.
#[derive(Default)]
pub(super) struct Writes<'b> {
    /// What becomes of the sequence, if it is written.
    pub(super) sequence: Option<Option<i64>>,
    puts: [Vec<Vec<Cell<'b>>>; Kind::ALL.len()],
    deletes: [Vec<Vec<Cell<'b>>>; Kind::ALL.len()],
}

impl<'b> Writes<'b> {
    /// Fails on a number that no column holds, which no row that core makes has.
    pub(super) fn new(batch: &'b Batch) -> Result<Self, Misfit> {
        let mut writes = Self::default();
        for (key, write) in batch.writes() {
            match write {
                RowWrite::Put(row) => writes.put(row)?,
                RowWrite::Delete => writes.delete(key),
            }
        }
        Ok(writes)
    }

    fn put(&mut self, row: &'b Row) -> Result<(), Misfit> {
        match row {
            Row::Lock { namespace, lock_id, uid, kind, created_at, updated_at } => {
                let cells = lock::cells(namespace, lock_id, *uid, *kind, *created_at, *updated_at);
                push(&mut self.puts[Kind::Lock as usize], &cells);
            }
            Row::Hold {
                hold,
                token,
                timeout,
                acquired_at,
                renewed_at,
                note,
                idempotency_key,
                acquired_by,
            } => {
                let (times, timeout) = ([*acquired_at, *renewed_at], *timeout);
                let (note, mark) = (note.as_ref(), idempotency_key.as_ref());
                let cells =
                    hold::cells(hold, *token, timeout, times, note, mark, acquired_by.as_ref())?;
                push(&mut self.puts[Kind::Hold as usize], &cells);
            }
            Row::Release { hold, idempotency_key, number } => {
                let cells = release::cells(hold, idempotency_key, *number)?;
                push(&mut self.puts[Kind::Release as usize], &cells);
            }
            Row::Past { slot, namespace, lock_id, past } => {
                let cells = past::cells(*slot, namespace, lock_id, past)?;
                push(&mut self.puts[Kind::Past as usize], &cells);
            }
            Row::Key(key) => push(&mut self.puts[Kind::Key as usize], &key::cells(key)),
            Row::Sequence(token) => self.sequence = Some(Some(int(token.get())?)),
            Row::Import { begun_at } => {
                push(&mut self.puts[Kind::Import as usize], &import::cells(*begun_at));
            }
            Row::StoredDeadlines { since } => {
                let cells = stored_deadlines::cells(*since);
                push(&mut self.puts[Kind::StoredDeadlines as usize], &cells);
            }
        }
        Ok(())
    }

    fn delete(&mut self, key: &'b RowKey) {
        let deletes = &mut self.deletes;
        if with_key_cells(key, |kind, cells| push(&mut deletes[kind as usize], cells)).is_none() {
            self.sequence = Some(None);
        }
    }

    pub(super) fn shape(&self) -> Shape {
        let mut shape = Shape::default();
        for kind in Kind::ALL {
            for is_delete in [false, true] {
                if !self.columns(kind, is_delete).is_empty() {
                    shape.0 |= Shape::bit(kind, is_delete);
                }
            }
        }
        shape
    }

    /// The parameters of [`commit_sql`] after its own five: an array a column.
    pub(super) fn params(&self) -> impl Iterator<Item = &(dyn ToSql + Sync)> {
        let parts = self.shape().parts();
        parts.flat_map(|(kind, is_delete)| {
            self.columns(kind, is_delete).iter().map(|column| column as &(dyn ToSql + Sync))
        })
    }

    fn columns(&self, kind: Kind, is_delete: bool) -> &[Vec<Cell<'b>>] {
        if is_delete { &self.deletes[kind as usize] } else { &self.puts[kind as usize] }
    }
}

/// Tells `take` in which table a row is, and the cells of its key. `None`: the sequence is in none.
pub(super) fn with_key_cells<'b, T>(
    key: &'b RowKey,
    take: impl FnOnce(Kind, &[Cell<'b>]) -> T,
) -> Option<T> {
    Some(match key {
        RowKey::Lock(namespace, lock_id) => take(Kind::Lock, &lock::key(namespace, lock_id)),
        RowKey::Hold(hold) => take(Kind::Hold, &hold::key(hold)),
        RowKey::Release(hold) => take(Kind::Release, &hold::key(hold)),
        RowKey::Past(slot) => take(Kind::Past, &past::key(*slot)),
        RowKey::Key(key_id) => take(Kind::Key, &[Cell::Text(key_id.as_str())]),
        RowKey::Import => take(Kind::Import, &import::key()),
        RowKey::StoredDeadlines => take(Kind::StoredDeadlines, &stored_deadlines::key()),
        RowKey::Sequence => return None,
    })
}

fn push<'b>(columns: &mut Vec<Vec<Cell<'b>>>, cells: &[Cell<'b>]) {
    columns.resize_with(cells.len(), Vec::new);
    for (column, cell) in columns.iter_mut().zip(cells) {
        column.push(*cell);
    }
}

fn int(number: u64) -> Result<i64, Misfit> {
    i64::try_from(number).map_err(|_| format!("{number} is more than the server can hold"))
}

/// When a leader may write: no other has claimed, connected anew for it, or written since.
const FENCE: &str = "epoch = $1::bigint AND connection = $2::bigint AND batch = $3::bigint \
     AND lease_until IS NOT NULL";

/// Always.
const UNFENCED: &str = "($1::bigint, $2::bigint, $3::bigint) IS NOT NULL";

/// Commits a batch of this shape if the fence holds, in one statement and so in one transaction: the
/// parts that write rows are joined to the fence, and write nothing where it gives no row.
///
/// Parameters: 1 epoch, 2 connection, 3 number of the batch before, 4 sequence, 5 whether to set it.
pub(super) fn commit_sql(shape: Shape) -> String {
    let fence = if cfg!(leasehold_unfenced) { UNFENCED } else { FENCE };
    let mut sql = format!(
        "WITH fence AS (UPDATE meta SET batch = batch + 1, \
         sequence = CASE WHEN $5::boolean THEN $4::bigint ELSE sequence END \
         WHERE only_row AND {fence} RETURNING 1)"
    );
    let mut next = 6;
    for (kind, is_delete) in shape.parts() {
        let table = kind.table();
        let part = if is_delete { delete_sql(table, next) } else { put_sql(table, next) };
        sql = format!("{sql}, {part}");
        next += table.key.len() + if is_delete { 0 } else { table.facts.len() };
    }
    format!("{sql} SELECT FROM fence")
}

fn put_sql(table: &Table, first: usize) -> String {
    let Table { name, key, facts } = table;
    let columns: Vec<_> = key.iter().chain(*facts).collect();
    let names = join(columns.iter().map(|(name, _)| (*name).to_owned()));
    let params = params_sql(columns.iter().map(|(_, type_)| *type_), first);
    let keys = join(key.iter().map(|(name, _)| (*name).to_owned()));
    let changes = join(facts.iter().map(|(name, _)| format!("{name} = excluded.{name}")));
    format!(
        "put_{name} AS (INSERT INTO {name} ({names}) \
         SELECT given.* FROM fence, unnest({params}) AS given \
         ON CONFLICT ({keys}) DO UPDATE SET {changes})"
    )
}

fn delete_sql(table: &Table, first: usize) -> String {
    let Table { name, key, facts: _ } = table;
    let names = join(key.iter().map(|(name, _)| (*name).to_owned()));
    let params = params_sql(key.iter().map(|(_, type_)| *type_), first);
    let is_it: Vec<_> =
        key.iter().map(|(name, _)| format!("target.{name} = given.{name}")).collect();
    format!(
        "delete_{name} AS (DELETE FROM {name} AS target \
         USING fence, unnest({params}) AS given ({names}) WHERE {})",
        is_it.join(" AND ")
    )
}

fn params_sql<'t>(types: impl Iterator<Item = &'t str>, first: usize) -> String {
    join(types.enumerate().map(|(at, type_)| format!("${}::{type_}[]", first + at)))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_names_only_the_tables_that_it_changes() {
        let holds = Shape(Shape::bit(Kind::Hold, false) | Shape::bit(Kind::Hold, true));
        let sql = commit_sql(holds);
        assert!(sql.contains("INSERT INTO holds") && sql.contains("DELETE FROM holds"), "{sql}");
        assert!(sql.contains("$20::text[]") && !sql.contains("$21"), "{sql}");
        assert!(!sql.contains("locks") && !sql.contains("releases"), "{sql}");
        assert!(!commit_sql(Shape::default()).contains("unnest"));
    }
}
