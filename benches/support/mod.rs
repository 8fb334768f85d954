//! What the benchmarks of the whole daemon share: the daemon as a child process, and what a process costs.
#![allow(dead_code, reason = "every benchmark uses its own part")]

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tgsignd::config::TestDataCentre;
use tgsignd::config::secret::Secret;
use tgsignd::telegram::data_centre::DataCentres;
use tgsignd::telegram::session::SessionFile;

/// Nothing that is measured takes that long; whatever does has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The seed of the pre-shared keys of simulated accounts.
pub(crate) const KEY_SEED: &str = "benchmark";

/// The clock ticks of `/proc/PID/stat`, on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// The arguments of a benchmark: cargo adds `--bench`.
pub(crate) struct Arguments {
    /// Exit 1 when a figure is over its limit.
    pub(crate) assert: bool,
    /// Another binary than the one that was built with the benchmark.
    pub(crate) binary: PathBuf,
    /// Everything else.
    pub(crate) rest: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse() -> Self {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_tgsignd"));
        let mut parsed = Self { assert: false, binary, rest: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--assert" => parsed.assert = true,
                "--binary" => parsed.binary = arguments.next().expect("--binary needs a path").into(),
                _ => parsed.rest.push(argument),
            }
        }
        parsed
    }
}

/// Figures beside their limits.
#[derive(Default)]
pub(crate) struct Figures {
    exceeded: bool,
}

impl Figures {
    /// Prints one figure.
    pub(crate) fn show(&mut self, what: impl Display, figure: f64, unit: &str, limit: Option<f64>) {
        let verdict = limit.map(|limit| {
            self.exceeded |= figure > limit;
            format!("at most {limit:>5} {unit:<3} {}", if figure > limit { "FAIL" } else { "PASS" })
        });
        println!("{what:<58} {figure:>9.2} {unit:<4} {}", verdict.unwrap_or_default());
    }

    pub(crate) fn exit(&self, arguments: &Arguments) -> ExitCode {
        if self.exceeded && arguments.assert { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// The middle of an odd number of measurements.
pub(crate) fn median(mut measured: Vec<Duration>) -> Duration {
    measured.sort_unstable();
    measured[measured.len() / 2]
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A workdir and a data directory that vanish with the value.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// With these files in the workdir.
    pub(crate) fn new(files: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        fs::create_dir(place.workdir()).unwrap();
        for (name, text) in files {
            fs::write(place.workdir().join(name), text).unwrap();
        }
        place
    }

    pub(crate) fn workdir(&self) -> PathBuf {
        self.folder.path().join("workdir")
    }

    pub(crate) fn datadir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes the session of an account that has signed in at a simulated data centre.
    pub(crate) fn sign_in(&self, account: &str, user_id: i64, centre: SocketAddr) {
        let sessions = self.datadir().join("sessions");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&sessions).unwrap();
        let key_seed = Some(Secret::new(KEY_SEED.to_owned()));
        let network = DataCentres::Simulated(vec![TestDataCentre { id: 2, address: centre, key_seed }]);
        let session = SessionFile::create(SessionFile::path(&sessions, account), account, &network);
        session.sign_in(user_id).unwrap();
        // As every connect but the first of an account's life finds them: making files is the file system's affair.
        for kind in ["lock", "peers"] {
            fs::write(sessions.join(format!("{account}.{kind}")), "").unwrap();
        }
    }

    /// `binary SUBCOMMAND` here, with nothing of what the shell happens to export.
    pub(crate) fn command(&self, binary: &Path, subcommand: &str) -> Command {
        let mut command = Command::new(binary);
        command.arg(subcommand).arg("--workdir").arg(self.workdir()).arg("--datadir").arg(self.datadir());
        for name in tgsignd::config::ENVIRONMENT {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }
}

/// A running daemon; it is killed when the value is dropped.
pub(crate) struct Daemon {
    child: Child,
    log: Receiver<serde_json::Value>,
    started: Instant,
}

impl Daemon {
    /// Starts it; its configuration has to ask for a log in JSON.
    pub(crate) fn start(place: &Place, binary: &Path) -> Self {
        let started = Instant::now();
        let mut child = place.command(binary, "run").stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                match serde_json::from_str::<serde_json::Value>(&line) {
                    // What is said after the last wait is not wanted, but has to be read, or the daemon would block.
                    Ok(line) => drop(sender.send(line)),
                    Err(_) => eprintln!("{line}"),
                }
            }
        });
        Self { child, log, started }
    }

    /// The next line of the log with this message. Errors before it are shown.
    pub(crate) fn wait_for(&self, message: &str) -> serde_json::Value {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the daemon never said {message:?}"));
            if line["message"] == message {
                return line;
            }
            if line["level"] == "ERROR" {
                eprintln!("{line}");
            }
        }
    }

    /// Waits until it is ready; how long that took from its start.
    pub(crate) fn ready(&self) -> Duration {
        self.wait_for("ready");
        self.started.elapsed()
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Ends it as systemd would.
    pub(crate) fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "the daemon did not stop cleanly");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Megabytes (1,000,000 bytes).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: f64,
    /// The same with shared pages divided among their users.
    pub(crate) proportional: f64,
    /// The most that was ever resident.
    pub(crate) peak: f64,
}

/// A process of this machine.
#[derive(Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id())
    }

    fn file(self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0)).unwrap_or_default()
    }

    /// Processor time that was used so far, in user and kernel mode.
    ///
    /// The threads' own counters are exact but forget threads that ended; the process's counts all of them in ticks.
    pub(crate) fn cpu(self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0)).into_iter().flatten().flatten();
        let exact: u64 = threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
            .filter_map(|counters| counters.split(' ').next()?.parse::<u64>().ok())
            .sum();
        let stat = self.file("stat");
        // Behind the name, which may hold anything, utime and stime are the 12th and the 13th field: see proc_pid_stat(5).
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        Duration::from_nanos(exact).max(TICK * ticks)
    }

    pub(crate) fn memory(self) -> Memory {
        let megabytes = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or_default() * 1024e-6
        };
        let (status, rollup) = (self.file("status"), self.file("smaps_rollup"));
        Memory {
            resident: megabytes(&status, "VmRSS:"),
            proportional: megabytes(&rollup, "Pss:"),
            peak: megabytes(&status, "VmHWM:"),
        }
    }
}

/// Runs a command to its successful end: how long it took, and the processor time it used.
pub(crate) fn time(command: &mut Command) -> (Duration, Duration) {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let clock = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    let wall = clock.elapsed();
    // Its counters can be read until somebody asks how it ended.
    let cpu = Process(child.id()).cpu();
    assert!(child.wait().unwrap().success(), "{command:?} failed");
    (wall, cpu)
}

/// Runs this benchmark again as another process and returns what that printed.
pub(crate) fn again<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> String {
    let this: OsString = std::env::current_exe().unwrap().into();
    let output = Command::new(this).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the process of the benchmark itself failed");
    String::from_utf8(output.stdout).unwrap()
}

/// Lets the time pass in which a daemon has nothing to do.
pub(crate) fn idle(time: Duration) {
    sleep(time);
}
