//! Opens the store that the settings name.

use leasehold_store::{
    Candidate, DatastoreEnvironment, DatastoreStore, EtcdStore, LocalStore, PostgresStore, Store,
};

use super::ServeError;
use crate::config::{Settings, StoreChoice};

/// The store, and how this process leads there.
pub(super) async fn open(
    settings: &Settings,
    candidate: &Candidate,
) -> Result<Box<dyn Store>, ServeError> {
    let candidate = candidate.clone();
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
