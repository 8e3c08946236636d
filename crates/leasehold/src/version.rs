//! Which build this is.

/// The version of the package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from; `unknown` if the build could not tell.
pub(crate) const COMMIT_ID: &str = env!("LEASEHOLD_COMMIT_ID");

/// Both, for `--version`.
pub(crate) const LONG: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("LEASEHOLD_COMMIT_ID"), ")");
