//! The two halves of an exchange, as handlers see them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use leasehold_core::Role;

use crate::auth::Caller;
use crate::cluster::ForwardedStream;
use crate::event_stream::EventBody;
use crate::problem::Problem;
use crate::state::ApiState;

/// A request whose body may still be on its way.
pub(crate) type Request = hyper::Request<Incoming>;

/// A reply.
pub(crate) type Response = hyper::Response<ReplyBody>;

/// What a reply carries.
pub enum ReplyBody {
    /// All of it, known before it is sent.
    Whole(Full<Bytes>),
    /// Events, as they happen.
    Events(EventBody),
    /// What the leader answers, as it comes.
    HandedOn(Incoming),
    /// A stream of the leader, until it ends or this replica stops.
    ForwardedStream(ForwardedStream),
}

impl Default for ReplyBody {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl From<Bytes> for ReplyBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context).map(unfailing),
            Self::Events(events) => Pin::new(events).poll_frame(context).map(unfailing),
            Self::HandedOn(answer) => Pin::new(answer).poll_frame(context),
            Self::ForwardedStream(stream) => Pin::new(stream).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Events(events) => events.is_end_stream(),
            Self::HandedOn(answer) => answer.is_end_stream(),
            Self::ForwardedStream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Events(events) => events.size_hint(),
            Self::HandedOn(answer) => answer.size_hint(),
            Self::ForwardedStream(stream) => stream.size_hint(),
        }
    }
}

/// A frame of a body that is made here, which does not fail.
fn unfailing(
    frame: Option<Result<Frame<Bytes>, Infallible>>,
) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    frame.map(|frame| frame.map_err(|never| match never {}))
}

/// What answers the requests of one call.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// Those of anybody.
    Open(Answer),
    /// Those of callers whose key has this role, or a higher one.
    Keyed(Role, KeyedAnswer),
}

pub(crate) type Answer = fn(ApiState, Request) -> Answering;

pub(crate) type KeyedAnswer = fn(ApiState, Caller, Request) -> Answering;

/// An answer under way. Boxed, so that the answers of all calls fit into one table.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;
