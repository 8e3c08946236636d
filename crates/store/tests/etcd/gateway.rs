//! etcd's JSON gateway, for what the store itself never asks.

use std::io::{Read, Write};
use std::net::TcpStream;

/// The answer to a call, as text.
pub(crate) fn post(port: u16, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let len = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn must_post(port: u16, path: &str, body: &str) -> String {
    let answer = post(port, path, body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{path} {body}: {answer}");
    answer
}

/// How many pieces of batches stand in `leasehold/pending/`.
pub(crate) fn pieces(port: u16) -> u64 {
    count(port, "bGVhc2Vob2xkL3BlbmRpbmcv", "bGVhc2Vob2xkL3BlbmRpbmcw")
}

/// How many batches stand in `leasehold/log/`.
pub(crate) fn log_entries(port: u16) -> u64 {
    count(port, "bGVhc2Vob2xkL2xvZy8=", "bGVhc2Vob2xkL2xvZzA=")
}

fn count(port: u16, from: &str, end: &str) -> u64 {
    let range = format!(r#"{{"key":"{from}","range_end":"{end}","count_only":true}}"#);
    let answer = must_post(port, "/v3/kv/range", &range);
    // A count of zero is left out.
    let Some((_, count)) = answer.split_once(r#""count":""#) else { return 0 };
    count.split('"').next().unwrap().parse().unwrap()
}
