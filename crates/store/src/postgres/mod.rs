//! Rows in PostgreSQL, in tables that a person can query, for several replicas of which one leads.
//!
//! # What it promises, and how
//! - **Fence.** The one row of table `meta` holds the latest epoch, the number of the connection that may
//!   write, and the number of the last batch. A commit is one statement: it advances the batch number if
//!   all three are still what this handle believes, and its other parts write rows only if that row was
//!   advanced. So a batch is written whole, once, and never under an epoch that is over.
//! - **Lease.** The same row says who leads and for how long. A claim goes through once this handle has
//!   *seen the row unchanged* for the whole lease of the leader, by this machine's monotonic clock, from
//!   after the answer that first showed it; or at once if the leader has resigned, or is this handle
//!   itself. The leader counts from before it sent the renewal that succeeded, so it is always the first
//!   to think that its lease is over. No wall clocks are compared: one that is stepped, the database's
//!   included, neither ends a lease early, while the leader still answers from memory, nor prolongs it.
//!   `lease_until` is for people. Every commit changes the row too, and so prolongs the lease for
//!   others. A replica that starts when all are gone waits one lease. A lease of zero is over as soon
//!   as it is there: whoever comes takes over, and instead of a renewal there is a look whether the
//!   epoch is still this handle's own. A load is a query for each page, so that renewals find a place
//!   between them on the one connection.
//! - **Doubt.** If a connection ends or falls silent in the middle of a commit, the handle connects anew
//!   and raises the connection number, a write that waits for a commit that still runs and shuts out
//!   one that has yet to arrive. The batch number beside it then says for certain whether the batch was
//!   written. If not, it is written again. If no such answer is to be had in time, or another epoch has
//!   begun, the outcome is unknown, and this term ends.
//! - **Connections** are kept only while nothing fails on them: after any error the next call connects again.
//!   So a replica leaves a server that became read-only when the address moves to another.
//! - **Durability** is the server's: `synchronous_commit` is switched on where it is off. That an
//!   acknowledged batch survives the loss of the server takes synchronous replication; a server that has
//!   lost acknowledged batches is refused as damaged by every handle that knows of them.
//!
//! # The server
//! `postgres://user:password@host:5432/database?…`, with the parameters of PostgreSQL's own clients that
//! `tokio-postgres` knows, several hosts among them (the one that can write is taken), and these:
//! - `schema`: where the tables are, `leasehold` if not given. Claiming creates and upgrades it.
//! - `sslmode`: `disable`; `prefer` (if not given) and `require` encrypt, the former if the server can,
//!   but believe any certificate; `verify-full` checks it.
//! - `sslrootcert`: a file with the roots to check with; those of the system if not given.
//!
//! A pooler between, if any, must pool sessions: there are prepared statements and session settings.

mod address;
mod cell;
mod commit;
mod lead;
mod load;
mod open;
mod schema;
mod session;
mod tables;
mod tls;
mod trouble;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use leasehold_core::{Batch, Row};

pub use open::PostgresOpenError;

use crate::store::{Candidate, Epoch, Leader, Store, StoreError};
use address::Address;
use lead::Watch;
use session::{Session, Unfit};
use trouble::Trouble;

/// However short the lease: a big batch takes its time.
const MIN_LIMIT: Duration = Duration::from_secs(1);

/// Where no lease runs out meanwhile.
const LIMIT_WITHOUT_LEASE: Duration = Duration::from_secs(5);

/// A handle on a PostgreSQL database. Connects when it is used, and again after every failure.
pub struct PostgresStore {
    address: Address,
    candidate: Candidate,
    /// Tells this handle's leases from others', whatever their addresses.
    id: [u8; 16],
    /// How long the server may take for one answer. A lease must have room for more than one.
    limit: Duration,
    session: Option<Session>,
    watch: Option<Watch>,
    term: Option<Term>,
    /// The furthest point of the history that this handle knows to be committed.
    seen: Point,
}

/// The term of this handle.
struct Term {
    epoch: Epoch,
    /// Number of the last batch.
    batch: i64,
    /// When the claim or the renewal was sent that prolonged the lease last.
    prolonged: Instant,
}

/// A point of the committed history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Point {
    epoch: i64,
    batch: i64,
}

impl PostgresStore {
    /// A handle on the database that the URL names, after a look whether it is there and suits.
    ///
    /// # Errors
    /// [`PostgresOpenError`] says what to do; of the URL it names hosts and parameters only.
    pub async fn open(url: &str, candidate: Candidate) -> Result<Self, PostgresOpenError> {
        let limit = match candidate.lease {
            Duration::ZERO => LIMIT_WITHOUT_LEASE,
            lease => (lease / 2).max(MIN_LIMIT),
        };
        let address = Address::parse(url, limit)?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| PostgresOpenError::Unreachable {
            hosts: address.hosts.clone(),
            error: format!("no random number: {error}"),
        })?;
        let session = match Session::open(&address, limit).await {
            Ok(Ok(session)) => session,
            Ok(Err(Unfit(what))) => {
                return Err(PostgresOpenError::Unfit { hosts: address.hosts, what });
            }
            Err(Trouble::Undone(error, _) | Trouble::Lost(error)) => {
                return Err(PostgresOpenError::Unreachable { hosts: address.hosts, error });
            }
        };
        let seen = Point::default();
        let session = Some(session);
        let mut store =
            Self { address, candidate, id, limit, session, watch: None, term: None, seen };
        // The sooner the watch begins, the sooner a claim can go through. What is wrong with the tables
        // is told by the first claim.
        let _ = store.watch().await;
        // This connection ends here: the next one belongs to the runtime of whoever uses the store.
        store.session = None;
        Ok(store)
    }

    /// A connection that works as far as anybody knows.
    async fn session(&mut self) -> Result<&mut Session, Trouble> {
        let session = match self.session.take() {
            Some(session) if !session.client.is_closed() => session,
            Some(_) | None => Session::open(&self.address, self.limit)
                .await?
                .map_err(|Unfit(what)| Trouble::Undone(what, None))?,
        };
        Ok(self.session.insert(session))
    }

    /// Drops a connection on which anything failed. What failed may be true of this server or this session
    /// alone: it became read-only (25006), is shutting down (57P01 to 57P03), or has lost a prepared statement
    /// (26000). The next call connects again, and so to the server that can write now.
    fn checked<T>(&mut self, outcome: Result<T, Trouble>) -> Result<T, Trouble> {
        if outcome.is_err() {
            self.session = None;
        }
        outcome
    }

    /// The present term, if `epoch` is the one that this handle claimed last.
    fn term(&self, epoch: Epoch) -> Result<&Term, StoreError> {
        self.term.as_ref().filter(|term| term.epoch == epoch).ok_or(StoreError::Fenced(epoch))
    }

    /// Ends the term: nothing is written under it again.
    fn fenced(&mut self, epoch: Epoch) -> StoreError {
        self.term = None;
        StoreError::Fenced(epoch)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        self.claim_term().await
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.load_rows(epoch, visit).await
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        self.commit_batch(epoch, batch).await
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.renew_lease(epoch).await
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.resign_term(epoch).await
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        self.find_leader().await
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.candidate.lease)
    }
}

/// Numbers that only grow by one fit both ways.
fn epoch_number(epoch: Epoch) -> i64 {
    i64::try_from(epoch.0).unwrap_or(i64::MAX)
}
