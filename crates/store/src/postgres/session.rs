//! One connection to the server, set up for this store.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, NoTls, Statement};
use tracing::warn;

use super::address::Address;
use super::tables::{Shape, commit_sql};
use super::trouble::{Trouble, text_of, within};

/// Since this version plans of prepared statements can be had as this store wants them.
const MIN_VERSION: i32 = 120_000;

pub(super) struct Session {
    pub(super) client: Client,
    /// What `meta.connection` must be for this connection to write. `None`: it may not yet.
    pub(super) number: Option<i64>,
    statements: HashMap<Shape, Statement>,
    driver: JoinHandle<()>,
}

/// The server is there, but this store cannot work with it.
pub(super) struct Unfit(pub(super) String);

impl Drop for Session {
    /// The driver would otherwise wait for answers that never come.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    pub(super) async fn open(
        address: &Address,
        limit: Duration,
    ) -> Result<Result<Self, Unfit>, Trouble> {
        // Nothing has been asked yet, so no failure leaves anything in doubt.
        let undone = |trouble| match trouble {
            Trouble::Lost(reason) | Trouble::Undone(reason, _) => {
                Trouble::Undone(format!("{}: {reason}", address.hosts), None)
            }
        };
        let (client, driver) = within(limit, connect(address)).await.map_err(undone)?;
        let session = Self { client, number: None, statements: HashMap::new(), driver };
        let fitness = within(limit, session.set_up(&address.schema, limit)).await;
        Ok(fitness.map_err(undone)?.map(|()| session))
    }

    async fn set_up(&self, schema: &str, limit: Duration) -> Result<Result<(), Unfit>, Error> {
        let found = self
            .client
            .query_typed_one(
                "SELECT current_setting('server_version_num')::integer, \
                 current_setting('server_encoding'), \
                 current_setting('synchronous_commit') = 'off', current_setting('fsync') = 'off'",
                &[],
            )
            .await?;
        let (version, encoding): (i32, &str) = (found.try_get(0)?, found.try_get(1)?);
        if version < MIN_VERSION {
            let (found, wanted) = (version / 10_000, MIN_VERSION / 10_000);
            return Ok(Err(Unfit(format!("it is version {found}; {wanted} or later is needed"))));
        }
        if encoding != "UTF8" {
            return Ok(Err(Unfit(format!(
                "the database is encoded in {encoding}; create one in UTF8"
            ))));
        }
        let mut settings = session_settings(schema, limit);
        if found.try_get(2)? {
            warn!("synchronous_commit is off for this user or database; it is on for Leasehold");
            settings.push_str("SET synchronous_commit = on;");
        }
        if found.try_get(3)? {
            warn!("the server runs with fsync = off: a power cut can lose what was acknowledged");
        }
        self.client.batch_execute(&settings).await?;
        Ok(Ok(()))
    }

    /// The statement that commits batches of this shape.
    pub(super) async fn statement(
        &mut self,
        shape: Shape,
        limit: Duration,
    ) -> Result<Statement, Trouble> {
        if let Some(statement) = self.statements.get(&shape) {
            return Ok(statement.clone());
        }
        let statement = within(limit, self.client.prepare(&commit_sql(shape))).await?;
        self.statements.insert(shape, statement.clone());
        Ok(statement)
    }
}

async fn connect(address: &Address) -> Result<(Client, JoinHandle<()>), Error> {
    // The driver's own error is nobody's news: the statement that waited fails with it.
    match &address.tls {
        Some(tls) => {
            let (client, connection) = address.config.connect(tls.clone()).await?;
            let run = async { connection.await.map_err(|e| text_of(&e)).unwrap_or_default() };
            Ok((client, tokio::spawn(run)))
        }
        None => {
            let (client, connection) = address.config.connect(NoTls).await?;
            let run = async { connection.await.map_err(|e| text_of(&e)).unwrap_or_default() };
            Ok((client, tokio::spawn(run)))
        }
    }
}

/// A statement that this side has given up on must not go on forever on the other. Rows are always
/// found by their keys, and read in their order: plans are made once, maybe while the tables are still
/// empty, so everything but nested loops over indexes is ruled out.
fn session_settings(schema: &str, limit: Duration) -> String {
    let limit_ms = limit.as_millis();
    format!(
        "SET search_path = \"{schema}\"; SET statement_timeout = {limit_ms}; \
         SET idle_in_transaction_session_timeout = {limit_ms}; \
         SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
         SET enable_hashjoin = off; SET enable_mergejoin = off; \
         SET enable_sort = off;"
    )
}
