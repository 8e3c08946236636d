//! Why the store cannot be opened.

use thiserror::Error;

/// Why a PostgreSQL store cannot be used. The text says what to do, and never a password.
#[derive(Debug, Error)]
pub enum PostgresOpenError {
    /// The URL is not one that this store understands.
    #[error(
        "the PostgreSQL URL is not usable: {what}; expected \
         postgres://user:password@host:5432/database?sslmode=verify-full"
    )]
    BadUrl {
        /// What is wrong with it.
        what: String,
    },
    /// There are no root certificates to check the server with.
    #[error("the certificates to check PostgreSQL with cannot be used: {what}")]
    Certificates {
        /// What is wrong with them.
        what: String,
    },
    /// The server is away, or does not let this client in. Trying again may help.
    #[error("PostgreSQL at {hosts} cannot be used now: {error}")]
    Unreachable {
        /// The hosts of the URL with their ports.
        hosts: String,
        /// What the network or the server says.
        error: String,
    },
    /// The server is not one that this store can work with.
    #[error("PostgreSQL at {hosts} does not suit: {what}")]
    Unfit {
        /// The hosts of the URL with their ports.
        hosts: String,
        /// What it lacks.
        what: String,
    },
}
