//! One HTTP call to the server, and its errors as sentences.

use std::env;
use std::io::{self, ErrorKind};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, Error};

use super::KeyError;
use super::tls::TlsArguments;

/// Longest wait for an answer. A commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and the key that opens it.
pub(super) struct Client {
    agent: Agent,
    server: String,
    key: Option<String>,
}

/// What this client reads of an RFC 9457 problem.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Client {
    /// A client of the server at this address, with the key from `LEASEHOLD_API_KEY`.
    pub(super) fn new(server: &str, tls: &TlsArguments) -> Result<Self, KeyError> {
        let is_encrypted = server.starts_with("https://");
        if !is_encrypted && !server.starts_with("http://") {
            return Err(KeyError::NotAnAddress(server.to_owned()));
        }
        let key = env::var_os("LEASEHOLD_API_KEY")
            .map(|key| {
                let key = key.into_string().map_err(|_| KeyError::BadKey)?;
                let is_sendable = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
                if is_sendable { Ok(key) } else { Err(KeyError::BadKey) }
            })
            .transpose()?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE));
        if is_encrypted {
            config = config.tls_config(tls.config()?);
        }
        let agent = config.build().new_agent();
        Ok(Self { agent, server: server.trim_end_matches('/').to_owned(), key })
    }

    /// Asks with `GET`.
    pub(super) fn get<Reply: DeserializeOwned>(&self, path: &str) -> Result<Reply, KeyError> {
        self.answer(self.with_key(self.agent.get(self.url(path))).call())
    }

    /// Asks with `DELETE`.
    pub(super) fn delete<Reply: DeserializeOwned>(&self, path: &str) -> Result<Reply, KeyError> {
        self.answer(self.with_key(self.agent.delete(self.url(path))).call())
    }

    /// Asks with `POST` and a JSON body.
    pub(super) fn post<Reply: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<Reply, KeyError> {
        self.answer(self.with_key(self.agent.post(self.url(path))).send_json(body))
    }

    /// Asks with `PATCH` and a JSON body.
    pub(super) fn patch<Reply: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<Reply, KeyError> {
        self.answer(self.with_key(self.agent.patch(self.url(path))).send_json(body))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn with_key<Any>(&self, request: ureq::RequestBuilder<Any>) -> ureq::RequestBuilder<Any> {
        match &self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    fn answer<Reply: DeserializeOwned>(
        &self,
        answer: Result<Response<Body>, Error>,
    ) -> Result<Reply, KeyError> {
        let mut response = answer.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let stranger =
            || KeyError::NotLeasehold { server: self.server.clone(), status: status.as_u16() };
        if status.is_success() {
            return response.body_mut().read_json().map_err(|_| stranger());
        }
        let Problem { detail } = response.body_mut().read_json().map_err(|_| stranger())?;
        Err(match (status, &self.key) {
            (StatusCode::UNAUTHORIZED, None) => KeyError::KeyMissing,
            (StatusCode::UNAUTHORIZED, Some(_)) => KeyError::KeyRefused(detail),
            _ => KeyError::Refused(detail),
        })
    }

    fn unreachable(&self, error: Error) -> KeyError {
        let server = self.server.clone();
        match error {
            Error::Io(error) if is_disbelief(&error) => KeyError::NotBelieved { server, error },
            Error::Io(io) if io.kind() == ErrorKind::ConnectionRefused => {
                KeyError::NobodyListens(server)
            }
            Error::BadUri(_) | Error::Http(_) => KeyError::NotAnAddress(server),
            error => KeyError::Unreachable { server, error },
        }
    }
}

/// Whether the server showed a certificate that was not taken.
fn is_disbelief(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}
