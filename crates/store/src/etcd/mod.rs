//! Rows in etcd, shared by several replicas of which one leads.
//!
//! ```text
//! {prefix}/format    version of this layout
//! {prefix}/leader    the present leader; a claim writes it, a resignation deletes it
//! {prefix}/lease     the last leader, how long its lease is, whether it resigned; renewals write it
//! {prefix}/epoch     the epoch that was given out last
//! {prefix}/fence     the batch that was written last, and which entries of the log count
//! {prefix}/rows/…    one key for each row, with the key and the value of `crate::record`
//! {prefix}/log/…     the latest batches, a key for each, until their rows are in place
//! ```
//!
//! **One epoch, one leader.** A claim writes leader key, lease key and the next epoch in one transaction, on
//! the condition that these and the fence are as this handle saw them. So no epoch is given out twice.
//!
//! **The fence.** Every batch is one transaction, on two conditions: the leader key is the one that
//! this claim wrote (by its revision, which a key that is written again or deleted never has again), and
//! the fence is the one that this leader knows. It writes the batch and the next fence, all or nothing.
//! A leader that was paused or cut off can therefore not write once another has claimed; and a batch that
//! arrives late, after its successor, cannot be written either.
//!
//! **No guesses.** Where no answer comes, the fence is written anew on the same conditions. If that
//! succeeds, the batch was not written and cannot be any more ([`StoreError::Unavailable`]). If not,
//! the fence names the batch (it was written) or the leader has changed and the fence has not (it was
//! not). Only where others have moved the fence meanwhile, or no member answers,
//! the outcome stays unknown.
//!
//! **The lease.** A leader answers from memory for its lease, counted from before it sent the claim or the
//! renewal that succeeded. A renewal writes the lease key if the leader key is still its own. Another claims
//! once it has *seen leader key, lease key, epoch and fence unchanged* for that lease, by its own monotonic
//! clock, from after the answer that first showed them so; or immediately if the lease key says that the
//! leader of this very epoch has resigned, or if that was this handle. The claim depends on the revisions
//! that were watched. An absent leader key permits nothing, because its leader may not know of it yet. No key
//! hangs on a lease of etcd, because etcd may end one early: after a disk stall, an etcd leader that has
//! been replaced can have leases revoked that were renewed meanwhile. The claim stores the length of its
//! lease, so that it is known when the leader is gone. A replica that starts when all are gone waits one lease.
//!
//! Nobody but Leasehold should write below the prefix. Restoring etcd from a backup takes back
//! acknowledged batches and epochs, which no store above it can notice.
//!
//! `url.rs` reads the address, `client.rs` connects and says what a failed call means, `watch.rs` knows
//! whether the last leader may still answer, `claim.rs` begins a term, `renew.rs` prolongs it, `resign.rs` ends
//! it, `term.rs` moves the fence, `commit.rs` writes batches, `log.rs` knows the latest of them, `load.rs`
//! reads log and rows, `upgrade.rs` reads earlier formats, `keys.rs` names the keys, `wire.rs` has etcd's
//! messages.

mod claim;
mod client;
mod commit;
mod keys;
mod load;
mod log;
mod renew;
mod resign;
mod term;
mod upgrade;
mod url;
mod watch;
mod wire;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use async_trait::async_trait;
use leasehold_core::{Batch, Row};

use self::client::Client;
use self::commit::Bounds;
use self::keys::Keys;
use self::term::Term;
use self::url::Address;
pub use self::url::EtcdOpenError;
use self::watch::{LastTerm, Watch};
use crate::store::{Candidate, Epoch, Leader, Store, StoreError};

/// Rows in etcd, 3.4 or later.
///
/// Connects when it is first used, and again whenever it has to; every call has a timeout. So a
/// service starts while etcd is away, and says so.
pub struct EtcdStore {
    etcd: Etcd,
    candidate: Candidate,
    /// Tells this handle from all others.
    holder: u64,
    watch: Option<Watch>,
    term: Option<Term>,
}

/// The cluster, and what belongs to this store in it.
struct Etcd {
    client: Client,
    keys: Keys,
    bounds: Bounds,
}

impl EtcdStore {
    /// A handle for one replica on the rows at an address:
    /// `etcd://[user:password@]host:port[,host:port…]/prefix`, with `etcds` for TLS.
    ///
    /// Options, after `?`: `tls=true`; `ca=FILE`, `cert=FILE`, `key=FILE` for TLS, where without `ca`
    /// the system's certificates count; `max_txn_ops=N` and `max_request_bytes=N` where etcd has
    /// other limits than 128 and 1.5 MiB.
    ///
    /// # Errors
    /// [`EtcdOpenError`] says what is wrong with the address or with the files that it names.
    pub fn open(url: &str, candidate: Candidate) -> Result<Self, EtcdOpenError> {
        let Address { members, login, prefix, max_txn_ops, max_request_bytes } =
            Address::parse(url)?;
        let etcd = Etcd {
            client: Client::new(members, login, candidate.lease),
            keys: Keys::new(&prefix),
            bounds: Bounds::new(max_txn_ops, max_request_bytes),
        };
        let holder = RandomState::new().hash_one(&candidate.address);
        Ok(Self { etcd, candidate, holder, watch: None, term: None })
    }

    /// The term that `epoch` is, as far as this handle knows.
    fn term(&mut self, epoch: Epoch) -> Result<(&mut Term, &mut Etcd), StoreError> {
        match &mut self.term {
            Some(term) if term.epoch == epoch => Ok((term, &mut self.etcd)),
            Some(_) | None => Err(StoreError::Fenced(epoch)),
        }
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        self.term = None;
        let term = self.begin_term().await?;
        let epoch = term.epoch;
        self.term = Some(term);
        Ok(epoch)
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let (term, etcd) = self.term(epoch)?;
        term.load(etcd, visit).await
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        let (term, etcd) = self.term(epoch)?;
        term.commit(etcd, batch).await
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let (term, etcd) = self.term(epoch)?;
        term.renew(etcd).await
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let (term, etcd) = self.term(epoch)?;
        let resigned = term.resign(etcd).await;
        self.term = None;
        resigned
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        let state = self.look().await?;
        Ok(match state.last_term() {
            LastTerm::Led(leader) if !self.ran_out(&state, leader) => {
                Some(leader.clone().into_leader())
            }
            LastTerm::Led(_) | LastTerm::Never | LastTerm::Resigned | LastTerm::Unknown => None,
        })
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.candidate.lease)
    }
}
