//! The settings file: TOML, one `name = value` a line, nothing unknown.

use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::SettingsError;
use super::layers::{Given, Layer, Origin};
use super::table::Settings;

/// How alike two names must be for one to be suggested for the other; 1 is the same.
pub(super) const ALIKE: f64 = 0.7;

/// What the file gives.
pub(super) fn read(path: &Path) -> Result<Layer, SettingsError> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| SettingsError::Unreadable { path: shown.clone(), error })?;
    let table = DeTable::parse(&text)
        .map_err(|error| SettingsError::NotToml { path: shown.clone(), error })?;
    let mut layer = Layer::new();
    for (key, value) in table.get_ref() {
        let line = line_of(&text, key.span().start);
        let key = key.get_ref().as_ref();
        let known = Settings::TABLE.iter().find(|entry| entry.name.key() == key);
        let entry = known.ok_or_else(|| SettingsError::Unknown {
            path: shown.clone(),
            line,
            key: key.to_owned(),
            suggestion: suggestion(key),
        })?;
        let value = plain(value.get_ref()).ok_or_else(|| SettingsError::NotPlain {
            path: shown.clone(),
            line,
            key: key.to_owned(),
        })?;
        let origin = Origin::File { path: shown.clone(), line };
        layer.insert(entry.name, Given { value, origin });
    }
    Ok(layer)
}

/// A value as text; `None` for lists, tables, dates and fractions, which no setting takes.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn suggestion(unknown: &str) -> String {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(unknown, name);
    let names: Vec<String> = Settings::TABLE.iter().map(|entry| entry.name.key()).collect();
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|name| likeness(name) >= ALIKE) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("these exist: {}", names.join(", ")),
    }
}
