//! A table, the rows that it has made durable, and the clocks of one scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use leasehold_core::{
    Batch, Effects, FencingToken, Limits, LockUid, Mono, Namespace, Now, Recovery, Row, RowKey,
    RowWrite, Table, Wall,
};

use super::facts::{self, FIRST_WALL_MS, Fact};
use super::words;

/// How long the monotonic clock has been counting when a table is started: less, after a restart,
/// than it had counted before.
const AGE_OF_CLOCK_MS: u64 = 3_000;

pub(super) struct Stage {
    table: Table,
    rows: BTreeMap<RowKey, Row>,
    effects: Effects,
    batch_is_open: bool,
    last_batch: Option<BTreeSet<String>>,
    namespace: Namespace,
    limits: Limits,
    time_ms: u64,
    started_ms: u64,
    wall_step_ms: i64,
    uids: u128,
}

impl Stage {
    pub(super) fn new() -> Result<Self, String> {
        let limits = Limits::default();
        Ok(Self {
            table: Table::new(limits),
            rows: BTreeMap::new(),
            effects: Effects::default(),
            batch_is_open: false,
            last_batch: None,
            namespace: words::namespace("default")?,
            limits,
            time_ms: 0,
            started_ms: 0,
            wall_step_ms: 0,
            uids: 0,
        })
    }

    fn now(&self) -> Now {
        let counted_ms = AGE_OF_CLOCK_MS + self.time_ms - self.started_ms;
        let time_ms = i64::try_from(self.time_ms).unwrap_or(i64::MAX);
        Now {
            mono: Mono(counted_ms * 1_000_000),
            wall: Wall(FIRST_WALL_MS + time_ms + self.wall_step_ms),
        }
    }

    pub(super) fn advance_to(&mut self, time_ms: u64) -> Result<(), String> {
        if time_ms < self.time_ms {
            return Err("time does not run backwards".to_owned());
        }
        if self.batch_is_open && time_ms > self.time_ms {
            return Err("a batch has one time".to_owned());
        }
        self.time_ms = time_ms;
        Ok(())
    }

    /// Follows a line without `->`.
    pub(super) fn direct(&mut self, line: &str) -> Result<(), String> {
        let parts: Vec<&str> = line.split_whitespace().collect();
        match *parts.as_slice() {
            ["namespace", name] => self.namespace = words::namespace(name)?,
            ["wall", step] => self.step_wall(step)?,
            ["batch"] => self.begin()?,
            ["commit"] => self.commit()?,
            ["restart"] => self.restart()?,
            ["limits", ref limits @ ..] => {
                self.limits = words::limits(self.limits, limits)?;
                self.restart_if_untouched()?;
            }
            ["sequence", number] => {
                let token = FencingToken::new(words::number(number)?).ok_or("too high")?;
                let untouched = self.rows.is_empty();
                self.rows.insert(RowKey::Sequence, Row::Sequence(token));
                if untouched {
                    self.restart()?;
                }
            }
            _ => return Err(format!("`{line}` is no directive, and a command needs `->`")),
        }
        Ok(())
    }

    fn step_wall(&mut self, step: &str) -> Result<(), String> {
        let (sign, span) = match (step.strip_prefix('+'), step.strip_prefix('-')) {
            (Some(span), _) => (1, span),
            (None, Some(span)) => (-1, span),
            (None, None) => return Err(format!("`{step}` is not a step such as +3600")),
        };
        let span_ms = i64::try_from(words::millis(span)?).map_err(|error| error.to_string())?;
        self.wall_step_ms += sign * span_ms;
        Ok(())
    }

    fn restart_if_untouched(&mut self) -> Result<(), String> {
        if self.rows.is_empty() && !self.batch_is_open { self.restart() } else { Ok(()) }
    }

    /// What was not committed is lost; what was comes back from its rows.
    fn restart(&mut self) -> Result<(), String> {
        self.batch_is_open = false;
        self.effects = Effects::default();
        self.started_ms = self.time_ms;
        let mut recovery = Recovery::new(self.limits);
        self.rows.values().cloned().for_each(|row| recovery.row(row));
        self.table = recovery.finish(self.now()).map_err(|violation| violation.to_string())?;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), String> {
        if mem::replace(&mut self.batch_is_open, true) {
            return Err("a batch is open already".to_owned());
        }
        self.table.expire(self.now(), usize::MAX, &mut self.effects);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), String> {
        if !mem::replace(&mut self.batch_is_open, false) {
            return Err("no batch is open".to_owned());
        }
        self.make_durable();
        Ok(())
    }

    fn make_durable(&mut self) {
        let batch: Batch = mem::take(&mut self.effects).batch;
        self.last_batch = Some(facts::of_batch(&batch));
        for (key, write) in batch.writes() {
            match write {
                RowWrite::Put(row) => self.rows.insert(key.clone(), row.clone()),
                RowWrite::Delete => self.rows.remove(key),
            };
        }
    }

    /// Runs a command, as a batch of its own unless one is open, and compares what comes back.
    pub(super) fn ask(&mut self, command: &str, expected: &str) -> Result<(), String> {
        let due = facts::parse(expected)?;
        let parts: Vec<&str> = command.split_whitespace().collect();
        let actual = match *parts.as_slice() {
            ["expire"] => self.expire(usize::MAX),
            ["expire", most] => self.expire(most_of(most)?),
            ["next-deadline"] => vec![Fact::Words(self.next_deadline())],
            ["occupancy"] => self.occupancy(),
            _ => self.execute(&parts)?,
        };
        if !self.batch_is_open {
            self.make_durable();
        }
        if facts::meet(&actual, &due) {
            return Ok(());
        }
        let got = facts::text_of(&actual);
        Err(format!("{command}\n  expected: {expected}\n  got:      {got}"))
    }

    fn execute(&mut self, parts: &[&str]) -> Result<Vec<Fact>, String> {
        let now = self.now();
        self.uids += 1;
        let uid = LockUid(self.uids.to_be_bytes());
        let scene = words::Scene { namespace: &self.namespace, uid, wall: now.wall };
        let command = words::command(parts, &scene)?;
        if !self.batch_is_open {
            self.table.expire(now, usize::MAX, &mut self.effects);
        }
        Ok(facts::of_outcome(&self.table.execute(now, &command, &mut self.effects)))
    }

    fn expire(&mut self, most: usize) -> Vec<Fact> {
        let ended = self.table.expire(self.now(), most, &mut self.effects);
        vec![Fact::Words(format!("{ended} expired"))]
    }

    fn next_deadline(&self) -> String {
        let now = self.now();
        self.table.next_deadline().map_or("none".to_owned(), |deadline| {
            let left_ms = deadline.since(now.mono).as_millis();
            let at_ms = u128::from(self.time_ms) + left_ms;
            format!("{}.{:03}", at_ms / 1_000, at_ms % 1_000)
        })
    }

    fn occupancy(&self) -> Vec<Fact> {
        let spaces = self.table.occupancy();
        let entries = spaces.map(|space| {
            let (locks, holds) = (space.locks, space.holds);
            vec![space.namespace.to_string(), format!("{locks} locks"), format!("{holds} holds")]
        });
        vec![Fact::List("namespaces".to_owned(), entries.collect())]
    }

    /// Compares what the last batch wrote.
    pub(super) fn check_rows(&self, expected: &str) -> Result<(), String> {
        let due = facts::parse_rows(expected)?;
        let written = self.last_batch.as_ref().ok_or("no batch came before")?;
        if self.batch_is_open {
            return Err("the batch is not committed yet".to_owned());
        }
        if *written == due {
            return Ok(());
        }
        let text = |rows: &BTreeSet<String>| match rows.is_empty() {
            true => "none".to_owned(),
            false => rows.iter().cloned().collect::<Vec<_>>().join(" "),
        };
        Err(format!("rows\n  expected: {}\n  got:      {}", text(&due), text(written)))
    }

    /// What is wrong with ending here.
    pub(super) fn end(&self) -> Result<(), String> {
        if self.batch_is_open { Err("a batch is still open".to_owned()) } else { Ok(()) }
    }
}

fn most_of(word: &str) -> Result<usize, String> {
    let most = word.strip_prefix("most=").ok_or(format!("there is no option `{word}`"))?;
    usize::try_from(words::number(most)?).map_err(|error| error.to_string())
}
