//! `leasehold config`: what is in force, as TOML, and why.

use super::table::{Line, Settings};

impl Settings {
    /// The settings as a TOML file with the origin of each value as a comment. Secrets are hidden.
    pub(crate) fn to_toml(&self) -> String {
        let mut text = String::from("# In force: flag over environment over file over default.\n");
        for Line { name, toml, origin } in self.lines() {
            let setting = match toml {
                Some(value) => format!("{} = {value}", name.key()),
                None => format!("# {} is not set", name.key()),
            };
            text.push_str(&format!("{setting:<48} # {origin}\n"));
        }
        text
    }
}
