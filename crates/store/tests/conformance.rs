//! The laws of `leasehold_store::conformance`, for every store of this crate.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use leasehold_store::conformance::Harness;
use leasehold_store::{Candidate, FaultyStore, LocalStore, MemoryStore, PostgresStore, Store};
use tempfile::TempDir;

#[path = "etcd/gateway.rs"]
#[expect(dead_code, reason = "the tests of faults use more of it")]
mod etcd_gateway;
#[path = "etcd/server.rs"]
#[expect(dead_code, reason = "the tests of faults use more of it")]
mod etcd_server;
#[path = "postgres/server.rs"]
mod postgres_server;

fn block_on(law: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(law);
}

struct Memory(MemoryStore);

#[async_trait]
impl Harness for Memory {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(self.0.clone())
    }

    fn allows_rivals(&self) -> bool {
        true
    }
}

fn candidate(lease: Duration) -> Candidate {
    Candidate {
        address: "127.0.0.1:8000".to_owned(),
        lease,
        link_token: "shared by replicas".to_owned().into(),
    }
}

/// Memory shared by replicas, each with a lease.
struct Replicas(MemoryStore);

const LEASE: Duration = Duration::from_millis(200);

#[async_trait]
impl Harness for Replicas {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(self.0.replica(candidate(LEASE)))
    }

    async fn open_on_demand(&self) -> Option<Box<dyn Store>> {
        Some(Box::new(self.0.replica(candidate(Duration::ZERO))))
    }

    fn allows_rivals(&self) -> bool {
        true
    }

    async fn outwait_leases(&self) {
        tokio::time::sleep(LEASE + Duration::from_millis(20)).await;
    }
}

struct Faulty(FaultyStore);

#[async_trait]
impl Harness for Faulty {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(self.0.faults().rival())
    }

    fn allows_rivals(&self) -> bool {
        true
    }
}

struct Local(TempDir);

#[async_trait]
impl Harness for Local {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(LocalStore::open(self.0.path()).unwrap())
    }

    fn allows_rivals(&self) -> bool {
        false
    }
}

/// A schema of its own on the server that all tests share.
struct Postgres {
    server: postgres_server::Server,
    schema: String,
}

impl Postgres {
    fn new() -> Self {
        Self { server: postgres_server::Server::shared(), schema: postgres_server::fresh_schema() }
    }

    async fn open_with(&self, candidate: Candidate) -> Box<dyn Store> {
        Box::new(PostgresStore::open(&self.server.url(&self.schema), candidate).await.unwrap())
    }
}

/// Long enough for a slow machine to renew in time.
const POSTGRES_LEASE: Duration = Duration::from_secs(1);

#[async_trait]
impl Harness for Postgres {
    async fn open(&self) -> Box<dyn Store> {
        self.open_with(candidate(POSTGRES_LEASE)).await
    }

    async fn open_on_demand(&self) -> Option<Box<dyn Store>> {
        Some(self.open_with(candidate(Duration::ZERO)).await)
    }

    fn allows_rivals(&self) -> bool {
        true
    }

    async fn outwait_leases(&self) {
        tokio::time::sleep(POSTGRES_LEASE + Duration::from_millis(20)).await;
    }
}

/// Replicas on a real etcd.
struct OnEtcd(etcd_server::Etcd);

#[async_trait]
impl Harness for OnEtcd {
    /// The other stores begin to watch when they are opened.
    async fn open(&self) -> Box<dyn Store> {
        let mut store = etcd_server::open(&self.0.url());
        store.leader().await.unwrap();
        Box::new(store)
    }

    fn allows_rivals(&self) -> bool {
        true
    }

    async fn outwait_leases(&self) {
        tokio::time::sleep(etcd_server::LEASE + Duration::from_millis(20)).await;
    }

    async fn lose_leader(&self) -> bool {
        etcd_gateway::delete(self.0.client_port, "leader");
        true
    }
}

leasehold_store::store_conformance!(memory, block_on, Memory(MemoryStore::new()));
leasehold_store::store_conformance!(replicas, block_on, Replicas(MemoryStore::new()));
leasehold_store::store_conformance!(faulty, block_on, Faulty(FaultyStore::new()));
leasehold_store::store_conformance!(local, block_on, Local(tempfile::tempdir().unwrap()));
leasehold_store::store_conformance!(postgres, block_on, Postgres::new());
leasehold_store::store_conformance!(etcd, block_on, OnEtcd(etcd_server::Etcd::start()));
