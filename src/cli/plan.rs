//! `plan`: what will run when, computed from the configuration alone. No network, no account, no data directory.

use std::io::{self, BufWriter, Write};

use crate::schedule::Zone;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::arguments::{Cli, Format, PlanArgs};
use super::output::{CliError, Exit};
use crate::config::{Snapshot, Task};
use crate::names::{AccountName, TaskName};
use crate::schedule::{PlannedRun, PlannedTask, Seed, describe, duration, plan};

/// How many runs a table for people holds; JSON has them all.
const TABLE_ROWS: usize = 1_000;

/// Prints the runs whose slots lie in `args.from..args.from + args.next` to standard output, in the order of their start.
///
/// JSON is one object a line, `{"task","account","slot","fire_at"}`, with RFC 3339 instants in the offset that the task's zone
/// has then. Jitter is drawn with the `seed` of the installation; without one there is none, and text output says so on
/// standard error. A reader that closes the pipe ends the output without an error.
pub fn run(
    cli: &Cli,
    args: &PlanArgs,
    snapshot: &Snapshot,
    seed: Option<&Seed>,
    now: DateTime<Utc>,
) -> Result<Exit, CliError> {
    let mut output = BufWriter::new(io::stdout().lock());
    let written = match cli.format {
        Format::Json => write_json(&mut output, select(args, snapshot, seed, now)?),
        Format::Text => write_table(&mut output, &mut io::stderr().lock(), select(args, snapshot, seed, now)?),
    };
    match written.and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Failure, format!("the plan cannot be written to standard output: {error}")))
        }
        _ => Ok(Exit::Success),
    }
}

/// The runs to show, and what has to be said about them.
struct Selection<'a> {
    snapshot: &'a Snapshot,
    runs: Box<dyn Iterator<Item = PlannedRun> + 'a>,
    notes: Vec<String>,
}

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    task: &'a TaskName,
    account: &'a AccountName,
    slot: String,
    fire_at: String,
}

fn select<'a>(
    args: &PlanArgs,
    snapshot: &'a Snapshot,
    seed: Option<&'a Seed>,
    now: DateTime<Utc>,
) -> Result<Selection<'a>, CliError> {
    let usage = |message: String| CliError::new(Exit::Usage, message);
    let length = duration::parse(&args.next).map_err(|error| usage(format!("--next: {error}")))?;
    let from = args.from.map_or(now, |from| from.to_utc());
    let until = TimeDelta::from_std(length)
        .ok()
        .and_then(|length| from.checked_add_signed(length))
        .ok_or_else(|| usage(format!("--from {from} --next {}: the end is too far in the future", args.next)))?;
    let named: Vec<&Task> = match &args.task {
        None => snapshot.tasks.values().map(AsRef::as_ref).collect(),
        Some(name) => match snapshot.tasks.get(name) {
            Some(task) => vec![task],
            None => {
                return Err(usage(format!("there is no task {name:?} in the workdir; `plan` alone lists all tasks")));
            }
        },
    };
    let (enabled, disabled): (Vec<&Task>, Vec<&Task>) = named.into_iter().partition(|task| task.enabled);
    let mut notes: Vec<String> =
        disabled.iter().map(|task| format!("{} is disabled and has no runs", task.name)).collect();
    if seed.is_none() && enabled.iter().any(|task| task.timing.is_spread()) {
        notes.push("times are without jitter, which is drawn when the daemon first starts".to_owned());
    }
    for task in enabled.iter().filter(|task| task.timing.schedule.period().is_some()) {
        notes.push(format!("{} runs {}: `tgsignd status` knows when that was", task.name, describe(&task.timing)));
    }
    if args.task.is_some() {
        notes.extend(enabled.iter().map(|task| format!("{}: {}", task.name, describe(&task.timing))));
    }
    let tasks = enabled.into_iter().map(|task| PlannedTask {
        name: &task.name,
        accounts: &task.accounts,
        quiet: snapshot.quiet_hours(task),
        timing: &task.timing,
    });
    Ok(Selection { snapshot, runs: Box::new(plan(tasks, seed, from, until)), notes })
}

impl Selection<'_> {
    fn zone(&self, run: &PlannedRun) -> Zone {
        self.snapshot.tasks.get(&run.task).map_or(Zone::UTC, |task| task.timing.zone)
    }
}

fn write_json(output: &mut impl Write, mut selection: Selection<'_>) -> io::Result<()> {
    while let Some(run) = selection.runs.next() {
        let zone = selection.zone(&run);
        let line = Line {
            task: &run.task,
            account: &run.account,
            slot: run.slot.instant().with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false),
            fire_at: run.fire_at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false),
        };
        serde_json::to_writer(&mut *output, &line)?;
        output.write_all(b"\n")?;
    }
    Ok(())
}

fn write_table(output: &mut impl Write, notes: &mut impl Write, mut selection: Selection<'_>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["STARTS", "SLOT", "TASK", "ACCOUNT"]);
    let shown: Vec<PlannedRun> = selection.runs.by_ref().take(TABLE_ROWS).collect();
    for run in &shown {
        let local = |instant: DateTime<Utc>| {
            instant.with_timezone(&selection.zone(run)).format("%Y-%m-%d %H:%M:%S %:z").to_string()
        };
        table.add_row([local(run.fire_at), local(run.slot.instant()), run.task.to_string(), run.account.to_string()]);
    }
    if shown.is_empty() {
        selection.notes.push("nothing runs in this time".to_owned());
    } else {
        writeln!(output, "{}", table.trim_fmt())?;
    }
    if selection.runs.next().is_some() {
        selection.notes.push(format!("only the first {TABLE_ROWS} runs are shown; --format json prints them all"));
    }
    output.flush()?;
    selection.notes.iter().try_for_each(|note| writeln!(notes, "{note}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::collections::BTreeMap;

    use clap::Parser;

    use super::super::arguments::Command;
    use super::*;
    use crate::config::{FileContent, Sources, load};

    /// Two accounts, and these tasks of both.
    fn snapshot(tasks: &str) -> Snapshot {
        let text = format!(
            "version = 1\n[accounts.alice]\n[accounts.bob]\n[defaults]\naccounts = 'all'\nchat = 1\n\
             steps = [{{ send = 'x' }}]\n{tasks}"
        );
        let files = BTreeMap::from([("tgsignd.toml".to_owned(), FileContent::Bytes(text.into()))]);
        load(&Sources { files, environment: BTreeMap::new() }).unwrap().snapshot
    }

    fn arguments(words: &[&str]) -> PlanArgs {
        match Cli::try_parse_from([&["tgsignd", "plan"], words].concat()).unwrap().command {
            Command::Plan(args) => args,
            other => panic!("{other:?}"),
        }
    }

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_carry_the_offset_of_the_task_s_zone_across_a_change() {
        let snapshot = snapshot("[tasks.daily]\nschedule = '09:30'\ntimezone = 'Europe/Berlin'\n");
        let args = arguments(&["--from", "2027-03-27T00:00:00+01:00", "--next", "2d"]);
        let now = DateTime::UNIX_EPOCH;
        let lines = text(|output| write_json(output, select(&args, &snapshot, None, now).unwrap()));
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                r#"{"task":"daily","account":"alice","slot":"2027-03-27T09:30:00+01:00","fire_at":"2027-03-27T09:30:00.000+01:00"}"#,
                r#"{"task":"daily","account":"bob","slot":"2027-03-27T09:30:00+01:00","fire_at":"2027-03-27T09:30:30.000+01:00"}"#,
                r#"{"task":"daily","account":"alice","slot":"2027-03-28T09:30:00+02:00","fire_at":"2027-03-28T09:30:00.000+02:00"}"#,
                r#"{"task":"daily","account":"bob","slot":"2027-03-28T09:30:00+02:00","fire_at":"2027-03-28T09:30:30.000+02:00"}"#,
            ]
        );
    }

    #[test]
    fn the_table_holds_the_runs_and_the_notes_stay_apart() {
        let snapshot = snapshot(
            "[tasks.daily]\nschedule = '09:30'\ntimezone = 'Asia/Shanghai'\njitter = '1m'\n\
             [tasks.off]\nschedule = '10:00'\ntimezone = 'UTC'\nenabled = false\n",
        );
        let args = arguments(&["--from", "2026-11-22T00:00:00Z"]);
        let write = |seed: Option<&Seed>, next: &str| {
            let args = PlanArgs { next: next.to_owned(), from: args.from, task: None };
            let mut notes = Vec::new();
            let selection = select(&args, &snapshot, seed, DateTime::UNIX_EPOCH).unwrap();
            let table = text(|output| write_table(output, &mut notes, selection));
            (table, String::from_utf8(notes).unwrap())
        };
        let (table, notes) = write(None, "24h");
        assert!(table.contains("2026-11-22 09:30:30 +08:00  2026-11-22 09:30:00 +08:00  daily  bob"), "{table}");
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(notes.contains("off is disabled") && notes.contains("without jitter"), "{notes}");
        assert!(!write(Some(&Seed([1; 32])), "24h").1.contains("jitter"));
        let (table, notes) = write(None, "600d");
        assert_eq!(table.lines().count(), TABLE_ROWS + 1);
        assert!(notes.contains("--format json"), "{notes}");
        let (table, notes) = write(None, "1h");
        assert!(table.is_empty() && notes.contains("nothing runs"), "{table}{notes}");
    }

    #[test]
    fn wrong_arguments_are_told() {
        let snapshot = snapshot("[tasks.daily]\nschedule = '09:30'\ntimezone = 'UTC'\n");
        for (words, told) in [
            (["--next", "7", "daily"], "--next: \"7\" has no unit"),
            (["--next", "7d", "weekly"], "there is no task \"weekly\""),
        ] {
            let error = select(&arguments(&words), &snapshot, None, DateTime::UNIX_EPOCH).err().unwrap();
            assert_eq!(error.exit, Exit::Usage);
            assert!(error.message.contains(told), "{}", error.message);
        }
    }
}
