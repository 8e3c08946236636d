//! Reading all rows, as they were at one moment of the epoch.

use std::time::Duration;

use leasehold_core::Row;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::tables::{Kind, read_token};
use super::trouble::{Trouble, within};
use super::{PostgresStore, epoch_number};
use crate::store::{Epoch, StoreError};

/// Rows of one round trip: each has the whole time limit for itself.
const PAGE_ROWS: i32 = 5_000;

/// Why a load ended early.
enum Stopped {
    Fenced,
    Damaged(String),
    Trouble(Trouble),
}

impl From<Trouble> for Stopped {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl PostgresStore {
    pub(super) async fn load_rows(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.term(epoch)?;
        let limit = self.limit;
        let session = self.session().await.map_err(Trouble::unavailable)?;
        match load(&mut session.client, epoch, limit, visit).await {
            Ok(()) => Ok(()),
            Err(Stopped::Fenced) => Err(self.fenced(epoch)),
            Err(Stopped::Damaged(what)) => Err(StoreError::Corrupt(what)),
            Err(Stopped::Trouble(trouble)) => {
                self.checked(Err(trouble)).map_err(Trouble::on_reading)
            }
        }
    }
}

async fn load(
    client: &mut Client,
    epoch: Epoch,
    limit: Duration,
    visit: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Stopped> {
    // One snapshot for all tables: a claim of somebody else meanwhile does not show.
    let begin =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let work = within(limit, begin.start()).await?;
    // Whole tables are read, which is the one thing that the session's settings rule out.
    within(limit, work.batch_execute("SET LOCAL enable_seqscan = on")).await?;
    let meta = within(limit, async {
        let sql = "SELECT epoch, lease_until IS NOT NULL, sequence FROM meta";
        let row = work.query_typed_one(sql, &[]).await?;
        Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, bool>(1)?, row.try_get(2)?))
    });
    let (latest, is_held, sequence): (i64, bool, Option<i64>) = meta.await?;
    if latest != epoch_number(epoch) || !is_held {
        return Err(Stopped::Fenced);
    }
    if let Some(number) = sequence {
        let token = read_token(number)
            .map_err(|misfit| Stopped::Damaged(format!("the sequence in table meta: {misfit}")))?;
        visit(Row::Sequence(token));
    }
    for kind in Kind::ALL {
        load_table(&work, kind, limit, visit).await?;
    }
    Ok(())
}

async fn load_table(
    work: &Transaction<'_>,
    kind: Kind,
    limit: Duration,
    visit: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Stopped> {
    let statement = within(limit, work.prepare(&kind.select_sql())).await?;
    let portal = within(limit, work.bind(&statement, &[])).await?;
    loop {
        let page = within(limit, work.query_portal(&portal, PAGE_ROWS)).await?;
        if page.is_empty() {
            return Ok(());
        }
        for found in &page {
            visit(kind.read(found).map_err(Stopped::Damaged)?);
        }
    }
}
