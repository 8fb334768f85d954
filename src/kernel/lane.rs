//! One account: what it does, what waits for it, and how much it has begun.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::order::RunOrder;
use crate::config::Account;
use crate::names::{AccountName, RunKey, TaskName};
use crate::schedule::Quiet;

/// Runs that are made up for follow each other at this distance on one account, so that a machine that comes back does not
/// do in a minute what it had spread over a day.
const CATCH_UP_GAP: TimeDelta = TimeDelta::seconds(10);

/// What is further ahead was promised before the clock was put back, or is too much to be spread.
const LONGEST_CATCH_UP: TimeDelta = TimeDelta::hours(1);

/// The place of an order in its account's queue: the nearest deadline first, then the longest wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    deadline: DateTime<Utc>,
    fire_at: DateTime<Utc>,
    task: TaskName,
}

/// An order that was given and has not come back.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) order: Box<RunOrder>,
    /// The account's task died with its slot once before.
    pub(super) given_again: bool,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) account: AccountName,
    /// As the configuration in force has it.
    pub(super) settings: Option<Arc<Account>>,
    /// Given and not back, at most one a task. More than one only when people ask for runs.
    running: Vec<Running>,
    /// Not given yet; at most one a task.
    waiting: BTreeMap<Ticket, Running>,
    tickets: BTreeMap<TaskName, Ticket>,
    /// Of those that wait, the ones that were held up by quiet hours or the budget.
    held_up: BTreeSet<TaskName>,
    /// What a crash left in the middle: it goes before everything else.
    cut_off: VecDeque<Running>,
    /// What an actor that died was doing, until the ledger has told how far that got.
    pub(super) lost: Vec<Running>,
    /// Slots that it died with and that go on by another order: the next one that is given is the last.
    pub(super) doubtful: BTreeSet<RunKey>,
    /// When attempts began, oldest first, as far back as a budget may reach.
    starts: VecDeque<DateTime<Utc>>,
    next_catch_up: Option<DateTime<Utc>>,
    /// How many orders of its own the account's status counts as waiting.
    pub(super) shown_waiting: usize,
}

impl Lane {
    pub(super) fn new(account: AccountName) -> Self {
        Self {
            account,
            settings: None,
            running: Vec::new(),
            waiting: BTreeMap::new(),
            tickets: BTreeMap::new(),
            held_up: BTreeSet::new(),
            cut_off: VecDeque::new(),
            lost: Vec::new(),
            doubtful: BTreeSet::new(),
            starts: VecDeque::new(),
            next_catch_up: None,
            shown_waiting: 0,
        }
    }

    /// The quiet hours of the account.
    pub(super) fn quiet(&self) -> Option<Quiet> {
        self.settings.as_ref()?.quiet
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.lost.is_empty()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + self.cut_off.len()
    }

    /// Whether the task has an order that was given, or is about to be given again.
    pub(super) fn runs(&self, task: &TaskName) -> Option<&RunOrder> {
        let given = self.running.iter().chain(&self.lost);
        given.map(|given| &*given.order).find(|order| order.key.task == *task)
    }

    /// An order is given; it is running until it comes back.
    pub(super) fn give(&mut self, now: DateTime<Utc>, mut given: Running) {
        given.given_again |= self.doubtful.remove(&given.order.key);
        self.begin(now, &given.order);
        self.take_back(&given.order.key.task);
        self.running.push(given);
    }

    /// Whether nothing holds up an order that comes now.
    pub(super) fn is_open(&self) -> bool {
        let restricts = |settings: &Arc<Account>| settings.quiet.is_some() || settings.at_most.is_some();
        self.is_idle() && self.waiting() == 0 && !self.settings.as_ref().is_some_and(restricts)
    }

    /// The order of a task came back.
    pub(super) fn take_back(&mut self, task: &TaskName) -> Option<Running> {
        let place = self.running.iter().position(|running| running.order.key.task == *task)?;
        Some(self.running.remove(place))
    }

    /// What was given is lost.
    pub(super) fn lose(&mut self) {
        self.lost.append(&mut self.running);
    }

    pub(super) fn wait(&mut self, waiting: Running) {
        let key = &waiting.order.key;
        if waiting.order.is_left_behind() {
            return self.cut_off.push_back(waiting);
        }
        let deadline = waiting.order.task.timing.deadline_for(key.slot).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let ticket = Ticket { deadline, fire_at: waiting.order.fire_at, task: key.task.clone() };
        if let Some(before) = self.tickets.insert(key.task.clone(), ticket.clone()) {
            self.waiting.remove(&before);
        }
        self.waiting.insert(ticket, waiting);
    }

    /// The order of a task is held up; `true` for the first time.
    pub(super) fn hold_up(&mut self, task: &TaskName) -> bool {
        !self.held_up.contains(task) && self.held_up.insert(task.clone())
    }

    /// The order of a task leaves the queue, unless it is half done.
    pub(super) fn withdraw(&mut self, task: &TaskName) -> Option<RunOrder> {
        self.held_up.remove(task);
        let ticket = self.tickets.remove(task)?;
        self.waiting.remove(&ticket).map(|waiting| *waiting.order)
    }

    /// The order of a task leaves the queue if nothing was done for its slot. Whoever records something of a later slot records
    /// this one first: the ledger's latest slot tells a process that comes after a crash where to go on.
    pub(super) fn withdraw_unbegun(&mut self, task: &TaskName) -> Option<RunOrder> {
        let waiting = self.waiting.get(self.tickets.get(task)?)?;
        if waiting.order.work.is_first() { self.withdraw(task) } else { None }
    }

    /// What a crash left of a task leaves the queue.
    pub(super) fn withdraw_cut_off(&mut self, task: &TaskName) -> Option<RunOrder> {
        let place = self.cut_off.iter().position(|waiting| waiting.order.key.task == *task)?;
        self.cut_off.remove(place).map(|waiting| *waiting.order)
    }

    /// Takes the first order that `held_up` lets go.
    pub(super) fn take_first(&mut self, mut held_up: impl FnMut(&RunOrder) -> bool) -> Option<Running> {
        if let Some(place) = self.cut_off.iter().position(|waiting| !held_up(&waiting.order)) {
            return self.cut_off.remove(place);
        }
        let ticket = self.waiting.iter().find(|(_, waiting)| !held_up(&waiting.order))?.0.clone();
        self.tickets.remove(&ticket.task);
        self.held_up.remove(&ticket.task);
        self.waiting.remove(&ticket)
    }

    /// Counts an order that is given now, unless it only looks at a chat.
    fn begin(&mut self, now: DateTime<Utc>, order: &RunOrder) {
        if order.counts() && self.settings.as_ref().is_some_and(|settings| settings.at_most.is_some()) {
            self.began(now);
        }
    }

    pub(super) fn began(&mut self, at: DateTime<Utc>) {
        let place = self.starts.partition_point(|start| *start <= at);
        self.starts.insert(place, at);
    }

    /// When the budget allows another attempt; `None` is now. Starts that lie ahead were before the clock was put back, and
    /// do not count.
    pub(super) fn exhausted_until(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let Some(budget) = self.settings.as_ref().and_then(|settings| settings.at_most) else {
            // Without a budget nobody asks when attempts began.
            self.starts.clear();
            return None;
        };
        let per = TimeDelta::from_std(budget.per).unwrap_or(TimeDelta::MAX);
        self.starts.retain(|start| *start <= now && now - *start < per);
        let runs = usize::try_from(budget.runs).unwrap_or(usize::MAX);
        let nth_last = self.starts.len().checked_sub(runs)?;
        self.starts.get(nth_last).map(|start| *start + per)
    }

    /// The instant for a run that is made up for and would like `at`.
    pub(super) fn pace(&mut self, at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        let promised = self.next_catch_up.filter(|next| *next <= now + LONGEST_CATCH_UP);
        let paced = promised.map_or(at, |next| next.max(at));
        self.next_catch_up = Some(paced + CATCH_UP_GAP);
        paced
    }
}
