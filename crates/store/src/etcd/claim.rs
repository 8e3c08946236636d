//! Claiming a term: a lease of etcd, the leader key on it, and an epoch that was never given out.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tonic::Code;
use tracing::debug;

use super::client::Failure;
use super::keys::{FORMAT, LeaderValue, OLDEST_FORMAT, State, encode};
use super::term::{Lease, Term, unavailable};
use super::wire::{
    LEASE_GRANT, LEASE_REVOKE, LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest,
    LeaseRevokeResponse, RANGE, RangeRequest, RangeResponse, TXN, TxnRequest, TxnResponse, put,
    put_leased, unchanged,
};
use super::{Etcd, EtcdStore};
use crate::store::{Epoch, StoreError};

/// How often one claim begins again because the keys changed under it or its outcome was unclear.
const ROUNDS: u32 = 3;

impl Etcd {
    /// Everything but rows and log, as it stands now, by etcd's own majority.
    pub(super) async fn state(&mut self) -> Result<State, StoreError> {
        let (key, range_end) = self.keys.state();
        let request = RangeRequest { key, range_end, limit: 0, revision: 0 };
        let answer: RangeResponse = self.client.ask(RANGE, &request).await.map_err(unavailable)?;
        let header = answer.header.unwrap_or_default();
        let answered_by = (header.member_id, header.raft_term);
        let state = State::read(&self.keys, &answer.kvs)?;
        Ok(State { revision: header.revision, answered_by, ..state })
    }

    async fn grant(&mut self, wanted: Duration) -> Result<LeaseGrantResponse, StoreError> {
        let ttl = i64::try_from(whole_secs(wanted).as_secs()).unwrap_or(i64::MAX);
        let request = LeaseGrantRequest { ttl };
        let granted: LeaseGrantResponse =
            self.client.ask(LEASE_GRANT, &request).await.map_err(unavailable)?;
        if granted.error.is_empty() {
            Ok(granted)
        } else {
            Err(StoreError::Unavailable(granted.error))
        }
    }

    /// Ends a lease and, in the same moment, what hangs on it. False if it had ended already.
    pub(super) async fn revoke(&mut self, id: i64) -> Result<bool, Failure> {
        let request = LeaseRevokeRequest { id };
        match self.client.ask(LEASE_REVOKE, &request).await {
            Ok(LeaseRevokeResponse {}) => Ok(true),
            Err(Failure::Refused(Code::NotFound, _)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Ends a lease that nothing hangs on. If that fails, it ends by itself.
    async fn let_go(&mut self, lease: i64) {
        if let Err(failure) = self.revoke(lease).await {
            debug!(lease, ?failure, "left a lease to run out");
        }
    }
}

impl EtcdStore {
    pub(super) async fn begin_term(&mut self) -> Result<Term, StoreError> {
        let mut error = StoreError::Unavailable(String::new());
        for _ in 0..ROUNDS {
            let state = self.etcd.state().await?;
            check_format(&state)?;
            let is_mine = |leader: &LeaderValue| leader.holder == self.holder;
            if let Some(leader) = state.leader.value.clone().filter(|leader| !is_mine(leader)) {
                return Err(StoreError::Led(Box::new(leader.into_leader())));
            }
            let (before, format) = (state.lease, state.format);
            let since = Instant::now();
            let granted = self.etcd.grant(self.candidate.lease).await?;
            let length = Duration::from_secs(u64::try_from(granted.ttl).unwrap_or(0));
            let lease = Lease { id: granted.id, length, since };
            match self.take_lead(state, lease).await? {
                Ok(mut term) => {
                    self.granted = Some(length);
                    if before != 0 {
                        self.etcd.let_go(before).await;
                    }
                    if format != Some(FORMAT) {
                        term.upgrade(&mut self.etcd).await?;
                    }
                    return Ok(term);
                }
                // If it is on its way still, the next round finds either its leader key, which has
                // this holder, or changes what it depends on.
                Err(Failure::Unclear(reason)) => error = StoreError::OutcomeUnknown(reason),
                Err(failure) => {
                    self.etcd.let_go(granted.id).await;
                    error = unavailable(failure);
                }
            }
        }
        Err(error)
    }

    /// Writes the leader key and the next epoch if all is as it was when `state` was read.
    async fn take_lead(
        &mut self,
        state: State,
        lease: Lease,
    ) -> Result<Result<Term, Failure>, StoreError> {
        let keys = &self.etcd.keys;
        let epoch = state.epoch.value + 1;
        let leader = LeaderValue {
            epoch,
            address: self.candidate.address.clone(),
            link_token: self.candidate.link_token.clone(),
            since: wall_millis(),
            holder: self.holder,
        };
        let success = vec![
            put_leased(keys.leader(), encode(&leader)?, lease.id),
            put(keys.epoch(), encode(&epoch)?),
        ];
        let compare = vec![
            unchanged(keys.leader(), state.leader.revision),
            unchanged(keys.epoch(), state.epoch.revision),
            unchanged(keys.fence(), state.fence.revision),
        ];
        let request = TxnRequest { compare, success, failure: Vec::new() };
        let answer = self.etcd.client.call::<_, TxnResponse>(TXN, &request).await;
        Ok(answer.and_then(|answer| {
            if answer.succeeded {
                let revision = answer.header.unwrap_or_default().revision;
                Ok(Term::new(Epoch(epoch), lease, revision, state.fence))
            } else {
                let reason = "another claim came first".to_owned();
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

/// etcd counts leases in whole seconds; more than asked for is what its leases may be.
pub(super) fn whole_secs(lease: Duration) -> Duration {
    Duration::from_secs(lease.as_secs() + u64::from(lease.subsec_nanos() > 0))
}

fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
