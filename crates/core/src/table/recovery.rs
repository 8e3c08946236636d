//! From a store's rows back to a table. Rows may come in any order; what they say is checked.
//!
//! If the term before kept deadlines and this one does not, or the other way round, the rows say so from
//! the first batch on: before anything is answered that the next recovery could get wrong.

use thiserror::Error;

use super::Table;
use crate::change::Change;
use crate::command::HoldKey;
use crate::deadlines::{Deadlines, End};
use crate::history::PastHold;
use crate::id::{IdempotencyKey, LockId, Namespace};
use crate::limits::Limits;
use crate::lock::Hold;
use crate::origin::RequestId;
use crate::requests::RequestResult;
use crate::row::{Batch, Row, RowKey};
use crate::time::{Mono, Now};
use crate::token::FencingToken;

/// What the rows of a store say that cannot be true, or that they are not all. Nothing can be served from them.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Violation {
    /// The rows are not all.
    #[error(
        "an import into the store was begun and is not complete: import again, or use another store"
    )]
    UnfinishedImport,
    /// A hold without a lock.
    #[error("{0:?} is held, but there is no such lock")]
    HoldWithoutLock(HoldKey),
    /// I1.
    #[error("I1: {0:?} is held beside a hold that it excludes")]
    Exclusion(HoldKey),
    /// I3: a token was given out twice, or is ahead of the sequence.
    #[error(
        "I3: {hold:?} has token {token}, which another hold has too or the sequence ({sequence}) has not reached"
    )]
    Token {
        /// The hold.
        hold: HoldKey,
        /// Its token.
        token: FencingToken,
        /// The stored sequence.
        sequence: FencingToken,
    },
    /// Two ends have one number, so that their order is lost; or a row keeps an end that was before the
    /// row, or more holds ended than tokens were given out.
    #[error(
        "row {slot} of history keeps end {number} with token {token}, which another row has too, or which \
         the row or the sequence ({sequence}) rules out"
    )]
    Past {
        /// The row.
        slot: u64,
        /// The end's number.
        number: u64,
        /// The token of the hold that ended.
        token: FencingToken,
        /// The stored sequence.
        sequence: FencingToken,
    },
}

struct StoredPast {
    slot: u64,
    namespace: Namespace,
    lock_id: LockId,
    past: PastHold,
}

/// Takes a store's rows one by one and ends as a [`Table`].
pub struct Recovery {
    table: Table,
    deadlines_were_stored: bool,
    /// Each with the time of its row; when it ends is known last.
    holds: Vec<(HoldKey, Box<Hold>)>,
    past: Vec<StoredPast>,
    is_complete: bool,
}

impl Recovery {
    /// Starts with an empty table that will keep deadlines so.
    #[must_use]
    pub fn new(limits: Limits, deadlines: Deadlines) -> Self {
        let table = Table { deadlines_kept: deadlines, ..Table::new(limits) };
        let (holds, past) = (Vec::new(), Vec::new());
        Self { table, deadlines_were_stored: false, holds, past, is_complete: true }
    }

    /// Takes one row. Holds, present and past, wait until all locks are known.
    pub fn row(&mut self, row: Row) {
        match row {
            Row::Lock { namespace, lock_id, uid, kind, created_at, updated_at } => {
                self.table.apply(Change::LockCreated {
                    namespace,
                    lock_id,
                    uid,
                    kind,
                    created_at,
                    updated_at,
                    is_provisional: false,
                });
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
                let held = Hold {
                    token,
                    timeout,
                    acquired_at,
                    renewed_at,
                    deadline: Mono::default(),
                    promised: Mono::default(),
                    note,
                    idempotency_key,
                    acquired_by,
                    is_confirmed: true,
                };
                self.holds.push((hold, Box::new(held)));
            }
            Row::Release { hold, idempotency_key, number } => {
                self.table.apply(Change::ReleaseRemembered { hold, idempotency_key, number });
            }
            Row::Past { slot, namespace, lock_id, past } => {
                self.past.push(StoredPast { slot, namespace, lock_id, past });
            }
            Row::Key(key) => self.table.apply(Change::KeyCreated(key)),
            Row::Sequence(token) => self.table.apply(Change::SequenceAdvanced(token)),
            Row::Import { .. } => self.is_complete = false,
            Row::StoredDeadlines { since: _ } => self.deadlines_were_stored = true,
        }
    }

    /// The table as the rows say, and the first batch, to be durable before anything is answered; mostly
    /// it is empty.
    ///
    /// Every live hold has its full timeout from `now`, or what is left of it by stored times, if this
    /// term keeps them and the one before did. Its process may have heard of it: nobody gives it back.
    ///
    /// # Errors
    /// [`Violation`] if the rows contradict each other or a promise.
    pub fn finish(self, now: Now) -> Result<(Table, Batch), Violation> {
        let Self { mut table, deadlines_were_stored, mut holds, past, is_complete } = self;
        if !is_complete {
            return Err(Violation::UnfinishedImport);
        }
        read_past(&mut table, past)?;
        holds.sort_unstable_by_key(|(_, held)| held.token);
        let sequence = table.last_token;
        let mut batch = Batch::default();
        let mut last = None;
        let begins_to_store = match (deadlines_were_stored, table.deadlines_kept) {
            (false, Deadlines::Stored { .. }) => {
                batch.put(Row::StoredDeadlines { since: now.wall });
                true
            }
            (true, Deadlines::Anew) => {
                batch.delete(RowKey::StoredDeadlines);
                false
            }
            (false, Deadlines::Anew) | (true, Deadlines::Stored { .. }) => false,
        };
        for (hold, mut held) in holds {
            let token = held.token;
            let Some(lock) = table.lock(&hold.namespace, &hold.lock_id) else {
                return Err(Violation::HoldWithoutLock(hold));
            };
            if !lock.admits(hold.mode) || lock.hold_of(&hold).is_some() {
                return Err(Violation::Exclusion(hold));
            }
            if token > sequence || last == Some(token) {
                return Err(Violation::Token { hold, token, sequence });
            }
            last = Some(token);
            let end = match table.deadlines_kept {
                Deadlines::Stored { max_clock_skew } if deadlines_were_stored => {
                    End::of_stored(now, held.renewed_at, held.timeout, max_clock_skew)
                }
                Deadlines::Stored { .. } | Deadlines::Anew => {
                    held.renewed_at = now.wall;
                    End::after(now, held.timeout)
                }
            };
            (held.deadline, held.promised) = (end.deadline, end.promised);
            remember_request(&mut table, &hold, token, held.idempotency_key.as_ref());
            let rewritten = (begins_to_store).then(|| hold.clone());
            table.apply(Change::Granted { hold, held });
            if let Some(hold) = rewritten {
                table.put_hold(&hold, &mut batch);
            }
        }
        Ok((table, batch))
    }
}

/// Puts past holds back, the oldest first.
fn read_past(table: &mut Table, mut rows: Vec<StoredPast>) -> Result<(), Violation> {
    rows.sort_unstable_by_key(|row| (row.past.number, row.slot));
    let sequence = table.last_token;
    let mut last = 0;
    for StoredPast { slot, namespace, lock_id, past } in rows {
        let (number, token) = (past.number, past.token);
        let is_possible = slot <= number && number <= sequence.get() && token <= sequence;
        if number <= last || !is_possible {
            return Err(Violation::Past { slot, number, token, sequence });
        }
        last = number;
        let hold = HoldKey {
            namespace: namespace.clone(),
            lock_id: lock_id.clone(),
            mode: past.mode,
            process_id: past.process_id.clone(),
        };
        remember_request(table, &hold, token, past.idempotency_key.as_ref());
        table.apply(Change::PastRead { namespace, lock_id, slot, past: Box::new(past) });
    }
    Ok(())
}

/// A hold and a past hold each tell of the request that took it.
fn remember_request(
    table: &mut Table,
    hold: &HoldKey,
    token: FencingToken,
    key: Option<&IdempotencyKey>,
) {
    if let Some(key) = key {
        let id = RequestId::of_hold(hold, key);
        let result = Box::new(RequestResult::Granted(vec![(hold.clone(), token)]));
        table.apply(Change::RequestRemembered { id, digest: None, result });
    }
}
