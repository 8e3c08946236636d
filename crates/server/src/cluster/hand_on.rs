//! A request that the leader has to answer: handed on whole, once at most. What goes along is all that
//! the caller sent (its key too), its address and the request id; a caller that hangs up here hangs up
//! there, because the call to the leader ends with it.

use std::net::IpAddr;
use std::time::Duration;

use http_body_util::Either;
use hyper::body::Body as _;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Uri, Version, header};
use leasehold_engine::{Engine, ReplicaState};
use leasehold_store::Leader;
use tokio::time::sleep;

use super::{Cluster, ForwardedStream, X_FORWARDED_FOR, X_LINK_TOKEN};
use crate::error_code::ErrorCode;
use crate::exchange::{ReplyBody, Request, Response};
use crate::problem::Problem;
use crate::request_id::X_REQUEST_ID;

/// What is between two neighbours on the way, and not for the next one (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 5] =
    [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE];

/// How long the leader may take for what was forwarded before this replica was asked to stop. A wait in
/// the queue would take until the stop cuts it off without an answer.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

const SHUTTING_DOWN: &str = "this replica is shutting down";

impl Cluster {
    /// Hands a request on and brings the answer back, its body as it comes.
    ///
    /// # Errors
    /// [`ErrorCode::NotReady`] if the leader was not reached; [`ErrorCode::OutcomeUnknown`] if it was and
    /// gave no answer, or is not relied on any more: one that is paused would keep its callers waiting.
    pub(crate) async fn hand_on(
        &self,
        engine: &Engine,
        mut request: Request,
        leader: &Leader,
        caller: Option<IpAddr>,
        request_id: &HeaderValue,
    ) -> Result<Response, Problem> {
        let address = &leader.address;
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(address.as_str())
            .path_and_query(path.unwrap_or(PathAndQuery::from_static("/")))
            .build();
        let token = HeaderValue::try_from(leader.link_token.expose());
        let (Ok(uri), Ok(token)) = (uri, token) else {
            tracing::warn!(address, "the address of the leader is not valid");
            let reason = "the address of the leader is not valid";
            return Err(Problem::new(ErrorCode::NotReady, reason));
        };
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
        headers.insert(X_LINK_TOKEN, token);
        headers.insert(X_REQUEST_ID, request_id.clone());
        if let Some(caller) = caller.and_then(|ip| HeaderValue::try_from(ip.to_string()).ok()) {
            headers.append(X_FORWARDED_FOR, caller);
        }
        let answer = tokio::select! {
            answer = self.client.request(request.map(Either::Left)) => answer,
            why = given_up(engine, leader) => {
                tracing::debug!(address, why, "what was forwarded is given up");
                let reason = format!("the leader gave no answer, and {why}");
                return Err(Problem::new(ErrorCode::OutcomeUnknown, &reason));
            }
        };
        match answer {
            Ok(response) => Ok(response.map(|body| match body.size_hint().exact() {
                Some(_) => ReplyBody::HandedOn(body),
                None => ReplyBody::ForwardedStream(ForwardedStream::new(body, engine)),
            })),
            Err(error) if error.is_connect() => {
                tracing::debug!(address, %error, "the leader is not reached");
                Err(Problem::new(ErrorCode::NotReady, "the leader is not reached"))
            }
            Err(error) => {
                tracing::debug!(address, %error, "the leader gave no answer");
                Err(Problem::new(ErrorCode::OutcomeUnknown, "the leader gave no answer"))
            }
        }
    }
}

/// Waits until this replica does not rely on the leader any more, or stops, and says why. A look at the
/// store that fails is no reason ([`ReplicaState::Following`]).
async fn given_up(engine: &Engine, leader: &Leader) -> String {
    let stopping = async {
        engine.stopping().await;
        sleep(STOP_PATIENCE).await;
    };
    tokio::select! {
        why = not_relied_on(engine, leader) => why,
        () = stopping => SHUTTING_DOWN.to_owned(),
    }
}

async fn not_relied_on(engine: &Engine, leader: &Leader) -> String {
    let mut state = engine.watch_state();
    let is_over = |state: &ReplicaState| !matches!(state, ReplicaState::Following(current) if current == leader);
    match state.wait_for(is_over).await.as_deref() {
        Ok(ReplicaState::Following(_)) => "another replica leads now".to_owned(),
        Ok(ReplicaState::Leading(_) | ReplicaState::Standby) => "this replica leads now".to_owned(),
        Ok(ReplicaState::Recovering { reason }) => {
            format!("it may not lead any more ({reason})")
        }
        Ok(ReplicaState::Draining | ReplicaState::Stopped { .. }) | Err(_) => {
            SHUTTING_DOWN.to_owned()
        }
    }
}
