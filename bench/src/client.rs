//! One closed-loop client: acquire, release, and again, each as soon as the reply before it has come.

use std::cell::RefCell;
use std::time::Instant;

use crate::connection::{Connection, ExchangeError};
use crate::locks::Walk;
use crate::report::{Tally, record};
use crate::request::Cycle;

/// When counting begins and ends. What ends outside is load, but not counted; what began before counts,
/// or else the longest waits would be left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) opens: Instant,
    pub(crate) closes: Instant,
}

impl Window {
    pub(crate) fn covers(self, ended: Instant) -> bool {
        self.opens <= ended && ended <= self.closes
    }
}

pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) cycle: Cycle,
    pub(crate) locks: Walk,
    pub(crate) contended: bool,
}

impl Client {
    /// Runs until the window closes, and leaves no hold behind.
    pub(crate) async fn run(
        mut self,
        window: Window,
        tally: &RefCell<Tally>,
    ) -> Result<(), ExchangeError> {
        for lock in self.locks.clone() {
            self.cycle.aim_at(lock);
            let started = Instant::now();
            let Some(acquired) = self.acquire(started, window, tally).await? else {
                return Ok(());
            };
            let status = self.connection.exchange(&self.cycle.release).await?;
            if status != 200 {
                return Err(self.unexpected(status, &self.cycle.release));
            }
            let ended = Instant::now();
            if window.covers(ended) {
                let mut tally = tally.borrow_mut();
                record(&mut tally.request_micros, ended - acquired);
                record(&mut tally.cycle_micros, ended - started);
            }
        }
        Ok(())
    }

    /// Tries until it holds the lock and says when that was; `None` if the window closed first.
    async fn acquire(
        &mut self,
        started: Instant,
        window: Window,
        tally: &RefCell<Tally>,
    ) -> Result<Option<Instant>, ExchangeError> {
        let mut asked = started;
        while asked < window.closes {
            let status = self.connection.exchange(&self.cycle.acquire).await?;
            let answered = Instant::now();
            let refused = status == 409 && self.contended;
            if status != 200 && !refused {
                return Err(self.unexpected(status, &self.cycle.acquire));
            }
            if window.covers(answered) {
                let mut tally = tally.borrow_mut();
                record(&mut tally.request_micros, answered - asked);
                tally.refusals += u64::from(refused);
            }
            if !refused {
                return Ok(Some(answered));
            }
            asked = answered;
        }
        Ok(None)
    }

    fn unexpected(&self, status: u16, request: &[u8]) -> ExchangeError {
        ExchangeError::status(status, request, self.connection.body())
    }
}
