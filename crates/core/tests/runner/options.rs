//! What stands behind a command's names: `timeout=10 wait=5 own`.

use std::time::Duration;

use leasehold_core::{
    Detail, FencingToken, KeyId, LimitsPatch, LockId, LockKind, LockState, LockUid, NewLock, Note,
    ProcessId, Role, Terms, TimeoutSecs,
};

use super::words;

const DEFAULT_TIMEOUT_SECS: u32 = 60;

/// Most locks, or past holds, on a page unless a line says otherwise.
const DEFAULT_LIMIT: usize = 100;

/// The options of one command; those that it does not know are refused.
pub(super) struct Options {
    pub(super) timeout: Option<TimeoutSecs>,
    pub(super) detail: Detail,
    pub(super) wait: Duration,
    pub(super) note: Option<Note>,
    pub(super) token: Option<FencingToken>,
    pub(super) acknowledged: Vec<FencingToken>,
    pub(super) creates: bool,
    pub(super) must_match: bool,
    pub(super) kind: LockKind,
    pub(super) force: bool,
    pub(super) prefix: String,
    pub(super) state: Option<LockState>,
    pub(super) process: Option<ProcessId>,
    pub(super) after: Option<LockId>,
    pub(super) limit: usize,
    pub(super) before: Option<u64>,
    pub(super) by: Option<KeyId>,
    pub(super) role: Role,
    pub(super) limits: LimitsPatch,
}

impl Options {
    pub(super) fn parse(given: &[&str], known: &str) -> Result<Self, String> {
        let mut options = Self {
            timeout: None,
            detail: Detail::Full,
            wait: Duration::ZERO,
            note: None,
            token: None,
            acknowledged: Vec::new(),
            creates: false,
            must_match: false,
            kind: LockKind::default(),
            force: false,
            prefix: String::new(),
            state: None,
            process: None,
            after: None,
            limit: DEFAULT_LIMIT,
            before: None,
            by: None,
            role: Role::Write,
            limits: LimitsPatch::default(),
        };
        for option in given {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !known.split(' ').any(|known| known == name) {
                return Err(format!("there is no option `{option}`"));
            }
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let count = || u32::try_from(words::number(value)?).map_err(|error| error.to_string());
        let limit = || if value == "none" { Ok(None) } else { count().map(Some) };
        match name {
            "timeout" => self.timeout = Some(timeout(value)?),
            "own" => self.detail = Detail::Own,
            "wait" => self.wait = Duration::from_millis(words::millis(value)?),
            "note" => self.note = Some(Note::parse(value).map_err(|error| error.to_string())?),
            // Where a command comes from is looked up in the line: `commands::origin`.
            "key" => {}
            "acknowledged" => {
                let tokens =
                    value.split('+').map(|token| Ok(FencingToken::new(words::number(token)?)));
                self.acknowledged =
                    tokens.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect();
            }
            "token" => self.token = FencingToken::new(words::number(value)?),
            "create" => self.creates = true,
            "match" => self.must_match = true,
            "shared" => {}
            "exclusive" => self.kind.max_writers = Some(1),
            "writers" => self.kind.max_writers = Some(count()?),
            "readers" => self.kind.max_readers = Some(count()?),
            "ephemeral" => self.kind.is_ephemeral = true,
            "force" => self.force = true,
            "prefix" => value.clone_into(&mut self.prefix),
            "state" => self.state = Some(words::state(value)?),
            "process" => self.process = Some(words::process_id(value)?),
            "after" => self.after = Some(words::lock_id(value)?),
            "before" => self.before = Some(words::number(value)?),
            "as" => self.by = Some(words::key_id(value)?),
            "limit" => self.limit = count()? as usize,
            "role" => self.role = words::role(value)?,
            "rate" => self.limits.requests_per_second = Some(limit()?),
            "burst" => self.limits.burst = Some(limit()?),
            "max-locks" => self.limits.max_locks = Some(limit()?),
            "max-holds" => self.limits.max_holds = Some(limit()?),
            "max-waiters" => self.limits.max_waiters = Some(limit()?),
            _ => return Err(format!("there is no option `{name}`")),
        }
        Ok(())
    }

    pub(super) fn timeout(&self) -> Result<TimeoutSecs, String> {
        self.timeout.or(TimeoutSecs::new(DEFAULT_TIMEOUT_SECS)).ok_or("no default".to_owned())
    }

    pub(super) fn terms(&self) -> Result<Terms, String> {
        Ok(Terms { timeout: self.timeout()?, note: self.note.clone(), detail: self.detail })
    }

    pub(super) fn new_lock(&self, uid: LockUid) -> Option<NewLock> {
        self.creates.then_some(NewLock { uid, kind: self.kind, must_match: self.must_match })
    }
}

fn timeout(word: &str) -> Result<TimeoutSecs, String> {
    let secs = word.parse().map_err(|_| format!("`{word}` is not a timeout"))?;
    TimeoutSecs::new(secs).ok_or("a timeout is at least one second".to_owned())
}
