//! Requests that carried an idempotency key, and what came of them: one that is sent again gets the same
//! answer and does nothing a second time.
//!
//! They are kept in memory. What a grant came to is also in the rows: in that of the hold, and after
//! its end in that of the past hold. So a late copy of an acquire is recognised after a failover, too.

use std::collections::BTreeMap;

use crate::command::HoldKey;
use crate::id::{KeyId, LockUid};
use crate::key::ApiKey;
use crate::origin::RequestId;
use crate::reply::LockView;
use crate::token::FencingToken;

/// What came of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestResult {
    /// These holds were granted.
    Granted(Vec<(HoldKey, FencingToken)>),
    /// Holds were refreshed, or limits changed. To do that again does no harm.
    Refreshed,
    /// Holds were released.
    Released,
    /// A lock was created.
    Created(LockUid),
    /// A lock was deleted, which had looked like this.
    Deleted(LockView),
    /// An API key was created. Its secret was shown once, and no one can show it again.
    KeyCreated(KeyId),
    /// An API key was revoked.
    KeyRevoked(Box<ApiKey>),
}

/// A request that was carried out.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// A digest of what it asked for, unless that was lost with the term that carried it out.
    pub(crate) digest: Option<u64>,
    pub(crate) result: RequestResult,
    number: u64,
}

/// The requests that were carried out last.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    by_id: BTreeMap<RequestId, Remembered>,
    by_number: BTreeMap<u64, RequestId>,
    last_number: u64,
}

impl Requests {
    pub(crate) fn get(&self, id: &RequestId) -> Option<&Remembered> {
        self.by_id.get(id)
    }

    /// Remembers a request, and forgets the oldest ones beyond `max` (I7).
    ///
    /// Rows tell the holds of one request one by one, so that those of a request without a digest add up.
    pub(crate) fn remember(
        &mut self,
        id: RequestId,
        digest: Option<u64>,
        result: RequestResult,
        max: usize,
    ) {
        self.last_number += 1;
        let number = self.last_number;
        let earlier = self.by_id.remove(&id);
        if let Some(earlier) = &earlier {
            self.by_number.remove(&earlier.number);
        }
        let result = match (earlier.map(|earlier| earlier.result), result) {
            (Some(RequestResult::Granted(mut holds)), RequestResult::Granted(more))
                if digest.is_none() =>
            {
                holds.extend(more);
                RequestResult::Granted(holds)
            }
            (_, result) => result,
        };
        self.by_number.insert(number, id.clone());
        self.by_id.insert(id, Remembered { digest, result, number });
        while self.by_id.len() > max
            && let Some((_, oldest)) = self.by_number.pop_first()
        {
            self.by_id.remove(&oldest);
        }
    }

    pub(crate) fn forget(&mut self, id: &RequestId) {
        if let Some(forgotten) = self.by_id.remove(id) {
            self.by_number.remove(&forgotten.number);
        }
    }
}
