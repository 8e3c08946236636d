//! Ending a term so that another may claim without waiting.

use super::Etcd;
use super::keys::{LeaderValue, State, encode};
use super::term::{Term, unavailable};
use super::wire::{TXN, TxnResponse, delete, put};
use crate::store::StoreError;

impl Term {
    /// Deletes the leader key, which ends the term, and says in the lease key that its leader did so, in one
    /// transaction. A deleted leader key alone says nothing.
    pub(super) async fn resign(&self, etcd: &mut Etcd) -> Result<(), StoreError> {
        let resigned = LeaderValue { has_resigned: true, ..self.leader.clone() };
        let ops = vec![delete(etcd.keys.leader()), put(etcd.keys.lease(), encode(&resigned)?)];
        let request = self.while_it_lasts(etcd, ops);
        let answer: TxnResponse = etcd.client.ask(TXN, &request).await.map_err(unavailable)?;
        if answer.succeeded {
            return Ok(());
        }
        // A first try whose answer was lost may have done it.
        let State { lease, .. } = State::read(&etcd.keys, &answer.found())?;
        if lease.value == Some(resigned) { Ok(()) } else { Err(self.fenced()) }
    }
}
