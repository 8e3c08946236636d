//! Opens the store that the settings name.

use std::path::Path;

use leasehold_store::{
    Candidate, DatastoreEnvironment, DatastoreOpenError, DatastoreStore, EtcdOpenError, EtcdStore,
    LocalStore, OpenError, PostgresOpenError, PostgresStore, Store,
};
use thiserror::Error;

use crate::config::StoreChoice;

/// Why a store cannot be opened. Every text says what to do.
#[derive(Debug, Error)]
#[error(transparent)]
pub(crate) enum StoreOpenError {
    Local(#[from] OpenError),
    Etcd(#[from] EtcdOpenError),
    Postgres(#[from] PostgresOpenError),
    Datastore(#[from] DatastoreOpenError),
}

impl StoreOpenError {
    /// Whether the same settings may do later: the engine is away, or does not let this process in yet.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Postgres(PostgresOpenError::Unreachable { .. })
            | Self::Datastore(DatastoreOpenError::Service { .. }) => true,
            // etcd is asked only when it is used.
            Self::Local(_) | Self::Etcd(_) | Self::Postgres(_) | Self::Datastore(_) => false,
        }
    }
}

/// The store, and how this process leads there.
pub(crate) async fn open(
    choice: &StoreChoice,
    data_dir: &Path,
    candidate: Candidate,
) -> Result<Box<dyn Store>, StoreOpenError> {
    Ok(match choice {
        StoreChoice::Local => Box::new(LocalStore::open(data_dir)?),
        StoreChoice::Etcd(url) => Box::new(EtcdStore::open(url, candidate)?),
        StoreChoice::Postgres(url) => Box::new(PostgresStore::open(url, candidate).await?),
        StoreChoice::Datastore(url) => {
            let environment = DatastoreEnvironment::of_this_process();
            Box::new(DatastoreStore::open(url, candidate, &environment).await?)
        }
    })
}
