//! The kinds of values that settings take: how each is written, and what is allowed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use leasehold_core::KeyHash;
use tracing_subscriber::EnvFilter;

/// A setting that has no value unless somebody gives it one.
pub(super) const UNSET: &str = "";

/// How a kind of value is read from text and written as TOML.
pub(crate) trait Value: Sized {
    /// What stands for the value in help texts.
    const PLACEHOLDER: &'static str;
    /// Never printed, and no flag: everybody on the machine sees flags in the list of processes.
    const IS_SECRET: bool = false;
    /// A flag that needs no value.
    const IS_SWITCH: bool = false;

    /// Reads it; `None` if it is not allowed.
    fn parse(text: &str) -> Option<Self>;

    /// What is allowed, as the end of "give …".
    fn allowed() -> String;

    /// How a text that is not allowed is shown to whoever gave it.
    fn shown(text: &str) -> String {
        format!("{text:?}")
    }

    /// The value as TOML; `None` if it is not set.
    fn toml(&self) -> Option<String>;
}

impl<V: Value> Value for Option<V> {
    const PLACEHOLDER: &'static str = V::PLACEHOLDER;
    const IS_SECRET: bool = V::IS_SECRET;
    const IS_SWITCH: bool = V::IS_SWITCH;

    fn parse(text: &str) -> Option<Self> {
        if text == UNSET { Some(None) } else { V::parse(text).map(Some) }
    }

    fn allowed() -> String {
        V::allowed()
    }

    fn shown(text: &str) -> String {
        V::shown(text)
    }

    fn toml(&self) -> Option<String> {
        self.as_ref().and_then(V::toml)
    }
}

impl Value for SocketAddr {
    const PLACEHOLDER: &'static str = "ADDRESS:PORT";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn allowed() -> String {
        "an IP address and a port, such as 127.0.0.1:8000 or [::1]:8000".to_owned()
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// A host by name or number, and a port.
#[derive(Clone, Debug)]
pub(crate) struct HostPort(String);

impl HostPort {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for HostPort {
    const PLACEHOLDER: &'static str = "HOST:PORT";

    fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic() && c != '/');
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        (is_host && is_port).then(|| Self(text.to_owned()))
    }

    fn allowed() -> String {
        "a host and a port, such as replica-1.example:8000".to_owned()
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

impl Value for PathBuf {
    const PLACEHOLDER: &'static str = "PATH";

    fn parse(text: &str) -> Option<Self> {
        Some(Self::from(text))
    }

    fn allowed() -> String {
        "the path of a directory".to_owned()
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&Path::to_string_lossy(self)))
    }
}

/// The path of a file that is read.
#[derive(Clone, Debug)]
pub(crate) struct FilePath(PathBuf);

impl FilePath {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Value for FilePath {
    const PLACEHOLDER: &'static str = "FILE";

    fn parse(text: &str) -> Option<Self> {
        Some(Self(PathBuf::from(text)))
    }

    fn allowed() -> String {
        "the path of a file".to_owned()
    }

    fn toml(&self) -> Option<String> {
        self.0.toml()
    }
}

impl Value for bool {
    const PLACEHOLDER: &'static str = "true|false";
    const IS_SWITCH: bool = true;

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn allowed() -> String {
        "true or false".to_owned()
    }

    fn toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// A whole number within bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// The allowed number that is nearest to this one.
    pub(crate) fn nearest(number: u32) -> Self {
        Self(number.clamp(MIN, MAX))
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }

    /// The number as a count of things in memory.
    pub(crate) fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u32, const MAX: u32> Value for Whole<MIN, MAX> {
    const PLACEHOLDER: &'static str = "NUMBER";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| (MIN..=MAX).contains(number)).map(Self)
    }

    fn allowed() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn toml(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    Human,
    Json,
}

impl Value for LogFormat {
    const PLACEHOLDER: &'static str = "human|json";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn allowed() -> String {
        "human or json".to_owned()
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Human => "human",
            Self::Json => "json",
        }))
    }
}

/// What becomes of live holds after a restart. Their timeouts start anew (I4): late is safe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recovery {
    Extend,
}

impl Value for Recovery {
    const PLACEHOLDER: &'static str = "extend";

    fn parse(text: &str) -> Option<Self> {
        (text == "extend").then_some(Self::Extend)
    }

    fn allowed() -> String {
        "extend".to_owned()
    }

    fn toml(&self) -> Option<String> {
        let Self::Extend = self;
        Some(quoted("extend"))
    }
}

/// When this process leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leadership {
    Continuous,
    OnDemand,
}

impl Value for Leadership {
    const PLACEHOLDER: &'static str = "continuous|on-demand";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "continuous" => Some(Self::Continuous),
            "on-demand" => Some(Self::OnDemand),
            _ => None,
        }
    }

    fn allowed() -> String {
        "continuous or on-demand".to_owned()
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Continuous => "continuous",
            Self::OnDemand => "on-demand",
        }))
    }
}

/// Which log lines are written: a level, and levels for single parts.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(String);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl LogLevel {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for LogLevel {
    const PLACEHOLDER: &'static str = "LEVEL";

    /// Stricter than the filter itself, which takes a misspelt level for the name of a part and so
    /// silences everything else.
    fn parse(text: &str) -> Option<Self> {
        let level_of = |directive: &str| {
            let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
            LEVELS.contains(&level.to_ascii_lowercase().as_str())
        };
        let all_known = text.split(',').all(level_of);
        (all_known && EnvFilter::try_new(text).is_ok()).then(|| Self(text.to_owned()))
    }

    fn allowed() -> String {
        format!(
            "one of {}, or with parts of their own such as info,leasehold_server=debug",
            LEVELS.join(", ")
        )
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// What stands in place of a secret wherever settings are printed.
pub(super) const HIDDEN: &str = "(hidden)";

/// The admin key that the operator chose, hashed as soon as it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdminKey {
    pub(crate) hash: KeyHash,
}

/// Shortest admin key that is taken, in bytes: a shorter one can be guessed.
const MIN_KEY_BYTES: usize = 16;

impl Value for AdminKey {
    const PLACEHOLDER: &'static str = "KEY";
    const IS_SECRET: bool = true;

    /// [`HIDDEN`] is refused: whoever pastes the printed settings into a file would open the service
    /// to everybody who knows that word.
    fn parse(text: &str) -> Option<Self> {
        let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_long = text.len() >= MIN_KEY_BYTES;
        (is_sendable && is_long && text != HIDDEN)
            .then(|| Self { hash: leasehold_server::credentials::hash(text) })
    }

    fn allowed() -> String {
        format!(
            "at least {MIN_KEY_BYTES} characters that fit into an HTTP header: visible ASCII, no spaces, such \
             as `openssl rand -hex 32` prints"
        )
    }

    fn shown(text: &str) -> String {
        if text.is_empty() { "an empty value".to_owned() } else { "this value".to_owned() }
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(HIDDEN))
    }
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
