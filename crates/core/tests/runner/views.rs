//! What the table answered, as facts.

use leasehold_core::{
    ApiKey, Blocker, CycleStep, EndCause, Grant, HoldView, KeyLimits, LockState, LockView,
    LostHold, Outcome, PastHold, ProcessHold, Quota, Refusal, Reply, WaitView,
};

use super::facts::{Fact, mode_word, span, wall};

fn words(text: impl Into<String>) -> Fact {
    Fact::Words(text.into())
}

fn list<'a, T: 'a>(
    of: &str,
    entries: impl IntoIterator<Item = &'a T>,
    entry: impl FnMut(&'a T) -> Vec<String>,
) -> Fact {
    Fact::List(of.to_owned(), entries.into_iter().map(entry).collect())
}

/// What one command came to.
pub(super) fn of_outcome(outcome: &Outcome) -> Vec<Fact> {
    match outcome {
        Outcome::Done(answer) => of_answer(answer),
        Outcome::Waiting(_) => vec![words("waits")],
        Outcome::Continues { .. } => vec![words("continues")],
    }
}

/// What a caller is told, at once or when its wait is over.
pub(super) fn of_answer(answer: &Result<Reply, Refusal>) -> Vec<Fact> {
    match answer {
        Ok(reply) => of_reply(reply),
        Err(refusal) => of_refusal(refusal),
    }
}

fn of_reply(reply: &Reply) -> Vec<Fact> {
    match reply {
        Reply::Lock(lock) => of_lock(lock),
        Reply::Granted(grants) => of_grants(grants),
        Reply::Locks { locks, next } => {
            let entry =
                |lock: &LockView| vec![lock.lock_id.to_string(), state_word(lock.state).to_owned()];
            let next = next.as_ref().map_or("at the end".to_owned(), |id| format!("next {id}"));
            vec![list("locks", locks, entry), words(next)]
        }
        Reply::Process { holds, lost } => {
            let count = words(format!("{} lost", lost.len()));
            vec![list("holds", holds, of_process_hold), list("lost", lost, of_lost), count]
        }
        Reply::History { past, next } => {
            let next = next.map_or("at the end".to_owned(), |number| format!("next {number}"));
            vec![list("history", past, of_past), words(next)]
        }
        Reply::Waits(waits) => vec![list("waits", waits, of_wait)],
        Reply::Key(key) => of_key(key),
        Reply::Keys(keys) => vec![list("keys", keys, |key| vec![key.key_id.to_string()])],
    }
}

fn of_key(key: &ApiKey) -> Vec<Fact> {
    let KeyLimits { rate, quotas } = key.limits;
    let quota = |quota: Quota, max: Option<u32>| {
        words(max.map_or(format!("no {}", quota.name()), |max| format!("{} {max}", quota.name())))
    };
    vec![
        words(format!("key {}", key.key_id)),
        words(format!("in {}", key.namespace)),
        words(format!("role {}", key.role.as_str())),
        words(format!("created {}", wall(key.created_at))),
        words(rate.map_or("any rate".to_owned(), |rate| {
            format!("rate {} burst {}", rate.per_second(), rate.burst())
        })),
        quota(Quota::Locks, quotas.max_locks),
        quota(Quota::Holds, quotas.max_holds),
        quota(Quota::Waiters, quotas.max_waiters),
    ]
}

fn state_word(state: LockState) -> &'static str {
    match state {
        LockState::Free => "FREE",
        LockState::Read => "READ",
        LockState::Write => "WRITE",
    }
}

fn of_lock(lock: &LockView) -> Vec<Fact> {
    let state = state_word(lock.state);
    let mut facts = match lock.state {
        LockState::Free => vec![words(state)],
        LockState::Read => vec![list(state, &lock.readers, of_hold)],
        LockState::Write => vec![list(state, &lock.writers, of_hold)],
    };
    let permits = |what: &str, max: Option<u32>| {
        words(max.map_or(format!("any number of {what}"), |max| format!("at most {max} {what}")))
    };
    facts.extend([
        words(if lock.kind.is_write_exclusive() { "exclusive" } else { "shared" }),
        permits("readers", lock.kind.max_readers),
        permits("writers", lock.kind.max_writers),
        words(if lock.kind.is_ephemeral { "ephemeral" } else { "lasting" }),
        words(format!("uid {}", u128::from_be_bytes(lock.uid.0))),
        words(format!("created {}", wall(lock.created_at))),
        words(format!("updated {}", wall(lock.updated_at))),
        words(format!("{} readers", lock.reader_count)),
        words(format!("{} writers", lock.writer_count)),
        words(format!("{} waiting", lock.waiter_count)),
        words(format!("{} listed", lock.readers.len() + lock.writers.len())),
    ]);
    facts
}

fn of_hold(hold: &HoldView) -> Vec<String> {
    let mut facts = vec![
        hold.process_id.to_string(),
        format!("#{}", hold.token),
        format!("for {}s", hold.timeout.get()),
        format!("since {}", wall(hold.acquired_at)),
        format!("until {}", wall(hold.expires_at)),
        format!("{} left", span(hold.remaining)),
    ];
    facts.extend(hold.note.iter().map(|note| format!("note {note}")));
    facts
}

/// One lock is shown as it stands, several by what was got of each.
fn of_grants(grants: &[Grant]) -> Vec<Fact> {
    let entry = |grant: &Grant| {
        let mut facts = of_hold(&grant.hold);
        facts[0] = grant.key.lock_id.to_string();
        facts.push(format!("mode {}", mode_word(grant.key.mode)));
        facts
    };
    let mut facts = match grants {
        [grant] => of_lock(&grant.lock),
        _ => Vec::new(),
    };
    facts.push(list("granted", grants, entry));
    facts
}

fn of_process_hold(hold: &ProcessHold) -> Vec<String> {
    let mut facts = of_hold(&hold.hold);
    facts[0] = hold.lock_id.to_string();
    facts.push(format!("mode {}", mode_word(hold.mode)));
    facts
}

fn of_lost(lost: &LostHold) -> Vec<String> {
    vec![
        lost.lock_id.to_string(),
        format!("#{}", lost.token),
        format!("mode {}", mode_word(lost.mode)),
        cause_words(lost.cause).to_owned(),
        format!("at {}", wall(lost.ended_at)),
    ]
}

fn of_past(past: &PastHold) -> Vec<String> {
    let mut facts = vec![
        past.process_id.to_string(),
        format!("#{}", past.token),
        format!("mode {}", mode_word(past.mode)),
        format!("since {}", wall(past.acquired_at)),
        format!("until {}", wall(past.ended_at)),
        cause_words(past.cause).to_owned(),
        past.by.as_ref().map_or("as nobody".to_owned(), |key| format!("as {key}")),
    ];
    facts.extend(past.note.iter().map(|note| format!("note {note}")));
    facts
}

fn cause_words(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Released => "by release",
        EndCause::Expired => "by expiry",
        EndCause::Forced => "by force",
        EndCause::Converted => "by conversion",
    }
}

fn of_wait(wait: &WaitView) -> Vec<String> {
    let mut facts = vec![
        wait.process_id.to_string(),
        format!("{} {}", mode_word(wait.mode), wait.lock_id),
        format!("place {}", wait.position),
        format!("{} left", span(wait.remaining)),
    ];
    facts.extend(wait.note.iter().map(|note| format!("note {note}")));
    facts.extend(wait.blockers.iter().map(|blocker| format!("behind {}", blocker.process_id)));
    facts
}

fn of_blocker(blocker: &Blocker) -> Vec<String> {
    let does = match (blocker.is_holder, mode_word(blocker.mode)) {
        (true, mode) => format!("holds {mode}"),
        (false, mode) => format!("wants {mode}"),
    };
    vec![blocker.process_id.to_string(), does]
}

fn of_step(step: &CycleStep) -> Vec<String> {
    vec![step.process_id.to_string(), format!("{} {}", mode_word(step.mode), step.lock_id)]
}

fn of_refusal(refusal: &Refusal) -> Vec<Fact> {
    let (code, lock) = match refusal {
        Refusal::LockExists(lock) => ("lock_exists", Some(lock)),
        Refusal::NoSuchLock(_) => ("no_such_lock", None),
        Refusal::LockDiffers { lock, .. } => ("lock_differs", Some(lock)),
        Refusal::LockDeleted(_) => ("lock_deleted", None),
        Refusal::HoldOver { .. } => ("not_held", None),
        Refusal::Held(lock) => ("held", Some(lock)),
        Refusal::WaitTimedOut { lock, .. } => ("wait_timed_out", Some(lock)),
        Refusal::Deadlock(_) => ("deadlock", None),
        Refusal::AlreadyWaiting { .. } => ("already_waiting", None),
        Refusal::Superseded => ("superseded", None),
        Refusal::TooManyWaiters { .. } => ("too_many_waiters", None),
        Refusal::StaleToken { lock, .. } => ("stale_token", Some(lock)),
        Refusal::NotFree(lock) => ("not_free", Some(lock)),
        Refusal::ProcessHoldsNothing(_) => ("process_holds_nothing", None),
        Refusal::AlreadyHeld { lock, .. } => ("already_held", Some(lock)),
        Refusal::NotHeld { lock, .. } => ("not_held", Some(lock)),
        Refusal::NothingToRelease { lock, .. } => ("nothing_to_release", Some(lock)),
        Refusal::TimeoutTooLong { .. } => ("timeout_too_long", None),
        Refusal::TooManyLocks { .. } => ("too_many_locks", None),
        Refusal::TooManyHolders { .. } => ("too_many_holders", None),
        Refusal::TokensExhausted => ("tokens_exhausted", None),
        Refusal::TooManyKeys { .. } => ("too_many_keys", None),
        Refusal::QuotaExceeded { .. } => ("quota_exceeded", None),
        Refusal::KeyExists(_) => ("key_exists", None),
        Refusal::BadLimits(_) => ("bad_limits", None),
        Refusal::NoSuchKey(_) => ("no_such_key", None),
        Refusal::KeyRevoked => ("key_revoked", None),
        Refusal::LockBeingDeleted(_) => ("lock_being_deleted", None),
        Refusal::RequestOver { .. } => ("request_over", None),
        Refusal::KeyShownBefore(_) => ("key_shown_before", None),
        Refusal::IdempotencyKeyReused(_) => ("idempotency_key_reused", None),
    };
    let mut facts = vec![words(format!("refused {code}"))];
    facts.extend(lock.map(|lock| of_lock(lock)).unwrap_or_default());
    match refusal {
        Refusal::WaitTimedOut { position, blockers, .. } => {
            facts.push(words(format!("place {position}")));
            facts.push(list("behind", blockers, of_blocker));
        }
        Refusal::Deadlock(circle) => facts.push(list("circle", circle, of_step)),
        _ => {}
    }
    facts.push(words(format!("says: {refusal}")));
    facts
}
