//! Many requests on one connection with HTTP/2: each takes a place, as a connection does (I7), and a
//! connection without any for long is idle.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::HttpService;

/// The requests of one connection.
pub(super) struct Streams {
    /// The place that the connection has itself: its only request needs no other.
    own: Arc<Semaphore>,
    /// The places that all connections share.
    slots: Arc<Semaphore>,
    traffic: watch::Sender<Traffic>,
}

#[derive(Clone, Copy, Default)]
struct Traffic {
    open: usize,
    /// Requests since the connection began.
    begun: u64,
}

impl Streams {
    pub(super) fn new(slots: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self {
            own: Arc::new(Semaphore::new(1)),
            slots,
            traffic: watch::Sender::new(Traffic::default()),
        })
    }

    /// Counts a request until it is dropped.
    fn open(self: &Arc<Self>) -> OpenStream {
        self.traffic.send_modify(|traffic| {
            traffic.open += 1;
            traffic.begun += 1;
        });
        OpenStream { streams: Arc::clone(self), place: None }
    }

    /// Completes when no request has been open for so long.
    pub(super) async fn idle(&self, patience: Duration) {
        let mut traffic = self.traffic.subscribe();
        loop {
            // These waits end in no other way: the sender is here.
            let quiet = traffic.wait_for(|now| now.open == 0).await.map(|now| now.begun);
            let busy =
                traffic.wait_for(|now| quiet.as_ref().is_ok_and(|begun| now.begun != *begun));
            if timeout(patience, busy).await.is_err() {
                return;
            }
        }
    }
}

/// A request that is open, to the end of its reply, with its place once it has one.
struct OpenStream {
    streams: Arc<Streams>,
    place: Option<OwnedSemaphorePermit>,
}

impl OpenStream {
    /// Waits for a place: the connection's own, or one of those that all share.
    async fn take_place(&mut self) {
        let (own, slots) = (Arc::clone(&self.streams.own), Arc::clone(&self.streams.slots));
        let place = tokio::select! {
            biased;
            place = own.acquire_owned() => place,
            place = slots.acquire_owned() => place,
        };
        // Nobody closes them.
        self.place = place.ok();
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.traffic.send_modify(|traffic| traffic.open -= 1);
    }
}

/// Answers requests of which many may be open on their connection.
#[derive(Clone)]
pub(super) struct OneOfMany<S> {
    service: S,
    streams: Arc<Streams>,
}

impl<S> OneOfMany<S> {
    pub(super) fn new(service: S, streams: Arc<Streams>) -> Self {
        Self { service, streams }
    }
}

impl<S: HttpService> Service<Request<Incoming>> for OneOfMany<S> {
    type Response = Response<OpenBody<S::Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (service, mut open) = (self.service.clone(), self.streams.open());
        Box::pin(async move {
            open.take_place().await;
            let answering = service.call(request);
            let response = answering.await?;
            Ok(response.map(|body| OpenBody { body, _open: open }))
        })
    }
}

/// The body of a reply, whose request is open until it is sent.
pub(super) struct OpenBody<B> {
    body: B,
    _open: OpenStream,
}

impl<B: Body + Unpin> Body for OpenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
