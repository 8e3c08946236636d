//! From the model's numbers to the table's names, and from its replies back.

use std::time::Duration;

use leasehold_core::{
    Acquire, Command, Detail, HoldKey, HoldView, LockId, LockKind, LockState, LockUid, LockView,
    Mode, Namespace, NewLock, Outcome, PastHold, ProcessId, Quotas, Refusal, Reply, Terms,
    TimeoutSecs, Want,
};

use super::{Name, Seen, SeenHold, SeenLock, SeenPast, Space, Verdict, Who};

pub(crate) fn namespace(space: Space) -> Namespace {
    Namespace::parse(&format!("space-{space}")).unwrap()
}

pub(crate) fn lock_id(name: Name) -> LockId {
    LockId::parse(&format!("lock-{name}")).unwrap()
}

pub(crate) fn hold_key(who: Who) -> HoldKey {
    HoldKey {
        namespace: namespace(who.space),
        lock_id: lock_id(who.name),
        mode: who.mode,
        process_id: ProcessId::parse(&who.process.to_string()).unwrap(),
    }
}

pub(crate) fn secs(timeout_secs: u32) -> TimeoutSecs {
    TimeoutSecs::new(timeout_secs).unwrap()
}

pub(crate) fn detail(own: bool) -> Detail {
    if own { Detail::Own } else { Detail::Full }
}

pub(crate) fn token_of(lock: &SeenLock, who: Who) -> u64 {
    let holders = match who.mode {
        Mode::Read => &lock.readers,
        Mode::Write => &lock.writers,
    };
    holders.iter().find(|hold| hold.process == who.process).unwrap().token
}

pub(crate) fn new_lock(uid: u128, is_write_exclusive: bool) -> NewLock {
    let max_writers = is_write_exclusive.then_some(1);
    let kind = LockKind { max_writers, ..LockKind::default() };
    NewLock { uid: LockUid(uid.to_be_bytes()), kind, must_match: false }
}

pub(crate) fn acquire(who: Who, timeout_secs: u32, own: bool) -> Command {
    let HoldKey { namespace, lock_id, mode, process_id } = hold_key(who);
    let terms = Terms { timeout: secs(timeout_secs), note: None, detail: detail(own) };
    let wants = vec![Want { lock_id, mode, create_if_missing: None }];
    let (wait, quotas) = (Duration::ZERO, Quotas::default());
    Command::Acquire(Acquire { namespace, process_id, wants, terms, wait, quotas })
}

pub(crate) fn see(outcome: &Outcome) -> Seen {
    let Outcome::Done(answer) = outcome else { panic!("nobody waits here") };
    match answer {
        Ok(Reply::Lock(lock)) => (Verdict::Done, Some(see_lock(lock))),
        Ok(Reply::Granted(grants)) => (Verdict::Done, grants.first().map(|g| see_lock(&g.lock))),
        Ok(reply) => panic!("no run asks for {reply:?}"),
        Err(Refusal::LockExists(lock)) => (Verdict::LockExists, Some(see_lock(lock))),
        Err(Refusal::NoSuchLock(_)) => (Verdict::NoSuchLock, None),
        Err(Refusal::Held(lock)) => (Verdict::Held, Some(see_lock(lock))),
        Err(Refusal::AlreadyHeld { lock, .. }) => (Verdict::AlreadyHeld, Some(see_lock(lock))),
        Err(Refusal::NotHeld { lock, .. }) => (Verdict::NotHeld, Some(see_lock(lock))),
        Err(Refusal::HoldOver { .. }) => (Verdict::NotHeld, None),
        Err(Refusal::NothingToRelease { lock, .. }) => {
            (Verdict::NothingToRelease, Some(see_lock(lock)))
        }
        Err(Refusal::TimeoutTooLong { .. }) => (Verdict::TimeoutTooLong, None),
        Err(Refusal::TooManyLocks { .. }) => (Verdict::TooManyLocks, None),
        Err(Refusal::TooManyHolders { .. }) => (Verdict::TooManyHolders, None),
        Err(refusal) => panic!("no run can end in {refusal:?}"),
    }
}

/// What is over, as a reply to a look at a history shows it; `None` if nothing has that name.
pub(crate) fn see_history(outcome: &Outcome) -> Option<Vec<SeenPast>> {
    match outcome {
        Outcome::Done(Ok(Reply::History { past, next: None })) => {
            Some(past.iter().map(see_past).collect())
        }
        Outcome::Done(Err(Refusal::NoSuchLock(_))) => None,
        outcome => panic!("no look at a history can end in {outcome:?}"),
    }
}

fn see_past(past: &PastHold) -> SeenPast {
    SeenPast {
        process: past.process_id.as_str().parse().unwrap(),
        mode: past.mode,
        token: past.token.get(),
        acquired_wall_ms: past.acquired_at.0,
        ended_wall_ms: past.ended_at.0,
        cause: past.cause,
    }
}

fn see_lock(lock: &LockView) -> SeenLock {
    let state = match (lock.reader_count, lock.writer_count) {
        (0, 0) => LockState::Free,
        (_, 0) => LockState::Read,
        (_, _) => LockState::Write,
    };
    assert_eq!(lock.state, state, "{lock:?}");
    SeenLock {
        uid: u128::from_be_bytes(lock.uid.0),
        is_write_exclusive: lock.kind.is_write_exclusive(),
        created_wall_ms: lock.created_at.0,
        updated_wall_ms: lock.updated_at.0,
        readers: lock.readers.iter().map(see_hold).collect(),
        writers: lock.writers.iter().map(see_hold).collect(),
        reader_count: lock.reader_count,
        writer_count: lock.writer_count,
    }
}

fn see_hold(hold: &HoldView) -> SeenHold {
    SeenHold {
        process: hold.process_id.as_str().parse().unwrap(),
        token: hold.token.get(),
        timeout_secs: hold.timeout.get(),
        acquired_wall_ms: hold.acquired_at.0,
        expires_wall_ms: hold.expires_at.0,
        remaining_ms: u64::try_from(hold.remaining.as_millis()).unwrap(),
    }
}
