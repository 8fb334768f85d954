//! The [`Status`] as `OpenMetrics` text.
//!
//! Instants are Unix time in seconds; what is not known has no series. Every combination of labels that can occur is there
//! from the start, except error codes of Telegram that have not been seen.

mod backup;
mod family;
mod tasks;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use self::family::{Family, Labels, counter, counters, gauge, gauges, known_gauge};
use super::process::ProcessMetrics;
use crate::kernel::Alarm;
use crate::kernel::status::{Status, WatcherBackend};

/// The media type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// In front of every name but those of the process.
const PREFIX: &str = "tgsignd";

/// Errors that Telegram documents for every method; present from the start so that rates begin at zero.
const RPC_CODES: [i32; 7] = [303, 400, 401, 403, 406, 420, 500];

/// The whole page.
pub fn render(status: &Status, process: &ProcessMetrics) -> String {
    let mut registry = Registry::default();
    for family in of_process(status, process).into_iter().filter(Family::has_series) {
        registry.register_collector(Box::new(family));
    }
    let ours = registry.sub_registry_with_prefix(PREFIX);
    for family in of_status(status).into_iter().filter(Family::has_series) {
        ours.register_collector(Box::new(family));
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text,
        // Writing to a string does not fail, and half a page would be a lie.
        Err(std::fmt::Error) => "# EOF\n".to_owned(),
    }
}

fn label(name: &'static str, value: &(impl ToString + ?Sized)) -> Labels {
    vec![(name, value.to_string())]
}

fn of_status(status: &Status) -> Vec<Family> {
    let mut families = of_daemon(status);
    families.extend(of_config(status));
    families.extend(tasks::families(status));
    families.extend(of_accounts(status));
    families.extend(of_ledger(status));
    families.extend(backup::families(status));
    families
}

fn of_daemon(status: &Status) -> Vec<Family> {
    let mut build = label("version", &status.build.version);
    build.extend(status.build.revision.clone().map(|revision| ("revision", revision)));
    build.extend(status.build.rustc.clone().map(|rustc| ("rustc", rustc)));
    let totals = &status.totals;
    let alarms = |kind| (label("kind", kind), totals.alarms.get(kind).copied().unwrap_or(0).into());
    vec![
        gauges("build_info", "What is running; always 1.", [(build, true.into())]),
        gauge("shutting_down", "1 while running runs are finished and no new ones begin.", status.shutting_down),
        gauge("loop_last_turn_timestamp_seconds", "When the daemon's loop last turned.", status.heartbeat),
        counter("ticks", "Turns of the ticker.", totals.ticks),
        counter("clock_steps", "Jumps of the wall clock against the monotonic one.", totals.clock_steps),
        counters("alarms", "Alarms that were raised, by kind.", Alarm::kinds().map(alarms)),
    ]
}

fn of_config(status: &Status) -> Vec<Family> {
    let config = &status.config;
    let hash = config.digest.as_ref().map(|digest| (label("hash", digest), true.into()));
    let reloads = [("accepted", status.totals.reloads_accepted), ("rejected", status.totals.reloads_rejected)];
    let backend = |watching: WatcherBackend| {
        WatcherBackend::ALL.map(|backend| (label("backend", backend.as_str()), (backend == watching).into()))
    };
    vec![
        known_gauge(
            "config_last_reload_successful",
            "Whether the last reading of the workdir was accepted.",
            config.last_reload_accepted,
        ),
        known_gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the configuration in force was accepted.",
            config.accepted_at,
        ),
        counters(
            "config_reloads",
            "Readings of a changed workdir.",
            reloads.map(|(result, count)| (label("result", result), count.into())),
        ),
        gauges("config_hash_info", "Digest of the configuration in force; always 1.", hash),
        gauge("config_from_last_good", "1 when the workdir was refused at the start.", config.from_last_good),
        gauge("config_restart_needed", "Changed keys that wait for a restart.", config.restart_needed.len()),
        gauges(
            "watcher_backend_info",
            "How changes of the workdir are noticed: 1 for the mechanism in use.",
            status.watcher.iter().flat_map(|watcher| backend(watcher.backend)),
        ),
        counter(
            "watcher_overflows",
            "Overflows of the kernel's queue, after each of which everything was read again.",
            status.watcher.map_or(0, |watcher| watcher.overflows),
        ),
    ]
}

fn of_accounts(status: &Status) -> Vec<Family> {
    let accounts = || status.accounts.iter().map(|(name, account)| (label("account", name), account));
    let totals = &status.totals;
    let codes = RPC_CODES.iter().chain(totals.rpc_errors.keys().filter(|code| !RPC_CODES.contains(code)));
    let errors = codes.map(|code| {
        let count = totals.rpc_errors.get(code).copied().unwrap_or(0);
        (label("code", code), count.into())
    });
    vec![
        gauges(
            "account_authorized",
            "Whether the account's session is logged in.",
            accounts().filter_map(|(labels, account)| Some((labels, account.authorized?.into()))),
        ),
        gauges(
            "account_flood_wait_until_timestamp_seconds",
            "Until when Telegram told the account to wait.",
            accounts().filter_map(|(labels, account)| Some((labels, account.flood_wait_until?.into()))),
        ),
        gauges(
            "account_queue_length",
            "Runs that wait for the account.",
            accounts().map(|(labels, account)| (labels, account.queue_length.into())),
        ),
        gauges(
            "telegram_connected",
            "Whether the account has an open connection; between runs it need not.",
            accounts().map(|(labels, account)| (labels, account.connected.into())),
        ),
        counters("telegram_rpc_errors", "Errors that Telegram answered with; 420 is a flood wait.", errors),
        counter("telegram_reconnects", "Connections opened again after they broke.", totals.reconnects),
    ]
}

fn of_ledger(status: &Status) -> Vec<Family> {
    let sizes = status.ledger.sizes.as_ref();
    let rows = sizes.into_iter().flat_map(|sizes| &sizes.rows);
    vec![
        gauge("db_ready", "Whether the database is open and past crashes are taken up.", status.ledger.ready),
        counter("db_errors", "Calls of the database that failed.", status.ledger.errors_total),
        known_gauge("db_size_bytes", "The database file.", sizes.map(|sizes| sizes.db_bytes)),
        known_gauge("db_wal_size_bytes", "Its write-ahead log.", sizes.map(|sizes| sizes.wal_bytes)),
        gauges("db_rows", "Rows of its tables.", rows.map(|(table, count)| (label("table", table), (*count).into()))),
    ]
}

/// Named as every Prometheus client names them.
fn of_process(status: &Status, process: &ProcessMetrics) -> Vec<Family> {
    vec![
        counters(
            "process_cpu_seconds",
            "User and system CPU time.",
            process.cpu_seconds.map(|seconds| (vec![], seconds.into())),
        ),
        known_gauge("process_resident_memory_bytes", "Resident memory.", process.resident_bytes),
        known_gauge("process_virtual_memory_bytes", "Address space.", process.virtual_bytes),
        known_gauge("process_open_fds", "Open file descriptors.", process.open_descriptors),
        known_gauge("process_max_fds", "Limit of open file descriptors.", process.max_descriptors),
        known_gauge("process_threads", "Threads.", process.threads),
        gauge("process_start_time_seconds", "When the process began.", status.started_at),
    ]
}

#[cfg(test)]
#[path = "tests.rs"]
pub(super) mod tests;
