//! The tables' versions. Whoever is about to lead brings them up to date, in the claim's transaction.

use tokio_postgres::types::Type;
use tokio_postgres::{Error, Transaction};

/// Format `n` is made by the first `n` of these. A script that has been released never changes. The
/// columns of `meta` that tell who leads stay in every format, so that old and new replicas can take
/// turns while they are being replaced.
const MIGRATIONS: [&str; 5] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
];

/// Version of the tables that this version of Leasehold works with.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a handful")]
pub(super) const FORMAT: i32 = MIGRATIONS.len() as i32;

/// Creates the tables in their first format, unless they exist. Two handles that start at once wait for
/// each other.
pub(super) async fn create_if_missing(work: &Transaction<'_>, schema: &str) -> Result<(), Error> {
    work.query_typed_one(
        "SELECT pg_advisory_xact_lock(hashtextextended('leasehold schema ' || $1, 0))",
        &[(&schema, Type::TEXT)],
    )
    .await?;
    let found = work
        .query_typed_one(
            "SELECT to_regnamespace($1) IS NOT NULL, to_regclass($1 || '.meta') IS NOT NULL",
            &[(&schema, Type::TEXT)],
        )
        .await?;
    // Asking for no more than is needed lets a user work who may not create schemas.
    if !found.try_get::<_, bool>(0)? {
        work.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    if !found.try_get::<_, bool>(1)? {
        work.batch_execute(MIGRATIONS[0]).await?;
    }
    Ok(())
}

/// Takes the tables from this format, which is one that exists, to the present one.
pub(super) async fn upgrade(work: &Transaction<'_>, from: i32) -> Result<(), Error> {
    let done = usize::try_from(from).unwrap_or(MIGRATIONS.len());
    for script in MIGRATIONS.iter().skip(done) {
        work.batch_execute(script).await?;
    }
    if done < MIGRATIONS.len() {
        work.execute_typed("UPDATE meta SET format = $1", &[(&FORMAT, Type::INT4)]).await?;
    }
    Ok(())
}
