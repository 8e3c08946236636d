//! A client that speaks HTTP/2: many requests at once on one connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// An open connection.
pub(crate) struct Http2 {
    requests: SendRequest<Empty<Bytes>>,
    origin: String,
    /// Ends with the connection.
    pub(crate) connection: JoinHandle<hyper::Result<()>>,
}

impl Http2 {
    /// Without TLS: the client knows that the server speaks it.
    pub(crate) async fn plain(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::on(stream, format!("http://{address}")).await
    }

    pub(crate) async fn on(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        origin: String,
    ) -> Self {
        let builder = Builder::new(TokioExecutor::new());
        let (requests, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        Self { requests, origin, connection: tokio::spawn(connection) }
    }

    /// Sends a request; its reply is not waited for, and given up if the task is aborted.
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
    ) -> JoinHandle<hyper::Result<Response<Incoming>>> {
        let request = Request::builder().method(method).uri(format!("{}{target}", self.origin));
        let request = request.body(Empty::new()).unwrap();
        let mut requests = self.requests.clone();
        tokio::spawn(async move { requests.send_request(request).await })
    }

    /// A request and its whole reply, which is JSON.
    pub(crate) async fn ask(&self, method: &str, target: &str) -> (StatusCode, Value) {
        let response = self.send(method, target).await.unwrap().unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }
}
