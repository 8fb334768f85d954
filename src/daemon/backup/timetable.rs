//! What is due when. Instants are tokio's, so that no step of the wall clock delays a backup.

use std::time::Duration;

use tokio::time::Instant;

use crate::backup::sync::Reason;

/// Several changes within that time are one commit.
const SETTLE: Duration = Duration::from_secs(2);

/// Whoever pushes something waits for the answer.
const INBOX_EVERY: Duration = Duration::from_mins(1);

/// After the first failure; doubled from there.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// Longest pause after failures that only a person can end, such as a full disk or a forbidden folder.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Whether time alone may end a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may: there are pauses up to the interval.
    Passing,
    /// It will not: there are pauses up to [`LONGEST_PAUSE`], so that nobody is hammered.
    Lasting,
}

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Bring the server up to date.
    Commit(Reason),
    /// Ask for the head, and commit what changed without anybody saying so.
    Look,
    /// See what came in.
    Inbox,
    /// Try a restore.
    Drill,
}

/// How often things are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    pub(super) min_gap: Duration,
    /// `None` where nothing can be opened.
    pub(super) drill: Option<Duration>,
}

/// When everything is due next.
#[derive(Debug, Clone)]
pub(super) struct Timetable {
    pace: Pace,
    /// Why, and since when.
    unsaved: Option<(Reason, Instant)>,
    uploaded: Option<Instant>,
    /// Not before that, because of failures.
    pause: Option<(Duration, Instant)>,
    look: Instant,
    inbox: Instant,
    drill: Option<Instant>,
}

impl Timetable {
    /// Of a process that has become the owner `now`; `drill_in` is how long the next drill has time.
    pub(super) fn new(pace: Pace, now: Instant, drill_in: Duration) -> Self {
        let inbox = now + INBOX_EVERY.min(pace.interval);
        let drill = pace.drill.map(|_| now + drill_in);
        Self { pace, unsaved: None, uploaded: None, pause: None, look: now + pace.interval, inbox, drill }
    }

    /// Something here changed.
    pub(super) fn changed(&mut self, reason: Reason, now: Instant) {
        match &mut self.unsaved {
            // A login does not wait as long as a run does.
            Some((known, _)) if *known == Reason::Run => *known = reason,
            Some(_) => {}
            None => self.unsaved = Some((reason, now)),
        }
    }

    /// Whether something here is not on the server.
    pub(super) fn is_unsaved(&self) -> bool {
        self.unsaved.is_some()
    }

    /// The next thing to do.
    pub(super) fn next(&self) -> (Instant, Due) {
        let mut next = (self.inbox, Due::Inbox);
        let commit = self.unsaved.map(|(reason, since)| (self.commit_at(reason, since), Due::Commit(reason)));
        let drill = self.drill.map(|at| (at, Due::Drill));
        // Of what is due at one instant, the later in this list: after a look the inbox is read too, and a commit sees the head.
        for other in [drill, Some((self.look, Due::Look)), commit].into_iter().flatten() {
            if other.0 <= next.0 {
                next = other;
            }
        }
        next
    }

    fn commit_at(&self, reason: Reason, since: Instant) -> Instant {
        let settled = since + SETTLE;
        let spaced = match (reason, self.uploaded) {
            (Reason::Run, Some(uploaded)) => settled.max(uploaded + self.pace.min_gap),
            _ => settled,
        };
        self.pause.map_or(spaced, |(_, until)| spaced.max(until))
    }

    /// A commit is about to read what is here; what changes from now on is not part of it.
    pub(super) fn begins(&mut self) -> Option<(Reason, Instant)> {
        self.unsaved.take()
    }

    /// The server is up to date.
    pub(super) fn succeeded(&mut self, uploaded: bool, now: Instant) {
        self.pause = None;
        self.looked(now);
        if uploaded {
            self.uploaded = Some(now);
        }
    }

    /// Whether no failure asks for patience.
    pub(super) fn may_commit(&self, now: Instant) -> bool {
        self.pause.is_none_or(|(_, until)| until <= now)
    }

    /// It is not; `unsaved` is what [`Timetable::begins`] gave.
    pub(super) fn failed(&mut self, failure: Failure, unsaved: Option<(Reason, Instant)>, now: Instant) {
        let longest = match failure {
            Failure::Passing => self.pace.interval.max(FIRST_PAUSE),
            Failure::Lasting => self.pace.interval.max(LONGEST_PAUSE),
        };
        let pause = self.pause.map_or(FIRST_PAUSE, |(pause, _)| pause * 2).min(longest);
        self.pause = Some((pause, now + pause));
        self.unsaved = self.unsaved.or(unsaved);
    }

    /// The head was asked for.
    pub(super) fn looked(&mut self, now: Instant) {
        self.look = now + self.pace.interval;
        self.read_inbox(now);
    }

    /// The inbox was read.
    pub(super) fn read_inbox(&mut self, now: Instant) {
        self.inbox = now + INBOX_EVERY.min(self.pace.interval);
    }

    /// A restore was tried.
    pub(super) fn drilled(&mut self, now: Instant) {
        self.drill = self.pace.drill.map(|every| now + every);
    }

    /// It could not be tried, and is in a while.
    pub(super) fn drill_in(&mut self, wait: Duration, now: Instant) {
        self.drill = self.pace.drill.map(|every| now + every.min(wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        interval: Duration::from_mins(5),
        min_gap: Duration::from_mins(1),
        drill: Some(Duration::from_hours(168)),
    };

    fn begin() -> (Timetable, Instant) {
        let now = Instant::now();
        (Timetable::new(PACE, now, Duration::from_hours(1)), now)
    }

    #[test]
    fn runs_keep_their_distance_and_a_login_does_not_wait() {
        let (mut table, now) = begin();
        table.changed(Reason::Run, now);
        assert_eq!(table.next(), (now + SETTLE, Due::Commit(Reason::Run)));
        assert!(table.begins().is_some());
        table.succeeded(true, now);
        table.changed(Reason::Run, now + SETTLE);
        assert_eq!(table.next(), (now + PACE.min_gap, Due::Commit(Reason::Run)));
        table.changed(Reason::Login, now + SETTLE);
        assert_eq!(table.next(), (now + SETTLE * 2, Due::Commit(Reason::Login)));
    }

    #[test]
    fn failures_pause_longer_and_longer_and_forget_nothing() {
        let (mut table, mut now) = begin();
        table.changed(Reason::Configuration, now);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let unsaved = table.begins();
            table.failed(Failure::Passing, unsaved, now);
            assert!(table.is_unsaved() && !table.may_commit(now));
            let pause = table.pause.map_or(Duration::ZERO, |(_, until)| until - now);
            pauses.push(pause.as_secs());
            now += pause;
            assert!(table.may_commit(now));
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        for _ in 0..6 {
            table.failed(Failure::Lasting, None, now);
        }
        assert!(table.is_unsaved());
        assert_eq!(table.pause.map(|(_, until)| until - now), Some(LONGEST_PAUSE));
        table.begins();
        table.succeeded(true, now);
        assert!(!table.is_unsaved());
    }

    #[test]
    fn the_inbox_is_read_every_minute_and_the_head_asked_for_every_interval() {
        let (mut table, now) = begin();
        let mut seen = Vec::new();
        for _ in 0..6 {
            let (at, due) = table.next();
            seen.push(((at - now).as_secs(), due));
            match due {
                Due::Inbox => table.read_inbox(at),
                _ => table.looked(at),
            }
        }
        let inbox = |minute: u64| (minute * 60, Due::Inbox);
        assert_eq!(seen, [inbox(1), inbox(2), inbox(3), inbox(4), (300, Due::Look), inbox(6)]);
    }

    #[test]
    fn drills_come_back() {
        let (mut table, now) = begin();
        let at = now + Duration::from_hours(1);
        table.looked(at);
        assert_eq!(table.next(), (at, Due::Drill));
        table.drill_in(Duration::from_secs(1), at);
        assert_eq!(table.next(), (at + Duration::from_secs(1), Due::Drill));
        table.drilled(at);
        assert_ne!(table.next().1, Due::Drill);
    }
}
