//! API keys from outside: the first one, those made with `leasehold key`, and none of them leaking.

use std::fs;
use std::path::Path;

use crate::support::{Ended, Launch, Server, assert_refused, run};

const OWN_KEY: &str = "the-operators-own-key-0123456789";

/// The key that a server shows in its frame at the first start.
fn shown_key(stdout: &str) -> Option<String> {
    let keys = stdout.split_whitespace().filter(|word| word.starts_with("lh_"));
    let keys: Vec<&str> = keys.collect();
    assert!(keys.len() <= 1, "{stdout}");
    keys.first().map(|key| (*key).to_owned())
}

/// The status of a harmless call with this key.
fn status_with(server: &Server, key: &str) -> u16 {
    let path = "/v1/distributed_lock/none-of-that-name";
    server.connect().with_key(key).ask("GET", path).unwrap().status
}

/// Let in, the lock is missing; shut out, 401.
const LET_IN: u16 = 404;
const SHUT_OUT: u16 = 401;

/// `leasehold key …` with this key.
fn key(server: &Server, api_key: &str, arguments: &[&str]) -> Ended {
    let url = server.url();
    let variables = [("LEASEHOLD_SERVER", &*url), ("LEASEHOLD_API_KEY", api_key)];
    run(&[&["key"], arguments].concat(), &variables)
}

#[track_caller]
fn created(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let key = ended.stdout.trim().to_owned();
    assert!(key.starts_with("lh_"), "{ended:?}");
    key
}

/// The public half of a key.
fn key_id(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

fn with_own_key(data_dir: &Path) -> Server {
    Launch::new(data_dir).env("LEASEHOLD_API_KEY", OWN_KEY).start()
}

#[test]
fn the_first_start_shows_a_key_once_and_it_opens_the_service_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let server = Launch::new(dir.path()).start();
    let key = shown_key(&server.stdout()).expect("a key is shown");
    assert_eq!(status_with(&server, &key), LET_IN);
    assert_eq!(status_with(&server, &format!("{key}0")), SHUT_OUT);
    assert_eq!(server.ask("GET", "/v1/distributed_lock/x").status, SHUT_OUT);
    server.kill9();

    let server = Launch::new(dir.path()).start();
    assert_eq!(shown_key(&server.stdout()), None, "{}", server.stdout());
    assert_eq!(status_with(&server, &key), LET_IN);
}

#[test]
fn no_key_is_made_where_the_operator_brings_one_or_wants_none() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_own_key(dir.path());
    assert_eq!(shown_key(&server.stdout()), None);
    assert_eq!(status_with(&server, OWN_KEY), LET_IN);
    assert_eq!(status_with(&server, "another"), SHUT_OUT);
    server.terminate();

    let server = Launch::new(dir.path()).arg("--dev").start();
    assert_eq!(shown_key(&server.stdout()), None);
    assert_eq!(server.ask("GET", "/v1/distributed_lock/x").status, LET_IN);
}

#[test]
fn keys_are_made_listed_and_revoked_at_once_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_own_key(dir.path());
    let ended = key(
        &server,
        OWN_KEY,
        &["create", "--namespace", "billing", "--role", "write", "--label", "Kasse 1"],
    );
    let writer = created(&ended);
    assert!(ended.stderr.contains("not shown again"), "{ended:?}");
    let reader = created(&key(&server, OWN_KEY, &["create", "--role=read"]));
    assert_eq!(status_with(&server, &writer), LET_IN);

    let listed = key(&server, OWN_KEY, &["list"]).stdout;
    let row = |key: &str| listed.lines().find(|line| line.starts_with(key_id(key))).unwrap();
    assert!(listed.starts_with("KEY ID"), "{listed}");
    for cell in ["billing", "write", "Kasse 1"] {
        assert!(row(&writer).contains(cell), "{listed}");
    }
    assert!(row(&reader).contains("default"), "{listed}");
    assert!(!listed.contains("lh_"), "{listed}");
    let json = key(&server, OWN_KEY, &["list", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["keys"].as_array().unwrap().len(), 2, "{json}");

    let ended = key(&server, OWN_KEY, &["revoke", key_id(&reader)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(status_with(&server, &reader), SHUT_OUT);
    server.kill9();

    let server = with_own_key(dir.path());
    assert_eq!(status_with(&server, &writer), LET_IN);
    assert_eq!(status_with(&server, &reader), SHUT_OUT);
}

#[test]
fn limits_are_set_shown_changed_taken_away_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_own_key(dir.path());
    let made = [
        "create",
        "--role=write",
        "--requests-per-second=1",
        "--burst=2",
        "--max-locks=1000",
        "--max-holds=500",
        "--max-waiters=0",
        "--label=Kasse",
    ];
    let limited = created(&key(&server, OWN_KEY, &made));
    let listed = |server: &Server| key(server, OWN_KEY, &["list"]).stdout;
    let shown = "1/s, burst 2, 1000 locks, 500 holds, 0 waiters  Kasse";
    assert!(listed(&server).contains(shown), "{}", listed(&server));
    server.kill9();

    let server = with_own_key(dir.path());
    assert!(listed(&server).contains(shown), "{}", listed(&server));
    let statuses: Vec<u16> = (0..20).map(|_| status_with(&server, &limited)).collect();
    assert_eq!(statuses[..2], [LET_IN, LET_IN]);
    assert!(statuses.contains(&429), "{statuses:?}");

    let limit =
        |flags: &[&str]| key(&server, OWN_KEY, &[&["limit", key_id(&limited)], flags].concat());
    let ended = limit(&["--requests-per-second=none", "--max-holds", "7", "--max-waiters=none"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.ends_with("(write in namespace default): 1000 locks, 7 holds.\n"),
        "{ended:?}"
    );
    assert!((0..20).all(|_| status_with(&server, &limited) == LET_IN));

    for (flags, words) in [
        (["--max-holds=few"].as_slice(), "whole number, or `none`"),
        (&["--burst=9"], "needs `requests_per_second`"),
        (&["--requests-per-second=0"], "1 to 1000000"),
    ] {
        let ended = limit(flags);
        assert!(ended.code != Some(0) && ended.stderr.contains(words), "{ended:?}");
    }
}

#[test]
fn namespaces_never_meet() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_own_key(dir.path());
    let made = |namespace: &str| {
        created(&key(&server, OWN_KEY, &["create", "--namespace", namespace, "--role=write"]))
    };
    let (one, other) = (made("one"), made("other"));
    let create = |key: &str| {
        server.connect().with_key(key).ask("POST", "/v1/distributed_lock/same").unwrap().status
    };
    assert_eq!([create(&one), create(&one), create(&other)], [201, 400, 201]);
}

#[test]
fn the_errors_of_key_commands_are_sentences() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_own_key(dir.path());
    let reader = created(&key(&server, OWN_KEY, &["create", "--role=read"]));
    let url = server.url();
    for (ended, words) in [
        (key(&server, OWN_KEY, &["revoke", "0123456789ab"]), vec!["0123456789ab"]),
        (key(&server, &reader, &["list"]), vec!["admin"]),
        (key(&server, "wrong", &["list"]), vec!["refused the key in LEASEHOLD_API_KEY"]),
        (run(&["key", "list", "--server", &url], &[]), vec!["set LEASEHOLD_API_KEY"]),
        (run(&["key", "list"], &[("LEASEHOLD_SERVER", "ftp://x")]), vec!["ftp://x", "http://"]),
        (
            run(&["key", "list", "--server=http://127.0.0.1:1"], &[]),
            vec!["http://127.0.0.1:1", "leasehold serve"],
        ),
    ] {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is not in {}", ended.stderr);
        }
    }
}

#[test]
fn no_secret_is_in_the_data_directory_or_in_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let launch = |format: &str| {
        Launch::new(dir.path()).arg("--log-level=trace").arg(&format!("--log-format={format}"))
    };
    let server = launch("human").start();
    let first = shown_key(&server.stdout()).unwrap();
    let second = created(&key(&server, &first, &["create", "--role=write"]));
    let secrets = [&*first, &*second, OWN_KEY];
    for key in secrets {
        status_with(&server, key);
        server.ask("GET", &format!("/v1/distributed_lock/x?key={key}"));
        let bearer =
            format!("GET /v1/keys HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n");
        server.connect().send(&bearer).unwrap();
    }
    let log = server.terminate().stderr;
    assert!(log.contains("/v1/distributed_lock/{lock_id}"), "requests are logged at this level");
    assert_clean(&secrets, "the log", log.as_bytes());
    let server = launch("json").env("LEASEHOLD_API_KEY", OWN_KEY).start();
    status_with(&server, OWN_KEY);
    assert_clean(&secrets, "the JSON log", server.terminate().stderr.as_bytes());
    let mut files = 0;
    visit(dir.path(), &mut |path| {
        files += 1;
        assert_clean(&secrets, &path.display().to_string(), &fs::read(path).unwrap());
    });
    assert!(files > 0);
}

/// Neither a key nor the secret half of one.
#[track_caller]
fn assert_clean(secrets: &[&str], place: &str, bytes: &[u8]) {
    for secret in secrets {
        let half = secret.rsplit('_').next().unwrap().as_bytes();
        let found = bytes.windows(half.len()).any(|window| window == half);
        assert!(!found, "{place} contains a secret");
    }
}

fn visit(dir: &Path, look: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else {
            look(&path);
        }
    }
}

/// Where standard output is collected with the log, the first key stood in it for all who read logs.
#[test]
fn the_first_key_goes_to_a_file_of_its_owner_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("key"));
    let flag = format!("--first-key-file={}", file.display());
    let launch = || Launch::new(&data).arg(&flag);
    let server = launch().start();
    let key = fs::read_to_string(&file).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(status_with(&server, key.trim_end()), LET_IN);
    let ended = server.terminate();
    assert!(!ended.stdout.contains("lh_") && !ended.stderr.contains("lh_"), "{ended:?}");
    // There is a key, so the file is neither needed nor in the way.
    assert_eq!(launch().start().terminate().code, Some(0));
    let data = dir.path().join("other data");
    let ended = Launch::new(&data).arg(&flag).start_in_vain();
    assert_refused(&ended, &["first-key-file", "exists", "does not exist"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), key, "it is left alone");
}
