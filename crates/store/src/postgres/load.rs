//! Reading all rows, page by page, while the lease is kept.

use leasehold_core::{FencingToken, Row, RowKey};
use tokio_postgres::types::{ToSql, Type};

use super::tables::{Kind, read_token, with_key_cells};
use super::trouble::{Trouble, within};
use super::{PostgresStore, epoch_number};
use crate::store::{Epoch, StoreError, is_due_to_renew};

/// Rows of one round trip: each has the whole time limit for itself.
const PAGE_ROWS: usize = 5_000;

/// Finds the sequence only while the epoch lasts, and the last batch is the one that its leader knows.
const SEQUENCE: &str = "SELECT sequence FROM meta \
     WHERE epoch = $1 AND lease_until IS NOT NULL AND batch = $2";

impl PostgresStore {
    /// Each page is of a moment of its own: a transaction around them all would show one moment, but keep
    /// renewals out of this connection. They fit together all the same, for nothing was written
    /// between the first look at `meta` and the last: every batch raises the number there, and whoever
    /// else writes has raised the epoch before.
    pub(super) async fn load_rows(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        if let Some(token) = self.sequence(epoch).await? {
            visit(Row::Sequence(token));
        }
        for kind in Kind::ALL {
            self.load_table(epoch, kind, visit).await?;
        }
        self.sequence(epoch).await?;
        Ok(())
    }

    async fn load_table(
        &mut self,
        epoch: Epoch,
        kind: Kind,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let page = self.page(kind, last.as_ref()).await?;
            for (at, found) in page.iter().enumerate() {
                let row = kind.read(found).map_err(StoreError::Corrupt)?;
                if at + 1 == PAGE_ROWS {
                    last = Some(row.key());
                }
                visit(row);
                // Not only between pages: nobody knows how long a visit takes.
                self.keep_lease(epoch).await?;
            }
            if page.len() < PAGE_ROWS {
                return Ok(());
            }
        }
    }

    async fn keep_lease(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        if is_due_to_renew(self.candidate.lease, self.term(epoch)?.prolonged) {
            self.renew_lease(epoch).await?;
        }
        Ok(())
    }

    /// The rows that come after this key, as many as a page has.
    async fn page(
        &mut self,
        kind: Kind,
        last: Option<&RowKey>,
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let sql = kind.page_sql(PAGE_ROWS, last.is_some());
        let cells = last.and_then(|key| with_key_cells(key, |_, cells| cells.to_vec()));
        let cells = cells.unwrap_or_default();
        let params: Vec<(&(dyn ToSql + Sync), Type)> =
            cells.iter().map(|cell| (cell as &(dyn ToSql + Sync), cell.type_())).collect();
        let limit = self.limit;
        let session = self.session().await.map_err(Trouble::unavailable)?;
        let page = within(limit, session.client.query_typed(&sql, &params)).await;
        self.checked(page).map_err(Trouble::on_reading)
    }

    /// The highest fencing token given out.
    async fn sequence(&mut self, epoch: Epoch) -> Result<Option<FencingToken>, StoreError> {
        let (number, batch) = (epoch_number(epoch), self.term(epoch)?.batch);
        let limit = self.limit;
        let session = self.session().await.map_err(Trouble::unavailable)?;
        let found = within(limit, async {
            let params: [(&(dyn ToSql + Sync), Type); 2] =
                [(&number, Type::INT8), (&batch, Type::INT8)];
            match session.client.query_typed_opt(SEQUENCE, &params).await? {
                Some(row) => Ok(Some(row.try_get::<_, Option<i64>>(0)?)),
                None => Ok(None),
            }
        })
        .await;
        match self.checked(found).map_err(Trouble::on_reading)? {
            None => Err(self.fenced(epoch)),
            Some(sequence) => sequence.map(read_token).transpose().map_err(|misfit| {
                StoreError::Corrupt(format!("the sequence in table meta: {misfit}"))
            }),
        }
    }
}
