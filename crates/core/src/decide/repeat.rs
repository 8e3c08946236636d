//! A request that is sent again: it gets the answer that it got, and does nothing a second time.

use super::{Answer, Decision, Verdict, find};
use crate::change::Change;
use crate::command::{Command, Detail, HoldKey, Mode};
use crate::origin::RequestMark;
use crate::reply::{Refusal, Reply};
use crate::requests::RequestResult;
use crate::table::Table;
use crate::time::Now;
use crate::token::FencingToken;

/// The answer to a request that was carried out before; `None` for one that is new, or that may be
/// carried out again.
///
/// # Errors
/// [`Refusal::RequestOver`] if what it was granted is over, [`Refusal::IdempotencyKeyReused`] if another
/// request had the same key.
pub(super) fn repeat(
    table: &Table,
    now: Now,
    command: &Command,
    mark: &RequestMark,
) -> Result<Option<Decision>, Refusal> {
    let Some(earlier) = table.requests().get(&mark.id) else { return Ok(None) };
    let reused = || Refusal::IdempotencyKeyReused(mark.id.key.clone());
    if earlier.digest.is_some_and(|digest| digest != mark.digest) {
        return Err(reused());
    }
    match (&earlier.result, command) {
        (RequestResult::Granted(granted), Command::Acquire(acquire)) => {
            again(table, acquire.holds(), granted, acquire.terms.detail, reused)
        }
        (RequestResult::Granted(granted), Command::Upgrade { hold, terms, .. }) => {
            again(table, vec![in_mode(hold, Mode::Write)], granted, terms.detail, reused)
        }
        (RequestResult::Granted(granted), Command::Downgrade { hold, terms }) => {
            again(table, vec![in_mode(hold, Mode::Read)], granted, terms.detail, reused)
        }
        (RequestResult::Released, Command::Release { hold, detail, .. }) => {
            find(table, &hold.namespace, &hold.lock_id)?;
            Ok(Some(Decision::change(Vec::new(), Answer::Hold(hold.clone(), *detail))))
        }
        (RequestResult::Released, Command::ReleaseProcess { namespace, process_id, .. }) => {
            let lost = table.losses_of(namespace, process_id, now.mono);
            Ok(Some(Decision::read(Reply::Process { holds: Vec::new(), lost })))
        }
        (RequestResult::Created(uid), Command::CreateLock { namespace, lock_id, .. }) => {
            match find(table, namespace, lock_id)? {
                lock if lock.uid == *uid => {
                    let answer = Answer::Lock(namespace.clone(), lock_id.clone());
                    Ok(Some(Decision::change(Vec::new(), answer)))
                }
                _ => Err(Refusal::NoSuchLock(lock_id.clone())),
            }
        }
        (RequestResult::Deleted(lock), Command::DeleteLock { .. }) => {
            Ok(Some(Decision::read(Reply::Lock(lock.clone()))))
        }
        (
            RequestResult::Refreshed,
            Command::Refresh { .. } | Command::RefreshProcess { .. } | Command::LimitKey { .. },
        ) => Ok(None),
        (RequestResult::KeyCreated(key_id), Command::CreateKey(_)) => {
            Err(Refusal::KeyShownBefore(key_id.clone()))
        }
        (RequestResult::KeyRevoked(key), Command::RevokeKey { .. }) => {
            Ok(Some(Decision::read(Reply::Key((**key).clone()))))
        }
        _ => Err(reused()),
    }
}

/// The same grants, if they last.
fn again(
    table: &Table,
    wanted: Vec<HoldKey>,
    granted: &[(HoldKey, FencingToken)],
    detail: Detail,
    reused: impl Fn() -> Refusal,
) -> Result<Option<Decision>, Refusal> {
    // After a failover the digest is lost, and what is known of the request may be less than all.
    if granted.iter().any(|(hold, _)| !wanted.contains(hold)) {
        return Err(reused());
    }
    let lasts = |(hold, token): &&(HoldKey, FencingToken)| {
        let lock = table.lock(&hold.namespace, &hold.lock_id);
        lock.and_then(|lock| lock.hold_of(hold)).is_some_and(|held| held.token == *token)
    };
    if let Some((hold, token)) = granted.iter().find(|grant| !lasts(grant)) {
        return Err(Refusal::RequestOver { hold: hold.clone(), token: *token });
    }
    if granted.len() < wanted.len() {
        return Ok(None);
    }
    let changes = wanted.iter().cloned().map(Change::Confirmed).collect();
    Ok(Some(Decision::change(changes, Answer::Granted(wanted, detail))))
}

fn in_mode(hold: &HoldKey, mode: Mode) -> HoldKey {
    HoldKey { mode, ..hold.clone() }
}

/// What is to be remembered of a request that has just been granted.
pub(super) fn result_of(
    table: &Table,
    command: &Command,
    decision: &Decision,
) -> Option<RequestResult> {
    let Verdict::Granted(answer) = &decision.verdict else { return None };
    match command {
        Command::Acquire(_) | Command::Upgrade { .. } | Command::Downgrade { .. } => {
            granted_by(&decision.changes)
        }
        Command::Refresh { .. } | Command::RefreshProcess { .. } | Command::LimitKey { .. } => {
            Some(RequestResult::Refreshed)
        }
        Command::Release { .. } | Command::ReleaseProcess { .. } => Some(RequestResult::Released),
        Command::CreateLock { new, namespace, lock_id, .. } => {
            // A lock that was there, waiting for its first holder, has a UUID of its own.
            let there = table.lock(namespace, lock_id).map(|lock| lock.uid);
            Some(RequestResult::Created(there.unwrap_or(new.uid)))
        }
        Command::DeleteLock { .. } => match answer {
            Answer::Ready(reply) => match &**reply {
                Reply::Lock(lock) => Some(RequestResult::Deleted(lock.clone())),
                _ => None,
            },
            _ => None,
        },
        Command::GetLock { .. }
        | Command::ListLocks(_)
        | Command::GetProcess { .. }
        | Command::GetHistory { .. }
        | Command::GetWaits { .. }
        | Command::ListKeys { .. } => None,
        Command::CreateKey(key) => Some(RequestResult::KeyCreated(key.key_id.clone())),
        Command::RevokeKey { .. } => match answer {
            Answer::Ready(reply) => match &**reply {
                Reply::Key(key) => Some(RequestResult::KeyRevoked(Box::new(key.clone()))),
                _ => None,
            },
            _ => None,
        },
    }
}

/// The grants among these changes, if any: those of a request that is not sent for the second time.
pub(super) fn granted_by(changes: &[Change]) -> Option<RequestResult> {
    let granted: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Granted { hold, held } => Some((hold.clone(), held.token)),
            _ => None,
        })
        .collect();
    (!granted.is_empty()).then_some(RequestResult::Granted(granted))
}

/// The note that a request was carried out.
pub(super) fn remembrance(mark: &RequestMark, result: RequestResult) -> Change {
    let (id, digest) = (mark.id.clone(), Some(mark.digest));
    Change::RequestRemembered { id, digest, result: Box::new(result) }
}
