//! Opens the store that the settings name.

use leasehold_store::{
    Candidate, DatastoreEnvironment, DatastoreOpenError, DatastoreStore, EtcdOpenError, EtcdStore,
    LocalStore, OpenError, PostgresOpenError, PostgresStore, Store,
};
use thiserror::Error;

use crate::config::{Settings, StoreChoice};

/// Why a store cannot be opened. Every text says what to do.
#[derive(Debug, Error)]
#[error(transparent)]
pub(crate) enum StoreOpenError {
    Local(#[from] OpenError),
    Etcd(#[from] EtcdOpenError),
    Postgres(#[from] PostgresOpenError),
    Datastore(#[from] DatastoreOpenError),
}

/// The store, and how this process leads there.
pub(crate) async fn open(
    settings: &Settings,
    candidate: Candidate,
) -> Result<Box<dyn Store>, StoreOpenError> {
    Ok(match &settings.store.value {
        StoreChoice::Local => Box::new(LocalStore::open(&settings.data_dir.value)?),
        StoreChoice::Etcd(url) => Box::new(EtcdStore::open(url, candidate)?),
        StoreChoice::Postgres(url) => Box::new(PostgresStore::open(url, candidate).await?),
        StoreChoice::Datastore(url) => {
            let environment = DatastoreEnvironment::of_this_process();
            Box::new(DatastoreStore::open(url, candidate, &environment).await?)
        }
    })
}
