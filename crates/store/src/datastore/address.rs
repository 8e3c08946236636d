//! `datastore://project[/database][?namespace=…]`, and what the surroundings add to it.

use std::env;
use std::path::PathBuf;

use thiserror::Error;

use super::wire::PartitionId;

const SCHEME: &str = "datastore://";
/// What Google calls the database that has no name.
const DEFAULT_DATABASE: &str = "(default)";
/// Longest project, database or namespace that Google allows.
const MAX_NAME_BYTES: usize = 100;

/// Why the store cannot be used. The text says what to do.
#[derive(Debug, Error)]
pub enum DatastoreOpenError {
    /// The address cannot be understood.
    #[error("{what}; write datastore://PROJECT[/DATABASE][?namespace=NAMESPACE]")]
    Address {
        /// What is wrong with it.
        what: String,
    },
    /// There is no way to sign in.
    #[error("cannot sign in to Google Datastore: {what}")]
    SignIn {
        /// What is wrong or missing.
        what: String,
    },
    /// No connection can be made safe.
    #[error("cannot use TLS for Google Datastore: {what}")]
    Tls {
        /// What is wrong or missing.
        what: String,
    },
    /// The service did not answer, or not as it should.
    #[error("Google Datastore cannot be used: {what}")]
    Service {
        /// What happened.
        what: String,
    },
}

/// What the store takes from the process's surroundings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DatastoreEnvironment {
    /// `host:port` of an emulator, which is used without TLS and without signing in.
    pub emulator_host: Option<String>,
    /// File with credentials, named by the user.
    pub credentials_file: Option<PathBuf>,
    /// Folder in which `gcloud` keeps the credentials that it made.
    pub gcloud_folder: Option<PathBuf>,
    /// `host` or `host:port` of the metadata server, where it is not the usual one.
    pub metadata_host: Option<String>,
}

impl DatastoreEnvironment {
    /// `DATASTORE_EMULATOR_HOST`, `GOOGLE_APPLICATION_CREDENTIALS`, `CLOUDSDK_CONFIG` (or `HOME`) and
    /// `GCE_METADATA_HOST`, as Google's own libraries understand them.
    #[must_use]
    pub fn of_this_process() -> Self {
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            emulator_host: text("DATASTORE_EMULATOR_HOST"),
            credentials_file: path("GOOGLE_APPLICATION_CREDENTIALS"),
            gcloud_folder: path("CLOUDSDK_CONFIG")
                .or_else(|| path("HOME").map(|home| home.join(".config/gcloud"))),
            metadata_host: text("GCE_METADATA_HOST"),
        }
    }
}

pub(super) fn parse(url: &str) -> Result<PartitionId, DatastoreOpenError> {
    let rest = url
        .strip_prefix(SCHEME)
        .ok_or_else(|| refusal(format!("{url:?} does not begin with {SCHEME}")))?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_suffix('/').unwrap_or(path);
    let (project, database) = path.split_once('/').unwrap_or((path, ""));
    let mut partition =
        PartitionId { project_id: name("project", project, "-.:_")?, ..PartitionId::default() };
    if !database.is_empty() && database != DEFAULT_DATABASE {
        partition.database_id = name("database", database, "-")?;
    }
    for (parameter, value) in form_urlencoded::parse(query.as_bytes()) {
        match parameter.as_ref() {
            "namespace" => partition.namespace_id = name("namespace", &value, "-._")?,
            other => return Err(refusal(format!("the parameter {other:?} is unknown"))),
        }
    }
    Ok(partition)
}

fn name(what: &str, text: &str, marks: &str) -> Result<String, DatastoreOpenError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if text.is_empty() {
        Err(refusal(format!("the {what} is missing")))
    } else if text.len() > MAX_NAME_BYTES || !text.chars().all(allowed) {
        Err(refusal(format!("{text:?} is no {what}")))
    } else {
        Ok(text.to_owned())
    }
}

fn refusal(what: String) -> DatastoreOpenError {
    DatastoreOpenError::Address { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, String, String) {
        let PartitionId { project_id, database_id, namespace_id } = parse(url).unwrap();
        (project_id, database_id, namespace_id)
    }

    #[test]
    fn an_address_names_project_database_and_namespace() {
        let expected = |p: &str, d: &str, n: &str| (p.to_owned(), d.to_owned(), n.to_owned());
        assert_eq!(parts("datastore://p-1"), expected("p-1", "", ""));
        assert_eq!(parts("datastore://example.com:p/"), expected("example.com:p", "", ""));
        assert_eq!(parts("datastore://p/(default)"), expected("p", "", ""));
        assert_eq!(parts("datastore://p/locks?namespace=a.b"), expected("p", "locks", "a.b"));
        assert_eq!(parts("datastore://p?namespace=n"), expected("p", "", "n"));
    }

    #[test]
    fn a_wrong_address_is_refused_by_what_is_wrong() {
        for (url, reason) in [
            ("etcd://p", "does not begin with datastore://"),
            ("datastore://", "the project is missing"),
            ("datastore://p/a/b", "\"a/b\" is no database"),
            ("datastore://p?namespace=", "the namespace is missing"),
            ("datastore://p?namespace=a%20b", "\"a b\" is no namespace"),
            ("datastore://p?name=a", "the parameter \"name\" is unknown"),
        ] {
            let text = parse(url).unwrap_err().to_string();
            assert!(text.contains(reason), "{url}: {text}");
        }
    }
}
