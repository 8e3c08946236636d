//! Who may read `/metrics` on the address of the API, as a setting.

use leasehold_server::MetricsAccess;

use super::value::{Value, quoted};

impl Value for MetricsAccess {
    const PLACEHOLDER: &'static str = "open|key|off";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "open" => Some(Self::Open),
            "key" => Some(Self::Key),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    fn allowed() -> String {
        "open, key or off".to_owned()
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Open => "open",
            Self::Key => "key",
            Self::Off => "off",
        }))
    }
}
