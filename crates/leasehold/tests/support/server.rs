//! A running binary: started with settings, watched, signalled, killed.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Connection, Reply, eventually};

/// Longest wait for a start or an end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary with an environment of its own.
fn leasehold() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Asserts that a command was refused, with all of these words.
#[track_caller]
pub(crate) fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in {}", ended.stderr);
    }
}

/// Runs the binary to its end with these arguments and variables.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let output = leasehold().args(arguments).envs(variables.iter().copied()).output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Starts the binary with these arguments and variables.
pub(crate) fn spawn(arguments: &[&str], variables: &[(&str, &str)]) -> Server {
    let mut command = leasehold();
    command.args(arguments).envs(variables.iter().copied());
    Server::spawn(command)
}

/// The same, with this text on its standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Ended {
    let mut child = leasehold().args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server about to be started, on a free port of the loopback address.
pub(crate) struct Launch(Command);

impl Launch {
    pub(crate) fn new(data_dir: &Path) -> Self {
        let mut launch = Self::anywhere();
        launch.0.arg("--data-dir").arg(data_dir);
        launch
    }

    /// The store is still to be named.
    pub(crate) fn anywhere() -> Self {
        let mut command = leasehold();
        command.arg("serve").env("LEASEHOLD_LISTEN", "127.0.0.1:0");
        Self(command)
    }

    /// The same, with limits of open files that the shell sets with these commands.
    pub(crate) fn with_open_files(limits: &str, data_dir: &Path) -> Self {
        let mut command = Command::new("/bin/bash");
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_leasehold"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        Self(command)
    }

    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// The same, with its log going here. [`Server::stderr`] is empty then.
    pub(crate) fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.0.stderr(to);
        self
    }

    /// The same, with its standard output going here. Start it with [`Launch::start_at`].
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.0.stdout(to);
        self
    }

    /// Starts it at this address, and waits until it is ready there.
    #[track_caller]
    pub(crate) fn start_at(self, address: SocketAddr) -> Server {
        let listen = address.to_string();
        let mut server = Server::spawn(self.env("LEASEHOLD_LISTEN", &listen).0);
        server.address = address;
        eventually(PATIENCE, "readiness", || {
            let exited = server.child.try_wait().unwrap();
            assert!(exited.is_none(), "{exited:?}\n{}\n{}", server.stdout(), server.stderr());
            let answer = Connection::open(address).ok()?.ask("GET", "/readyz").ok()?;
            (answer.status == 200).then_some(())
        });
        server
    }

    /// Starts it and waits until it says that it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let mut server = Server::spawn(self.0);
        server.address = eventually(PATIENCE, "the ready line", || {
            let exited = server.child.try_wait().unwrap();
            assert!(exited.is_none(), "{exited:?}\n{}\n{}", server.stdout(), server.stderr());
            listening_on(&server.stdout())
        });
        server
    }

    /// Starts it at this address, and does not wait.
    pub(crate) fn start_unready(self, address: SocketAddr) -> Server {
        let mut server = Server::spawn(self.0);
        server.address = address;
        server
    }

    /// Starts it and waits for it to give up by itself.
    #[track_caller]
    pub(crate) fn start_in_vain(self) -> Ended {
        Server::spawn(self.0).ended()
    }
}

fn listening_on(stdout: &str) -> Option<SocketAddr> {
    let (_, rest) = stdout.split_once(" listening on http")?;
    let (_, rest) = rest.split_once("://")?;
    rest.split_once(' ')?.0.parse().ok()
}

/// A started server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    stdout: Collected,
    stderr: Collected,
}

impl Server {
    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(Collected::from).unwrap_or_default();
        let stderr = child.stderr.take().map(Collected::from).unwrap_or_default();
        Self { child, address: ([127, 0, 0, 1], 0).into(), stdout, stderr }
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text.lock().unwrap().clone()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text.lock().unwrap().clone()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str) -> Reply {
        self.connect().ask(method, path).unwrap()
    }

    /// The same; `None` if it does not answer yet.
    pub(crate) fn try_ask(&self, method: &str, path: &str) -> Option<Reply> {
        Connection::open(self.address).ok()?.ask(method, path).ok()
    }

    /// The server's URL, for `leasehold key --server`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many files it may have open.
    #[track_caller]
    pub(crate) fn open_files(&self) -> u64 {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        soft.unwrap().split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks for an orderly stop and waits for it.
    #[track_caller]
    pub(crate) fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Ended {
        let status: ExitStatus =
            eventually(PATIENCE, "the end of the process", || self.child.try_wait().unwrap());
        Ended { code: status.code(), stdout: self.stdout.finish(), stderr: self.stderr.finish() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a pipe has said so far.
#[derive(Default)]
pub(crate) struct Collected {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    pub(crate) fn from(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&text);
        let reader = thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let line = line.unwrap();
                let mut text = sink.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self { text, reader: Some(reader) }
    }

    /// Everything, once the pipe is closed.
    pub(crate) fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text.lock().unwrap().clone()
    }
}
