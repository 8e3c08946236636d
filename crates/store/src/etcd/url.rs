//! The address of an etcd cluster, as a user writes it.
//!
//! `etcd://[user:password@]host[:port][,host[:port]…]/prefix[?option=value&…]`, `etcds://` for TLS.

use std::fs;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::client::{CONNECT_TIMEOUT, Login, Member};

const DEFAULT_PORT: u16 = 2379;
/// What etcd allows where nobody has told it otherwise.
const DEFAULT_MAX_TXN_OPS: usize = 128;
const DEFAULT_MAX_REQUEST_BYTES: usize = 1024 * 1024 + 512 * 1024;
/// The least with which a batch can be written in pieces.
const MIN_MAX_TXN_OPS: usize = 4;
const MIN_MAX_REQUEST_BYTES: usize = 8 * 1024;

/// Why an etcd address cannot be used. Shows nothing of a user's name or password.
#[derive(Debug, Error)]
pub enum EtcdOpenError {
    /// The address is not written as it should be.
    #[error(
        "the address of etcd is not etcd://[user:password@]host:port[,host:port…]/prefix: {what}"
    )]
    Address {
        /// What is wrong with it.
        what: String,
    },
    /// A file that the address names cannot be read.
    #[error("cannot read {}, which the address of etcd names: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Certificates and keys do not make a TLS connection.
    #[error("TLS to etcd at {host} cannot be set up: {what}")]
    Tls {
        /// The host it is for.
        host: String,
        /// Why not.
        what: String,
    },
}

/// An address, taken apart and checked.
pub(super) struct Address {
    pub(super) members: Vec<Member>,
    pub(super) login: Option<Login>,
    pub(super) prefix: String,
    pub(super) max_txn_ops: usize,
    pub(super) max_request_bytes: usize,
}

struct Options {
    tls: bool,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    max_txn_ops: usize,
    max_request_bytes: usize,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, EtcdOpenError> {
        let (tls, rest) = match url.split_once("://") {
            Some(("etcd", rest)) => (false, rest),
            Some(("etcds", rest)) => (true, rest),
            Some(_) | None => return Err(wrong("it begins with neither etcd:// nor etcds://")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) =
            rest.split_once('/').ok_or_else(|| wrong("the prefix is missing"))?;
        let prefix = decode(path.trim_matches('/'), "the prefix")?;
        if prefix.is_empty() {
            return Err(wrong("the prefix is missing"));
        }
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(parse_login(login)?), hosts),
            None => (None, authority),
        };
        let options = Options::parse(query, tls)?;
        let members = parse_members(hosts, &options)?;
        let Options { max_txn_ops, max_request_bytes, .. } = options;
        Ok(Self { members, login, prefix, max_txn_ops, max_request_bytes })
    }
}

impl Options {
    fn parse(query: &str, tls: bool) -> Result<Self, EtcdOpenError> {
        let mut options = Self {
            tls,
            ca: None,
            cert: None,
            key: None,
            max_txn_ops: DEFAULT_MAX_TXN_OPS,
            max_request_bytes: DEFAULT_MAX_REQUEST_BYTES,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "tls" => match value.as_ref() {
                    "true" => options.tls = true,
                    "false" if !tls => options.tls = false,
                    _ => return Err(wrong("tls is neither true nor false, or etcds:// says more")),
                },
                "ca" => options.ca = Some(PathBuf::from(value.as_ref())),
                "cert" => options.cert = Some(PathBuf::from(value.as_ref())),
                "key" => options.key = Some(PathBuf::from(value.as_ref())),
                "max_txn_ops" => {
                    options.max_txn_ops = at_least(MIN_MAX_TXN_OPS, "max_txn_ops", &value)?;
                }
                "max_request_bytes" => {
                    options.max_request_bytes =
                        at_least(MIN_MAX_REQUEST_BYTES, "max_request_bytes", &value)?;
                }
                other => return Err(wrong(&format!("there is no option {other:?}"))),
            }
        }
        if options.cert.is_some() != options.key.is_some() {
            return Err(wrong("cert and key go together"));
        }
        if !options.tls && (options.ca.is_some() || options.cert.is_some()) {
            return Err(wrong("ca, cert and key are for TLS; begin with etcds://"));
        }
        Ok(options)
    }

    fn tls_config(&self) -> Result<Option<ClientTlsConfig>, EtcdOpenError> {
        if !self.tls {
            return Ok(None);
        }
        let mut config = match &self.ca {
            Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            config = config.identity(Identity::from_pem(read(cert)?, read(key)?));
        }
        Ok(Some(config))
    }
}

fn parse_login(login: &str) -> Result<Login, EtcdOpenError> {
    let (user, password) =
        login.split_once(':').ok_or_else(|| wrong("the user has no password"))?;
    Ok(Login {
        user: decode(user, "the user's name")?,
        password: decode(password, "the password")?,
    })
}

fn parse_members(hosts: &str, options: &Options) -> Result<Vec<Member>, EtcdOpenError> {
    let tls = options.tls_config()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut members = Vec::new();
    for (at, host) in hosts.split(',').enumerate() {
        // Not shown: where a password is written wrongly, a part of it would stand here.
        let malformed = || wrong(&format!("host number {} is not host:port", at + 1));
        let host = with_port(host).ok_or_else(malformed)?;
        let endpoint = Endpoint::from_shared(format!("{scheme}://{host}"))
            .map_err(|_| malformed())?
            .connect_timeout(CONNECT_TIMEOUT);
        let endpoint = match &tls {
            Some(tls) => endpoint.tls_config(tls.clone()).map_err(|error| EtcdOpenError::Tls {
                host: host.clone(),
                what: super::client::reasons(&error),
            })?,
            None => endpoint,
        };
        members.push(Member { host, endpoint });
    }
    Ok(members)
}

/// The host with its port; `None` if it is not one.
fn with_port(host: &str) -> Option<String> {
    let name_end = host.rfind(']').map_or(0, |bracket| bracket + 1);
    let (name, port) = match host[name_end..].rsplit_once(':') {
        Some((before, port)) => (&host[..name_end + before.len()], port.parse().ok()?),
        None => (host, DEFAULT_PORT),
    };
    let is_bracketed = name.starts_with('[') && name.ends_with(']');
    let is_plain =
        name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    (!name.is_empty() && (is_bracketed || is_plain)).then(|| format!("{name}:{port}"))
}

fn read(path: &PathBuf) -> Result<Vec<u8>, EtcdOpenError> {
    fs::read(path).map_err(|error| EtcdOpenError::File { path: path.clone(), error })
}

fn decode(text: &str, what: &str) -> Result<String, EtcdOpenError> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| wrong(&format!("{what} is not UTF-8")))?.into_owned())
}

fn at_least(min: usize, name: &str, value: &str) -> Result<usize, EtcdOpenError> {
    match value.parse() {
        Ok(number) if number >= min => Ok(number),
        Ok(_) | Err(_) => Err(wrong(&format!("{name} is not a number from {min} up"))),
    }
}

fn wrong(what: &str) -> EtcdOpenError {
    EtcdOpenError::Address { what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        match Address::parse(url) {
            Ok(_) => panic!("{url} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        let address = Address::parse(
            "etcd://us%40er:p%3Aw@one:1,[::1]:2,three/a/b%20c/?max_txn_ops=64&max_request_bytes=9000",
        )
        .unwrap();
        let hosts: Vec<_> = address.members.iter().map(|member| member.host.as_str()).collect();
        assert_eq!(hosts, ["one:1", "[::1]:2", "three:2379"]);
        let login = address.login.unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("us@er", "p:w"));
        assert_eq!(address.prefix, "a/b c");
        assert_eq!((address.max_txn_ops, address.max_request_bytes), (64, 9000));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_password_is_shown() {
        for (url, expected) in [
            ("http://host/p", "neither etcd:// nor etcds://"),
            ("etcd://host", "prefix is missing"),
            ("etcd://host//", "prefix is missing"),
            ("etcd://user@host/p", "has no password"),
            ("etcd://host:port/p", "host number 1 is not host:port"),
            ("etcd://a:1,,b:2/p", "host number 2 is not host:port"),
            ("etcd://user:sec/ret@host/p", "host number 1 is not host:port"),
            ("etcd://host/p?max_txn_ops=3", "max_txn_ops is not a number from 4 up"),
            ("etcd://host/p?colour=red", "no option \"colour\""),
            ("etcd://host/p?ca=/x", "begin with etcds://"),
            ("etcds://host/p?cert=/x", "cert and key go together"),
            ("etcds://host/p?tls=false", "etcds:// says more"),
            ("etcds://host/p?ca=/does/not/exist", "cannot read /does/not/exist"),
        ] {
            let refusal = refusal(url);
            assert!(refusal.contains(expected), "{url}: {refusal}");
            assert!(!refusal.contains("sec"), "{url}: {refusal}");
        }
    }
}
