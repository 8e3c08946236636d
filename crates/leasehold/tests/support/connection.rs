//! A keep-alive HTTP/1.1 connection that tells how far a broken reply had come.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(20);

/// A complete reply.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The connection ended before a complete reply.
#[derive(Debug)]
pub(crate) struct Broken {
    /// Bytes of the reply that had arrived.
    pub(crate) reply_bytes: usize,
    pub(crate) error: io::Error,
}

/// One connection, on which requests follow each other.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    key: Option<String>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), key: None })
    }

    /// Sends this key with every request.
    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Waits so long for each further reply.
    pub(crate) fn set_patience(&self, patience: Duration) {
        self.stream.get_ref().set_read_timeout(Some(patience)).unwrap();
    }

    /// Sends a request without a body and reads its reply.
    pub(crate) fn ask(&mut self, method: &str, path: &str) -> Result<Reply, Broken> {
        self.ask_with(method, path, "")
    }

    /// Sends a request, with a body of JSON if there is one, and reads its reply.
    pub(crate) fn ask_with(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Reply, Broken> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n");
        head.extend(self.key.as_ref().map(|key| format!("x-api-key: {key}\r\n")));
        if !body.is_empty() {
            let length = body.len();
            head += &format!("content-type: application/json\r\ncontent-length: {length}\r\n");
        }
        self.send(&format!("{head}\r\n{body}"))?;
        self.receive()
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, text: &str) -> Result<(), Broken> {
        let sent = self.stream.get_mut().write_all(text.as_bytes());
        sent.map_err(|error| Broken { reply_bytes: 0, error })
    }

    /// Reads the next reply.
    pub(crate) fn receive(&mut self) -> Result<Reply, Broken> {
        let (mut status, mut length, mut reply_bytes) = (None, 0, 0);
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line);
            reply_bytes += line.len();
            read.and_then(|bytes| if bytes == 0 { Err(cut_off()) } else { Ok(()) })
                .map_err(|error| Broken { reply_bytes, error })?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3).and_then(|digits| digits.parse().ok());
            }
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(|error| Broken { reply_bytes, error })?;
        let status = status.expect("a status line");
        Ok(Reply { status, text: String::from_utf8(body).unwrap() })
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed")
}
