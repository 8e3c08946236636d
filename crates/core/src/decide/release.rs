//! Give a hold back.

use super::refresh::check_token;
use super::{Answer, Decision, as_it_stands, find};
use crate::change::{Change, EndCause};
use crate::command::{Detail, HoldKey};
use crate::id::IdempotencyKey;
use crate::origin::Origin;
use crate::reply::Refusal;
use crate::table::Table;
use crate::time::Now;
use crate::token::FencingToken;

/// Releases that one command forgets at most, after the limit was lowered.
const MAX_FORGOTTEN: usize = 16;

pub(super) fn release(
    table: &Table,
    now: Now,
    origin: &Origin,
    hold: &HoldKey,
    token: Option<FencingToken>,
    detail: Detail,
) -> Result<Decision, Refusal> {
    let idempotency_key = origin.idempotency_key.as_ref();
    let lock = find(table, &hold.namespace, &hold.lock_id)?;
    let answer = Answer::Hold(hold.clone(), detail);
    if idempotency_key.is_some_and(|key| table.releases().has(hold, key)) {
        return Ok(Decision::change(Vec::new(), answer));
    }
    let Some(held) = lock.hold_of(hold) else {
        return Err(Refusal::NothingToRelease {
            process_id: hold.process_id.clone(),
            mode: hold.mode,
            lock: as_it_stands(lock, &hold.lock_id, now),
        });
    };
    check_token(lock, hold, held, token, now)?;
    let mut changes = vec![Change::Ended {
        hold: hold.clone(),
        cause: EndCause::Released,
        at: now.wall,
        by: origin.key_id.clone(),
    }];
    changes.extend(idempotency_key.into_iter().flat_map(|key| remembrance(table, hold, key)));
    Ok(Decision::change(changes, answer))
}

/// Remembers a release, and forgets old ones for it where the limit asks for that (I7).
fn remembrance(table: &Table, hold: &HoldKey, idempotency_key: &IdempotencyKey) -> Vec<Change> {
    let releases = table.releases();
    let surplus = (releases.len() + 1).saturating_sub(table.limits().max_remembered_releases);
    let forgotten = releases.oldest().take(surplus.min(MAX_FORGOTTEN)).cloned();
    let mut changes: Vec<Change> = forgotten.map(Change::ReleaseForgotten).collect();
    changes.push(Change::ReleaseRemembered {
        hold: hold.clone(),
        idempotency_key: idempotency_key.clone(),
        number: releases.next_number(),
    });
    changes
}
