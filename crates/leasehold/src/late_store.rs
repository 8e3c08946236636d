//! A store whose engine may be away when the service starts, as when a whole machine room starts: it is opened
//! at the first claim that finds the engine. Until then every claim fails with what is wrong, which the commit
//! loop logs, shows in `/readyz` and answers by trying again.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use leasehold_core::{Batch, Row};
use leasehold_store::{Candidate, Epoch, Leader, Store, StoreError};
use tracing::{error, info};

use crate::config::{Settings, StoreChoice};
use crate::store::{self, StoreOpenError};

/// The store of the settings. One whose engine is away is opened later.
///
/// # Errors
/// [`StoreOpenError`] if trying again is of no use: the settings have to change, or the machine.
pub(crate) async fn open(
    settings: &Settings,
    candidate: Candidate,
) -> Result<Box<dyn Store>, StoreOpenError> {
    let (choice, data_dir) = (settings.store.value.clone(), settings.data_dir.value.clone());
    match store::open(&choice, &data_dir, candidate.clone()).await {
        Err(error) if error.may_pass() => {
            error!(%error, "the store cannot be used yet; trying again until it can");
            Ok(Box::new(LateStore { choice, data_dir, candidate, opened: None }))
        }
        opened => opened,
    }
}

struct LateStore {
    choice: StoreChoice,
    data_dir: PathBuf,
    candidate: Candidate,
    opened: Option<Box<dyn Store>>,
}

impl LateStore {
    /// The store behind this one, opened now if it is not.
    async fn opened(&mut self) -> Result<&mut dyn Store, StoreError> {
        if self.opened.is_none() {
            let opened = store::open(&self.choice, &self.data_dir, self.candidate.clone()).await;
            // One that does not suit may be put right as well, and then needs no restart.
            let opened = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            info!("the store can be used");
            self.opened = Some(opened);
        }
        match &mut self.opened {
            Some(opened) => Ok(&mut **opened),
            None => Err(StoreError::Unavailable("the store is not open".to_owned())),
        }
    }
}

#[async_trait]
impl Store for LateStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        self.opened().await?.claim().await
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.opened().await?.load(epoch, visit).await
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        self.opened().await?.commit(epoch, batch).await
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.opened().await?.renew(epoch).await
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.opened().await?.resign(epoch).await
    }

    async fn leader(&mut self) -> Result<Option<Leader>, StoreError> {
        self.opened().await?.leader().await
    }

    /// Of the engines that are opened late, all lead for the lease of the candidate.
    fn lease(&self) -> Option<Duration> {
        self.opened.as_ref().map_or(Some(self.candidate.lease), |opened| opened.lease())
    }
}
