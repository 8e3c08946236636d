//! A bad network between the store and the service: loses what it is told to lose.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// What Google's services answer when they, or anything on the way, gave up waiting.
const CANCELLED: &str = "HTTP/1.1 499 Client Closed Request\r\ncontent-type: application/json\r\n\
     content-length: 71\r\n\r\n\
     {\"error\": {\"code\": 499, \"message\": \"cancelled\", \"status\": \"CANCELLED\"}}";

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    Pass,
    /// It is done, but nobody hears of it.
    LoseAnswer,
    /// It is done, and answered with a code that says nothing about that.
    AnswerCancelled,
    /// It does not arrive.
    LoseRequest,
    /// The connection breaks; the request arrives when the test says so.
    Delay,
}

#[derive(Default)]
struct Plan {
    next: VecDeque<Act>,
    /// How many commits pass before everything is cut off.
    commits_left: Option<usize>,
    delayed: Vec<Vec<u8>>,
    commits: usize,
    queries: usize,
    /// How long each page is kept back.
    page_delay: Duration,
}

#[derive(Clone)]
pub(super) struct Proxy {
    /// `host:port`.
    pub(super) host: String,
    service: String,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    pub(super) async fn start(service: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            host: listener.local_addr().unwrap().to_string(),
            service: service.to_owned(),
            plan: Arc::default(),
        };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = serving.clone();
                // A connection that breaks is what this is for.
                tokio::spawn(async move { drop(proxy.serve(client).await) });
            }
        });
        proxy
    }

    /// What becomes of the next commits; those after them pass.
    pub(super) fn next(&self, acts: &[Act]) {
        self.plan.lock().unwrap().next.extend(acts);
    }

    /// So many more commits pass; then nothing does, as if the store's process had been killed.
    pub(super) fn cut_after(&self, commits: usize) {
        self.plan.lock().unwrap().commits_left = Some(commits);
    }

    /// How many commits it has seen, without those that were asked for once more.
    pub(super) fn commits(&self) -> usize {
        self.plan.lock().unwrap().commits
    }

    /// How many pages it was asked for.
    pub(super) fn queries(&self) -> usize {
        self.plan.lock().unwrap().queries
    }

    /// From now on each page takes so much longer.
    pub(super) fn delay_pages(&self, by: Duration) {
        self.plan.lock().unwrap().page_delay = by;
    }

    /// Lets the delayed requests arrive now. The answers, which nobody waits for any more.
    pub(super) async fn deliver(&self) -> Vec<String> {
        let delayed = std::mem::take(&mut self.plan.lock().unwrap().delayed);
        let mut answers = Vec::new();
        for request in delayed {
            let mut service = TcpStream::connect(&self.service).await.unwrap();
            service.write_all(&request).await.unwrap();
            let answer = read_message(&mut service).await.unwrap();
            answers.push(String::from_utf8_lossy(&answer).into_owned());
        }
        answers
    }

    fn act(&self, request: &[u8]) -> Act {
        let mut plan = self.plan.lock().unwrap();
        if plan.commits_left == Some(0) {
            return Act::LoseRequest;
        }
        plan.queries += usize::from(calls(request, ":runQuery"));
        if !calls(request, ":commit") {
            return Act::Pass;
        }
        plan.commits += 1;
        if let Some(left) = &mut plan.commits_left {
            *left -= 1;
        }
        let act = plan.next.pop_front().unwrap_or(Act::Pass);
        if act == Act::Delay {
            plan.delayed.push(request.to_vec());
        }
        act
    }

    /// The service asked for the commit once more, as an emulator does that serves others meanwhile.
    fn undo(&self, act: Act) {
        let mut plan = self.plan.lock().unwrap();
        plan.commits -= 1;
        plan.next.push_front(act);
        if let Some(left) = &mut plan.commits_left {
            *left += 1;
        }
    }

    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut service = TcpStream::connect(&self.service).await?;
        loop {
            let request = read_message(&mut client).await?;
            let act = self.act(&request);
            if matches!(act, Act::Delay | Act::LoseRequest) {
                return Ok(());
            }
            service.write_all(&request).await?;
            let answer = read_message(&mut service).await?;
            if calls(&request, ":runQuery") {
                let delay = self.plan.lock().unwrap().page_delay;
                sleep(delay).await;
            }
            if calls(&request, ":commit") && String::from_utf8_lossy(&answer).contains("ABORTED") {
                self.undo(act);
            } else if act == Act::LoseAnswer {
                return Ok(());
            }
            let answer = if act == Act::AnswerCancelled { CANCELLED.as_bytes() } else { &answer };
            client.write_all(answer).await?;
        }
    }
}

fn calls(request: &[u8], method: &str) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap();
    String::from_utf8_lossy(line).contains(method)
}

/// One HTTP message with a `content-length`.
pub(super) async fn read_message(connection: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = connection.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        message.extend_from_slice(&buffer[..read]);
        let Some(end) = message.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse().unwrap());
        let whole: usize = end + 4 + length;
        while message.len() < whole {
            let read = connection.read(&mut buffer).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            message.extend_from_slice(&buffer[..read]);
        }
        return Ok(message);
    }
}
