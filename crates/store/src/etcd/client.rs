//! One connection to one member of the cluster at a time, and what a failed call means.

use std::error::Error;
use std::time::{Duration, Instant};

use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Request, Status};
use tonic_prost::ProstCodec;
use tracing::debug;

use super::wire::{AUTHENTICATE, AuthenticateRequest, AuthenticateResponse};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one member may take to answer one call, at most.
const LONGEST_CALL: Duration = Duration::from_secs(2);
/// Between two rounds of calls that failed at once.
const PAUSE: Duration = Duration::from_millis(50);
/// A page of rows is far below it; so are etcd's own limits.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Where one member of the cluster listens.
pub(super) struct Member {
    /// `host:port`, to name it.
    pub(super) host: String,
    pub(super) endpoint: Endpoint,
}

pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// Why a call failed, by what may have come of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// No member was there to send it to.
    Unsent(String),
    /// etcd says that it did nothing.
    Refused(Code, String),
    /// It was sent, and there is no answer that tells.
    Unclear(String),
}

impl Failure {
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Unsent(reason) | Self::Refused(_, reason) | Self::Unclear(reason) => reason,
        }
    }
}

pub(super) struct Client {
    members: Vec<Member>,
    /// The member that is, or will be, connected to.
    at: usize,
    channel: Option<Channel>,
    login: Option<Login>,
    token: Option<AsciiMetadataValue>,
    call_timeout: Duration,
}

impl Client {
    /// A leader's call that one member does not answer must leave it time to be heard by the next, within
    /// what is left of its lease when a renewal is due.
    pub(super) fn new(members: Vec<Member>, login: Option<Login>, lease: Duration) -> Self {
        let call_timeout = LONGEST_CALL.min(lease * 2 / 5);
        Self { members, at: 0, channel: None, login, token: None, call_timeout }
    }

    /// Calls once. It is sent a second time only after an answer that says that nothing was done.
    pub(super) async fn call<Q, R>(&mut self, path: &'static str, request: &Q) -> Result<R, Failure>
    where
        Q: Message + Clone + 'static,
        R: Message + Default + 'static,
    {
        match self.try_call(path, request).await {
            Err(Failure::Refused(code, reason))
                if self.login.is_some() && is_about_token(code, &reason) =>
            {
                self.token = None;
            }
            Err(Failure::Unsent(_)) => {}
            done @ (Ok(_) | Err(Failure::Refused(..) | Failure::Unclear(_))) => return done,
        }
        self.try_call(path, request).await
    }

    /// Calls until there is an answer, or no member to be reached: for what may be done twice.
    pub(super) async fn ask<Q, R>(&mut self, path: &'static str, request: &Q) -> Result<R, Failure>
    where
        Q: Message + Clone + 'static,
        R: Message + Default + 'static,
    {
        let began = Instant::now();
        loop {
            match self.call(path, request).await {
                Err(Failure::Unclear(_)) if self.has_patience(began).await => {}
                done => return done,
            }
        }
    }

    /// Whether one operation of the store may begin calls again, at this member or the next; if so, after
    /// a pause.
    pub(super) async fn has_patience(&self, began: Instant) -> bool {
        tokio::time::sleep(PAUSE).await;
        began.elapsed() < self.call_timeout * 2
    }

    async fn try_call<Q, R>(&mut self, path: &'static str, request: &Q) -> Result<R, Failure>
    where
        Q: Message + Clone + 'static,
        R: Message + Default + 'static,
    {
        let channel = self.connected().await?;
        let mut request = Request::new(request.clone());
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        let timeout = self.call_timeout;
        match send(channel, path, request, timeout).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(status)) => Err(self.failed(&status)),
            None => {
                let host = self.leave();
                Err(Failure::Unclear(format!("{host} gave no answer in {timeout:?}")))
            }
        }
    }

    async fn connected(&mut self) -> Result<Channel, Failure> {
        let mut reasons = Vec::new();
        for _ in 0..self.members.len() {
            match self.connect_and_log_in().await {
                Ok(channel) => return Ok(channel),
                Err(Failure::Refused(code, reason)) => return Err(Failure::Refused(code, reason)),
                Err(Failure::Unsent(reason) | Failure::Unclear(reason)) => reasons.push(reason),
            }
        }
        Err(Failure::Unsent(reasons.join("; ")))
    }

    async fn connect_and_log_in(&mut self) -> Result<Channel, Failure> {
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => {
                let Member { host, endpoint } = &self.members[self.at];
                let connecting = tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect());
                let connected = match connecting.await {
                    Ok(connected) => connected.map_err(|error| reasons(&error)),
                    Err(_) => Err(format!("no connection in {CONNECT_TIMEOUT:?}")),
                };
                match connected {
                    Ok(channel) => self.channel.insert(channel).clone(),
                    Err(reason) => {
                        let reason = format!("{host}: {reason}");
                        self.leave();
                        return Err(Failure::Unsent(reason));
                    }
                }
            }
        };
        let (Some(login), None) = (&self.login, &self.token) else { return Ok(channel) };
        let request =
            AuthenticateRequest { name: login.user.clone(), password: login.password.clone() };
        let answer: AuthenticateResponse =
            match send(channel.clone(), AUTHENTICATE, Request::new(request), self.call_timeout)
                .await
            {
                Some(Ok(answer)) => answer,
                Some(Err(status)) => return Err(self.failed(&status)),
                None => {
                    let host = self.leave();
                    return Err(Failure::Unsent(format!("{host} did not answer to the login")));
                }
            };
        let token = AsciiMetadataValue::try_from(answer.token)
            .map_err(|_| Failure::Unsent("etcd gave a token that cannot be sent".to_owned()))?;
        self.token = Some(token);
        Ok(channel)
    }

    /// What a status means; goes on to the next member where this one may be what is wrong.
    fn failed(&mut self, status: &Status) -> Failure {
        let host = &self.members[self.at].host;
        let reason = format!("{host}: {}", status.message());
        if is_refusal(status) {
            return Failure::Refused(status.code(), reason);
        }
        let reason = format!("{host}: {}", reasons(status));
        let was_sent = !is_unconnected(status);
        self.leave();
        if was_sent { Failure::Unclear(reason) } else { Failure::Unsent(reason) }
    }

    /// Gives the connection up; the next call goes to the next member. Returns the one that was left.
    fn leave(&mut self) -> &str {
        let left = self.at;
        self.channel = None;
        self.at = (left + 1) % self.members.len();
        debug!(left = self.members[left].host, next = self.members[self.at].host, "leaving");
        &self.members[left].host
    }
}

/// `None`: no answer in time.
async fn send<Q, R>(
    channel: Channel,
    path: &'static str,
    request: Request<Q>,
    timeout: Duration,
) -> Option<Result<R, Status>>
where
    Q: Message + 'static,
    R: Message + Default + 'static,
{
    let answered = async {
        let mut grpc = Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
        grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
        let codec = ProstCodec::<Q, R>::default();
        let answer = grpc.unary(request, PathAndQuery::from_static(path), codec).await?;
        Ok(answer.into_inner())
    };
    tokio::time::timeout(timeout, answered).await.ok()
}

/// Whether etcd itself says that it did nothing. The words tell it from whatever is in between; a
/// code of those below comes from its checks, before a request is proposed or where it is applied.
fn is_refusal(status: &Status) -> bool {
    let is_by_checks = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unauthenticated
    );
    is_by_checks && status.message().starts_with("etcdserver: ")
}

/// Whether a token has expired, is unknown to this member, or is older than a change of rights.
fn is_about_token(code: Code, reason: &str) -> bool {
    code == Code::Unauthenticated
        || reason.ends_with("revision of auth store is old")
        || reason.ends_with("user name is empty")
}

fn is_unconnected(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// An error with all that caused it, each said once.
pub(super) fn reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        source = error.source();
    }
    text
}
