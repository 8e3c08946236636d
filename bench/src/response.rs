//! The little of an HTTP/1.1 reply that the generator has to understand, and nothing it may not.

use thiserror::Error;

/// Most header lines that a reply may have.
const MAX_HEADERS: usize = 32;

/// Longest head that is waited for, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Why a reply cannot be counted.
#[derive(Debug, Error)]
pub enum ResponseError {
    /// Not HTTP.
    #[error("the reply is not HTTP/1.1: {0}")]
    Malformed(#[from] httparse::Error),
    /// The head does not end.
    #[error("the head of the reply is longer than {MAX_HEAD_BYTES} bytes")]
    HeadTooLong,
    /// Framed otherwise than by its length, which a reply of a known size has no reason to be.
    #[error("the reply has a transfer-encoding (chunked) instead of a content-length")]
    TransferEncoding,
    /// No length, two lengths, or one that is not a number.
    #[error("the reply has no single, numeric content-length")]
    ContentLength,
    /// The connection would end, and with it keep-alive.
    #[error("the server closes the connection after the reply")]
    NotKeptAlive,
    /// More came than the reply is long.
    #[error("{0} bytes came after the end of the reply")]
    BytesAfterReply(usize),
}

/// What a reply's head says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) head_bytes: usize,
    pub(crate) body_bytes: usize,
}

/// Reads a head; `None` if it has not come in full yet.
pub(crate) fn parse_head(received: &[u8]) -> Result<Option<Head>, ResponseError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head_bytes = match response.parse(received)? {
        httparse::Status::Complete(head_bytes) => head_bytes,
        httparse::Status::Partial if received.len() > MAX_HEAD_BYTES => {
            return Err(ResponseError::HeadTooLong);
        }
        httparse::Status::Partial => return Ok(None),
    };
    if response.version != Some(1) {
        return Err(ResponseError::NotKeptAlive);
    }
    let mut body_bytes = None;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok());
            if length.is_none() || body_bytes.is_some() {
                return Err(ResponseError::ContentLength);
            }
            body_bytes = length;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(ResponseError::TransferEncoding);
        } else if header.name.eq_ignore_ascii_case("connection")
            && header.value.eq_ignore_ascii_case(b"close")
        {
            return Err(ResponseError::NotKeptAlive);
        }
    }
    let body_bytes = body_bytes.ok_or(ResponseError::ContentLength)?;
    Ok(response.code.map(|status| Head { status, head_bytes, body_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(reply: &str) -> ResponseError {
        parse_head(reply.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_head_says_status_and_where_the_reply_ends() {
        let reply =
            b"HTTP/1.1 409 Conflict\r\nContent-Length: 12\r\nx-request-id: 7\r\n\r\n{\"code\":1}";
        let head = parse_head(reply).unwrap().unwrap();
        assert_eq!(head, Head { status: 409, head_bytes: reply.len() - 10, body_bytes: 12 });
    }

    #[test]
    fn a_head_that_is_not_there_in_full_is_waited_for() {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
        for end in 0..reply.len() {
            assert_eq!(parse_head(&reply[..end]).unwrap(), None, "{end} bytes");
        }
        assert!(parse_head(reply).unwrap().is_some());
    }

    #[test]
    fn a_reply_of_unsure_length_is_an_error() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(matches!(error_of(chunked), ResponseError::TransferEncoding));
        for lengths in ["", "content-length: two\r\n", "content-length: 2\r\ncontent-length: 2\r\n"]
        {
            let reply = format!("HTTP/1.1 200 OK\r\n{lengths}\r\n");
            assert!(matches!(error_of(&reply), ResponseError::ContentLength), "{reply}");
        }
    }

    #[test]
    fn a_connection_that_ends_is_an_error() {
        let closing = "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(error_of(closing), ResponseError::NotKeptAlive));
        let old = "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(error_of(old), ResponseError::NotKeptAlive));
    }

    #[test]
    fn what_is_not_http_and_what_does_not_end_are_errors() {
        assert!(matches!(error_of("SSH-2.0-OpenSSH\r\n\r\n"), ResponseError::Malformed(_)));
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(MAX_HEAD_BYTES));
        assert!(matches!(error_of(&endless), ResponseError::HeadTooLong));
    }
}
