//! The real binary under clocks that jump, stop, and cross changes of daylight-saving time; and a thousand reloads.
//!
//! No account is signed in, so that every run ends at once; that its slot came is what counts.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use rustix::process::{Pid, Signal, kill_process};

use crate::kit::{self, tools};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running daemon and its log.
struct Daemon {
    folder: tempfile::TempDir,
    process: Child,
    lines: Receiver<String>,
}

impl Daemon {
    /// Starts it with these tasks (of one account, in Berlin), `faketime` being what libfaketime is told.
    fn start(tasks: &str, faketime: Option<&[(&str, &str)]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_workdir(folder.path(), tasks);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tgsignd"));
        if let Some(variables) = faketime {
            // Not through the `faketime` program, which would stand between us and the daemon.
            command.env("LD_PRELOAD", libfaketime().unwrap()).envs(variables.iter().copied());
        }
        for name in tgsignd::config::ENVIRONMENT {
            command.env_remove(name);
        }
        command.args(["run", "--workdir"]).arg(folder.path().join("workdir"));
        command.arg("--datadir").arg(folder.path().join("data"));
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut daemon = Self { folder, process, lines };
        daemon.wait_for(|line| line["message"] == "ready");
        daemon
    }

    /// The next line of the log that is as wanted.
    fn wait_for(&mut self, mut wanted: impl FnMut(&serde_json::Value) -> bool) -> serde_json::Value {
        let mut seen = Vec::new();
        let end = Instant::now() + PATIENCE;
        loop {
            let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                panic!("not in the log:\n{}", seen.join("\n"))
            };
            if let Some(found) = serde_json::from_str(&line).ok().filter(&mut wanted) {
                return found;
            }
            seen.push(line);
        }
    }

    /// The slot of the task that is dealt with next, run or not.
    fn next_slot(&mut self, task: &str) -> DateTime<Utc> {
        let line = self.wait_for(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            line["task"] == task && (message == "run ordered" || message.starts_with("slot not run"))
        });
        line["slot"].as_str().unwrap().parse().unwrap()
    }

    /// What is dealt with, run or not, until the task `tick` has come to this instant; without `tick` itself.
    fn slots_until(&mut self, instant: DateTime<Utc>) -> BTreeSet<String> {
        let mut slots = BTreeSet::new();
        self.wait_for(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            if message != "run ordered" && !message.starts_with("slot not run") {
                return false;
            }
            let (task, slot) = (line["task"].as_str().unwrap(), line["slot"].as_str().unwrap());
            if task != "tick" {
                slots.insert(format!("{task} {slot}"));
            }
            task == "tick" && utc(slot) >= instant
        });
        slots
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn write_workdir(folder: &Path, tasks: &str) {
    let workdir = folder.join("workdir");
    fs::create_dir_all(&workdir).unwrap();
    let settings = format!(
        "version = 1\n[telegram]\ntest_data_centres = [{{ id = 2, address = '127.0.0.1:9', key_seed = 'x' }}]\n\
         [log]\nformat = 'json'\n[http]\nlisten = 'unix:{}'\n[accounts.alice]\n[defaults]\ntimezone = 'Europe/Berlin'\n\
         retry = {{ attempts = 1 }}\nchat = 1\nsteps = [{{ send = 'x' }}]\n{tasks}",
        folder.join("http.sock").display()
    );
    fs::write(workdir.join("tgsignd.toml"), settings).unwrap();
}

/// The library, where Debian and Fedora put it.
fn libfaketime() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib64/faketime"];
    folders.iter().map(|folder| Path::new(folder).join("libfaketimeMT.so.1")).find(|file| file.is_file())
}

fn has_faketime() -> bool {
    let found = libfaketime().is_some();
    if !found {
        tools::missing("libfaketime");
    }
    found
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The daemon's clock starts at this instant.
fn starting_at(instant: &str) -> Vec<(&'static str, String)> {
    // libfaketime reads local time, and the process has UTC.
    vec![
        ("TZ", "UTC".to_owned()),
        ("FAKETIME", format!("@{instant}")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

fn start_at(tasks: &str, instant: &str) -> Daemon {
    let variables = starting_at(instant);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Daemon::start(tasks, Some(&variables))
}

#[test]
fn a_running_daemon_crosses_the_changes_of_daylight_saving_time() {
    if !has_faketime() {
        return;
    }
    let tick = "[tasks.tick]\nschedule = '* * * * * *'\n";
    for (start, until, tasks, expected) in [
        // A named time in the gap runs at its end, beside what is planned there; real time goes on.
        (
            "2027-03-28 00:59:52",
            "2027-03-28T01:00:02Z",
            "[tasks.gap]\nschedule = '17 2,14 * * *'\n[tasks.real]\nschedule = '0 * * * *'\n",
            &["gap 2027-03-28T01:00:00Z", "real 2027-03-28T01:00:00Z"][..],
        ),
        // What happens twice runs the first time …
        (
            "2027-10-30 23:59:52",
            "2027-10-31T00:00:02Z",
            "[tasks.fixed]\nschedule = '0 2 * * *'\n[tasks.real]\nschedule = '0 * * * *'\n",
            &["fixed 2027-10-31T00:00:00Z", "real 2027-10-31T00:00:00Z"][..],
        ),
        // … and only then, unless the hour is a star.
        (
            "2027-10-31 00:59:52",
            "2027-10-31T01:00:02Z",
            "[tasks.fixed]\nschedule = '0 2 * * *'\n[tasks.real]\nschedule = '0 * * * *'\n",
            &["real 2027-10-31T01:00:00Z"][..],
        ),
        // Half an hour in Lord Howe.
        (
            "2027-10-02 15:29:52",
            "2027-10-02T15:30:02Z",
            "[tasks.gap]\nschedule = '02:15'\ntimezone = 'Australia/Lord_Howe'\n",
            &["gap 2027-10-02T15:30:00Z"][..],
        ),
    ] {
        let mut daemon = start_at(&format!("{tick}{tasks}"), start);
        let slots: Vec<String> = daemon.slots_until(utc(until)).into_iter().collect();
        assert_eq!(slots, expected, "from {start}");
    }
}

/// A wall clock that can be put forward and back under a running daemon; the monotonic one goes on.
struct WallClock(tempfile::TempDir);

impl WallClock {
    fn new() -> Self {
        let clock = Self(tempfile::tempdir().unwrap());
        clock.put("+0");
        clock
    }

    /// Replaced as a whole: the daemon reads it at any time.
    fn put(&self, delta: &str) {
        let new = self.0.path().join("new");
        fs::write(&new, delta).unwrap();
        fs::rename(&new, self.0.path().join("offset")).unwrap();
    }

    fn start(&self, tasks: &str) -> Daemon {
        let file = self.0.path().join("offset").display().to_string();
        let variables = [
            ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        Daemon::start(tasks, Some(&variables))
    }
}

const STEPPED: &str = "the clock was set, or the machine slept";

#[tokio::test]
async fn a_clock_that_is_put_back_is_told_and_counted_and_brings_no_slot_twice() {
    if !has_faketime() {
        return;
    }
    let clock = WallClock::new();
    let mut daemon = clock.start("[tasks.often]\nschedule = '* * * * * *'\n");
    let mut slots = vec![daemon.next_slot("often"), daemon.next_slot("often")];
    clock.put("-4");
    let told = daemon.wait_for(|line| {
        if line["message"] == "run ordered" {
            slots.push(utc(line["slot"].as_str().unwrap()));
        }
        line["message"] == STEPPED
    });
    assert!(told["seconds"].as_i64().is_some_and(|seconds| (-5..=-3).contains(&seconds)), "{told}");
    // By then the clock has shown some seconds for the second time.
    slots.extend((0..3).map(|_| daemon.next_slot("often")));
    assert!(slots.is_sorted_by(|before, after| before < after), "{slots:?}");
    let metrics = kit::ask_unix(&daemon.folder.path().join("http.sock"), "GET /metrics").await;
    assert_eq!(metrics.metric("tgsignd_clock_steps_total", &[]), Some(1.0));
}

#[test]
fn a_clock_that_is_put_forward_loses_no_slot() {
    if !has_faketime() {
        return;
    }
    let clock = WallClock::new();
    let in_an_hour = (Utc::now() + TimeDelta::hours(1)).format("%-S %-M %-H * * *").to_string();
    let tasks = format!(
        "[tasks.hour]\nschedule = '{in_an_hour}'\ntimezone = 'UTC'\n\
                         [tasks.often]\nschedule = '*/2 * * * * *'\nmissed = {{ policy = 'skip' }}\n"
    );
    let mut daemon = clock.start(&tasks);
    daemon.next_slot("often");
    clock.put("+2h");
    // Whichever is told first.
    let (mut told, mut ordered) = (false, None);
    while !told || ordered.is_none() {
        let line = daemon.wait_for(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            message == STEPPED || message == "run ordered" && line["task"] == "hour"
        });
        match line["slot"].as_str() {
            Some(slot) => ordered = Some(utc(slot)),
            None => told = true,
        }
    }
    assert!(ordered < Some(Utc::now() + TimeDelta::hours(1)), "run late");
}

#[test]
fn a_stopped_process_makes_up_for_what_it_slept_through_once() {
    let mut daemon = Daemon::start("[tasks.often]\nschedule = '* * * * * *'\n", None);
    let mut slots = vec![daemon.next_slot("often")];
    daemon.signal(Signal::STOP);
    let wake_at = Utc::now() + TimeDelta::seconds(5);
    while Utc::now() < wake_at {
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.signal(Signal::CONT);
    while slots[slots.len() - 1] <= wake_at {
        slots.push(daemon.next_slot("often"));
    }
    let set: BTreeSet<_> = slots.iter().collect();
    assert_eq!(set.len(), slots.len(), "none twice: {slots:?}");
    let gaps = slots.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.into_iter().all(|gap| gap == TimeDelta::seconds(1)), "none left out: {slots:?}");
}

#[test]
fn after_a_thousand_reloads_a_later_task_still_fires() {
    let mut daemon = Daemon::start("[tasks.first]\nschedule = '06:00'\n", None);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (folder, process) = (daemon.folder.path(), Pid::from_child(&daemon.process));
            scope.spawn(move || {
                for round in 0..250 {
                    let file = folder.join(format!("workdir/w{writer}.toml"));
                    let new = folder.join(format!("workdir/.w{writer}"));
                    fs::write(&new, format!("[tasks.t{writer}]\nschedule = '{} 6 * * *'\n", round % 60)).unwrap();
                    fs::rename(new, file).unwrap();
                    // Every edit asks for a reading of its own; what comes while one goes on is one more.
                    kill_process(process, Signal::HUP).unwrap();
                }
            });
        }
    });
    fs::write(daemon.folder.path().join("workdir/later.toml"), "[tasks.later]\nschedule = '* * * * * *'\n").unwrap();
    daemon.next_slot("later");
}
