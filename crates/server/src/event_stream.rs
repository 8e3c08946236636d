//! Server-sent events: the body of a reply that goes on for as long as somebody reads it.
//!
//! It is made piece by piece, as the connection has room. A client that does not read costs its
//! connection and its place in the log, and nothing is kept for it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use leasehold_core::KeyId;
use leasehold_engine::{Engine, EventId, Follower, Told};
use metrics::{Counter, Gauge, counter, gauge};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error_code::ErrorCode;
use crate::problem::Problem;
use crate::reply::json_bytes;
use crate::wire::{EventGap, LockEvent};

/// The event streams that are open, and how many may be (I7).
pub(crate) struct EventStreams {
    slots: Arc<Semaphore>,
    max: usize,
    heartbeat: Duration,
    open: Gauge,
    gaps: Counter,
}

impl EventStreams {
    pub(crate) fn new(max: usize, heartbeat: Duration) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(max)),
            max,
            heartbeat,
            open: gauge!("leasehold_event_streams"),
            gaps: counter!("leasehold_event_gaps_total"),
        }
    }

    /// Takes a place among the open streams.
    pub(crate) fn take_slot(&self) -> Result<Slot, Problem> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            let reason = format!("{} event streams are open, which is the limit", self.max);
            Problem::new(ErrorCode::TooManyStreams, &reason)
        })?;
        self.open.increment(1.0);
        Ok(Slot { _permit: permit, open: self.open.clone() })
    }

    /// The body of a stream. It ends when the key that opened it is revoked.
    pub(crate) fn body(
        &self,
        slot: Slot,
        follower: Follower,
        engine: Engine,
        key_id: Option<KeyId>,
    ) -> EventBody {
        let stream = EventStream {
            follower,
            engine,
            key_id,
            heartbeat: self.heartbeat,
            gaps: self.gaps.clone(),
            is_open: false,
            _slot: slot,
        };
        EventBody { next: Some(Box::pin(stream.next())) }
    }
}

/// A place among the open streams, until it is dropped.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    open: Gauge,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

/// The next piece under way, with the stream to come after it; `None` at the end.
type Next = Pin<Box<dyn Future<Output = Option<(Bytes, EventStream)>> + Send>>;

/// The body of an open stream.
pub struct EventBody {
    next: Option<Next>,
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let (piece, next) = match ready!(next.as_mut().poll(context)) {
            Some((piece, stream)) => (Some(Ok(Frame::data(piece))), Some(stream)),
            None => (None, None),
        };
        self.next = next.map(|stream| -> Next { Box::pin(stream.next()) });
        Poll::Ready(piece)
    }
}

struct EventStream {
    follower: Follower,
    engine: Engine,
    key_id: Option<KeyId>,
    heartbeat: Duration,
    gaps: Counter,
    is_open: bool,
    _slot: Slot,
}

impl EventStream {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let piece = self.next_piece().await?;
        Some((piece, self))
    }

    /// What to send next; `None` at the end.
    async fn next_piece(&mut self) -> Option<Bytes> {
        if !self.is_open {
            self.is_open = true;
            return Some(comment("open", self.follower.seen()));
        }
        let told = timeout(self.heartbeat, self.follower.next()).await;
        if !self.may_listen() {
            return None;
        }
        match told {
            Err(_) => Some(comment("alive", self.follower.seen())),
            Ok(None) => None,
            Ok(Some(Told::Events(events))) => {
                let mut text = Vec::new();
                for (id, event) in &events {
                    let event = LockEvent::from(event);
                    write(&mut text, event.word(), *id, &event);
                }
                Some(text.into())
            }
            Ok(Some(Told::Gap(gap))) => {
                self.gaps.increment(1);
                let mut text = Vec::new();
                write(&mut text, "gap", gap.until, &EventGap::from(&gap));
                Some(text.into())
            }
        }
    }

    fn may_listen(&self) -> bool {
        let is_valid = |key_id| self.engine.keyring().get(key_id).is_some();
        self.key_id.as_ref().is_none_or(is_valid)
    }
}

fn write(text: &mut Vec<u8>, event: &str, id: EventId, data: &impl Serialize) {
    text.extend_from_slice(format!("event: {event}\nid: {id}\ndata: ").as_bytes());
    // JSON in one line: it escapes line breaks.
    text.extend_from_slice(&json_bytes(data));
    text.extend_from_slice(b"\n\n");
}

/// Nothing has happened, but the client may resume from here: an id without data is no event, and moves
/// the client's `Last-Event-ID` on, past events that it did not want to hear of.
fn comment(text: &str, seen: EventId) -> Bytes {
    format!(": {text}\nid: {seen}\n\n").into()
}
