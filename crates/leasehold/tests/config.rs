//! Settings: which source wins, what is printed, what is refused and in which words.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Launch, assert_refused, eventually, run};

const KEY: &str = "a-long-enough-admin-key";

/// A settings file with this text.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("leasehold.toml");
    fs::write(&path, text).unwrap();
    (dir, path)
}

#[track_caller]
fn printed(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let ended = run(&[&["config"], arguments].concat(), variables);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

/// The line of one setting.
#[track_caller]
fn line<'a>(printed: &'a str, setting: &str) -> &'a str {
    let mut lines = printed.lines();
    lines.find(|line| line.starts_with(&format!("{setting} "))).expect(setting)
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let (_dir, path) =
        file("# mine\nmax-queued = 11\nmax-connections = 12\nmax-body-bytes = 4096\n");
    let path = path.to_str().unwrap();
    let variables = [("LEASEHOLD_MAX_QUEUED", "21"), ("LEASEHOLD_MAX_CONNECTIONS", "22")];
    let printed = printed(&["--config", path, "--max-queued", "31"], &variables);

    let expect = |setting: &str, value: &str, origin: &str| {
        let line = line(&printed, setting);
        assert!(line.starts_with(&format!("{setting} = {value} ")), "{line}");
        assert!(line.ends_with(&format!("# {origin}")), "{line}");
    };
    expect("max-queued", "31", "flag --max-queued");
    expect("max-connections", "22", "environment LEASEHOLD_MAX_CONNECTIONS");
    expect("max-body-bytes", "4096", &format!("file {path}, line 4"));
    expect("listen", "\"127.0.0.1:8000\"", "default");
    expect("data-dir", "\"./leasehold-data\"", "default");
}

#[test]
fn what_is_printed_is_a_settings_file() {
    let first = printed(&["--dev", "--log-level=info,hyper=warn"], &[]);
    let (_dir, path) = file(&first);
    let second = printed(&["--config", path.to_str().unwrap()], &[]);
    let values = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(values(&first), values(&second));
}

#[test]
fn the_file_can_be_named_by_the_environment() {
    let (_dir, path) = file("dev = true");
    let printed = printed(&[], &[("LEASEHOLD_CONFIG", path.to_str().unwrap())]);
    assert!(line(&printed, "dev").starts_with("dev = true"));
}

#[test]
fn secrets_are_hidden_and_what_hides_them_is_no_key() {
    let printed = printed(&[], &[("LEASEHOLD_API_KEY", KEY)]);
    assert!(!printed.contains(KEY), "{printed}");
    let line = line(&printed, "api-key");
    assert!(line.starts_with("api-key = \"(hidden)\" "), "{line}");
    assert!(line.ends_with("# environment LEASEHOLD_API_KEY"), "{line}");

    let (_dir, path) = file(&printed);
    let ended = run(&["config", "--config", path.to_str().unwrap()], &[]);
    assert_refused(&ended, &["`api-key`", "line"]);
}

#[test]
fn a_key_is_no_flag_and_never_empty_and_never_repeated_in_an_error() {
    let ended = run(&["serve", "--api-key", KEY], &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = run(&["config"], &[("LEASEHOLD_API_KEY", "")]);
    assert_refused(&ended, &["`api-key`", "environment LEASEHOLD_API_KEY", "16"]);
    let ended = run(&["config"], &[("LEASEHOLD_API_KEY", "two secret words")]);
    assert_refused(&ended, &["`api-key`", "no spaces"]);
    assert!(!ended.stderr.contains("secret words"), "{}", ended.stderr);
}

#[test]
/// It was only warned about, in a log that nobody reads before the key is guessed.
fn a_key_that_can_be_guessed_is_refused_with_words_that_help() {
    for key in ["hunter2", "15-characters-1"] {
        let dir = tempfile::tempdir().unwrap();
        let ended = Launch::new(dir.path()).env("LEASEHOLD_API_KEY", key).start_in_vain();
        let words = ["`api-key`", "environment LEASEHOLD_API_KEY", "at least 16", "openssl rand"];
        assert_refused(&ended, &words);
        assert!(!ended.stderr.contains(key), "{}", ended.stderr);
    }
}

/// It was only warned about: waiters took all connections, and no holder could release.
#[test]
fn as_many_waiters_as_connections_are_refused_and_the_default_follows() {
    let ended = run(&["config", "--max-connections=100"], &[("LEASEHOLD_MAX_WAITERS", "100")]);
    let says = "max-waiters is 100 (environment LEASEHOLD_MAX_WAITERS) and max-connections 100";
    assert_refused(&ended, &[says, "fewer max-waiters"]);
    let ended = run(&["config", "--max-connections=100"], &[("LEASEHOLD_MAX_WAITERS", "99")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let printed = printed(&["--max-connections=100"], &[]);
    let line = line(&printed, "max-waiters");
    assert!(line.starts_with("max-waiters = 87 "), "{line}");
    assert!(line.ends_with("# derived from max-connections"), "{line}");
    assert_refused(&run(&["config", "--max-connections=1"], &[]), &["more max-connections"]);
}

/// A misspelt variable left its setting at the default without a word.
#[test]
fn a_variable_that_no_setting_has_is_warned_about_with_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::new(dir.path()).arg("--dev").env("LEASEHOLD_MAX_WAITER", "s3cret");
    let stderr = launch.env("LEASEHOLD_SERVICE_HOST", "10.0.0.1").start().terminate().stderr;
    assert!(stderr.contains("did you mean LEASEHOLD_MAX_WAITERS?"), "{stderr}");
    assert!(!stderr.contains("s3cret") && !stderr.contains("SERVICE_HOST"), "{stderr}");
}

/// `PORT=` was refused as the address `0.0.0.0:`.
#[test]
fn an_empty_port_of_the_platform_means_none() {
    let printed = printed(&[], &[("PORT", "")]);
    assert!(line(&printed, "listen").starts_with("listen = \"127.0.0.1:8000\""), "{printed}");
}

/// Without TLS, SIGHUP ended the process: a supervisor that sends it to all services stopped this one.
#[test]
fn a_hangup_never_ends_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let server = Launch::new(dir.path()).arg("--dev").start();
    server.signal(rustix::process::Signal::HUP);
    eventually(Duration::from_secs(5), "a word about the hangup", || {
        server.stderr().contains("SIGHUP").then_some(())
    });
    assert_eq!(server.ask("GET", "/readyz").status, 200);
    assert_eq!(server.terminate().code, Some(0));
}

#[test]
fn i7_the_lines_are_as_long_as_the_settings_say() {
    for setting in ["--max-waiters-per-lock=1", "--max-waiters-per-namespace=1", "--max-waiters=1"]
    {
        let dir = tempfile::tempdir().unwrap();
        let server = Launch::new(dir.path()).arg("--dev").arg(setting).start();
        let hold = |process: &str| format!("/v1/distributed_lock/a/write-process/{process}");
        let made = format!("{}?create_if_missing=true&is_exclusive=true", hold("holder"));
        assert_eq!(server.ask("PUT", &made).status, 200);
        let in_line = format!("{}?wait_seconds=60", hold("next"));
        let mut waiting = server.connect();
        waiting.send(&format!("PUT {in_line} HTTP/1.1\r\nhost: test\r\n\r\n")).unwrap();
        eventually(Duration::from_secs(5), "somebody in line", || {
            let waits = server.ask("GET", "/v1/waits").json();
            (waits["waits"].as_array().unwrap().len() == 1).then_some(())
        });
        let refused = server.ask("PUT", &format!("{}?wait_seconds=60", hold("more")));
        assert_eq!((refused.status, &refused.json()["code"]), (429, &"too_many_waiters".into()));
    }
}

/// Many systems start a process with 1,024 descriptors. A service with 10,000 waiters ran out of them
/// after the first thousand, and holders found no connection to release with.
#[test]
fn as_many_files_may_be_open_as_the_connections_need() {
    let dir = tempfile::tempdir().unwrap();
    let limits = |connections: &str| {
        let server = Launch::with_open_files("ulimit -Sn 256; ulimit -Hn 4096", dir.path());
        let server = server.arg("--dev").arg("--max-waiters=1").arg(connections).start();
        let limits = server.open_files();
        (limits, server.terminate().stderr)
    };
    let (soft, stderr) = limits("--max-connections=2000");
    assert_eq!(soft, 3_000);
    assert!(!stderr.contains("open files"), "{stderr}");
    let (soft, stderr) = limits("--max-connections=5000");
    assert_eq!(soft, 4_096);
    assert!(stderr.contains("allows 4096 open files"), "{stderr}");
}

#[test]
fn an_unknown_key_in_the_file_is_refused_with_a_suggestion() {
    for (text, words) in [
        ("dev = true\nlistne = \"127.0.0.1:1\"", ["line 2", "`listne`", "did you mean `listen`?"]),
        ("max_queued = 3", ["line 1", "`max_queued`", "did you mean `max-queued`?"]),
        ("colour = \"red\"", ["line 1", "`colour`", "these exist: listen, "]),
    ] {
        let (_dir, path) = file(text);
        assert_refused(&run(&["config", "--config", path.to_str().unwrap()], &[]), &words);
    }
}

#[test]
fn a_bad_value_is_named_with_its_source_and_what_is_allowed() {
    let numbers = "a whole number from 1 to 1000000";
    let ended = run(&["config", "--max-queued=0"], &[]);
    assert_refused(&ended, &["`max-queued`", "\"0\"", "flag --max-queued", numbers]);
    let ended = run(&["config"], &[("LEASEHOLD_MAX_QUEUED", "many")]);
    assert_refused(&ended, &["\"many\"", "environment LEASEHOLD_MAX_QUEUED", numbers]);
    let (_dir, path) = file("\nmax-queued = -1");
    let ended = run(&["config", "--config", path.to_str().unwrap()], &[]);
    assert_refused(&ended, &["\"-1\"", "leasehold.toml, line 2", numbers]);
    let (_dir, path) = file("max-queued = [1]");
    let ended = run(&["config", "--config", path.to_str().unwrap()], &[]);
    assert_refused(&ended, &["line 1", "`max-queued` takes a text, a whole number"]);
    let ended = run(&["config", "--listen=localhost"], &[]);
    assert_refused(&ended, &["`listen`", "\"localhost\"", "an IP address and a port"]);
    let ended = run(&["config", "--log-level=inof"], &[]);
    assert_refused(&ended, &["`log-level`", "\"inof\"", "one of off, error, warn"]);
    let ended = run(&["config", "--recovery=rewind"], &[]);
    assert_refused(&ended, &["`recovery`", "\"rewind\"", "give extend"]);
    let ended = run(&["config", "--config", "/nowhere.toml"], &[]);
    assert_refused(&ended, &["cannot read the settings file /nowhere.toml"]);
}

#[test]
fn port_is_honoured_only_where_nobody_names_an_address() {
    let listen = |arguments: &[&str], variables: &[(&str, &str)]| {
        let printed = printed(arguments, &[variables, &[("PORT", "8080")]].concat());
        line(&printed, "listen").split_whitespace().nth(2).unwrap().to_owned()
    };
    let (_dir, path) = file("listen = \"127.0.0.1:3\"");
    assert_eq!(listen(&[], &[]), "\"0.0.0.0:8080\"");
    assert_eq!(listen(&["--listen=127.0.0.1:1"], &[]), "\"127.0.0.1:1\"");
    assert_eq!(listen(&[], &[("LEASEHOLD_LISTEN", "127.0.0.1:2")]), "\"127.0.0.1:2\"");
    assert_eq!(listen(&["--config", path.to_str().unwrap()], &[]), "\"127.0.0.1:3\"");
    assert_refused(&run(&["config"], &[("PORT", "http")]), &["environment PORT"]);
}

#[test]
fn dev_refuses_every_address_but_loopback() {
    for arguments in [
        ["serve", "--dev", "--listen=0.0.0.0:0"],
        ["serve", "--dev=true", "--probes-listen=0.0.0.0:0"],
    ] {
        let words = ["--dev", "loopback", "0.0.0.0:0", "flag --"];
        assert_refused(&run(&arguments, &[]), &words);
    }
    assert_refused(
        &run(&["serve", "--dev"], &[("PORT", "8080")]),
        &["loopback", "environment PORT"],
    );
}

#[test]
fn leading_on_demand_takes_a_store_that_can_be_led_so() {
    let on_demand = ["serve", "--leadership", "on-demand"];
    for store in ["local", "etcd://127.0.0.1:1/x"] {
        let ended = run(&[&on_demand[..], &["--store", store]].concat(), &[]);
        assert_refused(&ended, &["led on demand", "flag --leadership", "datastore://PROJECT"]);
    }
    let datastore = ["--store", "datastore://project"];
    let advertises = [&on_demand[..], &datastore, &["--advertise", "a:1"]].concat();
    assert_refused(&run(&advertises, &[]), &["leave out `advertise` (flag --advertise)"]);

    let everywhere = ["--leadership", "on-demand", "--listen", "0.0.0.0:0"];
    let printed = printed(&[&everywhere[..], &datastore].concat(), &[]);
    assert!(line(&printed, "leadership").starts_with("leadership = \"on-demand\" "), "{printed}");
    assert!(line(&printed, "max-clock-skew-seconds").contains(" = 2 "), "{printed}");
}

#[test]
fn a_taken_address_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data_dir = dir.path().join("data");
    let listen = format!("--listen={address}");
    let ended = run(&["serve", "--dev", &listen, "--data-dir", data_dir.to_str().unwrap()], &[]);
    assert_refused(&ended, &[&address, "in use", "--listen"]);
    assert!(!data_dir.exists(), "the address is taken before anything is written");
}

#[test]
fn probes_can_have_an_address_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let probes = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let launch = Launch::new(dir.path()).arg("--dev").arg(&format!("--probes-listen={probes}"));
    let _server = launch.start();
    let mut connection = crate::support::Connection::open(probes).unwrap();
    assert_eq!(connection.ask("GET", "/readyz").unwrap().status, 200);
    assert_eq!(connection.ask("GET", "/v1/healthcheck").unwrap().status, 404);
}

#[test]
fn logs_are_json_where_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = Launch::new(dir.path()).arg("--dev").arg("--log-format=json").start();
    let stderr = server.terminate().stderr;
    assert!(stderr.lines().count() > 1, "{stderr}");
    for line in stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn the_version_names_the_commit() {
    let version = run(&["--version"], &[]).stdout;
    assert!(version.starts_with(concat!("leasehold ", env!("CARGO_PKG_VERSION"))), "{version}");
    assert!(version.contains("(commit "), "{version}");
}
