//! What these tests share: rows, handles, and a look into the database past the store.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use leasehold_core::{
    Batch, FencingToken, HoldKey, LockId, Mode, Namespace, ProcessId, Row, RowKey, TimeoutSecs,
    Wall,
};
use leasehold_store::{Candidate, Epoch, PostgresStore, Store, StoreError};
use tokio_postgres::{Client, NoTls};

use crate::server::{Server, fresh_schema};

pub(crate) type Rows = BTreeMap<RowKey, Row>;

/// Half of it, and at least a second, is how long the server may take for one answer.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub(crate) fn candidate() -> Candidate {
    Candidate {
        address: "127.0.0.1:8000".to_owned(),
        lease: LEASE,
        link_token: "shared by replicas".to_owned().into(),
    }
}

pub(crate) async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(url, candidate()).await.unwrap()
}

pub(crate) fn hold_key(process_id: &str) -> HoldKey {
    HoldKey {
        namespace: Namespace::parse("default").unwrap(),
        lock_id: LockId::parse("a").unwrap(),
        mode: Mode::Read,
        process_id: ProcessId::parse(process_id).unwrap(),
    }
}

pub(crate) fn hold(process_id: &str, token: u64) -> Row {
    Row::Hold {
        hold: hold_key(process_id),
        token: FencingToken::new(token).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(1_700_000_000_000),
        renewed_at: Wall(1_700_000_000_000),
        note: None,
        idempotency_key: None,
        acquired_by: None,
    }
}

pub(crate) fn batch_of(rows: &[Row]) -> Batch {
    let mut batch = Batch::default();
    for row in rows {
        batch.put(row.clone());
    }
    batch
}

pub(crate) fn by_key(rows: &[Row]) -> Rows {
    rows.iter().map(|row| (row.key(), row.clone())).collect()
}

pub(crate) async fn rows(store: &mut PostgresStore, epoch: Epoch) -> Rows {
    let mut rows = Rows::new();
    store.load(epoch, &mut |row| drop(rows.insert(row.key(), row))).await.unwrap();
    rows
}

/// A person with a console, in the schema of the test.
pub(crate) async fn person(server: &Server, schema: &str) -> Client {
    let url = server.url(schema).split_once('?').unwrap().0.to_owned();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("SET search_path = {schema}")).await.unwrap();
    client
}

/// A store that leads in a schema of its own, and a person who looks into that past it.
pub(crate) struct Leading {
    pub(crate) server: Server,
    pub(crate) schema: String,
    pub(crate) store: PostgresStore,
    pub(crate) epoch: Epoch,
    pub(crate) person: Client,
}

impl Leading {
    pub(crate) fn url(&self) -> String {
        self.server.url(&self.schema)
    }

    pub(crate) async fn commit(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        self.store.commit(self.epoch, &batch_of(rows)).await
    }

    pub(crate) async fn load(&mut self) -> Result<(), StoreError> {
        self.store.load(self.epoch, &mut |_| {}).await
    }

    pub(crate) async fn person_says(&self, sql: &str) {
        self.person.batch_execute(sql).await.unwrap();
    }
}

pub(crate) async fn leading() -> Leading {
    let (server, schema) = (Server::shared(), fresh_schema());
    let mut store = open(&server.url(&schema)).await;
    let epoch = store.claim().await.unwrap();
    let person = person(&server, &schema).await;
    Leading { server, schema, store, epoch, person }
}

/// Number of the last batch.
pub(crate) async fn last_batch(person: &Client) -> i64 {
    person.query_one("SELECT batch FROM meta", &[]).await.unwrap().get(0)
}

/// Waits until a statement of somebody else waits for this person; its backend's process id.
pub(crate) async fn blocked_by(person: &Client, locker: &Client) -> i32 {
    let own: i32 = locker.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let sql = "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
    for _ in 0..200 {
        if let Some(row) = person.query_opt(sql, &[&own]).await.unwrap() {
            return row.get(0);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody waits for backend {own}");
}
