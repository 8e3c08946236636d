//! I2 and I3 against the real thing: `kill -9` under load, again and again on the same directory.
//!
//! Seen to fail, in the second round, with a store that acknowledged each batch before it wrote it.
//! This shows that nothing is acknowledged before it was handed to the operating system; that it
//! was also fsynced is shown with the crash-faithful double of the store.

use std::thread::sleep;
use std::time::Duration;

use crate::support::Launch;
use crate::support::load::Load;

const ROUNDS: usize = 8;
const CLIENTS: usize = 16;

#[test]
fn i2_i3_what_was_acknowledged_survives_kill_9_and_tokens_only_grow() {
    let seed =
        std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("repeat with SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let launch = || Launch::new(dir.path()).arg("--dev").start();

    let mut server = launch();
    let mut load = Load::new(&server, CLIENTS, seed);
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let until_killed = Duration::from_millis(rng.u64(1_000..1_500));
        load.run_while(server.address, || {
            sleep(until_killed);
            server.kill9();
        });
        server = launch();
        let in_round = load.i2_i3_assert_kept(&server);
        println!("round {round}: {in_round} acknowledged in {until_killed:?}, all kept");
        acknowledged += in_round;
    }
    assert!(acknowledged > 1_000, "{acknowledged} replies are too few to prove anything");
}
