//! What clients in line tell of their holds, and what must be true of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::support::model::{Mode, Token};

/// A moment on the clock that all processes of the machine share.
pub(super) type Moment = Duration;

pub(super) fn now() -> Moment {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// One hold, as its client saw it.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) client: String,
    pub(super) lock: usize,
    pub(super) mode: Mode,
    pub(super) token: Token,
    /// When its client stood in line: just before it sent the request.
    pub(super) asked: Moment,
    /// When it sent the request that was granted. If it asked before, that wait timed out, and the client
    /// came back in time: until then the lock waited for no client.
    pub(super) sent: Moment,
    /// When it had the reply.
    pub(super) granted: Moment,
    /// Until when it may rely on the hold.
    pub(super) safe_until: Moment,
    /// When it was about to give the hold up. A client that was killed never came to that.
    pub(super) ended: Option<Moment>,
    /// It was a reader before, which lets it go ahead of the line.
    pub(super) is_upgrade: bool,
}

/// The lines in which a client tells of a hold begin like this, apart from what the test harness prints.
const GRANTED: &str = "@granted";
const ENDED: &str = "@ended";

impl Hold {
    /// The line that tells of the grant.
    pub(super) fn told(&self) -> String {
        let mode = self.mode.word();
        let mut line = format!("{GRANTED} {} {} {mode} {}", self.client, self.lock, self.token);
        for moment in [self.asked, self.sent, self.granted, self.safe_until] {
            write!(line, " {}", moment.as_nanos()).unwrap();
        }
        write!(line, " {}", self.is_upgrade).unwrap();
        line
    }

    /// The line that tells of its end.
    pub(super) fn end_told(token: Token) -> String {
        format!("{ENDED} {token} {}", now().as_nanos())
    }

    /// From the grant to this moment its client held the lock, and knew it.
    fn end(&self) -> Moment {
        self.ended.map_or(self.safe_until, |ended| ended.min(self.safe_until))
    }
}

/// The holds that a process told of, which was killed at this moment.
pub(super) fn read(told: &str, killed: Option<Moment>) -> Vec<Hold> {
    let mut holds = BTreeMap::new();
    for line in told.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [GRANTED, client, lock, mode, token, asked, sent, granted, safe_until, is_upgrade] => {
                let token = token.parse().unwrap();
                let hold = Hold {
                    client: client.to_owned(),
                    lock: lock.parse().unwrap(),
                    mode: if mode == Mode::Read.word() { Mode::Read } else { Mode::Write },
                    token,
                    asked: moment(asked),
                    sent: moment(sent),
                    granted: moment(granted),
                    safe_until: moment(safe_until),
                    ended: killed,
                    is_upgrade: is_upgrade == "true",
                };
                assert!(holds.insert(token, hold).is_none(), "I3: {token} was granted twice");
            }
            [ENDED, token, at] => {
                let hold = holds.get_mut(&token.parse().unwrap());
                hold.expect("what ended had begun").ended = Some(moment(at));
            }
            _ => {}
        }
    }
    holds.into_values().collect()
}

fn moment(nanoseconds: &str) -> Moment {
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

/// I1 and I3, as the clients saw it: whoever had a lower token was through before a hold that it
/// excludes began. `permits` writers may hold the lock at a time.
#[track_caller]
pub(super) fn i1_i3_assert_exclusion(holds: &[Hold], permits: usize) {
    let mut holds: Vec<&Hold> = holds.iter().collect();
    holds.sort_by_key(|hold| hold.token);
    for (at, hold) in holds.iter().enumerate() {
        let before = &holds[..at];
        assert!(before.last().is_none_or(|b| b.token < hold.token), "I3: granted twice: {hold:?}");
        let still_there: Vec<_> = before.iter().filter(|b| b.end() > hold.granted).collect();
        let opponent = still_there.iter().find(|b| b.mode != hold.mode);
        assert!(opponent.is_none(), "I1: {hold:?} came in beside {opponent:?}");
        let is_full = hold.mode == Mode::Write && still_there.len() >= permits;
        assert!(!is_full, "I1: {hold:?} came in beside {still_there:?}");
    }
}

/// I6, as the clients saw it: none that asked clearly later has the lower token, if it was granted while the
/// earlier one was present. Says how many holds waited long enough to show it.
#[track_caller]
pub(super) fn i6_assert_order(holds: &[Hold], clearly: Duration) -> usize {
    let queued: Vec<&Hold> = holds.iter().filter(|hold| !hold.is_upgrade).collect();
    let waited_long = |hold: &&&Hold| hold.granted - hold.asked > clearly;
    let long: Vec<_> = queued.iter().filter(waited_long).collect();
    for hold in &long {
        let overtaker = queued.iter().find(|b| {
            b.asked > hold.asked + clearly
                && b.granted > hold.sent + clearly
                && b.token < hold.token
        });
        assert!(overtaker.is_none(), "I6: {hold:?} was overtaken by {overtaker:?}");
    }
    long.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(mode: Mode, token: Token, [asked, granted, ended]: [u64; 3]) -> Hold {
        let at = Duration::from_secs;
        Hold {
            client: "c".to_owned(),
            lock: 0,
            mode,
            token,
            asked: at(asked),
            sent: at(asked),
            granted: at(granted),
            safe_until: at(100),
            ended: Some(at(ended)),
            is_upgrade: false,
        }
    }

    #[test]
    fn what_a_client_tells_is_read_as_it_was_meant() {
        let told = hold(Mode::Write, 7, [1, 2, 3]);
        let text = format!("running 1 test\n{}\nnoise\n", told.told());
        let read_back = read(&text, told.ended);
        assert_eq!(format!("{read_back:?}"), format!("{:?}", [&told]));
        let text = format!("{text}{}\n", Hold::end_told(7));
        assert!(read(&text, None)[0].ended.unwrap() > told.granted);
    }

    #[test]
    fn neighbours_in_time_are_no_offence() {
        let holds = [
            hold(Mode::Read, 1, [0, 1, 5]),
            hold(Mode::Read, 2, [0, 2, 4]),
            hold(Mode::Write, 3, [0, 5, 6]),
            hold(Mode::Write, 4, [0, 6, 7]),
        ];
        i1_i3_assert_exclusion(&holds, 1);
        assert_eq!(i6_assert_order(&holds, Duration::from_secs(4)), 2);
    }

    #[test]
    #[should_panic(expected = "I1")]
    fn i1_a_reader_beside_a_writer_is_noticed() {
        let holds = [hold(Mode::Read, 1, [0, 1, 5]), hold(Mode::Write, 2, [0, 4, 6])];
        i1_i3_assert_exclusion(&holds, 9);
    }

    #[test]
    #[should_panic(expected = "I1")]
    fn i1_a_writer_too_many_is_noticed() {
        let holds = [1, 2, 3].map(|token| hold(Mode::Write, token, [0, token, 9]));
        i1_i3_assert_exclusion(&holds, 2);
    }

    #[test]
    #[should_panic(expected = "I1")]
    fn i3_a_later_hold_with_a_lower_token_is_noticed() {
        let holds = [hold(Mode::Write, 1, [0, 4, 5]), hold(Mode::Write, 2, [0, 1, 2])];
        i1_i3_assert_exclusion(&holds, 1);
    }

    #[test]
    #[should_panic(expected = "I6")]
    fn i6_overtaking_is_noticed() {
        let holds = [hold(Mode::Write, 1, [3, 4, 5]), hold(Mode::Write, 2, [0, 5, 6])];
        i6_assert_order(&holds, Duration::from_secs(2));
    }

    /// While a client is away between two waits, the lock goes to one that is present.
    #[test]
    fn what_was_granted_before_a_client_came_back_is_no_offence() {
        let later = hold(Mode::Write, 1, [3, 4, 5]);
        let back = Hold { sent: Duration::from_secs(4), ..hold(Mode::Write, 2, [0, 5, 6]) };
        assert_eq!(i6_assert_order(&[later, back], Duration::from_secs(2)), 1);
    }
}
