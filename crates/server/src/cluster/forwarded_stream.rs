//! A stream that a follower passes on from the leader. It ends in order when the follower stops.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use leasehold_engine::Engine;

/// The body of an answer whose length the leader did not say.
pub struct ForwardedStream {
    stream: Incoming,
    stopping: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl ForwardedStream {
    /// Passes a stream on until it ends or this replica stops.
    pub(super) fn new(stream: Incoming, engine: &Engine) -> Self {
        let engine = engine.clone();
        Self { stream, stopping: Box::pin(async move { engine.stopping().await }) }
    }
}

impl Body for ForwardedStream {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match Pin::new(&mut self.stream).poll_frame(context) {
            Poll::Pending => self.stopping.as_mut().poll(context).map(|()| None),
            ready @ Poll::Ready(_) => ready,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.stream.size_hint()
    }
}
