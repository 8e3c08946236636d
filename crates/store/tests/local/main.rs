//! The local store against the world: files, journals and disks that misbehave.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod damage;
mod disk_full;
mod files;
mod journals;
mod support;
