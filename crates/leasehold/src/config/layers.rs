//! Where values come from: flag over environment over file over default.

use std::collections::BTreeMap;
use std::env;
use std::fmt;

use super::SettingsError;
use super::table::Settings;
use super::value::Value;

/// A setting's name, as an identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Name(pub(super) &'static str);

impl Name {
    /// Its flag without the dashes in front, and its key in the file.
    pub(super) fn key(self) -> String {
        self.0.replace('_', "-")
    }

    /// Its environment variable.
    pub(super) fn variable(self) -> String {
        format!("LEASEHOLD_{}", self.0.to_ascii_uppercase())
    }
}

/// Where a value came from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A flag of the command line.
    Flag(Name),
    /// The environment variable of this name.
    Environment(String),
    /// A line of the settings file, counted from 1.
    File { path: String, line: usize },
    /// Nobody said otherwise.
    Default,
    /// Another setting leaves no other choice.
    Derived(Name),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{}", name.key()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File { path, line } => write!(f, "file {path}, line {line}"),
            Self::Default => f.write_str("default"),
            Self::Derived(name) => write!(f, "derived from {}", name.key()),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Given<V> {
    pub(crate) value: V,
    pub(crate) origin: Origin,
}

/// What one source gives, as text that nobody has looked into yet.
pub(super) type Layer = BTreeMap<Name, Given<String>>;

/// All sources, the strongest first.
pub(super) struct Layers(pub(super) Vec<Layer>);

impl Layers {
    /// The value of one setting, from the strongest layer that gives one.
    pub(super) fn read<V: Value>(
        &self,
        name: Name,
        default: fn() -> String,
    ) -> Result<Given<V>, SettingsError> {
        let strongest = self.0.iter().find_map(|layer| layer.get(&name)).cloned();
        let Given { value: text, origin } =
            strongest.unwrap_or_else(|| Given { value: default(), origin: Origin::Default });
        // Only a default may be empty: that is how it says that nothing is set.
        let is_text = !text.is_empty() || matches!(origin, Origin::Default);
        match is_text.then(|| V::parse(&text)).flatten() {
            Some(value) => Ok(Given { value, origin }),
            None => Err(SettingsError::NotAllowed {
                setting: name.key(),
                given: V::shown(&text),
                origin,
                allowed: V::allowed(),
            }),
        }
    }
}

/// What the environment gives.
pub(super) fn environment() -> Result<Layer, SettingsError> {
    let mut layer = Layer::new();
    for entry in Settings::TABLE {
        if let Some(given) = variable(entry.name.variable())? {
            layer.insert(entry.name, given);
        }
    }
    Ok(layer)
}

/// What serverless platforms say through `PORT`: every address, at that port.
pub(super) fn platform() -> Result<Layer, SettingsError> {
    // Some platforms set it to nothing where they mean that it is not set.
    let port = variable("PORT".to_owned())?.filter(|given| !given.value.is_empty());
    let listen =
        port.map(|Given { value, origin }| Given { value: format!("0.0.0.0:{value}"), origin });
    Ok(listen.map(|given| (Name("listen"), given)).into_iter().collect())
}

fn variable(variable: String) -> Result<Option<Given<String>>, SettingsError> {
    match env::var(&variable) {
        Ok(value) => Ok(Some(Given { value, origin: Origin::Environment(variable) })),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(SettingsError::NotUtf8 { variable }),
    }
}
