//! Claiming a term: the leader key, the lease key, and an epoch that was never given out.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tonic::Code;

use super::client::Failure;
use super::keys::{FIRST_FORMAT_WITH_LOG_SLOTS, FORMAT, LeaderValue, OLDEST_FORMAT, State, encode};
use super::load::Pages;
use super::term::{Term, unavailable};
use super::wire::{
    RANGE, RangeRequest, RangeResponse, TXN, TxnRequest, TxnResponse, put, unchanged,
};
use super::{Etcd, EtcdStore};
use crate::store::StoreError;

/// How often one claim begins again because the keys changed under it or its outcome was unclear.
const ROUNDS: u32 = 3;

impl Etcd {
    /// Everything but rows and log, as it stands now, by etcd's own majority.
    pub(super) async fn state(&mut self) -> Result<State, StoreError> {
        let (key, range_end) = self.keys.state();
        let request = RangeRequest { key, range_end, limit: 0, revision: 0 };
        let answer: RangeResponse = self.client.ask(RANGE, &request).await.map_err(unavailable)?;
        let state = State::read(&self.keys, &answer.kvs)?;
        Ok(State { revision: answer.header.unwrap_or_default().revision, ..state })
    }

    /// Without an epoch there must be nothing else: otherwise epochs have been given out, and are not known.
    async fn check_epoch(&mut self, state: &State) -> Result<(), StoreError> {
        if state.epoch.revision != 0 {
            return Ok(());
        }
        let revisions = [state.leader.revision, state.lease.revision, state.fence.revision];
        let mut contents = Pages::of(self.keys.contents(), 1, 0);
        let first = contents.next(self).await?.unwrap_or_default();
        if revisions == [0; 3] && first.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Corrupt("there is something, but no key epoch".to_owned()))
        }
    }
}

impl EtcdStore {
    pub(super) async fn begin_term(&mut self) -> Result<Term, StoreError> {
        let mut error = StoreError::Unavailable(String::new());
        for _ in 0..ROUNDS {
            let state = self.look().await?;
            check_format(&state)?;
            self.etcd.check_epoch(&state).await?;
            self.check_over(&state)?;
            let format = state.format;
            match self.take_lead(state).await? {
                Ok(mut term) => {
                    if format.is_some_and(|format| format < FIRST_FORMAT_WITH_LOG_SLOTS) {
                        term.upgrade(&mut self.etcd).await?;
                    }
                    return Ok(term);
                }
                // If it is on its way still, the next round finds either its leader, which has
                // this holder, or changes what it depends on.
                Err(Failure::Unclear(reason)) => error = StoreError::OutcomeUnknown(reason),
                Err(failure) => error = unavailable(failure),
            }
        }
        Err(error)
    }

    /// Writes the leader and the next epoch if nothing has changed since `state` was read. A renewal in
    /// between has changed the lease key, a batch the fence.
    async fn take_lead(&mut self, state: State) -> Result<Result<Term, Failure>, StoreError> {
        let keys = &self.etcd.keys;
        let epoch = state.epoch.value + 1;
        let leader = LeaderValue {
            epoch,
            address: self.candidate.address.clone(),
            link_token: self.candidate.link_token.clone(),
            since: wall_millis(),
            holder: self.holder,
            lease_ms: Some(u64::try_from(self.candidate.lease.as_millis()).unwrap_or(u64::MAX)),
            has_resigned: false,
        };
        let value = encode(&leader)?;
        let mut success = vec![
            put(keys.leader(), value.clone()),
            put(keys.lease(), value),
            put(keys.epoch(), encode(&epoch)?),
        ];
        // Formats 1 and 2 have to be read first. Format 3 is read like this one.
        if state.format.is_none_or(|format| format >= FIRST_FORMAT_WITH_LOG_SLOTS) {
            success.push(put(keys.format(), encode(&FORMAT)?));
        }
        let compare = vec![
            unchanged(keys.leader(), state.leader.revision),
            unchanged(keys.lease(), state.lease.revision),
            unchanged(keys.epoch(), state.epoch.revision),
            unchanged(keys.fence(), state.fence.revision),
        ];
        let request = TxnRequest { compare, success, failure: Vec::new() };
        let sent = Instant::now();
        let answer = self.etcd.client.call::<_, TxnResponse>(TXN, &request).await;
        Ok(answer.and_then(|answer| {
            if answer.succeeded {
                let revision = answer.header.unwrap_or_default().revision;
                Ok(Term::new(leader, revision, sent, state.fence))
            } else {
                let reason = "another claim came first, or the leader renewed".to_owned();
                Err(Failure::Refused(Code::Aborted, reason))
            }
        }))
    }
}

fn check_format(state: &State) -> Result<(), StoreError> {
    match state.format {
        None | Some(OLDEST_FORMAT..=FORMAT) => Ok(()),
        Some(other) => Err(StoreError::Corrupt(format!(
            "the keys in etcd are in format {other}; this version of Leasehold reads formats up to {FORMAT}"
        ))),
    }
}

fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
