//! Prolonging a term.

use std::time::Instant;

use super::Etcd;
use super::client::Failure;
use super::term::{Term, unavailable};
use crate::store::{StoreError, is_due_to_renew};

impl Term {
    /// Keeps the lease alive and then finds the leader key in place, by a majority.
    ///
    /// The answer about the lease comes from one member alone, who may be an etcd leader that the
    /// others have replaced without its noticing. If the same member then reads by a majority in the
    /// same term of etcd's leader, there was no other such leader when the lease was prolonged.
    pub(super) async fn renew(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        let began = Instant::now();
        loop {
            let sent = Instant::now();
            let reason = match etcd.client.keep_alive(self.lease.id).await {
                Ok(kept) if kept.ttl <= 0 => return Err(StoreError::Fenced(self.epoch)),
                Ok(kept) => {
                    let header = kept.header.unwrap_or_default();
                    let state = etcd.state().await?;
                    if state.leader.revision != self.leader_revision {
                        return Err(StoreError::Fenced(self.epoch));
                    }
                    if state.answered_by == (header.member_id, header.raft_term) {
                        self.lease.since = sent;
                        return Ok(());
                    }
                    "etcd changed its leader, or members were changed, while the lease was renewed"
                        .to_owned()
                }
                Err(failure @ Failure::Refused(..)) => return Err(unavailable(failure)),
                Err(Failure::Unsent(reason) | Failure::Unclear(reason)) => reason,
            };
            if !etcd.client.has_patience(began).await {
                return Err(StoreError::Unavailable(reason));
            }
        }
    }
    /// Prolongs the term if it is time to: for what takes longer than a lease.
    pub(super) async fn keep(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        if is_due_to_renew(self.lease.length, self.lease.since) {
            self.renew(etcd).await?;
        }
        Ok(())
    }
}
