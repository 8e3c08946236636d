//! Prolonging a term.

use std::time::{Duration, Instant};

use super::Etcd;
use super::keys::encode;
use super::term::{Term, unavailable};
use super::wire::{TXN, TxnResponse, put};
use crate::store::{StoreError, is_due_to_renew};

impl Term {
    /// Writes the lease key again if the term lasts, so that followers see that this leader lives. As with
    /// every write, a majority of etcd's members has to agree.
    pub(super) async fn renew(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        let sent = Instant::now();
        let sign = vec![put(etcd.keys.lease(), encode(&self.leader)?)];
        let request = self.while_it_lasts(etcd, sign);
        // A copy that arrives late only makes followers wait longer.
        let answer: TxnResponse = etcd.client.ask(TXN, &request).await.map_err(unavailable)?;
        if !answer.succeeded {
            return Err(self.fenced());
        }
        self.prolonged = sent;
        Ok(())
    }

    /// Prolongs the term if it is time to: for what takes longer than a lease.
    pub(super) async fn keep(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        let lease = Duration::from_millis(self.leader.lease_ms.unwrap_or_default());
        if is_due_to_renew(lease, self.prolonged) {
            self.renew(etcd).await?;
        }
        Ok(())
    }
}
