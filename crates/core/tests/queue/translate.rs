//! From the model's numbers to the table's names, and from its answers back.

use std::time::Duration;

use leasehold_core::{
    Acquire, Detail, HoldKey, LockId, LockKind, LockUid, Mode, Namespace, NewLock, ProcessId,
    Quotas, Refusal, Reply, Terms, TimeoutSecs, Want,
};

use super::{Kind, Name, Process, Request, Verdict};

pub(crate) fn namespace() -> Namespace {
    Namespace::default()
}

pub(crate) fn lock_id(name: Name) -> LockId {
    LockId::parse(&name.to_string()).unwrap()
}

pub(crate) fn process_id(process: Process) -> ProcessId {
    ProcessId::parse(&process.to_string()).unwrap()
}

pub(crate) fn name_of(lock_id: &LockId) -> Name {
    lock_id.as_str().parse().unwrap()
}

pub(crate) fn number_of(process_id: &ProcessId) -> Process {
    process_id.as_str().parse().unwrap()
}

pub(crate) fn hold_key(process: Process, (name, mode): (Name, Mode)) -> HoldKey {
    HoldKey {
        namespace: namespace(),
        lock_id: lock_id(name),
        mode,
        process_id: process_id(process),
    }
}

pub(crate) fn new_lock(kind: Kind) -> NewLock {
    let Kind { max_readers, max_writers, is_ephemeral } = kind;
    let kind = LockKind { max_readers, max_writers, is_ephemeral };
    NewLock { uid: LockUid([7; 16]), kind, must_match: false }
}

pub(crate) fn secs(timeout_secs: u32) -> TimeoutSecs {
    TimeoutSecs::new(timeout_secs).unwrap()
}

pub(crate) fn terms(timeout_secs: u32) -> Terms {
    let timeout = secs(timeout_secs);
    Terms { timeout, note: None, detail: Detail::Own }
}

pub(crate) fn wait(request: &Request) -> Duration {
    Duration::from_millis(request.wait_ms)
}

pub(crate) fn acquire(request: &Request) -> Acquire {
    let wants = request.wants.iter().map(|(name, mode)| Want {
        lock_id: lock_id(*name),
        mode: *mode,
        create_if_missing: request.create.map(new_lock),
    });
    Acquire {
        namespace: namespace(),
        process_id: process_id(request.process),
        wants: wants.collect(),
        terms: terms(request.timeout_secs),
        wait: wait(request),
        quotas: Quotas::default(),
    }
}

/// What an answer says in the model's words.
pub(crate) fn verdict_of(answer: &Result<Reply, Refusal>) -> Verdict {
    match answer {
        Ok(_) => Verdict::Done,
        Err(Refusal::LockExists(_)) => Verdict::LockExists,
        // This model keeps no history; the one in `naive` does.
        Err(Refusal::NoSuchLock(_) | Refusal::HoldOver { .. }) => Verdict::NoSuchLock,
        Err(Refusal::LockDeleted(_)) => Verdict::LockDeleted,
        Err(Refusal::Held(_)) => Verdict::Held,
        Err(Refusal::AlreadyHeld { .. }) => Verdict::AlreadyHeld,
        Err(Refusal::AlreadyWaiting { .. }) => Verdict::AlreadyWaiting,
        Err(Refusal::NotHeld { .. }) => Verdict::NotHeld,
        Err(Refusal::NothingToRelease { .. }) => Verdict::NothingToRelease,
        Err(Refusal::NotFree(_)) => Verdict::NotFree,
        Err(Refusal::ProcessHoldsNothing(_)) => Verdict::HoldsNothing,
        Err(Refusal::Deadlock(_)) => Verdict::Deadlock,
        Err(Refusal::TooManyWaiters { .. }) => Verdict::TooManyWaiters,
        Err(Refusal::WaitTimedOut { .. }) => Verdict::WaitTimedOut,
        Err(refusal) => panic!("no run can end in {refusal:?}"),
    }
}
