//! A network between store and server that fails to order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on until told otherwise. Orders are for the connections that are open by then; later ones
/// work, unless none are let in.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    opened: AtomicU64,
    /// Connections up to this one never see another reply, and end at the next.
    mute_up_to: AtomicU64,
    /// Connections up to this one end.
    cut_up_to: watch::Sender<u64>,
    /// What is sent on connections up to this one is kept back.
    held_up_to: watch::Sender<u64>,
    is_closed: AtomicBool,
    /// Where the next connections go.
    server_port: AtomicU16,
}

impl Proxy {
    pub(crate) async fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { server_port: server_port.into(), ..State::default() });
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state }
    }

    fn opened(&self) -> u64 {
        self.state.opened.load(Ordering::SeqCst)
    }

    pub(crate) fn lose_replies(&self) {
        self.state.mute_up_to.store(self.opened(), Ordering::SeqCst);
    }

    /// The client sees its connection end. The server does not: it may be at work, or waiting for a lock.
    pub(crate) fn cut(&self) {
        self.state.cut_up_to.send_replace(self.opened());
    }

    pub(crate) fn hold_requests(&self) {
        self.state.held_up_to.send_replace(self.opened());
    }

    /// Delivers what was held, late.
    pub(crate) fn deliver(&self) {
        self.state.held_up_to.send_replace(0);
    }

    /// New connections go to another server. Those that are open stay where they are.
    pub(crate) fn move_to(&self, server_port: u16) {
        self.state.server_port.store(server_port, Ordering::SeqCst);
    }

    /// Whether new connections are let in.
    pub(crate) fn set_closed(&self, is_closed: bool) {
        self.state.is_closed.store(is_closed, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if state.is_closed.load(Ordering::SeqCst) {
            continue;
        }
        let server_port = state.server_port.load(Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)).await else { continue };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let number = state.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(requests(from_client, to_server, number, Arc::clone(&state)));
        tokio::spawn(replies(from_server, to_client, number, Arc::clone(&state)));
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, state: Arc<State>) {
    let mut held = state.held_up_to.subscribe();
    let mut bytes = vec![0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut bytes).await {
        held.wait_for(|up_to| *up_to < number).await.unwrap();
        if to.write_all(&bytes[..len]).await.is_err() {
            return;
        }
    }
    // A server that is to notice nothing keeps its half of a connection that was cut.
    if *state.cut_up_to.borrow() >= number {
        std::future::pending::<()>().await;
    }
}

async fn replies(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, state: Arc<State>) {
    let mut cut = state.cut_up_to.subscribe();
    let mut bytes = vec![0; 65_536];
    loop {
        let len = tokio::select! {
            read = from.read(&mut bytes) => read.unwrap_or(0),
            _ = cut.wait_for(|up_to| *up_to >= number) => break,
        };
        let is_mute = state.mute_up_to.load(Ordering::SeqCst) >= number;
        if len == 0 || is_mute || to.write_all(&bytes[..len]).await.is_err() {
            break;
        }
    }
    // Ends the client's side; dropping the half alone would leave it open.
    to.shutdown().await.ok();
}
