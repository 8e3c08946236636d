//! A lock is a row of a table.

use tokio_postgres::{Client, NoTls, Statement};

use super::NativeError;

pub(super) struct RowClient {
    client: Client,
    insert: Statement,
    delete: Statement,
    name: String,
}

/// Makes the table, and a connection for each client.
pub(super) async fn clients(address: &str, count: usize) -> Result<Vec<RowClient>, NativeError> {
    let url = format!("postgres://postgres@{address}/postgres");
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        // What goes wrong with a connection, its client is told.
        tokio::spawn(connection);
        if number == 0 {
            let table = "create table if not exists native_lock (name text primary key, holder text not null)";
            client.batch_execute(table).await?;
        }
        let insert = "insert into native_lock values ($1, 'me') on conflict do nothing";
        let insert = client.prepare(insert).await?;
        let delete = client.prepare("delete from native_lock where name = $1").await?;
        clients.push(RowClient { client, insert, delete, name: format!("lock-{number}") });
    }
    Ok(clients)
}

impl RowClient {
    pub(super) async fn insert(&self) -> Result<(), NativeError> {
        changed_one(self.client.execute(&self.insert, &[&self.name]).await?)
    }

    pub(super) async fn delete(&self) -> Result<(), NativeError> {
        changed_one(self.client.execute(&self.delete, &[&self.name]).await?)
    }
}

fn changed_one(rows: u64) -> Result<(), NativeError> {
    if rows == 1 { Ok(()) } else { Err(format!("{rows} rows were changed, instead of one").into()) }
}
