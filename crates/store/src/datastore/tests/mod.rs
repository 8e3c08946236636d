//! The store against Google's emulators: every law of the suite and the store's own, each in a
//! namespace of its own, all on one emulator, because starting one takes seconds.

mod emulator;
mod laws;
mod proxy;
mod sign_in;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::emulator::{DATASTORE, Emulator, FIRESTORE, Program};
use super::{DatastoreEnvironment, DatastoreStore};
use crate::conformance::{self, Harness, Law};
use crate::store::{Candidate, Store};

/// Long beside what a call to a busy emulator takes.
const LEASE: Duration = Duration::from_secs(2);
/// How many laws run at a time. They mostly wait.
const LAWS_AT_A_TIME: u32 = 6;
/// Laws with large commits. The Datastore emulator takes any two commits that overlap for rivals, even
/// in two namespaces, and then lets the small one win.
const ALONE: [&str; 4] = [
    "a_large_batch_is_one_batch",
    "a_load_that_outlasts_the_lease_keeps_rivals_out",
    "awkward_ids_stay_apart",
    "every_row_is_loaded_once_wherever_its_name_stands",
];

/// One namespace of an emulator.
#[derive(Clone)]
struct Site {
    /// `host:port` of an emulator.
    host: String,
    namespace: String,
    lease: Duration,
}

impl Site {
    async fn store(&self) -> DatastoreStore {
        self.store_by_way_of(&self.host).await
    }

    async fn store_by_way_of(&self, host: &str) -> DatastoreStore {
        let candidate = Candidate {
            address: "127.0.0.1:8000".to_owned(),
            lease: self.lease,
            link_token: "shared by replicas".to_owned().into(),
        };
        let environment = DatastoreEnvironment {
            emulator_host: Some(host.to_owned()),
            ..DatastoreEnvironment::default()
        };
        let url = format!("datastore://leasehold-test?namespace={}", self.namespace);
        DatastoreStore::open(&url, candidate, &environment).await.unwrap()
    }
}

#[async_trait]
impl Harness for Site {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(self.store().await)
    }

    fn allows_rivals(&self) -> bool {
        true
    }

    async fn open_on_demand(&self) -> Option<Box<dyn Store>> {
        let site = Self { lease: Duration::ZERO, ..self.clone() };
        Some(Box::new(site.store().await))
    }

    async fn outwait_leases(&self) {
        tokio::time::sleep(self.lease + Duration::from_millis(20)).await;
    }
}

type OwnLaw = fn(Site) -> Pin<Box<dyn Future<Output = ()> + Send>>;

fn hold_to_all_laws(program: &Program) {
    let Some(emulator) = Emulator::start(program) else { return };
    let site = |namespace: &str, lease| Site {
        host: emulator.host.clone(),
        namespace: namespace.to_owned(),
        lease,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let turns = Arc::new(tokio::sync::Semaphore::new(LAWS_AT_A_TIME as usize));
    let mut running = Vec::new();
    let mut run = |name: &'static str, law: Pin<Box<dyn Future<Output = ()> + Send>>| {
        let turns = Arc::clone(&turns);
        let law = async move {
            let turns_needed = if ALONE.contains(&name) { LAWS_AT_A_TIME } else { 1 };
            let _turn = turns.acquire_many(turns_needed).await.unwrap();
            let began = Instant::now();
            law.await;
            eprintln!("{name}: {:.1} s", began.elapsed().as_secs_f64());
        };
        running.push((name, runtime.spawn(law)));
    };
    for (name, law) in conformance::laws() {
        let site = site(name, LEASE);
        run(name, Box::pin(async move { keep(&site, law).await }));
    }
    for (name, law) in laws::own_laws() {
        run(name, law(site(name, Duration::from_millis(200))));
    }
    let broken = runtime.block_on(async {
        let mut broken = Vec::new();
        for (name, law) in running {
            if law.await.is_err() {
                broken.push(name);
            }
        }
        broken
    });
    assert_eq!(broken, Vec::<&str>::new(), "laws that do not hold; see above for how");
}

async fn keep(site: &Site, law: Law) {
    law(site).await;
}

#[test]
fn every_law_holds_on_the_datastore_emulator() {
    hold_to_all_laws(&DATASTORE);
}

#[test]
fn every_law_holds_on_the_firestore_emulator() {
    hold_to_all_laws(&FIRESTORE);
}

/// Prints how long batches take. An emulator keeps all in memory and says little about the service.
#[test]
#[ignore = "measures"]
fn measure_batches() {
    for program in [&DATASTORE, &FIRESTORE] {
        let Some(emulator) = Emulator::start(program) else { continue };
        let site = Site { host: emulator.host.clone(), namespace: "m".to_owned(), lease: LEASE };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        println!("{}", program.usual_path);
        runtime.block_on(laws::measure(&site));
    }
}
