//! Variables that look like settings and are none: a misspelt name would leave its setting at the default
//! without a word.

use std::env;

use super::file::ALIKE;
use super::table::Settings;

const PREFIX: &str = "LEASEHOLD_";

/// Variables that are no settings of a server.
const OTHERS: [&str; 5] = [
    "LEASEHOLD_CONFIG",
    "LEASEHOLD_SERVER",
    "LEASEHOLD_CA",
    "LEASEHOLD_CERT",
    "LEASEHOLD_CERT_KEY",
];

/// What Kubernetes sets in every pod for a service of this name, and what the tests use.
const MARKS_OF_OTHERS: [&str; 4] = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "LEASEHOLD_TEST_"];

/// One warning for each variable that no setting has. Values are not shown: they may be secret.
pub(super) fn warnings() -> Vec<String> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut unknown: Vec<String> = names.filter(|name| is_unknown(name)).collect();
    unknown.sort_unstable();
    unknown.iter().map(|name| warning(name)).collect()
}

fn is_unknown(name: &str) -> bool {
    name.starts_with(PREFIX)
        && !OTHERS.contains(&name)
        && !MARKS_OF_OTHERS.iter().any(|mark| name.contains(mark))
        && !Settings::TABLE.iter().any(|entry| entry.name.variable() == name)
}

fn warning(unknown: &str) -> String {
    let likeness = |name: &str| {
        let of_setting = |name: &str| name.trim_start_matches(PREFIX).to_owned();
        strsim::normalized_damerau_levenshtein(&of_setting(unknown), &of_setting(name))
    };
    let names = Settings::TABLE.iter().map(|entry| entry.name.variable());
    let nearest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|name| likeness(name) >= ALIKE) {
        Some(name) => {
            format!("the variable {unknown} is ignored: no setting has it; did you mean {name}?")
        }
        None => format!("the variable {unknown} is ignored: no setting has it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_kubernetes_and_of_other_commands_are_known() {
        for name in ["LEASEHOLD_PORT", "LEASEHOLD_PORT_8000_TCP_ADDR", "LEASEHOLD_SERVICE_HOST"] {
            assert!(!is_unknown(name), "{name}");
        }
        for name in ["LEASEHOLD_CONFIG", "LEASEHOLD_SERVER", "LEASEHOLD_LISTEN", "PATH"] {
            assert!(!is_unknown(name), "{name}");
        }
        assert!(is_unknown("LEASEHOLD_LISTNE"));
    }
}
