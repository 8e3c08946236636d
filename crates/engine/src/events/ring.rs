//! The last events, in the pieces in which they were published.

use std::collections::VecDeque;
use std::sync::Arc;

use leasehold_core::Event;

/// Most events of one piece: what a look at a ring may find at once is bounded by it.
pub(super) const MAX_PIECE: usize = 256;

/// Some events of one round with their numbers, in order, at least one. Followers share it.
pub(super) type Piece = Arc<Vec<(u64, Event)>>;

/// The last events of some kind, oldest first.
#[derive(Default)]
pub(super) struct Ring {
    pieces: VecDeque<Piece>,
    /// Events in `pieces`.
    events: usize,
    /// The number of the last event that was pushed out.
    pub(super) forgotten: u64,
}

impl Ring {
    /// Takes events in and hands out the pieces that they push out, for the caller to drop where that
    /// keeps nobody waiting.
    pub(super) fn push(&mut self, events: Vec<(u64, Event)>, capacity: usize) -> Vec<Piece> {
        let mut rest = events;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(MAX_PIECE));
            self.events += rest.len();
            self.pieces.push_back(Arc::new(rest));
            rest = later;
        }
        let mut pushed_out = Vec::new();
        while self.events > capacity
            && let Some(piece) = self.pieces.pop_front()
        {
            self.events -= piece.len();
            self.forgotten = last_number(&piece);
            pushed_out.push(piece);
        }
        pushed_out
    }

    /// The first pieces that have events after this one, and the number up to which they leave nothing
    /// out: `last`, if they are all that there are.
    pub(super) fn after(&self, number: u64, last: u64) -> (Vec<Piece>, u64) {
        let first = self.pieces.partition_point(|piece| last_number(piece) <= number);
        let mut found = Vec::new();
        let mut count = 0;
        for piece in self.pieces.range(first..) {
            if count >= MAX_PIECE {
                let until = found.last().map_or(number, last_number);
                return (found, until);
            }
            count += piece.len();
            found.push(Arc::clone(piece));
        }
        (found, last)
    }
}

fn last_number(piece: &Piece) -> u64 {
    piece.last().map_or(0, |(number, _)| *number)
}
