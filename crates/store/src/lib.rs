//! Where Leasehold keeps its rows. One trait, few methods, the same meaning in every engine.

mod store;

pub use store::{Epoch, Store, StoreError};
