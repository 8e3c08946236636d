//! The documentation that the service carries with it. It loads nothing from elsewhere.

pub(crate) mod asset;
pub(crate) mod errors;
pub(crate) mod openapi;
pub(crate) mod page;

const HTML: &str = "text/html; charset=utf-8";
