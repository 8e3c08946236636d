//! Where Leasehold keeps its rows. One trait, few methods, the same meaning in every engine.
//!
//! - [`Store`] is the trait, [`StoreError`] says what its user does next.
//! - [`LocalStore`] is the default: an embedded database in a data directory.
//! - [`EtcdStore`], [`PostgresStore`] and [`DatastoreStore`] are for several replicas, on an engine that
//!   they share.
//! - [`MemoryStore`] and [`FaultyStore`] are for tests: without a disk, and failing to order.
//! - [`record`] turns rows into bytes.
//! - [`conformance`] holds the laws that every store keeps.

#[cfg(all(any(leasehold_unfenced, leasehold_unwatched), not(debug_assertions)))]
compile_error!("a build without a fence or a rule is for tests/cluster alone");

pub mod conformance;
mod datastore;
mod encoded;
mod etcd;
mod faulty;
mod listed;
mod local;
mod memory;
mod postgres;
pub mod record;
mod store;

pub use datastore::{DatastoreEnvironment, DatastoreOpenError, DatastoreStore};
pub use etcd::{EtcdOpenError, EtcdStore};
pub use faulty::{Fault, Faults, FaultyStore};
pub use local::{LocalStore, OpenError};
pub use memory::MemoryStore;
pub use postgres::{PostgresOpenError, PostgresStore};
pub use store::{Candidate, Epoch, Leader, LinkToken, Store, StoreError};
