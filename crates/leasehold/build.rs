//! Notes the commit that the binary is built from: `LEASEHOLD_COMMIT_ID`, else what git says.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=LEASEHOLD_COMMIT_ID");
    let commit_id = std::env::var("LEASEHOLD_COMMIT_ID")
        .ok()
        .or_else(|| {
            follow_commits();
            git(&["rev-parse", "HEAD"])
        })
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=LEASEHOLD_COMMIT_ID={commit_id}");
}

/// Builds again when the commit changes: another branch is checked out (`HEAD`), the branch moves
/// (`refs`), or git packs the branches together. Only paths that exist: a missing one would make
/// every build start anew.
fn follow_commits() {
    for name in ["HEAD", "refs/heads", "packed-refs"] {
        let path = git(&["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
