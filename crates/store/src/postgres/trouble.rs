//! What went wrong between this process and the server, by what is known about the statement.

use std::error::Error as _;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::store::StoreError;

/// Why a statement did not succeed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It did nothing: the server refused it and undid its transaction, or it was never sent.
    Undone(String, Option<SqlState>),
    /// The connection ended or fell silent first. It may have done all, and may yet.
    Lost(String),
}

impl Trouble {
    /// The tables do not hold what this store keeps in them.
    pub(super) fn damage(what: &str) -> Self {
        Self::Undone(what.to_owned(), Some(SqlState::DATA_CORRUPTED))
    }

    /// Where nothing was to be written, or writing it again is harmless.
    pub(super) fn unavailable(self) -> StoreError {
        match self {
            Self::Undone(reason, _) | Self::Lost(reason) => StoreError::Unavailable(reason),
        }
    }

    /// The same where tables are read: are they what they should be?
    pub(super) fn on_reading(self) -> StoreError {
        match self {
            Self::Undone(reason, Some(state)) if is_damage(&state) => StoreError::Corrupt(reason),
            other => other.unavailable(),
        }
    }

    /// Whether a table was asked for that does not exist.
    pub(super) fn is_missing_table(&self) -> bool {
        matches!(self, Self::Undone(_, Some(state)) if *state == SqlState::UNDEFINED_TABLE)
    }
}

/// The tables are damaged, or are not ours.
fn is_damage(state: &SqlState) -> bool {
    [
        SqlState::DATA_CORRUPTED,
        SqlState::INDEX_CORRUPTED,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::DUPLICATE_TABLE,
        SqlState::DATATYPE_MISMATCH,
    ]
    .contains(state)
}

impl From<Error> for Trouble {
    /// With severity ERROR the server says that it has undone the transaction and goes on. FATAL ends the
    /// connection at any point, after a commit too, and so does everything that is no word of the server.
    fn from(error: Error) -> Self {
        let reason = text_of(&error);
        match error.as_db_error() {
            Some(refusal) if refusal.parsed_severity() == Some(Severity::Error) => {
                Self::Undone(reason, Some(refusal.code().clone()))
            }
            Some(_) | None => Self::Lost(reason),
        }
    }
}

/// The whole story of an error; its own text is only the headline.
pub(super) fn text_of(error: &Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("the server says: {} ({})", refusal.message(), refusal.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Waits for the server, but not for longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Trouble> {
    match timeout(limit, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Trouble::Lost(format!("the server did not answer within {limit:?}"))),
    }
}
