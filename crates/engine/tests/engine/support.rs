//! A commit loop on a store that fails to order, and a clock that moves when told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use leasehold_core::{
    Acquire, Command, Detail, HoldKey, LockId, LockKind, LockUid, LockView, Mode, Mono, Namespace,
    NewLock, Now, ProcessId, Quotas, Reply, Terms, TimeoutSecs, Wall, Want,
};
use leasehold_engine::{Clock, Engine, Failure, ReplicaState, Settings};
use leasehold_store::{Faults, FaultyStore};

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(crate) struct ManualClock {
    seconds: AtomicU64,
    gate: Mutex<()>,
}

impl ManualClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Nobody can read the clock until the guard is dropped, so the loop decides nothing.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        drop(self.gate.lock().unwrap());
        let seconds = self.seconds.load(Ordering::SeqCst);
        Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(0) }
    }
}

pub(crate) struct Service {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faults: Faults,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::on(FaultyStore::new()).await
    }

    pub(crate) async fn on(store: FaultyStore) -> Self {
        Self::with(store, Settings::default()).await
    }

    pub(crate) async fn with(store: FaultyStore, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::default());
        let faults = store.faults();
        let engine =
            Engine::start(Box::new(store), Arc::clone(&clock) as Arc<dyn Clock>, settings).unwrap();
        let service = Self { engine, clock, faults };
        service.until_leading().await;
        service
    }

    pub(crate) async fn until_leading(&self) {
        let mut state = self.engine.watch_state();
        let leading = state.wait_for(ReplicaState::is_leading);
        tokio::time::timeout(Duration::from_secs(5), leading).await.unwrap().unwrap();
    }

    /// Plans a fault for the commit after the last one.
    pub(crate) fn fail_next_commit(&self, fault: leasehold_store::Fault) {
        self.faults.fail_commit(self.faults.commits() + 1, fault);
    }

    pub(crate) async fn create(&self, lock: &str) -> Result<LockView, Failure> {
        self.lock(create(lock)).await
    }

    pub(crate) async fn get(&self, lock: &str) -> Result<LockView, Failure> {
        let lock_id = LockId::parse(lock).unwrap();
        self.lock(Command::GetLock { namespace: namespace(), lock_id }).await
    }

    pub(crate) async fn acquire(
        &self,
        lock: &str,
        process: &str,
        secs: u32,
    ) -> Result<u64, Failure> {
        self.grant(acquire(lock, process, secs)).await
    }

    /// The token of an acquire, waiting or not.
    pub(crate) async fn grant(&self, command: Command) -> Result<u64, Failure> {
        match self.engine.submit(command).await? {
            Reply::Granted(grants) => Ok(grants[0].hold.token.get()),
            other => panic!("expected a grant, got {other:?}"),
        }
    }

    pub(crate) async fn refresh(
        &self,
        lock: &str,
        process: &str,
        secs: u32,
    ) -> Result<LockView, Failure> {
        let (hold, timeout) = (hold(lock, process), TimeoutSecs::new(secs).unwrap());
        self.lock(Command::Refresh { hold, token: None, timeout, detail: Detail::Full }).await
    }

    pub(crate) async fn release(&self, lock: &str, process: &str) -> Result<LockView, Failure> {
        let hold = hold(lock, process);
        self.lock(Command::Release { hold, token: None, detail: Detail::Full }).await
    }

    async fn lock(&self, command: Command) -> Result<LockView, Failure> {
        match self.engine.submit(command).await? {
            Reply::Lock(view) => Ok(view),
            other => panic!("expected a lock, got {other:?}"),
        }
    }
}

pub(crate) fn namespace() -> Namespace {
    Namespace::parse("default").unwrap()
}

pub(crate) fn hold(lock: &str, process: &str) -> HoldKey {
    HoldKey {
        namespace: namespace(),
        lock_id: LockId::parse(lock).unwrap(),
        mode: Mode::Write,
        process_id: ProcessId::parse(process).unwrap(),
    }
}

pub(crate) fn create(lock: &str) -> Command {
    Command::CreateLock {
        namespace: namespace(),
        lock_id: LockId::parse(lock).unwrap(),
        new: NewLock {
            must_match: false,
            uid: LockUid([7; 16]),
            kind: LockKind { max_writers: Some(1), ..LockKind::default() },
        },
        quotas: Quotas::default(),
    }
}

pub(crate) fn acquire(lock: &str, process: &str, secs: u32) -> Command {
    acquire_waiting(lock, process, secs, 0)
}

pub(crate) fn acquire_waiting(lock: &str, process: &str, secs: u32, wait_secs: u64) -> Command {
    let HoldKey { namespace, lock_id, mode, process_id } = hold(lock, process);
    Command::Acquire(Acquire {
        namespace,
        process_id,
        wants: vec![Want { lock_id, mode, create_if_missing: None }],
        terms: Terms { timeout: TimeoutSecs::new(secs).unwrap(), note: None, detail: Detail::Full },
        wait: Duration::from_secs(wait_secs),
        quotas: Quotas::default(),
    })
}
