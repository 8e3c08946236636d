//! Flags made from the table of settings: those of a server, and those of whoever needs its store alone.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use super::layers::{Given, Layer, Origin};
use super::table::{Entry, Settings};
use super::value::UNSET;

/// What the command line gives.
#[derive(Clone, Debug)]
pub(crate) struct Flags {
    /// The settings file, if there is one.
    pub(super) file: Option<PathBuf>,
    pub(super) layer: Layer,
}

/// The flags that say where the rows live, and how to log.
#[derive(Clone, Debug)]
pub(crate) struct StoreFlags(pub(super) Flags);

const CONFIG: &str = "config";
const OF_THE_STORE: [&str; 5] = ["store", "lease_seconds", "data_dir", "log_format", "log_level"];

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let public = Settings::TABLE.iter().filter(|entry| !entry.is_secret);
        command.arg(file()).args(public.map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Args for StoreFlags {
    fn augment_args(command: Command) -> Command {
        let entries = Settings::TABLE.iter().filter(|entry| OF_THE_STORE.contains(&entry.name.0));
        command.arg(file()).args(entries.map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn file() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .env("LEASEHOLD_CONFIG")
        .hide_env_values(true)
        .value_name("PATH")
        .value_parser(value_parser!(PathBuf))
        .help("File with settings, as TOML: max-queued = 1000")
}

fn flag(entry: &Entry) -> Arg {
    let default = (entry.default)();
    let default = if default == UNSET { String::new() } else { format!(" [default: {default}]") };
    let flag = Arg::new(entry.name.0)
        .long(entry.name.key())
        .value_name(entry.placeholder)
        .help(format!("{}{default} [env: {}]", entry.doc.trim(), entry.name.variable()));
    if entry.is_switch {
        flag.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        flag
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |entry: &Entry| {
            let value = matches.try_get_one::<String>(entry.name.0).ok().flatten()?.clone();
            Some((entry.name, Given { value, origin: Origin::Flag(entry.name) }))
        };
        Ok(Self {
            file: matches.get_one(CONFIG).cloned(),
            layer: Settings::TABLE.iter().filter_map(given).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl FromArgMatches for StoreFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Flags::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
