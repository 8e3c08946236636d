//! Rows in Google Datastore (Firestore in Datastore mode), for several replicas.
//!
//! ```text
//! LeaseholdFence   "fence"   who leads, and the number of its last write (fence.rs)
//! LeaseholdRow     <key>     one row each, under its own key as text (rows.rs)
//! LeaseholdPage    <name>    16 past holds or remembered releases each (pages.rs)
//! LeaseholdPart    <number>  a batch too large for one commit, until it is in its rows (large.rs)
//! ```
//! All in one namespace of one database, not indexed, and spoken to over the REST API (wire.rs,
//! service.rs, http.rs), signed in as Google's own libraries do it (sign_in.rs).
//!
//! # The fence
//! Every write of the store is one commit in a single-use transaction that writes the fence entity with
//! the `baseVersion` that this handle saw or made last, and `conflictResolutionStrategy: FAIL`. If
//! anybody else has written the fence since, the service refuses the commit as a whole, and nothing of
//! it is written (I1). It takes no lock that a takeover would have to wait for.
//!
//! So a commit can be sent again: it is applied over that version or not at all. After an answer that
//! leaves open whether it was (a timeout, a broken connection, an error within the service), a look at
//! the fence tells, because the fence names its last write; if it is still as before, the same commit
//! is sent once more, and its answer settles both. If that cannot be had either, the outcome is unknown
//! and this handle ends its term: the next claim moves the fence, so that whatever still arrives of the
//! old one is refused.
//!
//! # The lease
//! Datastore compares versions, not times, so nobody but the replicas can say when a lease ends. A
//! claim goes through once this handle has *seen the fence unchanged* for the whole lease that the
//! leader wrote into it, by this machine's monotonic clock, from after the answer that first showed it;
//! or at once if the leader has resigned, or is this handle itself. The leader counts from before it
//! sent the write that succeeded, so it is always the first to think that its lease is over. No wall
//! clocks are compared. Every commit and renewal writes the fence, and so prolongs the lease. A load
//! renews it too, once a third of it has gone by: a table may take longer to load than the lease.
//!
//! A lease of zero has always run out: whoever comes takes over at once. Its handle renews nothing; before
//! it answers from memory it looks whether the fence is still its own, which Datastore answers from the
//! latest state.
//!
//! Opening a store looks once, so the watch begins there; a replica that asks for the leader now and
//! then knows all the time how long the fence has stood. A replica that starts when all are gone waits
//! one lease.
//!
//! # What it costs
//! | | entity writes | reads | round trips |
//! |---|---|---|---|
//! | commit of n rows | n + 1 | 0 | 1 |
//! | renewal | 1 | 0 | 1 |
//! | confirmation of a lease of zero | 0 | 1 | 1 |
//! | claim | 1 | 1 | 2 |
//! | load of n rows | 0 | n + 1, and 1 for each empty range | 2 or more, with 3 ranges side by side: a page is up to 1,000 rows |
//! | asking who leads | 0 | 1 | 1 |
//!
//! 16 past holds or remembered releases are one row here; those of one batch mostly stand on one page or two.
//!
//! A lock and release alone is two commits, 6 entity writes (hold and sequence; hold and lock), and up to
//! 2 of the 6 are shared by all that are in the same batch. A batch of more than 499 rows or 3 MiB is
//! first written aside: see `large.rs`.
//!
//! Google asks not to write one entity much more often than once a second for long, and the fence is
//! written with every batch. A single writer that waits for each answer meets no contention with others,
//! but under steady load the service may slow it down; commits then become larger, not more.
//!
//! # What has been tested
//! All of this on both of Google's emulators. Signing in only against a double of the token server.

mod address;
mod fence;
mod http;
mod large;
mod pages;
mod rows;
mod service;
mod sign_in;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use leasehold_core::{Batch, Row, Wall};
use tokio::time::timeout;

pub use self::address::{DatastoreEnvironment, DatastoreOpenError};
use self::fence::Fence;
use self::pages::{Pages, Rewritten};
use self::rows::{Scan, Stored};
use self::service::Service;
use self::wire::Mutation;
use self::write::{Unwritten, Watch};
use crate::encoded::{Write, encode_batch};
use crate::record;
use crate::store::{Candidate, Epoch, Leader, Store, StoreError, is_due_to_renew};

/// How often a claim is tried while others claim too.
const CLAIM_TRIES: u32 = 3;
/// How long a page of rows is waited for before a look at whether the lease is due: far below any lease.
const SCAN_PATIENCE: Duration = Duration::from_millis(50);

/// Rows in Google Datastore. One handle is one would-be leader.
pub struct DatastoreStore {
    service: Arc<Service>,
    candidate: Candidate,
    /// Tells this handle's claims from those of all others.
    claimant: String,
    last_write: i64,
    watch: Option<Watch>,
    /// What this handle leads; `None` once it is over, or its end cannot be ruled out.
    term: Option<Term>,
    /// What is stored on pages, once this handle has read it as the leader.
    pages: Option<Pages>,
    sizes: Sizes,
}

struct Term {
    fence: Fence,
    version: String,
    /// Its lease counts from here: before the latest write was sent.
    prolonged: Instant,
}

/// What one commit may be.
struct Sizes {
    /// Google allowed 500 for long, and the emulators take what it allows now.
    commit_entities: usize,
    /// Of keys and values. A request may have 10 MiB, in which they are half as long again.
    commit_bytes: usize,
    /// An entity may have 1 MiB.
    part_bytes: usize,
}

const SIZES: Sizes = Sizes { commit_entities: 500, commit_bytes: 3 << 20, part_bytes: 512 << 10 };

impl DatastoreStore {
    /// Opens the store at `datastore://project[/database][?namespace=…]`, and begins to watch who leads.
    /// Namespaces do not see each other: each is a store of its own.
    ///
    /// # Errors
    /// [`DatastoreOpenError`] says what is wrong: the address, the credentials, or what the service said.
    pub async fn open(
        url: &str,
        candidate: Candidate,
        environment: &DatastoreEnvironment,
    ) -> Result<Self, DatastoreOpenError> {
        let service = Arc::new(Service::new(address::parse(url)?, environment)?);
        let failure = |what: String| DatastoreOpenError::Service { what };
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| failure(error.to_string()))?;
        let claimant = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut store = Self {
            service,
            candidate,
            claimant,
            last_write: 0,
            watch: None,
            term: None,
            pages: None,
            sizes: SIZES,
        };
        store.look().await.map_err(|error| failure(error.to_string()))?;
        Ok(store)
    }

    /// The fence of the next epoch, after the one that was seen.
    fn next_fence(&mut self, seen: Option<&Fence>) -> Fence {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let Candidate { address, lease, link_token } = self.candidate.clone();
        Fence {
            epoch: Epoch(seen.map_or(0, |fence| fence.epoch.0) + 1),
            write: self.next_write(),
            claimant: self.claimant.clone(),
            leads: true,
            address,
            link_token,
            since: Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            lease,
            parts: seen.map_or(0, |fence| fence.parts),
        }
    }

    /// Takes the next epoch, if nobody else leads.
    async fn try_to_claim(&mut self) -> Result<Option<Epoch>, StoreError> {
        let seen = self.look().await?;
        match &seen {
            Some(seen) => {
                let fence = &seen.fence;
                let is_led = fence.leads && fence.claimant != self.claimant;
                if is_led && !self.ran_out(fence) {
                    return Err(StoreError::Led(Box::new(fence.leader())));
                }
            }
            None if rows::any(&self.service).await? => {
                return Err(StoreError::Corrupt("there are rows, but no fence".to_owned()));
            }
            None => {}
        }
        let fence = self.next_fence(seen.as_ref().map(|seen| &seen.fence));
        let prolonged = Instant::now();
        match self.write(seen.map(|seen| seen.version), &fence, &[]).await {
            Ok(version) => {
                let epoch = fence.epoch;
                self.term = Some(Term { fence, version, prolonged });
                Ok(Some(epoch))
            }
            Err(Unwritten::Moved) => Ok(None),
            Err(Unwritten::Unavailable(why)) => Err(StoreError::Unavailable(why)),
            Err(Unwritten::Unknown(why)) => Err(StoreError::OutcomeUnknown(why)),
        }
    }

    /// Reads all rows, and keeps the lease while answers are waited for or visited: either may take longer.
    async fn scan(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let (mut scan, mut pages) = (Scan::begin(&self.service), Pages::default());
        loop {
            match timeout(SCAN_PATIENCE, scan.next()).await {
                Ok(None) => break,
                Ok(Some(rows)) => {
                    for Stored { key, value, is_single } in rows? {
                        let row = decode(&key, &value)?;
                        if let Some(page) = pages::page_of(&row) {
                            pages.found(page, (&key, &value), is_single);
                        }
                        visit(row);
                        self.keep_lease(epoch).await?;
                    }
                }
                Err(_) => self.keep_lease(epoch).await?,
            }
        }
        self.pages = Some(pages);
        Ok(())
    }

    /// Reads the pages if they are not known, because nothing has been loaded in this term.
    async fn know_pages(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        match self.pages {
            Some(_) => Ok(()),
            None => self.scan(epoch, &mut |_| {}).await,
        }
    }

    /// The mutations that a batch comes to, each with its bytes, and the pages that they write.
    fn mutations(
        &self,
        batch: &[Write],
    ) -> Result<(Vec<(Mutation, usize)>, Rewritten), StoreError> {
        let unknown = Pages::default();
        let pages = self.pages.as_ref().unwrap_or(&unknown);
        let (mut mutations, mut on_pages) = (Vec::with_capacity(batch.len()), Vec::new());
        for write in batch {
            let (key, value) = write;
            if pages::has_page(key) {
                let row = value.as_ref().map(|value| decode(key, value)).transpose()?;
                on_pages.push((row.as_ref().and_then(pages::page_of), write.clone()));
            } else {
                let mutation = rows::mutation(&self.service, key, value.as_deref());
                mutations.push((mutation, large::weight(write)));
            }
        }
        let rewritten = pages.rewritten(on_pages);
        mutations.extend(pages.mutations(&self.service, &rewritten));
        Ok((mutations, rewritten))
    }

    async fn keep_lease(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let lease = self.candidate.lease;
        if self.term.as_ref().is_some_and(|term| is_due_to_renew(lease, term.prolonged)) {
            self.renew(epoch).await?;
        }
        Ok(())
    }

    /// Refuses an epoch that is over, as far as the service knows by now.
    async fn check(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let fenced = Err(StoreError::Fenced(epoch));
        if self.term.as_ref().is_none_or(|term| term.fence.epoch != epoch) {
            return fenced;
        }
        let seen = self.look().await?;
        let still = match (&self.term, &seen) {
            (Some(term), Some(seen)) => seen.fence.leads && seen.fence.is_of_term(&term.fence),
            (None, _) | (_, None) => false,
        };
        if still {
            return Ok(());
        }
        self.end(epoch);
        fenced
    }
}

#[async_trait]
impl Store for DatastoreStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        self.term = None;
        self.pages = None;
        for _ in 0..CLAIM_TRIES {
            if let Some(epoch) = self.try_to_claim().await? {
                self.put_in_place(epoch).await?;
                return Ok(epoch);
            }
        }
        Err(StoreError::Unavailable("others are claiming as well".to_owned()))
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        if self.term.as_ref().is_none_or(|term| term.fence.epoch != epoch) {
            return Err(StoreError::Fenced(epoch));
        }
        let scanned = self.scan(epoch, visit).await;
        // If this term lasts now, it has lasted since its claim: nobody else wrote while the rows were
        // read, and what is wrong with them is not a later leader's doing.
        self.check(epoch).await?;
        scanned
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        let batch = encode_batch(batch)?;
        self.know_pages(epoch).await?;
        let (mutations, rewritten) = self.mutations(&batch)?;
        let commits = self.sizes.commits(mutations);
        let [mutations] = commits.as_slice() else {
            return self.commit_large(epoch, batch).await;
        };
        let written = self.advance(epoch, mutations, |_| {}).await;
        written.map_err(|unwritten| self.given_up(epoch, unwritten))?;
        self.pages.get_or_insert_default().wrote(rewritten);
        Ok(())
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        if self.candidate.lease.is_zero() {
            return self.check(epoch).await;
        }
        let written = self.advance(epoch, &[], |_| {}).await;
        written.map_err(|unwritten| self.harmless(epoch, unwritten))
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let written = self.advance(epoch, &[], |fence| fence.leads = false).await;
        written.map_err(|unwritten| self.harmless(epoch, unwritten))?;
        self.end(epoch);
        Ok(())
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        let seen = self.look().await?;
        let leading = seen.filter(|seen| seen.fence.leads && !self.ran_out(&seen.fence));
        Ok(leading.map(|seen| seen.fence.leader()))
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.candidate.lease)
    }
}

fn decode(key: &[u8], value: &[u8]) -> Result<Row, StoreError> {
    record::decode(key, value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
