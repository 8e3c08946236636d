//! Committing a batch, and finding out what became of it when the connection ends first.

use std::time::Duration;

use leasehold_core::Batch;
use tokio::time::{Instant, sleep};
use tokio_postgres::types::{ToSql, Type};
use tracing::{info, warn};

use super::tables::Writes;
use super::trouble::{Trouble, within};
use super::{Point, PostgresStore, epoch_number};
use crate::store::{Epoch, StoreError};

/// Makes a connection the only one that may write in this epoch. It waits for a commit of the one before
/// that still runs, and lets none in after it, so the batch number that it gives is final.
const ADOPT: &str = "UPDATE meta SET connection = connection + 1 \
     WHERE only_row AND epoch = $1 AND lease_until IS NOT NULL RETURNING connection, batch";

/// Pause before another look at a server that does not let anybody in.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

impl PostgresStore {
    pub(super) async fn commit_batch(
        &mut self,
        epoch: Epoch,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let before = self.term(epoch)?.batch;
        let writes = Writes::new(batch).map_err(StoreError::Unavailable)?;
        let began = Instant::now();
        loop {
            let reason = match self.try_to_commit(epoch, before, &writes).await {
                Ok(true) => break,
                Ok(false) => return Err(self.fenced(epoch)),
                Err(Trouble::Undone(reason, _)) => return Err(StoreError::Unavailable(reason)),
                Err(Trouble::Lost(reason)) => reason,
            };
            match self.look(epoch, began + self.limit * 2).await {
                Some(now) if now == before + 1 => {
                    info!(reason, "a batch was committed, but its reply was lost");
                    break;
                }
                Some(now) if now == before && began.elapsed() < self.limit => {
                    info!(reason, "a batch was not committed; trying again");
                }
                Some(now) if now == before => return Err(StoreError::Unavailable(reason)),
                Some(_) | None => {
                    self.term = None;
                    return Err(StoreError::OutcomeUnknown(reason));
                }
            }
        }
        if let Some(term) = &mut self.term {
            term.batch = before + 1;
        }
        self.seen = Point { epoch: epoch_number(epoch), batch: before + 1 };
        Ok(())
    }

    /// One attempt. `false`: the fence did not hold, and nothing was written.
    async fn try_to_commit(
        &mut self,
        epoch: Epoch,
        before: i64,
        writes: &Writes<'_>,
    ) -> Result<bool, Trouble> {
        let limit = self.limit;
        let number = match self.session().await?.number {
            Some(number) => number,
            None => match self.adopt(epoch).await? {
                Some((number, _)) => number,
                None => return Ok(false),
            },
        };
        let epoch = epoch_number(epoch);
        let outcome = async {
            let session = self.session().await?;
            let statement = session.statement(writes.shape(), limit).await?;
            let is_set = writes.sequence.is_some();
            let sequence = writes.sequence.flatten();
            let mut params: Vec<&(dyn ToSql + Sync)> =
                vec![&epoch, &number, &before, &sequence, &is_set];
            params.extend(writes.params());
            within(limit, session.client.execute(&statement, &params)).await
        };
        let outcome = outcome.await;
        Ok(self.checked(outcome)? == 1)
    }

    /// Connects if need be and takes the right to write for this connection. Its number and that of the
    /// last batch; `None` if the epoch is over.
    async fn adopt(&mut self, epoch: Epoch) -> Result<Option<(i64, i64)>, Trouble> {
        let (limit, epoch) = (self.limit, epoch_number(epoch));
        let session = self.session().await?;
        let outcome = within(limit, async {
            let params: [(&(dyn ToSql + Sync), Type); 1] = [(&epoch, Type::INT8)];
            match session.client.query_typed_opt(ADOPT, &params).await? {
                Some(row) => Ok(Some((row.try_get(0)?, row.try_get(1)?))),
                None => Ok(None),
            }
        })
        .await;
        let found = self.checked(outcome)?;
        if let (Some(session), Some((number, _))) = (&mut self.session, found) {
            session.number = Some(number);
        }
        Ok(found)
    }

    /// After a commit without an answer: the number of the last batch, which nothing that was sent before
    /// can change any more. `None` if that is not to be had until the deadline, or never will be.
    async fn look(&mut self, epoch: Epoch, deadline: Instant) -> Option<i64> {
        loop {
            match self.adopt(epoch).await {
                Ok(found) => return found.map(|(_, batch)| batch),
                Err(trouble) if Instant::now() + LOOK_PAUSE < deadline => {
                    warn!(?trouble, "cannot see whether a batch was committed; trying again");
                    sleep(LOOK_PAUSE).await;
                }
                Err(_) => return None,
            }
        }
    }
}
