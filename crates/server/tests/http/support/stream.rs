//! The reading end of a stream of server-sent events.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::client;

/// A block of a stream, as far as a client looks at it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Block {
    pub(crate) comment: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) data: Option<Value>,
}

/// An open stream.
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    pub(crate) headers: Vec<String>,
    /// What came in chunks that is not read yet.
    rest: String,
    /// As `EventSource` keeps it.
    pub(crate) last_event_id: Option<String>,
}

impl Stream {
    /// Opens a stream, which must work, and reads its first block, which is a comment with an id.
    pub(crate) fn open(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Self {
        let mut socket = client::connect(address);
        socket.write_all(client::head("GET", target, headers, 0).as_bytes()).unwrap();
        let mut reader = BufReader::new(socket);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_ascii_lowercase());
        }
        assert_eq!(lines.first().map(String::as_str), Some("http/1.1 200 ok"), "{lines:?}");
        let mut stream = Self { reader, headers: lines, rest: String::new(), last_event_id: None };
        let first = stream.block().unwrap();
        assert_eq!(first.comment.as_deref(), Some("open"), "{first:?}");
        assert!(first.id.is_some() && first.data.is_none(), "{first:?}");
        stream
    }

    /// The next block; `None` at a clean end.
    pub(crate) fn block(&mut self) -> Option<Block> {
        while !self.rest.contains("\n\n") {
            let chunk = self.chunk()?;
            self.rest.push_str(&chunk);
        }
        let (text, rest) = self.rest.split_once("\n\n").unwrap();
        let mut block = Block::default();
        for line in text.lines() {
            let (field, value) = line.split_once(": ").unwrap();
            let value = value.to_owned();
            match field {
                "" => block.comment = Some(value),
                "event" => block.event = Some(value),
                "id" => block.id = Some(value),
                "data" => block.data = Some(serde_json::from_str(&value).unwrap()),
                _ => panic!("there is no field {line:?}"),
            }
        }
        self.rest = rest.to_owned();
        self.last_event_id = block.id.clone().or(self.last_event_id.take());
        Some(block)
    }

    /// The next event, with its name in both places; comments are passed over.
    #[track_caller]
    pub(crate) fn event(&mut self) -> Value {
        loop {
            let block = self.block().unwrap();
            if let Some(data) = block.data {
                assert_eq!(data["event"].as_str(), block.event.as_deref());
                assert!(block.id.is_some());
                return data;
            }
        }
    }

    /// The names of the next events.
    #[track_caller]
    pub(crate) fn names(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.event()["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether nothing but comments comes for a while.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.reader.get_ref().set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let mut byte = [0];
        let peeked = self.reader.get_ref().peek(&mut byte);
        self.reader.get_ref().set_read_timeout(Some(client::PATIENCE)).unwrap();
        self.rest.is_empty() && self.reader.buffer().is_empty() && peeked.is_err()
    }

    fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        if self.reader.read_line(&mut size).unwrap() == 0 {
            return None;
        }
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes.truncate(size);
        (size > 0).then(|| String::from_utf8(bytes).unwrap())
    }
}
