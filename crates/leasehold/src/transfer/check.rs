//! Checks a whole export before anything of it is written: line by line, and the rows together with the
//! code that checks those of a store before they are served.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use leasehold_core::{Deadlines, Limits, Now, Recovery, RowKey, Violation};
use leasehold_store::record;

use super::TransferError;
use super::input::Input;
use super::progress::Progress;
use super::reader::{Fault, Next, Whole};

/// Takes as much memory as the service that will serve the rows.
pub(super) fn check(input: &Input) -> Result<Whole, TransferError> {
    let (whole, violation) = read_all(input).map_err(|fault| input.fault(fault))?;
    let Some(violation) = violation else { return Ok(whole) };
    let line = row_of(&violation).map(|key| line_of(input, &key));
    let line = line.transpose().map_err(|fault| input.fault(fault))?.flatten();
    let place = line.map(|line| format!(" in line {line}")).unwrap_or_default();
    let (name, violation) = (input.name.clone(), Box::new(violation));
    Err(TransferError::Contradiction { name, place, violation })
}

fn read_all(input: &Input) -> Result<(Whole, Option<Violation>), Fault> {
    let mut reader = input.read()?;
    let mut recovery = Recovery::new(Limits::default(), Deadlines::Anew);
    let mut names = Names::default();
    let mut progress = Progress::begin("checking", None);
    let whole = loop {
        match reader.next()? {
            Next::End(whole) => break whole,
            Next::Row(row) if names.is_new(&row.key()) => recovery.row(row),
            Next::Row(row) => {
                return Err(reader.misfit(format!("{:?} is in an earlier line as well", row.key())));
            }
        }
        progress.add(1);
    };
    let violation = recovery.finish(Now::default()).err();
    progress.end();
    Ok((whole, violation))
}

/// The row that a violation names.
fn row_of(violation: &Violation) -> Option<RowKey> {
    match violation {
        Violation::HoldWithoutLock(hold)
        | Violation::Exclusion(hold)
        | Violation::Token { hold, .. } => Some(RowKey::Hold(hold.clone())),
        Violation::Past { slot, .. } => Some(RowKey::Past(*slot)),
        Violation::UnfinishedImport => None,
    }
}

/// The line that a row stands in.
fn line_of(input: &Input, key: &RowKey) -> Result<Option<u64>, Fault> {
    let mut reader = input.read()?;
    loop {
        match reader.next()? {
            Next::Row(row) if row.key() == *key => return Ok(Some(reader.line())),
            Next::Row(_) => {}
            Next::End(_) => return Ok(None),
        }
    }
}

/// The names of the rows so far, each as 128 bits of keyed hash: no two will meet by chance, and nobody
/// can make them meet.
#[derive(Default)]
struct Names {
    hashers: [RandomState; 2],
    seen: HashSet<[u64; 2]>,
}

impl Names {
    fn is_new(&mut self, key: &RowKey) -> bool {
        let bytes = record::encode_key(key);
        let [one, two] = &self.hashers;
        self.seen.insert([one.hash_one(&bytes), two.hash_one(&bytes)])
    }
}
