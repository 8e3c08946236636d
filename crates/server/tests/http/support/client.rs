//! A blocking HTTP/1.1 client without opinions: paths and headers go out as they are written.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longest wait for a reply; a test that needs it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// The document of a refusal, checked for what every refusal must say.
    #[track_caller]
    pub(crate) fn refusal(&self, status: u16, code: &str) -> Value {
        let text = self.text();
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{text}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["status"], status, "{text}");
        assert_eq!(problem["type"], format!("/v1/docs/errors#{code}"));
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{text}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{text}");
        assert!(problem["retryable"].is_boolean(), "{text}");
        assert!(problem["outcome"] == "none" || problem["outcome"] == "unknown", "{text}");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{text}");
        let must_say_when = status == 429 || status == 503;
        let says_when = self.header("retry-after").is_some_and(|secs| secs.parse::<u32>().is_ok());
        assert_eq!(must_say_when, says_when, "Retry-After: {self:?}");
        if must_say_when {
            assert_eq!(problem["retryable"], true, "{text}");
        }
        problem
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Waits for the end of a connection that the service cuts off: closed or reset, either way it is over.
pub(crate) fn wait_for_end(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

pub(crate) fn head(method: &str, target: &str, headers: &[(&str, &str)], length: usize) -> String {
    let extra: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{extra}content-length: {length}\r\n\r\n")
}

/// One request on a connection of its own.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut stream = connect(address);
    let mut bytes = head(method, target, headers, body.len()).into_bytes();
    bytes.extend_from_slice(body.as_bytes());
    stream.write_all(&bytes).unwrap();
    receive(&mut stream).unwrap()
}

/// The next reply on a connection; `None` if the server closed it instead.
pub(crate) fn receive(stream: &mut TcpStream) -> Option<Reply> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) => return None,
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
        }
    };
    let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut reply = Reply { status, headers, body: Vec::new() };
    let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
    reply.body.resize(length, 0);
    stream.read_exact(&mut reply.body).unwrap();
    Some(reply)
}
