//! One kept-alive connection: a request out, its whole reply in.

use std::net::SocketAddr;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::response::{Head, ResponseError, parse_head};

/// Room that a reply finds at first; larger replies make their own.
const FIRST_REPLY_BYTES: usize = 8 * 1024;

/// Why a request has no reply that counts.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    /// The connection ended before the reply did.
    #[error("the server closed the connection before its reply was complete")]
    Closed,
    /// The reply is not one that can be counted.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// A status that the measurement does not allow for.
    #[error("unexpected status {status} to `{request}`: {body}")]
    Status {
        /// The status.
        status: u16,
        /// The first line of the request.
        request: String,
        /// The beginning of the reply's body.
        body: String,
    },
}

impl ExchangeError {
    pub(crate) fn status(status: u16, request: &[u8], body: &[u8]) -> Self {
        let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let shown = &body[..body.len().min(400)];
        Self::Status {
            status,
            request: String::from_utf8_lossy(line).into_owned(),
            body: String::from_utf8_lossy(shown).into_owned(),
        }
    }
}

/// A connection that carries one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    reply: Vec<u8>,
    body_starts_at: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, ExchangeError> {
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect.await.map_err(|source| ExchangeError::Connect { address, source })?;
        Ok(Self { stream, reply: Vec::with_capacity(FIRST_REPLY_BYTES), body_starts_at: 0 })
    }

    /// Sends a request, reads its reply in full and gives the status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<u16, ExchangeError> {
        self.stream.write_all(request).await?;
        self.reply.clear();
        let head = self.read_head().await?;
        let reply_bytes = head.head_bytes + head.body_bytes;
        self.reply.reserve(reply_bytes.saturating_sub(self.reply.len()));
        while self.reply.len() < reply_bytes {
            self.read_more().await?;
        }
        if self.reply.len() > reply_bytes {
            return Err(ResponseError::BytesAfterReply(self.reply.len() - reply_bytes).into());
        }
        self.body_starts_at = head.head_bytes;
        Ok(head.status)
    }

    /// The body of the last reply.
    pub(crate) fn body(&self) -> &[u8] {
        self.reply.get(self.body_starts_at..).unwrap_or_default()
    }

    async fn read_head(&mut self) -> Result<Head, ExchangeError> {
        loop {
            self.read_more().await?;
            if let Some(head) = parse_head(&self.reply)? {
                return Ok(head);
            }
        }
    }

    async fn read_more(&mut self) -> Result<(), ExchangeError> {
        match self.stream.read_buf(&mut self.reply).await? {
            0 => Err(ExchangeError::Closed),
            _ => Ok(()),
        }
    }
}
