//! The [`Status`] as live, ready and a list of components.
//!
//! Reasons name no task, account or file: the bodies may be read by people who may not read the configuration.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::kernel::status::{BackupRole, HEARTBEAT_LIMIT, Status};

/// What `/livez`, `/readyz` and `/healthz` say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The worst of the components.
    pub status: Level,
    /// The loop turns. Nothing else counts: a restart would not help.
    pub live: bool,
    /// Slots can be claimed and run.
    pub ready: bool,
    /// In a fixed order.
    pub components: Vec<Component>,
}

/// One part of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// `loop`, `configuration`, `ledger`, `watcher`, `backup`, `telegram` or `tasks`.
    pub name: &'static str,
    /// How it is.
    pub status: Level,
    /// Why it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All is well.
    Pass,
    /// Somebody should look; sign-ins that can go on do.
    Warn,
    /// Nothing can be signed in.
    Fail,
}

/// Judges `status` at `now`.
pub fn of(status: &Status, now: DateTime<Utc>) -> Health {
    let turns = turning(status, now);
    let configuration = configuration(status);
    let ledger = ledger(status);
    let live = turns.status != Level::Fail;
    let complete = configuration.status != Level::Fail && ledger.status != Level::Fail;
    let ready = live && !status.shutting_down && (complete || is_taking_over(status));
    let components =
        vec![turns, configuration, ledger, watcher(status), backup(status), telegram(status, now), tasks(status)];
    let worst = components.iter().map(|component| component.status).max().unwrap_or(Level::Pass);
    Health { status: worst, live, ready, components }
}

/// The first reason that holds decides.
fn component<const N: usize>(name: &'static str, reasons: [(bool, Level, String); N]) -> Component {
    match reasons.into_iter().find(|(holds, ..)| *holds) {
        Some((_, status, reason)) => Component { name, status, reason: Some(reason) },
        None => Component { name, status: Level::Pass, reason: None },
    }
}

/// A platform ends the process before only when this one is ready, and this one waits for that end.
fn is_taking_over(status: &Status) -> bool {
    status.backup.as_ref().is_some_and(|backup| backup.role == BackupRole::TakingOver && backup.error.is_none())
}

fn turning(status: &Status, now: DateTime<Utc>) -> Component {
    // A heartbeat from the future is a clock that was set back, not a stuck loop.
    let age = (now - status.heartbeat).to_std().unwrap_or_default();
    let stuck = format!("it last turned {} s ago", age.as_secs());
    let stopping = "it finishes running runs and ends".to_owned();
    component("loop", [(age > HEARTBEAT_LIMIT, Level::Fail, stuck), (status.shutting_down, Level::Warn, stopping)])
}

fn configuration(status: &Status) -> Component {
    let config = &status.config;
    let refused = format!("the workdir has {} error(s); the last good configuration is in force", config.errors.len());
    let waiting = format!("{} changed key(s) wait for a restart", config.restart_needed.len());
    component(
        "configuration",
        [
            (config.digest.is_none(), Level::Fail, "none has been accepted yet".to_owned()),
            (config.last_reload_accepted == Some(false), Level::Warn, refused),
            (!config.restart_needed.is_empty(), Level::Warn, waiting),
        ],
    )
}

fn ledger(status: &Status) -> Component {
    let failed = "the last call failed; the log and `tgsignd status` say why".to_owned();
    component(
        "ledger",
        [
            (!status.ledger.ready, Level::Fail, "it is not open yet".to_owned()),
            (status.ledger.error.is_some(), Level::Fail, failed),
        ],
    )
}

fn watcher(status: &Status) -> Component {
    let blind = "no watcher stands; changes of the workdir are not noticed".to_owned();
    component("watcher", [(status.watcher.is_none(), Level::Warn, blind)])
}

fn backup(status: &Status) -> Component {
    let known = status.backup.as_ref();
    let role = |role| known.is_some_and(|backup| backup.role == role);
    let conflict =
        "the server holds what this daemon did not write; nothing is written until somebody decides".to_owned();
    let failing = "the last attempt failed; the log and `tgsignd status` say why".to_owned();
    component(
        "backup",
        [
            (role(BackupRole::Superseded), Level::Warn, "another process has taken over".to_owned()),
            (known.is_some_and(|backup| backup.conflict.is_some()), Level::Warn, conflict),
            (known.is_some_and(|backup| backup.error.is_some()), Level::Warn, failing),
            (role(BackupRole::TakingOver), Level::Warn, "it waits for the process before it to leave".to_owned()),
        ],
    )
}

fn telegram(status: &Status, now: DateTime<Utc>) -> Component {
    let count = |is: &dyn Fn(&crate::kernel::status::AccountStatus) -> bool| {
        status.accounts.values().filter(|account| is(account)).count()
    };
    let out = count(&|account| account.authorized == Some(false));
    let broken = count(&|account| account.error.is_some());
    let waiting = count(&|account| account.flood_wait_until.is_some_and(|until| until > now));
    let of = |number| format!("{number} of {} account(s)", status.accounts.len());
    component(
        "telegram",
        [
            (out > 0, Level::Warn, format!("{} are logged out", of(out))),
            (broken > 0, Level::Warn, format!("{} have trouble with their connection", of(broken))),
            (waiting > 0, Level::Warn, format!("{} were told to wait", of(waiting))),
        ],
    )
}

fn tasks(status: &Status) -> Component {
    let failing = status
        .tasks
        .values()
        .filter(|task| task.enabled && task.accounts.values().any(|pair| pair.consecutive_failures > 0))
        .count();
    let reason = format!("{failing} of {} task(s) were not done the last time", status.tasks.len());
    component("tasks", [(failing > 0, Level::Warn, reason)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use chrono::TimeDelta;

    use super::*;
    use crate::http::metrics::tests::{busy_status, now};
    use crate::names::{AccountName, TaskName};

    #[test]
    fn a_loop_that_does_not_turn_is_not_live_and_a_clock_set_back_is_no_fault() {
        let status = busy_status();
        let limit = TimeDelta::from_std(HEARTBEAT_LIMIT).unwrap();
        assert!(of(&status, status.heartbeat + limit).live);
        assert!(of(&status, status.heartbeat - TimeDelta::days(1)).live);
        let stuck = of(&status, status.heartbeat + limit + TimeDelta::seconds(1));
        assert!(!stuck.live && !stuck.ready);
        assert_eq!(stuck.components[0].reason.as_deref(), Some("it last turned 91 s ago"));
    }

    #[test]
    fn ready_needs_a_configuration_and_a_ledger_and_nothing_else() {
        let status = busy_status();
        assert!(of(&status, now()).ready, "accounts in trouble do not matter");
        let mut unconfigured = status.clone();
        unconfigured.config.digest = None;
        let mut closed = status.clone();
        closed.ledger.ready = false;
        let mut broken = status.clone();
        broken.ledger.error = Some("disk".to_owned());
        let mut stopping = status.clone();
        stopping.shutting_down = true;
        for (number, unready) in [unconfigured, closed, broken, stopping].into_iter().enumerate() {
            let health = of(&unready, now());
            assert!(health.live && !health.ready, "{number}");
        }
    }

    #[test]
    fn no_name_leaves_the_house() {
        let status = busy_status();
        let json = serde_json::to_string(&of(&status, now())).unwrap();
        assert!(json.contains("1 of 2 account(s) are logged out"), "{json}");
        let names = status.tasks.keys().map(TaskName::as_str).chain(status.accounts.keys().map(AccountName::as_str));
        let mut checked = 0;
        for name in names {
            assert!(!json.contains(name), "{name} in {json}");
            checked += 1;
        }
        assert_eq!(checked, 4);
    }
}
