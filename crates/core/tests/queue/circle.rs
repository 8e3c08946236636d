//! Would a wait close a circle? Asked of everybody at once, with everybody ahead in every line.

use std::collections::BTreeSet;

use leasehold_core::Mode;

use super::{Number, Process, Queue, Wants};

/// Any one of these has to move on.
type Need = BTreeSet<Process>;

impl Queue {
    pub(super) fn would_close_a_circle(
        &self,
        asking: Process,
        wants: &Wants,
        place: Option<Number>,
        is_upgrade: bool,
    ) -> bool {
        if !is_upgrade && wants.iter().any(|want| self.is_in_own_way(asking, *want)) {
            return true;
        }
        let asked = self.needs(asking, wants, place.unwrap_or(Number::MAX), is_upgrade);
        let needs_of = |process: Process| -> Vec<Need> {
            let own = self.waiters.iter().filter(|w| w.process == process);
            match process == asking {
                true => asked.clone(),
                false => own
                    .flat_map(|w| self.needs(process, &w.wants, w.number, w.is_upgrade))
                    .collect(),
            }
        };
        let everybody = self.waiters.iter().map(|waiter| waiter.process).chain([asking]);
        let mut stuck: BTreeSet<Process> = everybody.collect();
        loop {
            let before = stuck.clone();
            let is_met = |need: &Need| need.iter().any(|process| !before.contains(process));
            stuck.retain(|process| !needs_of(*process).iter().all(is_met));
            if stuck == before {
                break;
            }
        }
        let mut reached: BTreeSet<Process> = BTreeSet::new();
        let mut next = vec![asking];
        while let Some(process) = next.pop() {
            if stuck.contains(&process) {
                for need in needs_of(process).iter().filter(|need| need.is_subset(&stuck)) {
                    next.extend(need.iter().filter(|blocker| reached.insert(**blocker)));
                }
            }
        }
        reached.contains(&asking)
    }

    /// Whether somebody who waits for a lock could be waiting for this blocker there.
    pub(crate) fn may_wait_for(
        &self,
        process: Process,
        (name, mode): (u8, Mode),
        blocker: Process,
    ) -> bool {
        let mut own = self.waiters.iter().filter(|w| w.process == process);
        let number =
            own.find(|w| w.wants.contains(&(name, mode))).map_or(Number::MAX, |w| w.number);
        self.holders(name, mode.opposite()).contains(&blocker)
            || (self.is_full(name, mode) && self.holders(name, mode).contains(&blocker))
            || self.ahead(name, number).iter().any(|waiter| waiter.process == blocker)
    }

    /// It holds the lock, or stands in line for it, in the other mode.
    fn is_in_own_way(&self, process: Process, (name, mode): (u8, Mode)) -> bool {
        let opposite = (name, mode.opposite());
        self.holders(name, mode.opposite()).contains(&process)
            || self.waiters.iter().any(|w| w.process == process && w.wants.contains(&opposite))
    }

    fn needs(
        &self,
        process: Process,
        wants: &Wants,
        number: Number,
        is_upgrade: bool,
    ) -> Vec<Need> {
        let mut needs = Vec::new();
        for (name, mode) in wants {
            for opponent in self.holders(*name, mode.opposite()) {
                if !(is_upgrade && opponent == process) {
                    needs.push(Need::from([opponent]));
                }
            }
            if self.is_full(*name, *mode) {
                needs.push(self.holders(*name, *mode).into_iter().collect());
            }
            if !is_upgrade {
                needs.extend(self.ahead(*name, number).iter().map(|w| Need::from([w.process])));
            }
        }
        needs
    }
}
