//! One term of leadership, and how a batch of it becomes true: by a transaction that moves the fence.

use std::time::Instant;

use super::Etcd;
use super::client::Failure;
use super::keys::{Fence, LeaderValue, Seen, State, encode};
use super::log::Log;
use super::wire::{Compare, RequestOp, TXN, TxnRequest, TxnResponse, get, put, unchanged};
use crate::store::{Epoch, StoreError};

pub(super) struct Term {
    pub(super) epoch: Epoch,
    /// What the claim wrote into the leader key.
    pub(super) leader: LeaderValue,
    /// The revision in which it did. Only a claim writes that key, so that the key
    /// with this revision means that this term lasts, and once it does not it never will again.
    pub(super) leader_revision: i64,
    /// Before the claim or the renewal was sent that prolonged the lease last.
    pub(super) prolonged: Instant,
    pub(super) fence: Fence,
    pub(super) fence_revision: i64,
    /// What is in the log, while that is known.
    pub(super) log: Option<Log>,
    /// The number that was used last.
    batch: u64,
}

impl Term {
    pub(super) fn new(
        leader: LeaderValue,
        leader_revision: i64,
        prolonged: Instant,
        fence: Seen<Fence>,
    ) -> Self {
        Self {
            epoch: Epoch(leader.epoch),
            leader,
            leader_revision,
            prolonged,
            fence: fence.value,
            fence_revision: fence.revision,
            log: None,
            batch: 0,
        }
    }

    /// A fence for what begins now: so many of the oldest entries of the log are gone then, and so many
    /// are added.
    pub(super) fn next_fence(&mut self, gone: usize, added: usize) -> Fence {
        self.batch += 1;
        Fence {
            epoch: self.epoch.0,
            batch: self.batch,
            from: self.fence.from + gone as u64,
            to: self.fence.to + added as u64,
            pieces: None,
        }
    }

    /// Whether this term lasted at that moment and nothing had been written that it does not know of.
    pub(super) fn agrees(&self, state: &State) -> bool {
        state.leader.revision == self.leader_revision && state.fence.revision == self.fence_revision
    }

    pub(super) fn fenced(&self) -> StoreError {
        StoreError::Fenced(self.epoch)
    }

    fn conditions(&self, etcd: &Etcd) -> Vec<Compare> {
        if cfg!(leasehold_unfenced) {
            return Vec::new();
        }
        vec![
            unchanged(etcd.keys.leader(), self.leader_revision),
            unchanged(etcd.keys.fence(), self.fence_revision),
        ]
    }

    /// What is done if this term lasts, wherever the fence stands; if not, how the lease stands. A build
    /// without the fence keeps these conditions, or no leader would ever learn that it leads no more.
    pub(super) fn while_it_lasts(&self, etcd: &Etcd, success: Vec<RequestOp>) -> TxnRequest {
        let compare = vec![unchanged(etcd.keys.leader(), self.leader_revision)];
        TxnRequest { compare, success, failure: vec![get(etcd.keys.lease())] }
    }

    /// What is done if this term lasts and the fence stands where it stood; if not, how they stand.
    fn guarded(&self, etcd: &Etcd, success: Vec<RequestOp>) -> TxnRequest {
        let failure = vec![get(etcd.keys.leader()), get(etcd.keys.fence())];
        TxnRequest { compare: self.conditions(etcd), success, failure }
    }

    /// Does what changes nothing that is committed, and may be done twice: it is tried until it is
    /// certain. The fence stays where it is.
    pub(super) async fn prepare(
        &self,
        etcd: &mut Etcd,
        ops: Vec<RequestOp>,
    ) -> Result<(), StoreError> {
        let request = self.guarded(etcd, ops);
        let answer: TxnResponse = etcd.client.ask(TXN, &request).await.map_err(unavailable)?;
        if answer.succeeded { Ok(()) } else { Err(self.fenced()) }
    }

    /// Does all of `ops` and moves the fence to `to`, or does nothing: and says which, if anybody can.
    pub(super) async fn advance(
        &mut self,
        etcd: &mut Etcd,
        mut ops: Vec<RequestOp>,
        to: Fence,
    ) -> Result<(), StoreError> {
        ops.push(put(etcd.keys.fence(), encode(&to)?));
        let request = self.guarded(etcd, ops);
        match etcd.client.call::<_, TxnResponse>(TXN, &request).await {
            Ok(answer) if answer.succeeded => {
                self.moved(to, &answer);
                Ok(())
            }
            // A transaction whose conditions fail writes nothing. But if this one was written, and
            // this is the answer to a copy of it, the fence shows it.
            Ok(answer) => match Verdict::of(self, etcd, &answer, &to)? {
                Verdict::Written(revision) => {
                    self.stands(to, revision);
                    Ok(())
                }
                Verdict::Prevented(_) | Verdict::TermIsOver | Verdict::Untold => Err(self.fenced()),
            },
            Err(failure @ (Failure::Unsent(_) | Failure::Refused(..))) => Err(unavailable(failure)),
            Err(Failure::Unclear(reason)) => self.find_out(etcd, to, reason).await,
        }
    }

    /// Finds out what became of a transaction that was to move the fence, and may still be on its
    /// way. Writing the fence anew, under the same conditions, prevents it; if that does not work,
    /// the fence shows why.
    async fn find_out(
        &mut self,
        etcd: &mut Etcd,
        to: Fence,
        reason: String,
    ) -> Result<(), StoreError> {
        let same = put(etcd.keys.fence(), encode(&self.fence)?);
        let request = self.guarded(etcd, vec![same]);
        let began = Instant::now();
        loop {
            match etcd.client.call::<_, TxnResponse>(TXN, &request).await {
                Ok(answer) if answer.succeeded => {
                    self.moved(self.fence.clone(), &answer);
                    return Err(StoreError::Unavailable(reason));
                }
                Ok(answer) => match Verdict::of(self, etcd, &answer, &to)? {
                    Verdict::Written(revision) => {
                        self.stands(to, revision);
                        return Ok(());
                    }
                    Verdict::Prevented(revision) => {
                        self.stands(self.fence.clone(), revision);
                        return Err(StoreError::Unavailable(reason));
                    }
                    Verdict::TermIsOver => return Err(self.fenced()),
                    Verdict::Untold => return Err(StoreError::OutcomeUnknown(reason)),
                },
                Err(Failure::Unsent(_) | Failure::Unclear(_))
                    if etcd.client.has_patience(began).await => {}
                Err(_) => return Err(StoreError::OutcomeUnknown(reason)),
            }
        }
    }

    fn moved(&mut self, to: Fence, answer: &TxnResponse) {
        self.stands(to, answer.header.as_ref().map_or(0, |header| header.revision));
    }

    fn stands(&mut self, fence: Fence, revision: i64) {
        self.fence = fence;
        self.fence_revision = revision;
    }
}

/// What leader and fence say about a transaction after its conditions, or those of one with the same,
/// did not hold.
enum Verdict {
    /// It was written: the fence is the one that it wrote, in this revision.
    Written(i64),
    /// It was not, and cannot be any more: the fence has been written anew, in this revision.
    Prevented(i64),
    /// It was not, and cannot be any more: another has claimed, or nobody leads.
    TermIsOver,
    /// Others have moved the fence since.
    Untold,
}

impl Verdict {
    fn of(term: &Term, etcd: &Etcd, answer: &TxnResponse, to: &Fence) -> Result<Self, StoreError> {
        let State { leader, fence, .. } = State::read(&etcd.keys, &answer.found())?;
        let leads = leader.revision == term.leader_revision;
        Ok(if fence.value == *to {
            Self::Written(fence.revision)
        } else if !leads && fence.value == term.fence {
            Self::TermIsOver
        } else if leads && fence.value == term.fence {
            Self::Prevented(fence.revision)
        } else if leads {
            // The fence was moved once from where it stood, and not by this transaction.
            Self::TermIsOver
        } else {
            Self::Untold
        })
    }
}

/// For what changes nothing that is committed, or was not done.
pub(super) fn unavailable(failure: Failure) -> StoreError {
    StoreError::Unavailable(failure.into_reason())
}
