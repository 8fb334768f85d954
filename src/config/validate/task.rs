//! `[tasks.NAME]` and `[defaults]`: first what is written, then what holds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::schedule::Zone;
use chrono::NaiveTime;

use super::account_names::AccountNames;
use super::chat;
use super::fingerprint;
use super::pattern::Patterns;
use super::schedule::{Schedules, When};
use super::steps::{self, PlacedSteps};
use super::value;
use crate::config::document::Place;
use crate::config::reader::{Field, TableReader, Value};
use crate::config::snapshot::{ChatRef, Fingerprint, Retry, RetryFrom, Task};
use crate::config::suggest;
use crate::names::{AccountName, TaskName};
use crate::schedule::{MissedPolicy, Timing};
use crate::script::{OutcomeRules, Proof, Script};

const DEFAULT_STAGGER: Duration = Duration::from_secs(30);
const DEFAULT_MISSED_WITHIN: Duration = Duration::from_hours(6);
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(3);
const DEFAULT_RETRY: Retry = Retry { attempts: 3, delay: Duration::from_mins(10), from: RetryFrom::Start };

/// Who performs a task, as written.
#[derive(Clone)]
enum Accounts<'a> {
    All,
    Named(Vec<(&'a str, Place<'a>)>),
}

/// What one table says about a task.
#[derive(Clone)]
pub(in crate::config) struct Parts<'a> {
    enabled: Field<bool>,
    accounts: Field<(Accounts<'a>, Place<'a>)>,
    when: Field<When<'a>>,
    once_per_day: Field<()>,
    timezone: Field<Zone>,
    jitter: Field<Duration>,
    stagger: Field<Duration>,
    missed: Field<MissedPolicy>,
    deadline: Field<NaiveTime>,
    timeout: Field<Duration>,
    retry: Field<Retry>,
    proof: Field<Proof>,
    chat: Field<ChatRef>,
    topic: Field<i32>,
    post_gap: Field<Duration>,
    delete_after: Field<Duration>,
    steps: Field<PlacedSteps<'a>>,
    outcome: Field<OutcomeRules>,
    sound: bool,
}

impl<'a> Parts<'a> {
    /// Reads `[tasks.NAME]` or `[defaults]`.
    pub(in crate::config) fn read(mut table: TableReader<'a>, patterns: &Patterns) -> Self {
        let mut duration = |name: &str| table.take(name).and_then(Value::duration);
        let (jitter, stagger) = (duration("jitter"), duration("stagger"));
        let (timeout, delete_after) = (duration("timeout"), duration("delete_after"));
        let post_gap = duration("post_gap");
        let parts = Self {
            enabled: table.take("enabled").and_then(Value::flag),
            accounts: table.take("accounts").and_then(accounts),
            when: When::read(&mut table),
            once_per_day: table.take("once_per").and_then(|value| value.word(|word| (word == "day").then_some(()))),
            timezone: table.take("timezone").and_then(value::timezone),
            jitter,
            stagger,
            missed: table.take("missed").and_then(missed),
            deadline: table.take("deadline").and_then(deadline),
            timeout,
            retry: table.take("retry").and_then(retry),
            proof: table.take("proof").and_then(|value| value.word(proof)),
            chat: table.take("chat").and_then(chat::chat),
            topic: table.take("topic").and_then(Value::integer).and_then(|topic| i32::try_from(topic).ok()),
            post_gap,
            delete_after,
            steps: table.take("steps").and_then(|value| steps::steps(value, patterns)),
            outcome: table.take("outcome").and_then(|value| steps::outcome(value, patterns)),
            sound: table.is_sound(),
        };
        table.finish();
        parts
    }

    /// These parts, and the defaults where there are none.
    fn or(self, defaults: Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            accounts: self.accounts.or(defaults.accounts),
            when: self.when.or(defaults.when),
            once_per_day: self.once_per_day.or(defaults.once_per_day),
            timezone: self.timezone.or(defaults.timezone),
            jitter: self.jitter.or(defaults.jitter),
            stagger: self.stagger.or(defaults.stagger),
            missed: self.missed.or(defaults.missed),
            deadline: self.deadline.or(defaults.deadline),
            timeout: self.timeout.or(defaults.timeout),
            retry: self.retry.or(defaults.retry),
            proof: self.proof.or(defaults.proof),
            chat: self.chat.or(defaults.chat),
            topic: self.topic.or(defaults.topic),
            post_gap: self.post_gap.or(defaults.post_gap),
            delete_after: self.delete_after.or(defaults.delete_after),
            steps: self.steps.or(defaults.steps),
            outcome: self.outcome.or(defaults.outcome),
            sound: self.sound,
        }
    }
}

/// What a task needs to know about the rest of the configuration.
pub(in crate::config) struct World<'a> {
    /// `[defaults]`
    pub(in crate::config) defaults: Option<Parts<'a>>,
    /// All accounts.
    pub(in crate::config) accounts: AccountNames<'a>,
    /// Whether all files could be parsed. If not, what is missing may be in the others, and nothing is said about it.
    pub(in crate::config) complete: bool,
    /// Shared by all tasks.
    pub(in crate::config) schedules: Schedules,
}

impl<'a> World<'a> {
    /// The task that the parts and the defaults make.
    pub(in crate::config) fn task(&self, name: &str, place: Place<'a>, parts: Parts<'a>) -> Option<Task> {
        let parsed_name = name.parse::<TaskName>().map_err(|error| place.error(format!("task name: {error}"))).ok();
        let Parts {
            enabled,
            accounts,
            when,
            once_per_day,
            timezone,
            jitter,
            stagger,
            missed,
            deadline,
            timeout,
            retry,
            proof,
            chat,
            topic,
            post_gap,
            delete_after,
            steps,
            outcome,
            sound,
        } = match &self.defaults {
            Some(defaults) => parts.or(defaults.clone()),
            None => parts,
        };
        let missing = |key: &str, example: &str| {
            if self.complete {
                place.error_with_hint(format!("`{key}` is missing in task `{name}`"), format!("write {example}"));
            }
        };
        let accounts = self.resolve(name, place, accounts);
        let when = when.required(|| missing("schedule", "schedule = \"06:00\" in the task or in [defaults]"));
        let zone =
            timezone.required(|| missing("timezone", "timezone = \"Asia/Shanghai\" in the task or in [defaults]"));
        let chat = chat.required(|| missing("chat", "chat = \"@name_of_the_bot\""));
        let steps = steps.required(|| missing("steps", "steps = [{ send = '/checkin' }]"));
        let meaning = when.as_ref().and_then(|when| self.schedules.meaning(when));
        let timeout = timeout.or_default(DEFAULT_TIMEOUT);
        if let (Some(steps), Some(timeout)) = (&steps, timeout) {
            warn_of_long_waits(steps, timeout);
        }
        let (when, meaning) = (when?, meaning?);
        let script = Script {
            steps: steps?.steps,
            rules: outcome.or_default(OutcomeRules::default())?,
            proof: proof.or_default(Proof::default())?,
        };
        let timing = Timing {
            zone: zone?,
            schedule: meaning.schedule,
            jitter: jitter.or_default(Duration::ZERO)?,
            stagger: stagger.or_default(DEFAULT_STAGGER)?,
            window_end: meaning.window_end,
            missed: missed.or_default(MissedPolicy::RunOnce { within: DEFAULT_MISSED_WITHIN })?,
            deadline: deadline.optional()?,
        };
        let mut task = Task {
            name: parsed_name?,
            enabled: enabled.or_default(true)?,
            accounts: accounts?,
            timing,
            once_per_day: once_per_day.optional()?.is_some(),
            timeout: timeout?,
            retry: retry.or_default(DEFAULT_RETRY)?,
            chat: chat?,
            topic: topic.optional()?,
            post_gap: post_gap.or_default(Duration::ZERO)?,
            delete_after: delete_after.optional()?,
            script: Arc::new(script),
            fingerprint: Fingerprint::default(),
            schedule_fingerprint: Fingerprint::default(),
        };
        task.schedule_fingerprint = when.fingerprint(task.timing.zone);
        task.fingerprint = fingerprint::of_task(&task);
        sound.then_some(task)
    }

    fn resolve(
        &self,
        task: &str,
        task_place: Place<'_>,
        accounts: Field<(Accounts<'_>, Place<'_>)>,
    ) -> Option<Arc<[AccountName]>> {
        let every = || self.accounts.list(self.accounts.iter());
        let count = self.accounts.iter().len();
        let none = |place: Place<'_>| {
            let hint = "add a table [accounts.NAME], and sign it in with `tgsignd login NAME`";
            place.error_with_hint(format!("no account is defined for task `{task}`"), hint.to_owned());
        };
        match accounts.optional()? {
            _ if count == 0 && !self.complete => None,
            None | Some((Accounts::All, _)) if count == 0 => {
                none(task_place);
                None
            }
            Some((Accounts::All, _)) => every(),
            None if count == 1 => every(),
            None => {
                if self.complete {
                    let message = format!("task `{task}` does not say which of the accounts performs it");
                    let known: Vec<_> = self.accounts.iter().map(|name| format!("\"{name}\"")).collect();
                    let hint = format!("write accounts = \"all\", or a list of some of {}", suggest::enumerate(&known));
                    task_place.error_with_hint(message, hint);
                }
                None
            }
            Some((Accounts::Named(names), _)) => {
                for (name, place) in &names {
                    self.look_for(name, *place);
                }
                self.accounts.list(names.iter().map(|(name, _)| *name))
            }
        }
    }

    fn look_for(&self, name: &str, place: Place<'_>) {
        if self.complete && !self.accounts.contains(name) {
            let hint = suggest::hint(name, self.accounts.iter())
                .unwrap_or_else(|| "no account is defined: add a table [accounts.NAME]".to_owned());
            place.error_with_hint(format!("there is no account `{name}`"), hint);
        }
    }
}

fn warn_of_long_waits(steps: &PlacedSteps<'_>, timeout: Duration) {
    for (_, place) in steps.waits.iter().filter(|(within, _)| *within > timeout) {
        let hint = "the attempt ends first: raise `timeout` of the task, or lower `within`";
        place.warning("`within` of this step is longer than the task's `timeout`", hint.to_owned());
    }
}

fn accounts(value: Value<'_>) -> Option<(Accounts<'_>, Place<'_>)> {
    if value.is_text() {
        if value.text()? == "all" {
            return Some((Accounts::All, value.place()));
        }
        return value.refuse("`accounts` must be \"all\" or a list of names, such as [\"alice\"]");
    }
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    let mut sound = true;
    for entry in value.list()? {
        match entry.text() {
            Some(name) if seen.insert(name) => names.push((name, entry.place())),
            Some(name) => {
                entry.place().error(format!("account `{name}` is in the list twice"));
                sound = false;
            }
            None => sound = false,
        }
    }
    sound.then_some((Accounts::Named(names), value.place()))
}

fn missed(value: Value<'_>) -> Option<MissedPolicy> {
    let mut table = value.table()?;
    let policy = table.take("policy").and_then(|value| {
        value.word(|word| match word {
            "run-once" => Some(true),
            "skip" => Some(false),
            _ => None,
        })
    });
    let within = table.take("within").and_then(|value| Some((value.duration()?, value.key_place())));
    let sound = table.is_sound();
    table.finish();
    let run_once = policy.or_default(true)?;
    let policy = match within.optional()? {
        Some((within, _)) if run_once => MissedPolicy::RunOnce { within },
        Some((_, place)) => {
            place.error("`within` has no meaning with policy = \"skip\": a missed slot is never run");
            return None;
        }
        None if run_once => MissedPolicy::RunOnce { within: DEFAULT_MISSED_WITHIN },
        None => MissedPolicy::Skip,
    };
    sound.then_some(policy)
}

fn deadline(value: Value<'_>) -> Option<NaiveTime> {
    value::clock(&value, value.text()?)
}

fn retry(value: Value<'_>) -> Option<Retry> {
    let mut table = value.table()?;
    let attempts = table.take("attempts").and_then(Value::integer).and_then(|number| u32::try_from(number).ok());
    let delay = table.take("delay").and_then(Value::duration);
    let on = table.take("on").and_then(|value| {
        let words: Vec<_> =
            value.list()?.into_iter().map(|word| word.word(|word| (word == "failed").then_some(()))).collect();
        words.into_iter().collect::<Option<Vec<()>>>()
    });
    let from = table.take("from").and_then(|value| {
        value.word(|word| match word {
            "start" => Some(RetryFrom::Start),
            "step" => Some(RetryFrom::Step),
            _ => None,
        })
    });
    let sound = table.is_sound();
    table.finish();
    on.optional()?;
    let retry = Retry {
        attempts: attempts.or_default(DEFAULT_RETRY.attempts)?,
        delay: delay.or_default(DEFAULT_RETRY.delay)?,
        from: from.or_default(DEFAULT_RETRY.from)?,
    };
    sound.then_some(retry)
}

fn proof(word: &str) -> Option<Proof> {
    match word {
        "bot" => Some(Proof::Bot),
        "delivered" => Some(Proof::Delivered),
        _ => None,
    }
}
