//! What keeps a browser, or a cache on the way, from making more of a reply than it is.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Replies show keys, holders and tokens: each is for its caller alone, and true only now.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// For pages that name no policy of their own: nothing is loaded, and no other page frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
);

/// Adds what is missing; a reply that says its own, such as a static file, keeps it.
pub(crate) fn harden(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    set_default(headers, header::CACHE_CONTROL, NO_STORE);
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"text/html")) {
        set_default(headers, header::CONTENT_SECURITY_POLICY, POLICY);
    }
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}
