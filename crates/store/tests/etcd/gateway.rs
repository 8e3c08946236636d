//! etcd's JSON gateway, for what the store itself never asks.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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

/// How many keys stand below `leasehold/NAME`, which ends with a slash.
pub(crate) fn count(port: u16, name: &str) -> u64 {
    let (from, end) = (key(name), key(&name.replace('/', "0")));
    let range = format!(r#"{{"key":"{from}","range_end":"{end}","count_only":true}}"#);
    let answer = must_post(port, "/v3/kv/range", &range);
    // A count of zero is left out.
    field(&answer, "count").map_or(0, |count| count.parse().unwrap())
}

/// The value of `leasehold/NAME`, in base64.
pub(crate) fn get(port: u16, name: &str) -> String {
    let answer = must_post(port, "/v3/kv/range", &format!(r#"{{"key":"{}"}}"#, key(name)));
    field(&answer, "value").unwrap().to_owned()
}

/// The same as text.
pub(crate) fn get_text(port: u16, name: &str) -> String {
    String::from_utf8(STANDARD.decode(get(port, name)).unwrap()).unwrap()
}

pub(crate) fn put_text(port: u16, name: &str, value: &str) {
    put_base64(port, name, &STANDARD.encode(value));
}

pub(crate) fn put_base64(port: u16, name: &str, value: &str) {
    let put = format!(r#"{{"key":"{}","value":"{value}"}}"#, key(name));
    must_post(port, "/v3/kv/put", &put);
}

pub(crate) fn delete(port: u16, name: &str) {
    let answer = must_post(port, "/v3/kv/deleterange", &format!(r#"{{"key":"{}"}}"#, key(name)));
    assert_eq!(field(&answer, "deleted"), Some("1"), "{answer}");
}

/// Puts it on a lease of etcd of so many seconds.
pub(crate) fn put_with_lease(port: u16, name: &str, value: &str, secs: u64) {
    let granted = must_post(port, "/v3/lease/grant", &format!(r#"{{"TTL":{secs}}}"#));
    let (name, value) = (key(name), STANDARD.encode(value));
    let lease = field(&granted, "ID").unwrap();
    let put = format!(r#"{{"key":"{name}","value":"{value}","lease":"{lease}"}}"#);
    must_post(port, "/v3/kv/put", &put);
}

/// What etcd does of itself when it believes that leases have run out.
pub(crate) fn revoke_all_leases(port: u16) {
    let leases = must_post(port, "/v3/lease/leases", "{}");
    for lease in leases.split(r#""ID":""#).skip(1) {
        let id = lease.split('"').next().unwrap();
        must_post(port, "/v3/lease/revoke", &format!(r#"{{"ID":"{id}"}}"#));
    }
}

fn key(name: &str) -> String {
    STANDARD.encode(format!("leasehold/{name}"))
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = answer.split_once(&format!(r#""{name}":""#))?;
    rest.split('"').next()
}
