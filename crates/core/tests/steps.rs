//! Commands that change as much as there is: they take several steps, and everything else goes on between.
//!
//! The story: a process with 200,000 holds was released in one batch, which took longer than the store
//! allows. The leader's term ended, the table was dropped and loaded, and the client tried again.

#![expect(clippy::panic, clippy::unwrap_used, reason = "test helpers are tests too")]

use leasehold_core::{
    Acquire, ApiKey, Command, Detail, Effects, HoldKey, KeyHash, KeyId, KeyLimits, Limits, LockId,
    LockKind, LockUid, Mode, Namespace, NewLock, Now, Origin, Outcome, ProcessId, Quotas, Refusal,
    Reply, Role, Table, Terms, TimeoutSecs, Wall, Want,
};

/// More holds than two steps take on.
const HOLDS: usize = 2_500;
/// What a round of the commit loop writes at most, and what one step adds to that at most.
const MAX_ROWS: usize = 4_096;
const STEP_ROWS: usize = 3_100;

struct Scene {
    table: Table,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        Self { table: Table::new(Limits::default()), origin: Origin::default() }
    }

    fn execute(&mut self, command: &Command) -> (Outcome, Effects) {
        let mut effects = Effects::of_round(MAX_ROWS);
        let outcome = self.table.execute(Now::default(), &self.origin, command, &mut effects);
        (outcome, effects)
    }

    fn acquire(&mut self, lock: &str, mode: Mode, process: &str) -> Outcome {
        self.execute(&acquire(lock, mode, process, 0)).0
    }

    /// Carries a command out to its end, with `between` after every step but the last.
    fn carry_out(
        &mut self,
        command: Command,
        mut between: impl FnMut(&mut Self),
    ) -> (Reply, usize) {
        let (mut command, mut whole, mut steps) = (command, None::<Reply>, 0);
        loop {
            let (outcome, effects) = self.execute(&command);
            self.table.check().unwrap();
            steps += 1;
            assert!(effects.batch.len() <= STEP_ROWS, "{} rows in a step", effects.batch.len());
            let (next, part) = match outcome {
                Outcome::Continues { next, part } => (Some(*next), *part),
                Outcome::Done(Ok(part)) => (None, part),
                other => panic!("{command:?} came to {other:?}"),
            };
            match &mut whole {
                Some(whole) => whole.extend(part),
                None => whole = Some(part),
            }
            match next {
                Some(next) => command = next,
                None => return (whole.unwrap(), steps),
            }
            between(self);
        }
    }
}

fn namespace() -> Namespace {
    Namespace::default()
}

fn lock_id(name: &str) -> LockId {
    LockId::parse(name).unwrap()
}

fn process_id(name: &str) -> ProcessId {
    ProcessId::parse(name).unwrap()
}

fn acquire(lock: &str, mode: Mode, process: &str, wait_secs: u64) -> Command {
    let kind = LockKind::default();
    let create_if_missing = Some(NewLock { uid: LockUid([7; 16]), kind, must_match: false });
    Command::Acquire(Acquire {
        namespace: namespace(),
        process_id: process_id(process),
        wants: vec![Want { lock_id: lock_id(lock), mode, create_if_missing }],
        terms: Terms { timeout: TimeoutSecs::new(60).unwrap(), note: None, detail: Detail::Own },
        wait: std::time::Duration::from_secs(wait_secs),
        quotas: Quotas::default(),
    })
}

/// One process that writes many locks.
fn busy_process() -> Scene {
    let mut scene = Scene::new();
    for n in 0..HOLDS {
        scene.acquire(&format!("lock-{n}"), Mode::Write, "busy");
    }
    scene
}

/// One lock with many readers.
fn busy_lock() -> Scene {
    let mut scene = Scene::new();
    for n in 0..HOLDS {
        scene.acquire("job", Mode::Read, &format!("reader-{n}"));
    }
    scene
}

fn holds_of(scene: &mut Scene, process: &str) -> usize {
    let command = Command::GetProcess { namespace: namespace(), process_id: process_id(process) };
    match scene.execute(&command).0 {
        Outcome::Done(Ok(Reply::Process { holds, .. })) => holds.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_process_is_released_in_steps_and_keeps_what_it_acquires_meanwhile() {
    let mut scene = busy_process();
    let command = Command::ReleaseProcess {
        namespace: namespace(),
        process_id: process_id("busy"),
        rest: None,
    };
    let mut round = 0;
    let (reply, steps) = scene.carry_out(command, |scene| {
        round += 1;
        // What it takes meanwhile stays its own: before and behind where the release has got to.
        for name in [format!("a-{round}"), format!("z-{round}")] {
            assert!(matches!(scene.acquire(&name, Mode::Write, "busy"), Outcome::Done(Ok(_))));
        }
        // Others are served.
        let other = scene.acquire(&format!("lock-{round}"), Mode::Write, "other");
        assert!(matches!(other, Outcome::Done(_)));
    });
    assert_eq!(steps, 3);
    let Reply::Process { holds, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(holds.len(), HOLDS);
    assert_eq!(holds_of(&mut scene, "busy"), 4);
}

#[test]
fn a_process_is_refreshed_in_steps() {
    let mut scene = busy_process();
    let command = Command::RefreshProcess {
        namespace: namespace(),
        process_id: process_id("busy"),
        timeout: TimeoutSecs::new(99),
        acknowledged: Vec::new(),
        rest: None,
    };
    let (reply, steps) = scene.carry_out(command, |scene| {
        // One that is given back meanwhile is neither refreshed nor an error.
        let hold = HoldKey {
            namespace: namespace(),
            lock_id: lock_id("lock-999"),
            mode: Mode::Write,
            process_id: process_id("busy"),
        };
        scene.execute(&Command::Release { hold, token: None, detail: Detail::Own });
    });
    assert_eq!(steps, 3);
    let Reply::Process { holds, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(holds.len(), HOLDS - 1);
    assert!(holds.iter().all(|hold| hold.hold.timeout.get() == 99));
}

#[test]
fn a_lock_is_broken_in_steps_and_admits_no_process_meanwhile() {
    let mut scene = busy_lock();
    let (waiting, _) = scene.execute(&acquire("job", Mode::Write, "waiter", 60));
    assert!(matches!(waiting, Outcome::Waiting(_)));
    let delete = |is_begun| Command::DeleteLock {
        namespace: namespace(),
        lock_id: lock_id("job"),
        force: true,
        is_begun,
    };
    let mut told = 0;
    let (reply, steps) = scene.carry_out(delete(false), |scene| {
        for (mode, wait_secs) in [(Mode::Read, 0), (Mode::Write, 60)] {
            let late = scene.execute(&acquire("job", mode, "late", wait_secs)).0;
            let is_refused = matches!(late, Outcome::Done(Err(Refusal::LockBeingDeleted(_))));
            assert!(is_refused, "{late:?}");
        }
        told += 1;
    });
    assert_eq!((steps, told), (3, 2));
    let Reply::Lock(lock) = reply else { panic!("{reply:?}") };
    assert_eq!(lock.readers.len(), HOLDS);
    assert_eq!(lock.reader_count, HOLDS);
    let gone = scene.execute(&delete(false)).0;
    assert!(matches!(gone, Outcome::Done(Err(Refusal::NoSuchLock(_)))), "{gone:?}");
    assert!(matches!(scene.acquire("job", Mode::Write, "next"), Outcome::Done(Ok(_))));
}

/// If its last holders release it between two steps, an ephemeral lock goes by itself.
#[test]
fn a_lock_that_goes_by_itself_between_two_steps_is_broken() {
    let mut scene = Scene::new();
    let kind = LockKind { is_ephemeral: true, ..LockKind::default() };
    let create = Command::CreateLock {
        namespace: namespace(),
        lock_id: lock_id("job"),
        new: NewLock { uid: LockUid([7; 16]), kind, must_match: false },
        quotas: Quotas::default(),
    };
    scene.execute(&create);
    for n in 0..1_001 {
        scene.acquire("job", Mode::Read, &format!("reader-{n:04}"));
    }
    let (namespace, lock_id) = (namespace(), lock_id("job"));
    let delete = Command::DeleteLock {
        namespace: namespace.clone(),
        lock_id: lock_id.clone(),
        force: true,
        is_begun: false,
    };
    let Outcome::Continues { next, .. } = scene.execute(&delete).0 else { panic!("one step") };
    let process_id = process_id("reader-1000");
    let hold = HoldKey { namespace, lock_id, mode: Mode::Read, process_id };
    scene.execute(&Command::Release { hold, token: None, detail: Detail::Own });
    let last = scene.execute(&next).0;
    assert!(matches!(last, Outcome::Done(Err(Refusal::NoSuchLock(_)))), "{last:?}");
    scene.table.check().unwrap();
}

#[test]
fn the_holds_of_a_key_end_in_steps_and_no_others() {
    let mut scene = Scene::new();
    let key_id = KeyId::parse("k1").unwrap();
    scene.execute(&Command::CreateKey(ApiKey {
        key_id: key_id.clone(),
        namespace: namespace(),
        role: Role::Write,
        label: String::new(),
        hash: KeyHash([0; 32]),
        created_at: Wall(0),
        limits: KeyLimits::default(),
    }));
    for n in 0..HOLDS {
        scene.origin =
            Origin { key_id: Some(key_id.clone()), is_revocable: true, idempotency_key: None };
        scene.acquire(&format!("lock-{n}"), Mode::Read, &format!("p-{}", n % 7));
        scene.origin = Origin::default();
        if n % 10 == 0 {
            scene.acquire(&format!("lock-{n}"), Mode::Read, "other");
        }
    }
    let command = Command::RevokeKey { key_id, namespace: None, end_holds: true, rest: None };
    let (_, steps) = scene.carry_out(command, |_| {});
    assert_eq!(steps, 4, "one for the key, three for its holds");
    assert_eq!(holds_of(&mut scene, "other"), HOLDS / 10);
    for n in 0..7 {
        assert_eq!(holds_of(&mut scene, &format!("p-{n}")), 0);
    }
}

/// The same for those that a command serves: thousands of readers that wait for one writer.
#[test]
fn waiters_are_served_over_several_rounds_in_order() {
    let mut scene = Scene::new();
    scene.acquire("job", Mode::Write, "writer");
    let mut tickets = Vec::new();
    for n in 0..HOLDS {
        match scene.execute(&acquire("job", Mode::Read, &format!("reader-{n}"), 60)).0 {
            Outcome::Waiting(ticket) => tickets.push(ticket),
            other => panic!("{other:?}"),
        }
    }
    let hold = HoldKey {
        namespace: namespace(),
        lock_id: lock_id("job"),
        mode: Mode::Write,
        process_id: process_id("writer"),
    };
    let release = Command::Release { hold, token: None, detail: Detail::Own };
    let mut effects = Effects::of_round(1_000);
    scene.table.execute(Now::default(), &Origin::default(), &release, &mut effects);
    let (mut served, mut rounds) = (Vec::new(), 0);
    loop {
        rounds += 1;
        assert!(effects.batch.len() <= 1_010, "{} rows", effects.batch.len());
        scene.table.check().unwrap();
        served.extend(effects.settled.drain(..).map(|(ticket, answer)| {
            assert!(answer.is_ok(), "{answer:?}");
            ticket
        }));
        if !scene.table.is_due(Now::default()) {
            break;
        }
        effects = Effects::of_round(1_000);
        // I6: no request overtakes those that are not served yet.
        let late = scene.table.execute(
            Now::default(),
            &Origin::default(),
            &acquire("job", Mode::Write, "late", 0),
            &mut effects,
        );
        assert!(matches!(late, Outcome::Done(Err(Refusal::Held(_)))), "{late:?}");
        scene.table.expire(Now::default(), usize::MAX, &mut effects);
    }
    assert_eq!(served, tickets);
    assert_eq!(rounds, 3);
}
