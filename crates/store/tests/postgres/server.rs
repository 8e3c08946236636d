//! A real PostgreSQL server for tests: started by the first that needs it, ended by `keeper.sh` when the
//! last is gone. The binaries are those of Debian's package `postgresql`, or of the folder that the
//! environment variable `LEASEHOLD_TEST_POSTGRES` names.
#![allow(clippy::panic, reason = "a test fails by a panic")]

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const BIN_VARIABLE: &str = "LEASEHOLD_TEST_POSTGRES";
const BIN_PARENT: &str = "/usr/lib/postgresql";
const PASSWORD: &str = "open-sesame";
const USER: &str = "leasehold";

/// A running server; it goes on running for as long as somebody has one of these.
pub(crate) struct Server {
    pub(crate) port: u16,
    base: PathBuf,
    _in_use: File,
}

impl Server {
    /// The server that all test processes share.
    pub(crate) fn shared() -> Self {
        let locks = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
        fs::create_dir_all(&locks).unwrap();
        Self::obtain(&locks, &make_base)
    }

    fn obtain(locks: &Path, make_base: &dyn Fn() -> PathBuf) -> Self {
        let file = |name| locks.join(name);
        let lock = |name| File::options().append(true).create(true).open(file(name)).unwrap();
        let (starting, in_use) = (lock("start.lock"), lock("users.lock"));
        starting.lock().unwrap();
        in_use.lock_shared().unwrap();
        let running = fs::read_to_string(file("server")).ok().and_then(|text| {
            let (port, base) = text.split_once(' ')?;
            let port = port.parse().ok()?;
            TcpStream::connect(("127.0.0.1", port)).ok()?;
            Some((port, PathBuf::from(base)))
        });
        let (port, base) = running.unwrap_or_else(|| {
            let base = make_base();
            let port = initialise(&base);
            let keeper = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/tests/postgres/keeper.sh");
            // In a group of its own, because test runners end groups; without pipes that would keep them waiting.
            let mut keep = Command::new("sh");
            keep.args(["-c", "sh \"$@\" </dev/null >/dev/null 2>&1 &", "sh", keeper]);
            keep.args([file("start.lock"), file("users.lock"), file("server")]).arg(&base);
            assert!(keep.current_dir("/").process_group(0).status().unwrap().success());
            start(&base);
            fs::write(file("server"), format!("{port} {}", base.display())).unwrap();
            (port, base)
        });
        starting.unlock().unwrap();
        Self { port, base, _in_use: in_use }
    }

    /// Where a store keeps its tables in a schema of this name.
    pub(crate) fn url(&self, schema: &str) -> String {
        Self::url_at(self.port, schema)
    }

    /// The same by way of another port.
    pub(crate) fn url_at(port: u16, schema: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres?schema={schema}")
    }
}

/// For tests that do more to the server than use it.
#[allow(dead_code, reason = "not every test program does")]
impl Server {
    /// A server that nobody else uses.
    pub(crate) fn own() -> Self {
        let base = make_base();
        let locks = base.clone();
        Self::obtain(&locks, &|| base.clone())
    }

    /// The certificate that it shows to clients, and the root of that.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.base.join("server.crt")
    }

    /// Ends it like a crash does.
    pub(crate) fn crash(&self) {
        pg_ctl(&self.base, &["stop", "-m", "immediate"]);
    }

    pub(crate) fn start(&self) {
        start(&self.base);
    }
}

/// A schema that no other test has.
pub(crate) fn fresh_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn bin() -> PathBuf {
    if let Some(folder) = std::env::var_os(BIN_VARIABLE) {
        return folder.into();
    }
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let folders = fs::read_dir(BIN_PARENT).into_iter().flatten();
    let newest = folders.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(version);
    let bin = newest.map(|folder| folder.join("bin")).filter(|bin| bin.join("initdb").exists());
    bin.unwrap_or_else(|| {
        panic!(
            "these tests need PostgreSQL: `apt-get install postgresql`, or name the folder of initdb \
             and pg_ctl in {BIN_VARIABLE}"
        )
    })
}

/// Runs a program as a user that PostgreSQL accepts: it refuses to run as root.
fn run(program: impl AsRef<Path>, args: &[&str]) -> String {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    let mut command = if id == b"0\n" {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.arg(program.as_ref());
        command
    } else {
        Command::new(program.as_ref())
    };
    let command = command.args(args).current_dir("/").stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{text}{errors}");
    text
}

fn make_base() -> PathBuf {
    let pattern = std::env::temp_dir().join("leasehold-postgres-XXXXXX");
    run("mktemp", &["-d", pattern.to_str().unwrap()]).trim().into()
}

/// Makes a new server in a folder; the port that it will have.
fn initialise(base: &Path) -> u16 {
    let path = |name: &str| base.join(name).to_str().unwrap().to_owned();
    run("sh", &["-c", &format!("echo {PASSWORD} > {}", path("password"))]);
    let (data, password) = (path("data"), format!("--pwfile={}", path("password")));
    let initdb = bin().join("initdb");
    run(
        initdb,
        &[
            "-D",
            &data,
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            &password,
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ],
    );
    let (key, certificate) = (path("server.key"), path("server.crt"));
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=leasehold test",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ],
    );
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
         ssl = on\nssl_key_file = '{key}'\nssl_cert_file = '{certificate}'\n"
    );
    let conf = path("data/postgresql.auto.conf");
    run("sh", &["-c", "printf %s \"$1\" > \"$2\"", "sh", &settings, &conf]);
    port
}

fn start(base: &Path) {
    let log = base.join("log");
    pg_ctl(base, &["start", "-t", "60", "-l", log.to_str().unwrap()]);
}

fn pg_ctl(base: &Path, args: &[&str]) {
    let data = base.join("data");
    let mut all = vec!["-w", "-D", data.to_str().unwrap()];
    all.extend(args);
    run(bin().join("pg_ctl"), &all);
}
