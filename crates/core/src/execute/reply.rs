//! What a yes shows: the table after the changes of its decision.

use crate::command::{Detail, HoldKey};
use crate::decide::Answer;
use crate::id::{LockId, Namespace};
use crate::lock::{Lock, Show};
use crate::reply::{Grant, LockView, Reply};
use crate::table::Table;
use crate::time::Now;

impl Table {
    pub(super) fn reply(&self, now: Now, answer: Answer) -> Reply {
        match answer {
            Answer::Lock(namespace, lock_id) => {
                Reply::Lock(self.known(&namespace, &lock_id).view(&lock_id, now, Show::All))
            }
            Answer::Hold(hold, detail) => Reply::Lock(self.lock_of_holder(now, &hold, detail)),
            Answer::Granted(holds, detail) => Reply::Granted(
                holds.iter().map(|hold| self.show_grant(now, hold, detail)).collect(),
            ),
            Answer::Process { holds, lost } => {
                Reply::Process { holds: self.show_holds(now, &holds), lost }
            }
            Answer::Ready(reply) => *reply,
        }
    }

    fn lock_of_holder(&self, now: Now, hold: &HoldKey, detail: Detail) -> LockView {
        let show = match detail {
            Detail::Full => Show::All,
            Detail::Own => Show::Only(hold),
        };
        self.known(&hold.namespace, &hold.lock_id).view(&hold.lock_id, now, show)
    }

    #[expect(clippy::expect_used, reason = "the decision that is shown has just granted it")]
    fn show_grant(&self, now: Now, hold: &HoldKey, detail: Detail) -> Grant {
        let held = self.known(&hold.namespace, &hold.lock_id).hold_of(hold);
        Grant {
            key: hold.clone(),
            hold: held.expect("a granted hold is held").view(&hold.process_id, now),
            lock: self.lock_of_holder(now, hold, detail),
        }
    }

    #[expect(clippy::expect_used, reason = "decide found it in this table a moment ago")]
    fn known(&self, namespace: &Namespace, lock_id: &LockId) -> &Lock {
        self.lock(namespace, lock_id).expect("a decided lock is in the table")
    }
}
