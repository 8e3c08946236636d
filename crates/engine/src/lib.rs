//! The commit loop of Leasehold: one owner of the lock table, one durable batch at a time.

mod bucket;
mod clock;
mod engine;
mod events;
mod gauges;
mod gone;
mod keyring;
mod last_leader;
mod lead;
mod leadership;
mod lease;
mod on_demand;
mod recover;
mod replica_state;
mod run;
mod timer;
mod turns;
mod waiting;
mod wind_down;
mod work;

pub use bucket::{Bucket, Tally};
pub use clock::{Clock, SystemClock};
pub use engine::{Engine, Failure, Settings};
pub use events::{EventId, Filter, Follower, Gap, GapReason, Locks, Told};
pub use keyring::{KeyRing, ValidKey};
pub use leadership::Leadership;
pub use replica_state::{ReplicaState, Term};
