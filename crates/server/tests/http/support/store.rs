//! A store that does as a test says: works, refuses, loses an answer, or hangs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use leasehold_core::{Batch, Row};
use leasehold_server::Link;
use leasehold_store::{Candidate, Epoch, MemoryStore, Store, StoreError};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Works,
    /// Claims fail, so that recovery never ends.
    RefusesClaims,
    /// Commits do not happen.
    RefusesCommits,
    /// Commits happen and nobody learns of it.
    LosesAnswers,
    /// Commits, and resigning, wait until the mood changes.
    Hangs,
}

/// Rows in memory behind a mood that a test sets.
#[derive(Clone)]
pub(crate) struct MoodyStore {
    inner: MemoryStore,
    mood: Arc<watch::Sender<Mood>>,
    /// How long a replica leads without renewing.
    lease: Duration,
}

impl MoodyStore {
    pub(crate) fn new(mood: Mood) -> Self {
        let lease = Duration::from_secs(5);
        Self { inner: MemoryStore::new(), mood: Arc::new(watch::channel(mood).0), lease }
    }

    /// The same store, reached on another way: its mood is of its own.
    pub(crate) fn by_another_way(&self) -> Self {
        Self { mood: Arc::new(watch::channel(Mood::Works).0), ..self.clone() }
    }

    /// The same with leases of this length.
    pub(crate) fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// The same for a replica that leads on a lease.
    pub(crate) fn replica(&self, link: &Link) -> Self {
        let candidate = Candidate {
            address: link.address.clone(),
            lease: self.lease,
            link_token: link.token.clone(),
        };
        Self { inner: self.inner.replica(candidate), ..self.clone() }
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Whether a commit is under way that waits for the mood to change.
    pub(crate) fn is_hanging(&self) -> bool {
        self.mood.receiver_count() > 0
    }

    /// The mood, once it is another than to hang.
    async fn settled(&self) -> Mood {
        *self.mood.subscribe().wait_for(|mood| *mood != Mood::Hangs).await.unwrap()
    }

    /// Rows that are there before the service starts.
    pub(crate) fn filled(rows: Vec<Row>) -> Self {
        let store = Self::new(Mood::Works);
        let mut batch = Batch::default();
        rows.into_iter().for_each(|row| batch.put(row));
        let mut inner = store.inner.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let epoch = inner.claim().await.unwrap();
            inner.commit(epoch, &batch).await.unwrap();
        });
        store
    }
}

#[async_trait]
impl Store for MoodyStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        if *self.mood.borrow() == Mood::RefusesClaims {
            return Err(StoreError::Unavailable("the test said so".to_owned()));
        }
        self.inner.claim().await
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.inner.load(epoch, visit).await
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        match self.settled().await {
            Mood::RefusesCommits => Err(StoreError::Unavailable("the test said so".to_owned())),
            Mood::LosesAnswers => {
                self.inner.commit(epoch, batch).await?;
                Err(StoreError::OutcomeUnknown("the test said so".to_owned()))
            }
            Mood::Works | Mood::RefusesClaims | Mood::Hangs => {
                self.inner.commit(epoch, batch).await
            }
        }
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.inner.renew(epoch).await
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.settled().await;
        self.inner.resign(epoch).await
    }

    fn lease(&self) -> Option<Duration> {
        self.inner.lease()
    }
}
