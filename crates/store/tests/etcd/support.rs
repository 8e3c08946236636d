//! What the tests of the etcd store share: rows to write, and what a load finds.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use leasehold_core::{
    Batch, FencingToken, HoldKey, LockId, Mode, Namespace, ProcessId, Row, TimeoutSecs, Wall,
};
use leasehold_store::{Candidate, Epoch, EtcdStore, Store};

use crate::server::candidate;

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A store whose lease outlasts the test.
pub(crate) fn open_for_long(url: &str) -> EtcdStore {
    let candidate = Candidate { lease: Duration::from_secs(600), ..candidate() };
    EtcdStore::open(url, candidate).unwrap()
}

pub(crate) fn hold(number: u64) -> Row {
    Row::Hold {
        hold: HoldKey {
            namespace: Namespace::parse("default").unwrap(),
            lock_id: LockId::parse("a").unwrap(),
            mode: Mode::Read,
            process_id: ProcessId::parse(&format!("process-{number}")).unwrap(),
        },
        token: FencingToken::new(number).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(1_700_000_000_000),
        renewed_at: Wall(1_700_000_000_000),
        note: None,
        idempotency_key: None,
        acquired_by: None,
    }
}

/// Takes the holds of these numbers.
pub(crate) fn batch(numbers: impl IntoIterator<Item = u64>) -> Batch {
    let mut batch = Batch::default();
    for number in numbers {
        batch.put(hold(number));
    }
    batch
}

/// The numbers of the holds that are stored.
pub(crate) async fn numbers(store: &mut dyn Store, epoch: Epoch) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    let mut visit = |row| match row {
        Row::Hold { token, .. } => {
            numbers.insert(token.get());
        }
        other => panic!("{other:?} was never written"),
    };
    store.load(epoch, &mut visit).await.unwrap();
    numbers
}

/// What a new claim finds.
pub(crate) async fn recovered(store: &mut dyn Store) -> BTreeSet<u64> {
    let epoch = store.claim().await.unwrap();
    numbers(store, epoch).await
}

pub(crate) fn set(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    numbers.into_iter().collect()
}
