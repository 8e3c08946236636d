//! A table, the rows that it has made durable, and the clocks of one scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use leasehold_core::{
    Command, Deadlines, Effects, FencingToken, KeyId, Limits, LockUid, Mono, Namespace, Now,
    Outcome, Recovery, Row, RowKey, RowWrite, Table, Ticket, Wall,
};

use super::facts::{self, FIRST_WALL_MS, Fact};
use super::mirror::Mirror;
use super::{commands, events, views, words};

/// How long the monotonic clock has been counting when a table is started: less, after a restart,
/// than it had counted before.
const AGE_OF_CLOCK_MS: u64 = 3_000;

pub(super) struct Stage {
    table: Table,
    rows: BTreeMap<RowKey, Row>,
    effects: Effects,
    /// Who stands in line and has not been told how that ended.
    waiting: BTreeMap<Ticket, String>,
    /// Who was told what, and the scenario has not said so yet.
    told: Vec<(String, Vec<Fact>)>,
    batch_is_open: bool,
    last_batch: Option<BTreeSet<String>>,
    last_events: Vec<String>,
    /// What somebody knows who follows the events.
    mirror: Mirror,
    /// How many events of the open batch it has seen.
    mirrored: usize,
    namespace: Namespace,
    limits: Limits,
    deadlines: Deadlines,
    time_ms: u64,
    started_ms: u64,
    wall_step_ms: i64,
    uids: u128,
    /// All keys that the table has ever had.
    known_keys: BTreeSet<KeyId>,
}

impl Stage {
    pub(super) fn new() -> Result<Self, String> {
        let limits = Limits::default();
        Ok(Self {
            table: Table::new(limits),
            rows: BTreeMap::new(),
            effects: Effects::default(),
            waiting: BTreeMap::new(),
            told: Vec::new(),
            batch_is_open: false,
            last_batch: None,
            last_events: Vec::new(),
            mirror: Mirror::default(),
            mirrored: 0,
            namespace: words::namespace("default")?,
            limits,
            deadlines: Deadlines::Anew,
            time_ms: 0,
            started_ms: 0,
            wall_step_ms: 0,
            uids: 0,
            known_keys: BTreeSet::new(),
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
            ["deadlines", ref words @ ..] => self.deadlines = words::deadlines(words)?,
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
        self.waiting.clear();
        self.started_ms = self.time_ms;
        let mut recovery = Recovery::new(self.limits, self.deadlines);
        self.rows.values().cloned().for_each(|row| recovery.row(row));
        let recovered = recovery.finish(self.now()).map_err(|violation| violation.to_string())?;
        (self.table, self.effects.batch) = recovered;
        self.make_durable();
        let now = self.now();
        self.mirror = Mirror::of(&mut self.table, now);
        self.mirrored = 0;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), String> {
        if mem::replace(&mut self.batch_is_open, true) {
            return Err("a batch is open already".to_owned());
        }
        self.expire_due()
    }

    fn commit(&mut self) -> Result<(), String> {
        if !mem::replace(&mut self.batch_is_open, false) {
            return Err("no batch is open".to_owned());
        }
        self.make_durable();
        Ok(())
    }

    fn make_durable(&mut self) {
        let effects = mem::take(&mut self.effects);
        self.last_batch = Some(facts::of_batch(&effects.batch));
        self.last_events = effects.events.iter().map(events::of_event).collect();
        self.mirrored = 0;
        for (key, write) in effects.batch.writes() {
            match write {
                RowWrite::Put(row) => self.rows.insert(key.clone(), row.clone()),
                RowWrite::Delete => self.rows.remove(key),
            };
        }
    }

    /// Runs a command, as a batch of its own unless one is open, and compares what comes back.
    pub(super) fn ask(&mut self, command: &str, expected: &str) -> Result<(), String> {
        let due = facts::parse(expected)?;
        if let Some(process) = command.strip_prefix("told ") {
            return self.check_told(process.trim(), &due, expected);
        }
        let unsaid = mem::take(&mut self.told);
        let parts: Vec<&str> = command.split_whitespace().collect();
        let actual = match *parts.as_slice() {
            ["expire"] => self.expire(usize::MAX)?,
            ["expire", most] => self.expire(most_of(most)?)?,
            ["hang-up", process] => self.hang_up(process)?,
            ["next-deadline"] => vec![Fact::Words(self.next_deadline())],
            ["occupancy"] => self.occupancy(),
            _ => self.execute(&parts)?,
        };
        for event in &self.effects.events[self.mirrored..] {
            self.mirror.follow(event)?;
        }
        self.mirrored = self.effects.events.len();
        if !self.batch_is_open {
            self.make_durable();
        }
        said_all(&unsaid)?;
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
        let scene = commands::Scene {
            namespace: &self.namespace,
            uid,
            wall: now.wall,
            keys: self.table.keys(),
            known_keys: &self.known_keys,
        };
        let (command, origin) =
            (commands::command(parts, &scene)?, commands::origin(parts, &scene)?);
        if !self.batch_is_open {
            self.expire_due()?;
        }
        self.known_keys.extend(self.table.keys().keys().cloned());
        let mut outcome = self.table.execute(now, &origin, &command, &mut self.effects);
        while let Outcome::Continues { next, mut part } = outcome {
            outcome = self.table.execute(now, &origin, &next, &mut self.effects);
            if let Outcome::Done(Ok(last)) = outcome {
                part.extend(last);
                outcome = Outcome::Done(Ok(*part));
            }
        }
        if let (Outcome::Waiting(ticket), Some(process)) = (&outcome, process_of(&command)) {
            self.waiting.insert(*ticket, process);
        }
        self.settle()?;
        Ok(views::of_outcome(&outcome))
    }

    fn expire(&mut self, most: usize) -> Result<Vec<Fact>, String> {
        let ended = self.table.expire(self.now(), most, &mut self.effects);
        self.settle()?;
        Ok(vec![Fact::Words(format!("{ended} expired"))])
    }

    fn expire_due(&mut self) -> Result<(), String> {
        self.expire(usize::MAX).map(drop)
    }

    /// The caller of every request of a process that waits is gone.
    fn hang_up(&mut self, process: &str) -> Result<Vec<Fact>, String> {
        self.expire_due()?;
        let gone = self.waiting.iter().filter(|(_, waiting)| *waiting == process);
        let gone: Vec<Ticket> = gone.map(|(ticket, _)| *ticket).collect();
        for ticket in &gone {
            self.waiting.remove(ticket);
            self.table.hang_up(self.now(), *ticket, &mut self.effects);
        }
        self.settle()?;
        Ok(vec![Fact::Words(format!("{} gone", gone.len()))])
    }

    /// Takes down who was told what: each waiter once.
    fn settle(&mut self) -> Result<(), String> {
        for (ticket, answer) in mem::take(&mut self.effects.settled) {
            let process =
                self.waiting.remove(&ticket).ok_or("somebody was told who did not wait")?;
            self.told.push((process, views::of_answer(&answer)));
        }
        Ok(())
    }

    /// Compares what a waiter was told by the command before.
    fn check_told(&mut self, process: &str, due: &[Fact], expected: &str) -> Result<(), String> {
        let place = self.told.iter().position(|(told, _)| told == process);
        let Some(place) = place else { return Err(format!("{process} was told nothing")) };
        let (_, actual) = self.told.remove(place);
        if facts::meet(&actual, due) {
            return Ok(());
        }
        let got = facts::text_of(&actual);
        Err(format!("told {process}\n  expected: {expected}\n  got:      {got}"))
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
            vec![
                space.namespace.to_string(),
                format!("{} locks", space.locks),
                format!("{} holds", space.holds),
                format!("{} waiters", space.waiters),
            ]
        });
        vec![Fact::List("namespaces".to_owned(), entries.collect())]
    }

    /// Whether the table agrees with itself, and with whoever follows its events.
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.table.check().map_err(|wrong| wrong.to_string())?;
        let now = self.now();
        self.mirror.check(&mut self.table, now)
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

    /// Compares what the last batch told.
    pub(super) fn check_events(&self, expected: &str) -> Result<(), String> {
        let due = events::parse(expected)?;
        if self.last_events == due {
            return Ok(());
        }
        let text = |events: &[String]| match events.is_empty() {
            true => "none".to_owned(),
            false => events.join(" "),
        };
        Err(format!("events\n  expected: {}\n  got:      {}", text(&due), text(&self.last_events)))
    }

    /// What is wrong with ending here.
    pub(super) fn end(&self) -> Result<(), String> {
        if self.batch_is_open {
            return Err("a batch is still open".to_owned());
        }
        said_all(&self.told)
    }
}

/// A scenario has to tell the whole story.
fn said_all(unsaid: &[(String, Vec<Fact>)]) -> Result<(), String> {
    match unsaid.first() {
        None => Ok(()),
        Some((process, facts)) => {
            let facts = facts::text_of(facts);
            Err(format!("no line says that {process} was told before: {facts}"))
        }
    }
}

/// Who will wait if the command has to.
fn process_of(command: &Command) -> Option<String> {
    match command {
        Command::Acquire(acquire) => Some(acquire.process_id.to_string()),
        Command::Upgrade { hold, .. } => Some(hold.process_id.to_string()),
        _ => None,
    }
}

fn most_of(word: &str) -> Result<usize, String> {
    let most = word.strip_prefix("most=").ok_or(format!("there is no option `{word}`"))?;
    usize::try_from(words::number(most)?).map_err(|error| error.to_string())
}
