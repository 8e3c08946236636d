//! Whose turn it is (I6): served in order, nobody overtakes, and what fits together goes together.

use super::Answer;
use super::repeat::{granted_by, remembrance};
use crate::change::{Change, EndCause};
use crate::command::{HoldKey, Mode, Terms};
use crate::deadlines::End;
use crate::id::{IdempotencyKey, KeyId, LockId, Namespace, ProcessId};
use crate::limits::Limits;
use crate::line::{Purpose, Ticket, Waiter};
use crate::lock::{Hold, Lock};
use crate::origin::Origin;
use crate::reply::Refusal;
use crate::table::{Request, Table};
use crate::time::Now;

/// Where a request stands by what the same process asked before.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// It has not asked before, or too long ago.
    New,
    /// An earlier wait for the same timed out a moment ago: the request has the order that it had then,
    /// and nothing else. It is in no queue and counts for nothing.
    Kept(Ticket),
    /// An earlier request for the same still waits; this one takes its place.
    Queued(Ticket),
}

impl Place {
    /// The place that an earlier wait left, if its ticket is kept still.
    pub(super) fn kept(
        table: &Table,
        now: Now,
        namespace: &Namespace,
        process_id: &ProcessId,
        purpose: Purpose,
        wants: Vec<(LockId, Mode)>,
    ) -> Self {
        let request = Request::new(namespace, process_id, purpose, wants);
        table.kept_ticket(&request, now.mono).map_or(Self::New, Self::Kept)
    }

    pub(super) fn ticket(self) -> Option<Ticket> {
        match self {
            Self::New => None,
            Self::Kept(ticket) | Self::Queued(ticket) => Some(ticket),
        }
    }

    pub(super) fn is_queued(self) -> bool {
        matches!(self, Self::Queued(_))
    }

    /// What becomes of the ticket when the request is granted.
    pub(super) fn used_up(self) -> Option<Change> {
        match self {
            Self::New => None,
            Self::Kept(ticket) => Some(Change::TicketUsed(ticket)),
            Self::Queued(ticket) => Some(served(ticket)),
        }
    }
}

/// Whether a lock has room for one more hold of a mode.
pub(super) enum Room {
    /// It has.
    Free,
    /// The present holds leave none.
    Taken,
    /// It has, but others in line come first.
    Promised,
    /// It has as many holders as any lock may have.
    None { max: usize },
}

/// Whether a lock has room for a request with this ticket, or for one without: nothing in the queue
/// may come before it.
pub(super) fn room(lock: &Lock, mode: Mode, ticket: Option<Ticket>, limits: &Limits) -> Room {
    let is_first = |head: Ticket| ticket.is_some_and(|ticket| ticket <= head);
    if !lock.admits(mode) {
        Room::Taken
    } else if lock.upgrader().is_some() || !lock.head().is_none_or(is_first) {
        Room::Promised
    } else if lock.holders(mode).len() >= limits.max_holders_per_lock {
        Room::None { max: limits.max_holders_per_lock }
    } else {
        Room::Free
    }
}

/// Whether one more may stand in line for these (I7).
pub(super) fn check_room(
    table: &Table,
    namespace: &Namespace,
    holds: &[HoldKey],
) -> Result<(), Refusal> {
    let limits = table.limits();
    let longest = holds.iter().filter_map(|hold| table.lock(&hold.namespace, &hold.lock_id));
    let longest = longest.map(Lock::waiter_count).max().unwrap_or(0);
    let in_namespace = table.space(namespace).map_or(0, |space| space.waiters);
    let scopes = [
        ("for this lock", longest, limits.max_waiters_per_lock),
        ("in this namespace", in_namespace, limits.max_waiters_per_namespace),
        ("in the service", table.waiter_count(), limits.max_waiters),
    ];
    match scopes.into_iter().find(|(_, count, max)| count >= max) {
        Some((scope, _, max)) => Err(Refusal::TooManyWaiters { scope, max }),
        None => Ok(()),
    }
}

/// The waiter of this lock whose turn has come, if any: it is first in the lines of all its locks,
/// and they all have room. Every waiter has a client that is present, so nothing waits for one that is
/// not.
pub(crate) fn next_in_line<'a>(
    table: &'a Table,
    namespace: &Namespace,
    lock_id: &LockId,
) -> Option<&'a Waiter> {
    let lock = table.lock(namespace, lock_id)?;
    let waiter = table.waiter(lock.upgrader().or_else(|| lock.head())?)?;
    let its_turn = match waiter.purpose {
        Purpose::Upgrade => lock.readers.len() == 1,
        Purpose::Acquire => waiter.wants.iter().all(|(id, mode)| {
            table.lock(namespace, id).is_some_and(|lock| {
                matches!(room(lock, *mode, Some(waiter.ticket), table.limits()), Room::Free)
            })
        }),
    };
    its_turn.then_some(waiter)
}

/// What it takes to give a waiter what it waits for.
///
/// # Errors
/// [`Refusal::TokensExhausted`].
pub(crate) fn grant_waiter(
    table: &Table,
    now: Now,
    waiter: &Waiter,
) -> Result<(Vec<Change>, Answer), Refusal> {
    let holds: Vec<HoldKey> = waiter.holds().collect();
    let key = waiter.mark.as_ref().map(|mark| &mark.id.key);
    let taker = Taker { key_id: waiter.key_id.as_ref(), idempotency_key: key };
    let mut changes = vec![served(waiter.ticket)];
    match waiter.purpose {
        Purpose::Acquire => changes.extend(grants(table, now, &taker, &holds, &waiter.terms)?),
        Purpose::Upgrade => {
            for hold in &holds {
                changes.extend(conversion(table, now, &taker, hold, Mode::Write, &waiter.terms)?);
            }
        }
    }
    if let (Some(mark), Some(result)) = (&waiter.mark, granted_by(&changes)) {
        changes.push(remembrance(mark, result));
    }
    Ok((changes, Answer::Granted(holds, waiter.terms.detail)))
}

/// The end of a wait by a grant, which follows.
fn served(ticket: Ticket) -> Change {
    Change::LeftLine { ticket, why: None }
}

/// Whose request takes a hold, and how it is known when it is sent again.
pub(super) struct Taker<'a> {
    key_id: Option<&'a KeyId>,
    idempotency_key: Option<&'a IdempotencyKey>,
}

impl<'a> Taker<'a> {
    pub(super) fn of(origin: &'a Origin) -> Self {
        let Origin { key_id, idempotency_key, is_revocable: _ } = origin;
        Self { key_id: key_id.as_ref(), idempotency_key: idempotency_key.as_ref() }
    }
}

/// The grants of these holds, each with a token of its own. A lock that waited for its first holder stays
/// from then on.
pub(super) fn grants(
    table: &Table,
    now: Now,
    taker: &Taker<'_>,
    holds: &[HoldKey],
    terms: &Terms,
) -> Result<Vec<Change>, Refusal> {
    let mut token = table.last_token();
    let mut grants = Vec::with_capacity(holds.len());
    for hold in holds {
        token = token.next().ok_or(Refusal::TokensExhausted)?;
        let lock = table.lock(&hold.namespace, &hold.lock_id);
        if lock.is_some_and(|lock| lock.is_provisional) {
            let (namespace, lock_id) = (hold.namespace.clone(), hold.lock_id.clone());
            grants.push(Change::LockKept { namespace, lock_id });
        }
        let End { deadline, promised } = End::after(now, terms.timeout);
        let held = Box::new(Hold {
            token,
            timeout: terms.timeout,
            acquired_at: now.wall,
            renewed_at: now.wall,
            deadline,
            promised,
            note: terms.note.clone(),
            idempotency_key: taker.idempotency_key.cloned(),
            acquired_by: taker.key_id.cloned(),
            is_confirmed: false,
        });
        grants.push(Change::Granted { hold: hold.clone(), held });
    }
    Ok(grants)
}

/// A hold turned into one of the other mode, `to`.
pub(super) fn conversion(
    table: &Table,
    now: Now,
    taker: &Taker<'_>,
    hold: &HoldKey,
    to: Mode,
    terms: &Terms,
) -> Result<Vec<Change>, Refusal> {
    let held = |mode| HoldKey { mode, ..hold.clone() };
    let mut changes = vec![Change::Ended {
        hold: held(to.opposite()),
        cause: EndCause::Converted,
        at: now.wall,
        by: None,
    }];
    changes.extend(grants(table, now, taker, &[held(to)], terms)?);
    changes.push(Change::Confirmed(held(to)));
    Ok(changes)
}

/// The end of a lock that was made to disappear when it is idle, or for a request that waited for it and
/// is gone.
pub(crate) fn spent(table: &Table, namespace: &Namespace, lock_id: &LockId) -> Option<Change> {
    let lock = table.lock(namespace, lock_id)?;
    let is_spent = (lock.kind.is_ephemeral || lock.is_provisional) && lock.is_idle();
    is_spent.then(|| Change::LockDeleted {
        namespace: namespace.clone(),
        lock_id: lock_id.clone(),
        has_row: !lock.is_provisional,
    })
}
