//! Scenario tables: what the lock table does, told line by line in `tests/scenarios/*.txt`.
//!
//! `tests/runner` reads them; its module documentation explains the words. A new scenario is a new
//! line, or a new file, in that folder.

mod runner;

use std::path::Path;

#[test]
fn every_scenario_holds() {
    let mut failures = Vec::new();
    for path in runner::files_in(Path::new("tests/scenarios")).unwrap() {
        failures.extend(runner::failures_of(&path).unwrap());
    }
    assert!(failures.is_empty(), "\n\n{}\n", failures.join("\n\n"));
}

/// A runner that never complains would make every scenario worthless. Each file here says in lines
/// `# complains: TEXT` what the runner must say about it, in that order, and nothing else.
#[test]
fn every_wrong_scenario_fails_and_says_where() {
    let paths = runner::files_in(Path::new("tests/scenarios_that_fail")).unwrap();
    assert!(!paths.is_empty());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let due: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# complains: ")).collect();
        let failures = runner::failures_of(&path).unwrap();
        assert!(!due.is_empty(), "{} must say what is wrong with it", path.display());
        assert_eq!(due.len(), failures.len(), "{}: {failures:#?}", path.display());
        for (due, failure) in due.iter().zip(&failures) {
            assert!(failure.contains(due), "{}: no {due:?} in:\n{failure}", path.display());
            let place = format!("{}:", path.display());
            assert!(failure.starts_with(&place), "does not begin with {place}: {failure}");
        }
    }
}
