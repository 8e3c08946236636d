//! The store's URL: which server, which schema, how to trust it.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::open::PostgresOpenError;
use super::tls;
use super::trouble::text_of;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const DEFAULT_SCHEMA: &str = "leasehold";
/// The server cuts longer names off.
const MAX_SCHEMA_BYTES: usize = 63;

/// Everything that is needed to connect.
pub(super) struct Address {
    pub(super) config: Config,
    /// `None`: without TLS.
    pub(super) tls: Option<MakeRustlsConnect>,
    pub(super) schema: String,
    /// The hosts with their ports, for messages.
    pub(super) hosts: String,
}

/// Parameters of the URL that are ours and not the driver's.
#[derive(Default)]
struct Own {
    schema: Option<String>,
    ssl_mode: Option<String>,
    root_file: Option<PathBuf>,
}

impl Address {
    /// Messages never repeat what the URL says before its `@`.
    pub(super) fn parse(url: &str, connect_limit: Duration) -> Result<Self, PostgresOpenError> {
        let bad = |what: &str| PostgresOpenError::BadUrl { what: what.to_owned() };
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(bad("it does not begin with postgres://"));
        }
        if url.matches('@').count() > 1 {
            return Err(bad("it has more than one @; write those of the password as %40"));
        }
        let (own, rest) = split(url)?;
        let mut config: Config = rest.parse().map_err(|error| bad(&text_of(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(bad("it names no host"));
        }
        let tls = choose_tls(&mut config, own.ssl_mode.as_deref(), own.root_file.as_ref())?;
        // A URL may name all servers of a replicated database; only the one that can write will do.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(connect_limit);
        }
        if config.get_application_name().is_none() {
            config.application_name("leasehold");
        }
        let schema = own.schema.unwrap_or_else(|| DEFAULT_SCHEMA.to_owned());
        if !is_plain_name(&schema) {
            return Err(bad("schema must be 1 to 63 of a-z, 0-9 and _, not starting with a digit"));
        }
        let hosts = hosts_of(&config);
        Ok(Self { config, tls, schema, hosts })
    }
}

/// Takes our parameters out of the URL.
fn split(url: &str) -> Result<(Own, String), PostgresOpenError> {
    let from = url.find('@').unwrap_or(0);
    let mut own = Own::default();
    let Some(at) = url[from..].find('?').map(|at| from + at) else {
        return Ok((own, url.to_owned()));
    };
    let mut theirs = Vec::new();
    for pair in url[at + 1..].split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = || {
            let decoded = percent_decode_str(value).decode_utf8();
            decoded.map(|text| text.into_owned()).map_err(|_| PostgresOpenError::BadUrl {
                what: format!("the value of {name} is not UTF-8"),
            })
        };
        match name {
            "schema" => own.schema = Some(text()?),
            "sslmode" => own.ssl_mode = Some(text()?),
            "sslrootcert" => own.root_file = Some(text()?.into()),
            _ => theirs.push(pair),
        }
    }
    let mut rest = url[..at].to_owned();
    if !theirs.is_empty() {
        rest = format!("{rest}?{}", theirs.join("&"));
    }
    Ok((own, rest))
}

fn choose_tls(
    config: &mut Config,
    mode: Option<&str>,
    root_file: Option<&PathBuf>,
) -> Result<Option<MakeRustlsConnect>, PostgresOpenError> {
    let mode = mode.unwrap_or("prefer");
    if root_file.is_some() && mode != "verify-full" {
        return Err(PostgresOpenError::BadUrl {
            what: "sslrootcert is only looked at with sslmode=verify-full".to_owned(),
        });
    }
    let (ssl_mode, is_verified) = match mode {
        "disable" => (SslMode::Disable, false),
        "prefer" => (SslMode::Prefer, false),
        "require" => (SslMode::Require, false),
        "verify-full" => (SslMode::Require, true),
        _ => {
            let what = "sslmode must be disable, prefer, require or verify-full".to_owned();
            return Err(PostgresOpenError::BadUrl { what });
        }
    };
    config.ssl_mode(ssl_mode);
    let certificates = |what| PostgresOpenError::Certificates { what };
    if ssl_mode == SslMode::Disable {
        Ok(None)
    } else if is_verified {
        tls::verified(root_file.map(PathBuf::as_path)).map(Some).map_err(certificates)
    } else {
        tls::unverified().map(Some).map_err(|error| certificates(error.to_string()))
    }
}

fn is_plain_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    starts_well && name.len() <= MAX_SCHEMA_BYTES && name.chars().all(allowed)
}

fn hosts_of(config: &Config) -> String {
    let mut hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        })
        .collect();
    if hosts.is_empty() {
        hosts = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or_else(|| ports.first()).copied().unwrap_or(5432);
    let named = hosts.iter().enumerate().map(|(at, host)| format!("{host}:{}", port(at)));
    named.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, PostgresOpenError> {
        Address::parse(url, Duration::from_secs(1))
    }

    #[test]
    fn a_url_names_server_and_schema() {
        let address =
            parse("postgres://u:p@one:5433,two/db?schema=locks_2&sslmode=disable").unwrap();
        assert_eq!(address.schema, "locks_2");
        assert_eq!(address.hosts, "one:5433,two:5432");
        assert_eq!(address.config.get_dbname(), Some("db"));
        assert!(address.tls.is_none());
        let address = parse("postgresql://u@db?connect_timeout=7").unwrap();
        assert_eq!((address.schema.as_str(), address.hosts.as_str()), ("leasehold", "db:5432"));
        assert_eq!(address.config.get_connect_timeout(), Some(&Duration::from_secs(7)));
        assert!(address.tls.is_some(), "TLS is preferred where nothing is said");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_password() {
        for (url, what) in [
            ("mysql://u:hush@db/x", "does not begin with"),
            ("postgres://u:hu@sh@db/x", "%40"),
            ("postgres://u:hush@db/x?schema=Bad-Name", "schema must be"),
            ("postgres://u:hush@db/x?sslmode=verify-ca", "verify-full"),
            ("postgres://u:hush@db/x?sslmode=require&sslrootcert=%2Fca.pem", "only looked at"),
            ("postgres://u:hush@db/x?sslmode=verify-full&sslrootcert=%2Fnone.pem", "/none.pem"),
            ("postgres://u:hush@db:port/x", "port"),
            ("postgres://u:hush@db/x?sslcert=a", "sslcert"),
            ("postgres:///x", "no host"),
        ] {
            let error = parse(url).err().unwrap().to_string();
            assert!(error.contains(what), "{url}: {error}");
            assert!(!error.contains("hush") && !error.contains("sh@"), "{error}");
        }
    }
}
