//! Leadership: a lease in the row `meta`, over when a claimant has seen the row unchanged for its length.

use std::time::{Duration, Instant};

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::cell::{Cell, Stamp, Uid};
use super::schema::{self, FORMAT};
use super::trouble::{Trouble, within};
use super::{Point, PostgresStore, Term, epoch_number};
use crate::store::{Candidate, Epoch, Leader, StoreError};

/// What the row says about the leader.
const META: &str = "SELECT format, epoch, batch, \
     concat_ws(' ', xmin, epoch, connection, batch, lease_until) AS version, lease_until IS NOT NULL AS is_led, lease_secs, leader_id, leader_address, leader_link_token, \
     leader_since FROM meta";

const CLAIM: &str = "UPDATE meta SET epoch = epoch + 1, connection = connection + 1, \
     leader_id = $1, leader_address = $2, leader_link_token = $3, leader_since = clock_timestamp(), \
     lease_secs = $4, lease_until = clock_timestamp() + make_interval(secs => $4) RETURNING epoch, connection, batch";

const RENEW: &str = "UPDATE meta SET lease_until = clock_timestamp() + make_interval(secs => $2) \
     WHERE epoch = $1 AND lease_until IS NOT NULL";

/// Asked a second time, it finds its own work done.
const RESIGN: &str = "UPDATE meta SET lease_until = NULL, leader_id = NULL, leader_address = NULL, \
     leader_link_token = NULL, leader_since = NULL, lease_secs = NULL \
     WHERE epoch = $1 AND (lease_until IS NOT NULL OR $2)";

/// The row `meta`, as far as a claim looks at it.
struct Meta {
    format: i32,
    at: Point,
    /// Changes with every write of the row: the transaction that wrote it last, and what it wrote. After a
    /// failover two servers may use one number for two transactions.
    version: String,
    led: Option<Led>,
}

/// Somebody leads who has not resigned.
struct Led {
    /// The id of the leader's handle.
    by: Uid,
    leader: Leader,
    lease: Duration,
}

/// Since when the row has not changed, as this handle knows it.
pub(super) struct Watch {
    version: String,
    since: Instant,
}

/// How a claim went.
enum Claimed {
    Led(Leader),
    Damaged(String),
    Done { at: Point, connection: i64 },
}

impl PostgresStore {
    pub(super) async fn claim_term(&mut self) -> Result<Epoch, StoreError> {
        // A look first: a replica that follows asks often, and must not hold the leader's row.
        let looked_at = self.meta().await?;
        if let Some(led) = looked_at.as_ref().and_then(|meta| meta.led.as_ref())
            && led.by.0 != self.id
            && !self.ran_out(led)
        {
            return Err(StoreError::Led(Box::new(led.leader.clone())));
        }
        let looked_at = looked_at.map(|meta| meta.version);
        self.term = None;
        let prolonged = Instant::now();
        let (limit, candidate, id, seen) = (self.limit, self.candidate.clone(), self.id, self.seen);
        let schema = self.address.schema.clone();
        let session = self.session().await.map_err(Trouble::unavailable)?;
        session.number = None;
        let claim = claim(&mut session.client, &schema, &candidate, id, seen, looked_at);
        let outcome = within(limit, claim).await;
        match self.checked(outcome) {
            Ok(Claimed::Led(leader)) => Err(StoreError::Led(Box::new(leader))),
            Ok(Claimed::Damaged(what)) => Err(StoreError::Corrupt(what)),
            Ok(Claimed::Done { at, connection }) => {
                let epoch = Epoch(at.epoch.unsigned_abs());
                if let Some(session) = &mut self.session {
                    session.number = Some(connection);
                }
                self.term = Some(Term { epoch, batch: at.batch, prolonged });
                self.seen = at;
                Ok(epoch)
            }
            Err(Trouble::Lost(reason)) => Err(StoreError::OutcomeUnknown(reason)),
            Err(trouble @ Trouble::Undone(..)) => Err(trouble.on_reading()),
        }
    }

    pub(super) async fn find_leader(&mut self) -> Result<Option<Leader>, StoreError> {
        let led = self.meta().await?.and_then(|meta| meta.led);
        Ok(led.filter(|led| !self.ran_out(led)).map(|led| led.leader))
    }

    /// Looks at the row, if there is one yet, and goes on watching it.
    pub(super) async fn watch(&mut self) -> Result<(), StoreError> {
        self.meta().await.map(drop)
    }

    /// Whether the leader that the last look showed has let its lease run out.
    fn ran_out(&self, led: &Led) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.since.elapsed() >= led.lease)
    }

    pub(super) async fn renew_lease(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.term(epoch)?;
        if self.candidate.lease.is_zero() {
            return self.confirm(epoch).await;
        }
        let sent = Instant::now();
        let (number, secs) = (epoch_number(epoch), self.candidate.lease.as_secs_f64());
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&number, Type::INT8), (&secs, Type::FLOAT8)];
        // Doing it twice does no harm, so a connection that turns out to be gone costs nothing.
        let mut renewed = self.change(RENEW, &params).await;
        if let Err(Trouble::Lost(_)) = renewed {
            renewed = self.change(RENEW, &params).await;
        }
        if renewed.map_err(Trouble::unavailable)? == 0 {
            return Err(self.fenced(epoch));
        }
        if let Some(term) = &mut self.term {
            term.prolonged = sent;
        }
        Ok(())
    }

    /// Looks whether the term goes on, in a snapshot that begins with the look.
    async fn confirm(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        match self.meta().await? {
            Some(meta) if meta.at.epoch == epoch_number(epoch) && meta.led.is_some() => Ok(()),
            Some(_) | None => Err(self.fenced(epoch)),
        }
    }

    pub(super) async fn resign_term(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.term(epoch)?;
        let number = epoch_number(epoch);
        let mut resigned =
            self.change(RESIGN, &[(&number, Type::INT8), (&false, Type::BOOL)]).await;
        if let Err(Trouble::Lost(_)) = resigned {
            resigned = self.change(RESIGN, &[(&number, Type::INT8), (&true, Type::BOOL)]).await;
        }
        let rows = resigned.map_err(Trouble::unavailable)?;
        self.term = None;
        if rows == 0 { Err(StoreError::Fenced(epoch)) } else { Ok(()) }
    }

    /// Runs one statement that changes the row; how many rows it found.
    async fn change(
        &mut self,
        sql: &str,
        params: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)],
    ) -> Result<u64, Trouble> {
        let limit = self.limit;
        let client = &self.session().await?.client;
        let outcome = within(limit, client.execute_typed(sql, params)).await;
        self.checked(outcome)
    }

    /// The row `meta`, watched from now on; `None` while there are no tables yet.
    async fn meta(&mut self) -> Result<Option<Meta>, StoreError> {
        let mut meta = self.read_meta().await;
        if let Err(Trouble::Lost(_)) = meta {
            meta = self.read_meta().await;
        }
        match meta {
            Ok(meta) => {
                if self.watch.as_ref().is_none_or(|watch| watch.version != meta.version) {
                    let version = meta.version.clone();
                    self.watch = Some(Watch { version, since: Instant::now() });
                }
                Ok(Some(meta))
            }
            Err(trouble) if trouble.is_missing_table() && self.seen == Point::default() => Ok(None),
            Err(trouble) => Err(trouble.on_reading()),
        }
    }

    async fn read_meta(&mut self) -> Result<Meta, Trouble> {
        let limit = self.limit;
        let session = self.session().await?;
        let found = within(limit, session.client.query_typed_opt(META, &[])).await;
        match self.checked(found)? {
            Some(row) => Ok(Meta::read(&row)?),
            None => Err(Trouble::damage("the row of table meta is gone")),
        }
    }
}

impl Meta {
    fn read(row: &tokio_postgres::Row) -> Result<Self, Error> {
        let epoch: i64 = row.try_get("epoch")?;
        let led = if row.try_get("is_led")? {
            let leader = Leader {
                epoch: Epoch(epoch.unsigned_abs()),
                address: row.try_get("leader_address")?,
                link_token: row.try_get::<_, String>("leader_link_token")?.into(),
                since: row.try_get::<_, Stamp>("leader_since")?.0,
            };
            // A length that none can have is that of a row that was tampered with: it never ends.
            let lease = Duration::try_from_secs_f64(row.try_get("lease_secs")?);
            let lease = lease.unwrap_or(Duration::MAX);
            Some(Led { by: row.try_get("leader_id")?, leader, lease })
        } else {
            None
        };
        let at = Point { epoch, batch: row.try_get("batch")? };
        let version = row.try_get("version")?;
        Ok(Self { format: row.try_get("format")?, at, version, led })
    }

    /// Why nobody can lead on these tables, if so.
    fn damage(&self, seen: Point) -> Option<String> {
        let Self { format, at, version: _, led: _ } = self;
        if *format > FORMAT {
            return Some(format!(
                "the tables have format {format}, and this version of Leasehold knows format {FORMAT}; \
                 start the version that wrote them"
            ));
        }
        (at.epoch < seen.epoch || at.batch < seen.batch).then(|| {
            format!(
                "the database is at batch {} of epoch {}, but batch {} of epoch {} had been \
                 acknowledged: it was restored from a backup, or another server took over too early",
                at.batch, at.epoch, seen.batch, seen.epoch
            )
        })
    }
}

async fn claim(
    client: &mut Client,
    schema: &str,
    candidate: &Candidate,
    id: [u8; 16],
    seen: Point,
    looked_at: Option<String>,
) -> Result<Claimed, Error> {
    let work = client.transaction().await?;
    schema::create_if_missing(&work, schema).await?;
    let meta = Meta::read(&work.query_typed_one(&format!("{META} FOR UPDATE"), &[]).await?)?;
    // Over is only the lease in the row that was watched, or one without length.
    if let Some(led) = meta.led.as_ref().filter(|led| led.by.0 != id && !led.lease.is_zero())
        && looked_at.as_ref() != Some(&meta.version)
    {
        return Ok(Claimed::Led(led.leader.clone()));
    }
    if let Some(what) = meta.damage(seen) {
        return Ok(Claimed::Damaged(what));
    }
    schema::upgrade(&work, meta.format).await?;
    let Candidate { address, lease, link_token } = candidate;
    let row = work
        .query_typed_one(
            CLAIM,
            &[
                (&Cell::Uuid(id), Type::UUID),
                (address, Type::TEXT),
                (&link_token.expose(), Type::TEXT),
                (&lease.as_secs_f64(), Type::FLOAT8),
            ],
        )
        .await?;
    let at = Point { epoch: row.try_get(0)?, batch: row.try_get(2)? };
    let connection = row.try_get(1)?;
    work.commit().await?;
    Ok(Claimed::Done { at, connection })
}
